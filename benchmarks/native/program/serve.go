package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"time"

	"google.golang.org/protobuf/proto"

	agentv1 "parity/benchmarks/native/ai/stigmer/agentic/agent/v1"
)

// atOnce is how many agents are in one commit where writing isn't what is measured.
const atOnce = 50

// request is one line of the benchmark's. Places are positions in the payload file.
type request struct {
	Do     string `json:"do"`
	Places []int  `json:"places"`
	Org    string `json:"org"`
	Limit  int    `json:"limit"`
	Times  int    `json:"times"`
}

// answer is one line back. Values are microseconds per agent.
type answer struct {
	Values   []float64         `json:"values,omitempty"`
	Agents   [][]byte          `json:"agents,omitempty"`
	Count    int               `json:"count"`
	Settings map[string]string `json:"settings,omitempty"`
	Error    string            `json:"error,omitempty"`
}

// server does what the benchmark asks, one thing at a time, on a store that it keeps open.
type server struct {
	store  store
	agents []*agentv1.Agent
}

func (s *server) serve(in io.Reader, out io.Writer) error {
	requests, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var asked request
		if err := requests.Decode(&asked); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		said, err := s.do(asked)
		if err != nil {
			said = answer{Error: err.Error()}
		}
		if err := answers.Encode(said); err != nil {
			return err
		}
	}
}

func (s *server) do(asked request) (said answer, err error) {
	switch asked.Do {
	case "write":
		said.Values, err = s.timed(asked.Places, func(agent *agentv1.Agent) error { return s.store.put(agent) })
	case "read":
		said.Values, err = s.timed(asked.Places, s.read)
	case "list":
		said.Values, err = s.timedLists(asked, func() ([]*agentv1.Agent, error) { return s.list(asked) })
	case "fill":
		err = s.fill(asked.Places)
	case "overwrite":
		s.revise()
		err = s.fill(asked.Places)
	case "compact":
		err = s.store.compact()
	case "get":
		said.Agents, err = s.wires(asked.Places)
	case "first":
		var found []*agentv1.Agent
		if found, err = s.list(asked); err == nil {
			said.Agents, err = wires(found)
		}
	case "count":
		said.Count, err = s.store.count()
	case "settings":
		said.Settings, err = s.store.settings()
	default:
		err = fmt.Errorf("unknown request %q", asked.Do)
	}
	return said, err
}

func (s *server) read(agent *agentv1.Agent) error {
	found, err := s.store.get(agent.Metadata.Id)
	if err == nil && found == nil {
		err = fmt.Errorf("get of %q, which is stored, found nothing", agent.Metadata.Id)
	}
	return err
}

func (s *server) list(asked request) ([]*agentv1.Agent, error) {
	if asked.Org != "" {
		return s.store.listByOrg(asked.Org, asked.Limit)
	}
	return s.store.list(asked.Limit)
}

// timed returns how long an action takes on each agent. Garbage of what came before is collected first; what the
// action itself leaves is part of its cost in this language.
func (s *server) timed(places []int, action func(*agentv1.Agent) error) ([]float64, error) {
	values := make([]float64, 0, len(places))
	runtime.GC()
	for _, place := range places {
		begin := time.Now()
		if err := action(s.agents[place]); err != nil {
			return nil, err
		}
		values = append(values, microseconds(time.Since(begin)))
	}
	return values, nil
}

func (s *server) timedLists(asked request, list func() ([]*agentv1.Agent, error)) ([]float64, error) {
	var values []float64
	runtime.GC()
	for range asked.Times {
		begin := time.Now()
		found, err := list()
		taken := microseconds(time.Since(begin))
		if err != nil {
			return nil, err
		}
		if len(found) != asked.Limit {
			return nil, fmt.Errorf("a list gave %d agents where %d are stored", len(found), asked.Limit)
		}
		values = append(values, taken/float64(len(found)))
	}
	return values, nil
}

func (s *server) fill(places []int) error {
	for start := 0; start < len(places); start += atOnce {
		var batch []*agentv1.Agent
		for _, place := range places[start:min(start+atOnce, len(places))] {
			batch = append(batch, s.agents[place])
		}
		if err := s.store.put(batch...); err != nil {
			return err
		}
	}
	return nil
}

// revise changes every agent as the benchmark's overwrites do.
func (s *server) revise() {
	for _, agent := range s.agents {
		agent.Spec.Description += " (revised)"
	}
}

func (s *server) wires(places []int) ([][]byte, error) {
	var found []*agentv1.Agent
	for _, place := range places {
		agent, err := s.store.get(s.agents[place].Metadata.Id)
		if err != nil {
			return nil, err
		}
		if agent == nil {
			agent = &agentv1.Agent{}
		}
		found = append(found, agent)
	}
	return wires(found)
}

func wires(agents []*agentv1.Agent) ([][]byte, error) {
	var all [][]byte
	for _, agent := range agents {
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(agent)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func microseconds(taken time.Duration) float64 {
	return float64(taken.Nanoseconds()) / 1_000
}
