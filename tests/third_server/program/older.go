package main

import (
	"log"

	"google.golang.org/grpc/encoding"
	codec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	agentv1 "parity/tests/third_server/ai/stigmer/agentic/agent/v1"
)

// Returns the contract's files as they were before field 1 of `SubAgent` became a name: a reference to an agent.
func olderSchema() *protoregistry.Files {
	set := &descriptorpb.FileDescriptorSet{}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
		return true
	})
	for _, file := range set.File {
		for _, message := range file.MessageType {
			if file.GetPackage() == "ai.stigmer.agentic.agent.v1" && message.GetName() == "SubAgent" {
				first := message.Field[0]
				first.Name, first.JsonName = proto.String("agent_ref"), proto.String("agentRef")
				first.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
				first.TypeName = proto.String(".ai.stigmer.commons.apiresource.ApiResourceReference")
				first.Options = nil
			}
		}
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		log.Fatal(err)
	}
	return files
}

// Refuses the agents that a server of the older schema can't parse.
type olderCodec struct {
	encoding.CodecV2
	agent protoreflect.MessageDescriptor
}

func newOlderCodec(schema *protoregistry.Files) encoding.CodecV2 {
	name := (&agentv1.Agent{}).ProtoReflect().Descriptor().FullName()
	found, err := schema.FindDescriptorByName(name)
	if err != nil {
		log.Fatal(err)
	}
	return olderCodec{encoding.GetCodecV2(codec.Name), found.(protoreflect.MessageDescriptor)}
}

func (c olderCodec) Unmarshal(data mem.BufferSlice, message any) error {
	if _, ok := message.(*agentv1.Agent); ok {
		if err := proto.Unmarshal(data.Materialize(), dynamicpb.NewMessage(c.agent)); err != nil {
			return err
		}
	}
	return c.CodecV2.Unmarshal(data, message)
}
