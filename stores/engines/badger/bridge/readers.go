package main

import (
	"sync"

	"github.com/dgraph-io/badger/v4"
)

// readers keeps read transactions for single gets. Beginning and ending one costs Badger more than the get itself
// (its watermarks are goroutines behind channels). The bridge sees every write, and the directory's lock keeps other
// processes out, so a transaction begun after the last write is as new as a fresh one. It is reused only while no
// write is under way: otherwise a get could miss what an earlier get of another thread has already seen. For the same
// reason one that was begun during a write is not kept when the write has ended: it may be older than the write.
type readers struct {
	mutex   sync.Mutex
	idle    []*badger.Txn
	writing int
	epoch   uint64
}

// take returns a transaction with the newest state, and the epoch to give back with it.
func (r *readers) take(db *badger.DB) (*badger.Txn, uint64) {
	r.mutex.Lock()
	epoch, last := r.epoch, len(r.idle)-1
	if last >= 0 {
		transaction := r.idle[last]
		r.idle = r.idle[:last]
		r.mutex.Unlock()
		return transaction, epoch
	}
	r.mutex.Unlock()
	return db.NewTransaction(false), epoch
}

// give keeps the transaction if no write has begun or ended since it was taken and none is under way. Otherwise it is
// ended.
func (r *readers) give(transaction *badger.Txn, epoch uint64) {
	r.mutex.Lock()
	keep := r.epoch == epoch && r.writing == 0
	if keep {
		r.idle = append(r.idle, transaction)
	}
	r.mutex.Unlock()
	if !keep {
		transaction.Discard()
	}
}

// writeBegins ends the kept transactions, which also lets compaction drop what only they could see.
func (r *readers) writeBegins() {
	r.mutex.Lock()
	idle := r.idle
	r.idle = nil
	r.writing++
	r.epoch++
	r.mutex.Unlock()
	for _, transaction := range idle {
		transaction.Discard()
	}
}

func (r *readers) writeEnds() {
	r.mutex.Lock()
	r.writing--
	r.epoch++
	r.mutex.Unlock()
}
