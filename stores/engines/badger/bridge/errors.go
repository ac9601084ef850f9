package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/y"
)

// code is what a call of the bridge answers instead of a length when it fails. library.py has the same table;
// its test compares the two.
type code int64

const (
	codeNotFound       code = -1
	codeBufferTooSmall code = -2
	codeClosed         code = -3
	codeLocked         code = -4
	codeCorrupt        code = -5
	codeDiskFull       code = -6
	codeTooBig         code = -7
	codeInvalid        code = -8
	codeIO             code = -9
	codeReadOnly       code = -10
	codeBroken         code = -11
	codeTooManyFiles   code = -12
)

// fault is an error of the bridge's own, with its code.
type fault struct {
	code code
	text string
}

func (f fault) Error() string { return f.text }

func faultf(c code, format string, args ...any) error { return fault{c, fmt.Sprintf(format, args...)} }

var errClosed = fault{codeClosed, "the database is closed"}

// knownErrors maps Badger's own sentinel errors; order doesn't matter, each is distinct.
var knownErrors = []struct {
	err  error
	code code
}{
	{badger.ErrKeyNotFound, codeNotFound},
	{badger.ErrTxnTooBig, codeTooBig},
	{badger.ErrDBClosed, codeClosed},
	{badger.ErrBlockedWrites, codeClosed},
	{badger.ErrEmptyKey, codeInvalid},
	{badger.ErrInvalidKey, codeInvalid},
	{badger.ErrReadOnlyTxn, codeReadOnly},
	{badger.ErrTruncateNeeded, codeReadOnly},
	{badger.ErrEncryptionKeyMismatch, codeCorrupt}, // we use no encryption: the key registry is damaged
	{y.ErrChecksumMismatch, codeCorrupt},
	{syscall.ENOSPC, codeDiskFull},
	{syscall.EDQUOT, codeDiskFull},
	{syscall.EWOULDBLOCK, codeLocked},
	{syscall.EMFILE, codeTooManyFiles},
	{syscall.ENFILE, codeTooManyFiles},
}

// knownTexts maps errors that Badger makes on the spot, where only the words tell what happened.
var knownTexts = []struct {
	words string
	code  code
}{
	{"Cannot acquire directory lock", codeLocked},
	{"checksum mismatch", codeCorrupt},
	{"bad magic", codeCorrupt},
	{"unsupported version", codeCorrupt},
	{"file does not exist for table", codeCorrupt},
	{"might be corrupted", codeCorrupt},
	{"Invalid datakey", codeCorrupt},
	{"while opening fid", codeCorrupt},
	{"failed to initialize table", codeCorrupt},
	{"failed to read index", codeCorrupt},
	{"readTable", codeCorrupt},
	{"exceeded", codeTooBig},
	{"bigger than maximum offset", codeTooBig},
}

// codeOf says which code an error answers with. Paths that can't be read or made are I/O errors, never corruption.
func codeOf(err error) code {
	var own fault
	if errors.As(err, &own) {
		return own.code
	}
	for _, known := range knownErrors {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return codeIO
	}
	// Badger wraps its own errors by their words alone, so errors.Is doesn't find all of them.
	for _, known := range knownErrors {
		if strings.Contains(err.Error(), known.err.Error()) {
			return known.code
		}
	}
	for _, known := range knownTexts {
		if strings.Contains(err.Error(), known.words) {
			return known.code
		}
	}
	return codeIO
}
