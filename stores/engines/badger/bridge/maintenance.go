package main

import (
	"errors"
	"runtime/debug"

	"github.com/dgraph-io/badger/v4"
)

// discardRatio is the share of a value log file that must be garbage before it is rewritten. Compaction is asked
// for by hand here, so it is worth rewriting a file for a tenth.
const discardRatio = 0.1

// compact gives back the space of overwritten and deleted keys: memory tables to disk, all levels into one, then
// value log files with garbage rewritten. Snapshots that are still open keep what they see.
func (d *database) compact() error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.life.RUnlock()
	if d.settings.ReadOnly {
		return faultf(codeReadOnly, "the database is open for reading only")
	}
	if err := d.flush(); err != nil {
		return err
	}
	if err := d.badger.Flatten(2); err != nil {
		return err
	}
	defer debug.FreeOSMemory() // compaction leaves the most garbage, and whoever asks for it has the time
	for {
		err := d.badger.RunValueLogGC(discardRatio)
		if errors.Is(err, badger.ErrNoRewrite) || errors.Is(err, badger.ErrRejected) {
			return nil // nothing left to rewrite, or another thread is at it
		}
		if err != nil {
			return err
		}
	}
}

// flush writes the memory tables to disk. Badger does that only when they are full, on close, or when a prefix is
// dropped: so a key of our own is written and dropped. Cursors skip it and nobody else may write it.
func (d *database) flush() error {
	d.writes.Lock()
	defer d.writes.Unlock()
	d.readers.writeBegins()
	defer d.readers.writeEnds()
	mark := func(transaction *badger.Txn) error { return transaction.Set(flushMarker, nil) }
	if err := d.badger.Update(mark); err != nil {
		return err
	}
	return d.badger.DropPrefix(flushMarker)
}
