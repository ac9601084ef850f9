package main

import (
	"fmt"

	agentv1 "parity/benchmarks/native/ai/stigmer/agentic/agent/v1"
)

// kind is the one kind of resource that is measured; it leads every key.
const kind = "Agent"

// store is what both designs can do. A resource that isn't there is nil and no error.
type store interface {
	put(agents ...*agentv1.Agent) error // all in one commit
	get(id string) (*agentv1.Agent, error)
	list(limit int) ([]*agentv1.Agent, error)
	listByOrg(org string, limit int) ([]*agentv1.Agent, error)
	count() (int, error)
	compact() error
	settings() (map[string]string, error)
	close() error
}

// design says which store to open: engine, codec, durability, and the folder of its files.
type design struct {
	engine, codec, durability, folder string
}

func (d design) open() (store, error) {
	chosen, known := codecs[d.codec]
	if !known || (d.durability != "durable" && d.durability != "relaxed") {
		return nil, fmt.Errorf("unknown codec %q or durability %q", d.codec, d.durability)
	}
	if through, known := drivers[d.engine]; known {
		return openSQLite(d.folder, chosen, d.durability == "durable", through)
	}
	if d.engine == "badger" {
		return openBadger(d.folder, chosen, d.durability == "durable")
	}
	return nil, fmt.Errorf("unknown engine %q", d.engine)
}
