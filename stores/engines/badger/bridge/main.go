// Command bridge is BadgerDB behind a C interface, built with -buildmode=c-shared and called from Python.
//
// Rules of the interface:
//   - Memory belongs to the caller; the bridge keeps no pointer after a call has returned. Every length is explicit.
//   - A call answers a length or a handle (>= 0), or a code (< 0, see errors.go) with the words of the error in the
//     caller's buffer: 4 bytes of length, then UTF-8 text, cut to the buffer.
//   - Handles are numbers that are never reused. A stale one is refused, never followed.
//   - Every call may be made from any thread, and blocks its own thread only.
package main

/*
#include <stdint.h>
*/
import "C"

import (
	"encoding/binary"
	"math"
	"runtime"
	"strings"
	"unsafe"
)

func main() {}

// view makes a Go slice of the caller's memory without copying.
func view(pointer *C.char, size C.int64_t) []byte {
	if pointer == nil || size <= 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(pointer)), int(size))
}

// answer turns the outcome of a call into its return value.
func answer(size int, err error, buffer []byte) C.int64_t {
	if err == nil {
		return C.int64_t(size)
	}
	text, _, _ := strings.Cut(err.Error(), "\n") // some of Badger's errors have a trace of calls below
	if len(buffer) >= 4 {
		text = text[:min(len(text), len(buffer)-4)]
		binary.LittleEndian.PutUint32(buffer, uint32(len(text)))
		copy(buffer[4:], text)
	}
	return C.int64_t(codeOf(err))
}

//export parity_badger_open
func parity_badger_open(path *C.char, pathSize C.int64_t, text *C.char, textSize C.int64_t, buffer *C.char, size C.int64_t) C.int64_t {
	d, err := openDatabase(string(view(path, pathSize)), view(text, textSize))
	if err != nil {
		return answer(0, err, view(buffer, size))
	}
	return C.int64_t(databases.add(d))
}

//export parity_badger_close
func parity_badger_close(handle C.int64_t, buffer *C.char, size C.int64_t) C.int64_t {
	d, known := databases.take(int64(handle))
	if !known {
		return 0
	}
	return answer(0, d.close(), view(buffer, size))
}

//export parity_badger_get
func parity_badger_get(handle, snapshotHandle C.int64_t, key *C.char, keySize C.int64_t, buffer *C.char, size C.int64_t) C.int64_t {
	room := view(buffer, size)
	d, err := databases.find(int64(handle))
	if err != nil {
		return answer(0, err, room)
	}
	length, err := guarded(d, func() (int, error) {
		if snapshotHandle == 0 {
			return d.get(view(key, keySize), room)
		}
		s, err := snapshots.find(int64(snapshotHandle))
		if err != nil {
			return 0, err
		}
		return s.get(view(key, keySize), room)
	})
	if err == nil && length > len(room) {
		return needs(length, room)
	}
	return answer(length, err, room)
}

// needs answers that the buffer must have this size at least.
func needs(length int, buffer []byte) C.int64_t {
	if len(buffer) >= 8 {
		binary.LittleEndian.PutUint64(buffer, uint64(length))
	}
	return C.int64_t(codeBufferTooSmall)
}

//export parity_badger_snapshot
func parity_badger_snapshot(handle C.int64_t, buffer *C.char, size C.int64_t) C.int64_t {
	d, err := databases.find(int64(handle))
	if err != nil {
		return answer(0, err, view(buffer, size))
	}
	s, err := d.openSnapshot()
	if err != nil {
		return answer(0, err, view(buffer, size))
	}
	return C.int64_t(snapshots.add(s))
}

//export parity_badger_snapshot_close
func parity_badger_snapshot_close(handle C.int64_t) {
	if s, known := snapshots.take(int64(handle)); known {
		leave(s.database, s.release)
	}
}

// leave runs a release unless the database is gone, which has released everything already.
func leave(d *database, release func()) {
	if d.enter() != nil {
		return
	}
	defer d.life.RUnlock()
	_, _ = guarded(d, func() (int, error) { release(); return 0, nil })
}

