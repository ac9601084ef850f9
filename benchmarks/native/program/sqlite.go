package main

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	_ "github.com/mattn/go-sqlite3" // SQLite itself, in C: the baseline is the engine, not a translation of it

	agentv1 "parity/benchmarks/native/ai/stigmer/agentic/agent/v1"
)

// One table for all resources, the resource as one document. The organization is a column with an index, because
// that is how a list by organization is asked for in SQL.
const schema = `
CREATE TABLE IF NOT EXISTS resources (
	kind TEXT NOT NULL, id TEXT NOT NULL, org TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (kind, id));
CREATE INDEX IF NOT EXISTS resources_org ON resources (kind, org, id)`

// driver is a way to SQLite: the name it is registered under, and how it is told the journal mode and the syncs.
type driver struct {
	name, settings string
}

// drivers holds, by engine name, every driver that this build has.
var drivers = map[string]driver{"sqlite": {"sqlite3", "_journal_mode=WAL&_synchronous=%s"}}

type sqliteStore struct {
	database                       *sql.DB
	codec                          codec
	upsert, one, first, firstOfOrg *sql.Stmt
}

func openSQLite(folder string, chosen codec, durable bool, through driver) (store, error) {
	synchronous := "NORMAL" // in WAL mode: no sync for a commit, one for a checkpoint
	if durable {
		synchronous = "FULL"
	}
	settings := fmt.Sprintf(through.settings, synchronous)
	database, err := sql.Open(through.name, fmt.Sprintf("file:%s?%s", filepath.Join(folder, "resources.db"), settings))
	if err != nil {
		return nil, err
	}
	database.SetMaxOpenConns(1)
	s := &sqliteStore{database: database, codec: chosen}
	if _, err := database.Exec(schema); err != nil {
		return nil, errors.Join(err, database.Close())
	}
	for _, wanted := range []struct {
		statement **sql.Stmt
		text      string
	}{
		{&s.upsert, `INSERT INTO resources (kind, id, org, data) VALUES (?, ?, ?, ?)
			ON CONFLICT (kind, id) DO UPDATE SET org = excluded.org, data = excluded.data`},
		{&s.one, `SELECT data FROM resources WHERE kind = ? AND id = ?`},
		{&s.first, `SELECT data FROM resources WHERE kind = ? ORDER BY id LIMIT ?`},
		{&s.firstOfOrg, `SELECT data FROM resources WHERE kind = ? AND org = ? ORDER BY id LIMIT ?`},
	} {
		if *wanted.statement, err = database.Prepare(wanted.text); err != nil {
			return nil, errors.Join(err, database.Close())
		}
	}
	return s, nil
}

func (s *sqliteStore) put(agents ...*agentv1.Agent) error {
	if len(agents) == 1 {
		return s.putWith(s.upsert, agents[0])
	}
	transaction, err := s.database.Begin()
	if err != nil {
		return err
	}
	upsert := transaction.Stmt(s.upsert)
	for _, agent := range agents {
		if err := s.putWith(upsert, agent); err != nil {
			return errors.Join(err, transaction.Rollback())
		}
	}
	return transaction.Commit()
}

func (s *sqliteStore) putWith(upsert *sql.Stmt, agent *agentv1.Agent) error {
	data, err := s.codec.encode(agent)
	if err != nil {
		return err
	}
	_, err = upsert.Exec(kind, agent.Metadata.Id, agent.Metadata.Org, data)
	return err
}

func (s *sqliteStore) get(id string) (*agentv1.Agent, error) {
	var data sql.RawBytes // of the row, not copied
	rows, err := s.one.Query(kind, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	if err := rows.Scan(&data); err != nil {
		return nil, err
	}
	return s.codec.agent(data)
}

func (s *sqliteStore) list(limit int) ([]*agentv1.Agent, error) {
	return s.agents(s.first, kind, limit)
}

func (s *sqliteStore) listByOrg(org string, limit int) ([]*agentv1.Agent, error) {
	return s.agents(s.firstOfOrg, kind, org, limit)
}

func (s *sqliteStore) agents(query *sql.Stmt, arguments ...any) ([]*agentv1.Agent, error) {
	rows, err := query.Query(arguments...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []*agentv1.Agent
	var data sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&data); err != nil {
			return nil, err
		}
		agent, err := s.codec.agent(data)
		if err != nil {
			return nil, err
		}
		found = append(found, agent)
	}
	return found, rows.Err()
}

func (s *sqliteStore) count() (int, error) {
	var count int
	err := s.database.QueryRow(`SELECT count(*) FROM resources WHERE kind = ?`, kind).Scan(&count)
	return count, err
}

func (s *sqliteStore) compact() error {
	_, err := s.database.Exec(`VACUUM`)
	return err
}

func (s *sqliteStore) settings() (map[string]string, error) {
	said := map[string]string{}
	for _, name := range []string{"journal_mode", "synchronous", "page_size", "cache_size", "wal_autocheckpoint"} {
		var value string
		if err := s.database.QueryRow(`PRAGMA ` + name).Scan(&value); err != nil {
			return nil, err
		}
		said[name] = value
	}
	var version string
	err := s.database.QueryRow(`SELECT sqlite_version()`).Scan(&version)
	said["sqlite"] = version
	return said, err
}

func (s *sqliteStore) close() error {
	return s.database.Close()
}
