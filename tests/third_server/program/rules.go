package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// A client takes 8 KiB of status, so a refusal that speaks of long texts is cut.
const statusBytesMax = 1000

var hyphens = regexp.MustCompile("-+")

func invalid(format string, values ...any) error {
	return status.Error(codes.InvalidArgument, shortened(fmt.Sprintf(format, values...)))
}

func shortened(text string) string {
	if len(text) <= statusBytesMax {
		return text
	}
	end := statusBytesMax
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// ValidateFieldConstraints: every rule of the request.
func validate(request proto.Message) error {
	err := protovalidate.Validate(request)
	var violated *protovalidate.ValidationError
	if !errors.As(err, &violated) {
		return err
	}
	refusal := status.New(codes.InvalidArgument, shortened(violated.Error()))
	details := &errdetails.BadRequest{}
	for _, one := range violated.Violations {
		details.FieldViolations = append(details.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field:       protovalidate.FieldPathString(one.Proto.GetField()),
			Description: one.Proto.GetMessage(),
		})
	}
	if proto.Size(details) > statusBytesMax {
		return refusal.Err()
	}
	detailed, err := refusal.WithDetails(details)
	if err != nil {
		return refusal.Err()
	}
	return detailed.Err()
}

// Lower-case; blanks to hyphens; only ASCII letters, digits and hyphens; single hyphens, none at the ends.
func slugOf(name string) string {
	kept := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return '-'
		case r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z':
			return r
		}
		return -1
	}, strings.ToLower(name))
	return strings.Trim(hyphens.ReplaceAllString(kept, "-"), "-")
}

// ResolveSlug: the client's slug, or one made of the name.
func resolveSlug(r resource) error {
	metadata := r.GetMetadata()
	if metadata.GetSlug() == "" {
		metadata.Slug = slugOf(metadata.GetName())
	}
	if metadata.Slug == "" {
		return invalid("metadata.name: nothing in %q makes a slug", metadata.GetName())
	}
	return nil
}
