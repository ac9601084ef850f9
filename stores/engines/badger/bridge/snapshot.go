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
	err = valueOf(item, func(value []byte) {
		size = len(value)
		if size <= len(buffer) {
			copy(buffer, value)
		}
	})
	return size, err
}

// valueOf hands over an item's value. Badger v4.5.0 only logs what it can't read from the value log (damaged, or cut
// off when the database was opened) and hands over an empty value; the item still says that there was one.
func valueOf(item *badger.Item, use func(value []byte)) error {
	return item.Value(func(value []byte) error {
		if len(value) == 0 && item.ValueSize() != 0 {
			return faultf(codeCorrupt, "the value log no longer has the value of %q", item.Key())
		}
		use(value)
		return nil
	})
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
