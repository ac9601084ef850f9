package main

import (
	"sync"
	"sync/atomic"
)

// table gives numbers to things that live on this side of the bridge. Numbers are never reused, so a stale handle
// can't reach somebody else's database.
type table[T any] struct {
	name string
	last atomic.Int64
	rows sync.Map
}

var (
	databases = table[*database]{name: "database"}
	snapshots = table[*snapshot]{name: "snapshot"}
	cursors   = table[*cursor]{name: "cursor"}
)

func (t *table[T]) add(thing T) int64 {
	handle := t.last.Add(1)
	t.rows.Store(handle, thing)
	return handle
}

func (t *table[T]) find(handle int64) (T, error) {
	if thing, found := t.rows.Load(handle); found {
		return thing.(T), nil
	}
	var none T
	return none, faultf(codeClosed, "the %s is closed", t.name)
}

func (t *table[T]) take(handle int64) (T, bool) {
	if thing, found := t.rows.LoadAndDelete(handle); found {
		return thing.(T), true
	}
	var none T
	return none, false
}

func (t *table[T]) count() int {
	total := 0
	t.rows.Range(func(any, any) bool { total++; return true })
	return total
}
