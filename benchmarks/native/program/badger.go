package main

import (
	"errors"
	"strconv"

	"github.com/dgraph-io/badger/v4"

	agentv1 "parity/benchmarks/native/ai/stigmer/agentic/agent/v1"
)

const (
	prefix = kind + "/"
	// discardRatio is the share of a value log file that must be garbage before it is rewritten; compaction is asked
	// for by hand here, so a tenth is worth it.
	discardRatio = 0.1
)

var compactionMark = []byte("compaction/")

// badgerStore keeps an agent under the key `Agent/id`, and nothing else: no index, so that a list by organization
// looks at every agent.
type badgerStore struct {
	database *badger.DB
	codec    codec
}

func openBadger(folder string, chosen codec, durable bool) (store, error) {
	options := badger.DefaultOptions(folder).WithSyncWrites(durable).WithLogger(nil)
	database, err := badger.Open(options)
	if err != nil {
		return nil, err
	}
	return &badgerStore{database, chosen}, nil
}

func (s *badgerStore) put(agents ...*agentv1.Agent) error {
	return s.database.Update(func(transaction *badger.Txn) error {
		for _, agent := range agents {
			data, err := s.codec.encode(agent)
			if err != nil {
				return err
			}
			if err := transaction.Set([]byte(prefix+agent.Metadata.Id), data); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *badgerStore) get(id string) (*agentv1.Agent, error) {
	var agent *agentv1.Agent
	err := s.database.View(func(transaction *badger.Txn) error {
		item, err := transaction.Get([]byte(prefix + id))
		if err != nil {
			return err
		}
		agent, err = s.decode(item)
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, nil
	}
	return agent, err
}

func (s *badgerStore) decode(item *badger.Item) (agent *agentv1.Agent, err error) {
	err = item.Value(func(data []byte) error {
		agent, err = s.codec.agent(data)
		return err
	})
	return agent, err
}

func (s *badgerStore) list(limit int) ([]*agentv1.Agent, error) {
	return s.agents(limit, func(*agentv1.Agent) bool { return true })
}

func (s *badgerStore) listByOrg(org string, limit int) ([]*agentv1.Agent, error) {
	return s.agents(limit, func(agent *agentv1.Agent) bool { return agent.Metadata.Org == org })
}

func (s *badgerStore) agents(limit int, wanted func(*agentv1.Agent) bool) ([]*agentv1.Agent, error) {
	var found []*agentv1.Agent
	err := s.database.View(func(transaction *badger.Txn) error {
		iterator := transaction.NewIterator(badger.DefaultIteratorOptions)
		defer iterator.Close()
		start := []byte(prefix)
		for iterator.Seek(start); iterator.ValidForPrefix(start) && len(found) < limit; iterator.Next() {
			agent, err := s.decode(iterator.Item())
			if err != nil {
				return err
			}
			if wanted(agent) {
				found = append(found, agent)
			}
		}
		return nil
	})
	return found, err
}

func (s *badgerStore) count() (int, error) {
	count := 0
	err := s.database.View(func(transaction *badger.Txn) error {
		iterator := transaction.NewIterator(badger.IteratorOptions{Prefix: []byte(prefix)})
		defer iterator.Close()
		for iterator.Rewind(); iterator.Valid(); iterator.Next() {
			count++
		}
		return nil
	})
	return count, err
}

func (s *badgerStore) compact() error {
	// Flatten leaves level 0 alone when nothing else is there. Dropping a prefix moves it down, if a key has it.
	mark := func(transaction *badger.Txn) error { return transaction.Set(compactionMark, nil) }
	if err := s.database.Update(mark); err != nil {
		return err
	}
	if err := s.database.DropPrefix(compactionMark); err != nil {
		return err
	}
	if err := s.database.Flatten(2); err != nil {
		return err
	}
	for {
		err := s.database.RunValueLogGC(discardRatio)
		if errors.Is(err, badger.ErrNoRewrite) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *badgerStore) settings() (map[string]string, error) {
	options := s.database.Opts()
	return map[string]string{
		"sync_writes":     strconv.FormatBool(options.SyncWrites),
		"value_threshold": strconv.FormatInt(options.ValueThreshold, 10),
		"mem_table_size":  strconv.FormatInt(options.MemTableSize, 10),
		"compression":     strconv.Itoa(int(options.Compression)),
	}, nil
}

func (s *badgerStore) close() error {
	return s.database.Close()
}
