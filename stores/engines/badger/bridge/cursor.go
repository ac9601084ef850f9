package main

import (
	"bytes"
	"encoding/binary"

	"github.com/dgraph-io/badger/v4"
)

const (
	flagReverse  = 1
	flagKeysOnly = 2
	// pageHeader is the cursor's handle, 0 when the range is exhausted, and the number of rows (8 bytes each).
	pageHeader = 16
	// rowHeader is the lengths of key and value, 4 bytes each. All numbers are little-endian.
	rowHeader = 8
)

// span is a range of keys: lower <= key < upper. An empty upper means no bound.
type span struct {
	lower, upper      []byte
	reverse, keysOnly bool
}

// cursor is a position in a span of a snapshot.
type cursor struct {
	snapshot *snapshot
	iterator *badger.Iterator
	span     span
}

func clone(data []byte) []byte { return append([]byte(nil), data...) }

// commonPrefix is shared by every key of a span with an upper bound; Badger skips the tables that don't have it.
func (s span) commonPrefix() []byte {
	size := 0
	for size < len(s.lower) && size < len(s.upper) && s.lower[size] == s.upper[size] {
		size++
	}
	return s.lower[:size]
}

// openCursor starts at the beginning of the span, or at its end when it is reversed. The bounds are copied.
func (s *snapshot) openCursor(bounds span) (*cursor, error) {
	bounds.lower, bounds.upper = clone(bounds.lower), clone(bounds.upper)
	choice := badger.DefaultIteratorOptions
	// Badger prefetches with one goroutine per row, which costs more than a row of the tree is worth.
	choice.PrefetchValues = false
	choice.Reverse = bounds.reverse
	choice.Prefix = bounds.commonPrefix()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.ended || s.released {
		return nil, errClosed
	}
	c := &cursor{snapshot: s, iterator: s.transaction.NewIterator(choice), span: bounds}
	s.cursors[c] = struct{}{}
	c.seek()
	return c, nil
}

func (c *cursor) seek() {
	if !c.span.reverse {
		c.iterator.Seek(c.span.lower)
		return
	}
	if len(c.span.upper) == 0 {
		c.iterator.Rewind()
		return
	}
	c.iterator.Seek(c.span.upper)
	if c.iterator.Valid() && bytes.Equal(c.iterator.Item().Key(), c.span.upper) {
		c.iterator.Next() // the upper bound is exclusive
	}
}

// at says whether the cursor stands on a row of its span.
func (c *cursor) at() bool {
	if !c.iterator.Valid() {
		return false
	}
	key := c.iterator.Item().Key()
	if c.span.reverse {
		return bytes.Compare(key, c.span.lower) >= 0
	}
	return len(c.span.upper) == 0 || bytes.Compare(key, c.span.upper) < 0
}

// page fills buffer with up to limit rows and says how many bytes and rows it wrote and whether more follow.
// When not even the first row fits, it answers codeBufferTooSmall and `used` is what a page with it takes.
func (c *cursor) page(limit int, buffer []byte) (used, rows int, more bool, err error) {
	if err := c.snapshot.database.enter(); err != nil {
		return 0, 0, false, err
	}
	defer c.snapshot.database.life.RUnlock()
	c.snapshot.mutex.Lock()
	defer c.snapshot.mutex.Unlock()
	if c.snapshot.ended {
		return 0, 0, false, errClosed
	}
	used = pageHeader
	for c.at() && rows < limit {
		size, err := c.row(buffer[used:])
		if err != nil {
			return 0, 0, false, err
		}
		if size > len(buffer)-used {
			if rows == 0 {
				return used + size, 0, true, faultf(codeBufferTooSmall, "the row takes %d bytes", size)
			}
			return used, rows, true, nil
		}
		if size > 0 {
			used, rows = used+size, rows+1
		}
		c.iterator.Next()
	}
	return used, rows, c.at(), nil
}

// row writes the cursor's row and returns its size; it writes nothing when the row doesn't fit.
func (c *cursor) row(buffer []byte) (int, error) {
	item := c.iterator.Item()
	key := item.Key()
	if bytes.HasPrefix(key, reservedPrefix) {
		return 0, nil
	}
	valueSize := 0
	write := func(value []byte) {
		valueSize = len(value)
		if rowHeader+len(key)+valueSize > len(buffer) {
			return
		}
		binary.LittleEndian.PutUint32(buffer, uint32(len(key)))
		binary.LittleEndian.PutUint32(buffer[4:], uint32(valueSize))
		copy(buffer[rowHeader:], key)
		copy(buffer[rowHeader+len(key):], value)
	}
	var err error
	if c.span.keysOnly {
		write(nil)
	} else {
		err = valueOf(item, write)
	}
	return rowHeader + len(key) + valueSize, err
}

func (c *cursor) close() {
	s := c.snapshot
	s.mutex.Lock()
	if _, open := s.cursors[c]; open && !s.ended {
		c.iterator.Close()
		delete(s.cursors, c)
	}
	last := s.released && len(s.cursors) == 0
	s.mutex.Unlock()
	if last {
		s.end()
	}
}

// scan opens a cursor on a snapshot, or on the present state when there is none.
func (d *database) scan(snapshotHandle int64, bounds span) (*cursor, error) {
	if err := d.enter(); err != nil {
		return nil, err
	}
	defer d.life.RUnlock()
	if snapshotHandle != 0 {
		s, err := snapshots.find(snapshotHandle)
		if err != nil {
			return nil, err
		}
		return s.openCursor(bounds)
	}
	s := d.newSnapshot()
	c, err := s.openCursor(bounds)
	s.release()
	return c, err
}
