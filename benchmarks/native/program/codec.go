package main

import (
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	agentv1 "parity/benchmarks/native/ai/stigmer/agentic/agent/v1"
)

// codec turns an agent into what is stored, and back.
type codec struct {
	encode func(proto.Message) ([]byte, error)
	decode func([]byte, proto.Message) error
}

var codecs = map[string]codec{
	"json":     {protojson.Marshal, protojson.Unmarshal},
	"protobuf": {proto.Marshal, proto.Unmarshal},
}

func (c codec) agent(stored []byte) (*agentv1.Agent, error) {
	agent := &agentv1.Agent{}
	return agent, c.decode(stored, agent)
}
