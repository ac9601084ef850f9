package main

import (
	"encoding/binary"
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"

	agentv1 "parity/benchmarks/native/ai/stigmer/agentic/agent/v1"
)

// readAgents reads the payload file of a build: for each agent four bytes of length (big endian) and its wire form.
func readAgents(path string) ([]*agentv1.Agent, error) {
	rest, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var agents []*agentv1.Agent
	for len(rest) > 0 {
		if len(rest) < 4 || len(rest)-4 < int(binary.BigEndian.Uint32(rest)) {
			return nil, fmt.Errorf("%s ends in the middle of agent %d", path, len(agents))
		}
		end := 4 + int(binary.BigEndian.Uint32(rest))
		agent := &agentv1.Agent{}
		if err := proto.Unmarshal(rest[4:end], agent); err != nil {
			return nil, fmt.Errorf("%s: agent %d: %w", path, len(agents), err)
		}
		agents, rest = append(agents, agent), rest[end:]
	}
	return agents, nil
}