//export parity_badger_scan
func parity_badger_scan(handle, snapshotHandle C.int64_t, lower *C.char, lowerSize C.int64_t, upper *C.char, upperSize C.int64_t, flags, limit C.int64_t, buffer *C.char, size C.int64_t) C.int64_t {
	room := view(buffer, size)
	d, err := databases.find(int64(handle))
	if err != nil {
		return answer(0, err, room)
	}
	bounds := span{
		lower: view(lower, lowerSize), upper: view(upper, upperSize),
		reverse: flags&flagReverse != 0, keysOnly: flags&flagKeysOnly != 0,
	}
	var c *cursor
	_, err = guarded(d, func() (int, error) {
		c, err = d.scan(int64(snapshotHandle), bounds)
		return 0, err
	})
	if err != nil {
		return answer(0, err, room)
	}
	return nextPage(c, 0, limit, room)
}

//export parity_badger_next
func parity_badger_next(cursorHandle, limit C.int64_t, buffer *C.char, size C.int64_t) C.int64_t {
	c, err := cursors.find(int64(cursorHandle))
	if err != nil {
		return answer(0, err, view(buffer, size))
	}
	return nextPage(c, int64(cursorHandle), limit, view(buffer, size))
}

// nextPage fills the buffer and keeps, or drops, the cursor's handle. A range that fits its first page never gets one.
func nextPage(c *cursor, handle int64, limit C.int64_t, room []byte) C.int64_t {
	if len(room) < pageHeader {
		return answer(0, faultf(codeInvalid, "a page takes at least %d bytes", pageHeader), room)
	}
	if limit <= 0 {
		limit = math.MaxInt32
	}
	var rows int
	var more bool
	used, err := guarded(c.snapshot.database, func() (used int, err error) {
		used, rows, more, err = c.page(int(limit), room)
		return used, err
	})
	if err != nil && codeOf(err) != codeBufferTooSmall {
		return answer(0, err, room)
	}
	if more && handle == 0 {
		handle = cursors.add(c)
	}
	if !more {
		closeCursor(c, handle)
		handle = 0
	}
	binary.LittleEndian.PutUint64(room, uint64(handle))
	if err != nil {
		binary.LittleEndian.PutUint64(room[8:], uint64(used))
		return C.int64_t(codeBufferTooSmall)
	}
	binary.LittleEndian.PutUint64(room[8:], uint64(rows))
	return C.int64_t(used)
}

func closeCursor(c *cursor, handle int64) {
	cursors.take(handle)
	leave(c.snapshot.database, c.close)
}

//export parity_badger_cursor_close
func parity_badger_cursor_close(handle C.int64_t) {
	if c, known := cursors.take(int64(handle)); known {
		leave(c.snapshot.database, c.close)
	}
}

//export parity_badger_compact
func parity_badger_compact(handle C.int64_t, buffer *C.char, size C.int64_t) C.int64_t {
	d, err := databases.find(int64(handle))
	if err == nil {
		_, err = guarded(d, func() (int, error) { return 0, d.compact() })
	}
	return answer(0, err, view(buffer, size))
}

//export parity_badger_limits
func parity_badger_limits(handle C.int64_t, buffer *C.char, size C.int64_t) C.int64_t {
	room := view(buffer, size)
	d, err := databases.find(int64(handle))
	if err == nil && len(room) < 16 {
		err = faultf(codeInvalid, "the answer takes 16 bytes")
	}
	if err != nil {
		return answer(0, err, room)
	}
	binary.LittleEndian.PutUint64(room, uint64(d.badger.MaxBatchSize()))
	binary.LittleEndian.PutUint64(room[8:], uint64(d.badger.MaxBatchCount()))
	return 16
}

// parity_badger_live answers what must not grow: goroutines, and open databases, snapshots and cursors.
//
//export parity_badger_live
func parity_badger_live(buffer *C.char, size C.int64_t) C.int64_t {
	room := view(buffer, size)
	figures := []int{runtime.NumGoroutine(), databases.count(), snapshots.count(), cursors.count()}
	if len(room) < 8*len(figures) {
		return answer(0, faultf(codeInvalid, "the answer takes %d bytes", 8*len(figures)), room)
	}
	for place, figure := range figures {
		binary.LittleEndian.PutUint64(room[8*place:], uint64(figure))
	}
	return C.int64_t(8 * len(figures))
}
