package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	agentv1 "parity/benchmarks/native/ai/stigmer/agentic/agent/v1"
)

// fromPython names the folder in which Python left agents.bin and, agent by agent, the JSON document that it stores.
const fromPython = "PARITY_NATIVE_FIXTURE"

func pythons(t *testing.T) ([]*agentv1.Agent, string) {
	t.Helper()
	folder := os.Getenv(fromPython)
	if folder == "" {
		t.Skip(fromPython + " names no folder; benchmarks/tests/test_native.py runs these tests with one")
	}
	agents, err := readAgents(filepath.Join(folder, "agents.bin"))
	if err != nil || len(agents) == 0 {
		t.Fatalf("%d agents, %v", len(agents), err)
	}
	return agents, folder
}

// Go writes the members of a oneof after all other fields, Python by their number: where an agent has one, the bytes
// are the same in another order, which protobuf leaves to each writer.
func TestTheSameRecordHasPythonsBytes(t *testing.T) {
	agents, folder := pythons(t)
	rest, err := os.ReadFile(filepath.Join(folder, "agents.bin"))
	if err != nil {
		t.Fatal(err)
	}
	identical := 0
	for _, agent := range agents {
		end := 4 + binary.BigEndian.Uint32(rest)
		pythons := rest[4:end]
		rest = rest[end:]
		ours, err := proto.MarshalOptions{Deterministic: true}.Marshal(agent)
		if err != nil {
			t.Fatal(err)
		}
		if len(agent.Spec.McpServers) == 0 { // the only oneof that the payloads have
			identical++
			if !bytes.Equal(ours, pythons) {
				t.Fatalf("%s: not the bytes that Python writes", agent.Metadata.Id)
			}
		}
		sort := func(data []byte) []byte { data = bytes.Clone(data); slices.Sort(data); return data }
		if !bytes.Equal(sort(ours), sort(pythons)) {
			t.Fatalf("%s: not Python's bytes in any order", agent.Metadata.Id)
		}
	}
	if identical == 0 || identical == len(agents) {
		t.Fatalf("%d of %d agents without a oneof: both sorts are needed", identical, len(agents))
	}
}

func TestTheSameRecordIsPythonsDocument(t *testing.T) {
	agents, folder := pythons(t)
	raw, err := os.ReadFile(filepath.Join(folder, "documents.json"))
	if err != nil {
		t.Fatal(err)
	}
	var documents []json.RawMessage
	if err := json.Unmarshal(raw, &documents); err != nil || len(documents) != len(agents) {
		t.Fatalf("%d documents of %d agents, %v", len(documents), len(agents), err)
	}
	for place, agent := range agents {
		ours, err := codecs["json"].encode(agent)
		if err != nil {
			t.Fatal(err)
		}
		var mine, pythons any
		if json.Unmarshal(ours, &mine) != nil || json.Unmarshal(documents[place], &pythons) != nil {
			t.Fatalf("%s: no JSON", agent.Metadata.Id)
		}
		if !reflect.DeepEqual(mine, pythons) {
			t.Fatalf("%s: other documents:\n%s\n%s", agent.Metadata.Id, ours, documents[place])
		}
		back := &agentv1.Agent{}
		if err := protojson.Unmarshal(documents[place], back); err != nil || !proto.Equal(back, agent) {
			t.Fatalf("%s: Python's document is another agent: %v", agent.Metadata.Id, err)
		}
	}
}

func TestEveryDesignAnswersWhatWasStored(t *testing.T) {
	agents := []*agentv1.Agent{agentOf("a", "one"), agentOf("b", "two"), agentOf("c", "one")}
	designs := []design{
		{engine: "sqlite", codec: "json", durability: "relaxed"},
		{engine: "sqlite", codec: "protobuf", durability: "durable"},
		{engine: "badger", codec: "json", durability: "durable"},
		{engine: "badger", codec: "protobuf", durability: "relaxed"},
	}
	if _, built := drivers["sqlite-modernc"]; built {
		designs = append(designs, design{engine: "sqlite-modernc", codec: "json", durability: "relaxed"})
	}
	for _, d := range designs {
		t.Run(d.engine+"+"+d.codec+"/"+d.durability, func(t *testing.T) {
			d.folder = t.TempDir()
			s := opened(t, d)
			if err := s.put(agents[:2]...); err != nil {
				t.Fatal(err)
			}
			if err := s.put(agents[2]); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time from the files
				answers(t, s, agents)
				if err := s.close(); err != nil {
					t.Fatal(err)
				}
				s = opened(t, d)
			}
			if err := s.compact(); err != nil {
				t.Fatal(err)
			}
			answers(t, s, agents)
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func opened(t *testing.T, d design) store {
	t.Helper()
	s, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func answers(t *testing.T, s store, agents []*agentv1.Agent) {
	t.Helper()
	if count, err := s.count(); err != nil || count != len(agents) {
		t.Fatalf("count %d, %v", count, err)
	}
	if missing, err := s.get("z"); err != nil || missing != nil {
		t.Fatalf("found %v, %v", missing, err)
	}
	for _, agent := range agents {
		if found, err := s.get(agent.Metadata.Id); err != nil || !proto.Equal(found, agent) {
			t.Fatalf("found %v, %v", found, err)
		}
	}
	first, err := s.list(2)
	same(t, first, err, agents[:2])
	ofOne, err := s.listByOrg("one", 9)
	same(t, ofOne, err, []*agentv1.Agent{agents[0], agents[2]})
}

func same(t *testing.T, found []*agentv1.Agent, err error, expected []*agentv1.Agent) {
	t.Helper()
	if err != nil || len(found) != len(expected) {
		t.Fatalf("%d agents, %v", len(found), err)
	}
	for place := range expected {
		if !proto.Equal(found[place], expected[place]) {
			t.Fatalf("%v in place of %v", found[place], expected[place])
		}
	}
}

func agentOf(id, org string) *agentv1.Agent {
	agent := &agentv1.Agent{}
	text := `{"metadata": {"id": "` + id + `", "org": "` + org + `", "labels": {"b": "1", "a": "2"}}, "spec": {"description": "x"}}`
	if err := protojson.Unmarshal([]byte(text), agent); err != nil {
		panic(err)
	}
	return agent
}
