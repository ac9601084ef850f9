package main

import (
	"sync"

	"github.com/dgraph-io/badger/v4"
)

// snapshot is one consistent state for several reads and cursors. Badger's transactions aren't safe for several
// threads, hence the mutex. Its transaction ends when the host has let go of the snapshot and of all its cursors.
type snapshot struct {
	database    *database
	mutex       sync.Mutex
	transaction *badger.Txn
	cursors     map[*cursor]struct{}
	released    bool
	ended       bool
}

func (d *database) newSnapshot() *snapshot {
	d.visible.RLock()
	s := &snapshot{database: d, transaction: d.badger.NewTransaction(false), cursors: map[*cursor]struct{}{}}
	d.visible.RUnlock()
	d.mutex.Lock()
	d.snapshots[s] = struct{}{}
	d.mutex.Unlock()
	return s
}

func (d *database) openSnapshot() (*snapshot, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.life.RUnlock()
	return d.newSnapshot(), nil
}

// get copies the value of key into buffer and returns its length; nothing is copied when it doesn't fit.
func (d *database) get(key, buffer []byte) (int, error) {
	if err := d.enter(); err != nil {
		return 0, err
	}
	defer d.life.RUnlock()
	d.visible.RLock()
	transaction, epoch := d.readers.take(d.badger)
	d.visible.RUnlock()
	size, err := read(transaction, key, buffer)
	d.readers.give(transaction, epoch)
	return size, err
}

func (s *snapshot) get(key, buffer []byte) (int, error) {
	if err := s.database.enter(); err != nil {
		return 0, err
	}
	defer s.database.life.RUnlock()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.ended || s.released {
		return 0, errClosed
	}
	return read(s.transaction, key, buffer)
}

func read(transaction *badger.Txn, key, buffer []byte) (int, error) {
	item, err := transaction.Get(key)
	if err != nil {
		return 0, err
	}
	size := 0
	err = item.Value(func(value []byte) error {
		size = len(value)
		if size <= len(buffer) {
			copy(buffer, value)
		}
		return nil
	})
	return size, err
}

// release lets go of the host's hold; open cursors keep the state until they are closed.
func (s *snapshot) release() {
	s.mutex.Lock()
	s.released = true
	idle := len(s.cursors) == 0
	s.mutex.Unlock()
	if idle {
		s.end()
	}
}

// end closes what is left, cursors first, since Badger panics on a transaction that ends before its iterators.
func (s *snapshot) end() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	for c := range s.cursors {
		c.iterator.Close()
	}
	s.cursors = nil
	s.transaction.Discard()
	s.database.mutex.Lock()
	delete(s.database.snapshots, s)
	s.database.mutex.Unlock()
}
