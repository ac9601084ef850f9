package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

func testSettings(extra string) []byte {
	return []byte(`{"sync_writes": false, "read_only": false, "memtable_mb": 8, "cache_mb": 8, "value_log_mb": 64,
		"value_threshold": 1048576, "compression": "snappy", "reserve_mb": 1, "verify_on_open": true` + extra + `}`)
}

func opened(t *testing.T, path string) *database {
	t.Helper()
	d, err := openDatabase(path, testSettings(""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.close() })
	return d
}

func encodeDelete(batch, key []byte) []byte {
	batch = append(batch, opDelete)
	batch = binary.LittleEndian.AppendUint32(batch, uint32(len(key)))
	return append(binary.LittleEndian.AppendUint32(batch, 0), key...)
}

func mustCommit(t *testing.T, d *database, batch []byte) {
	t.Helper()
	if err := d.commit(batch, false); err != nil {
		t.Fatal(err)
	}
}

// rowsOf reads a span in pages of this size and decodes them.
func rowsOf(t *testing.T, d *database, bounds span, limit, room int) []string {
	t.Helper()
	c, err := d.scan(0, bounds)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	var found []string
	buffer := make([]byte, room)
	for {
		used, rows, more, err := c.page(limit, buffer)
		if codeOf(orNone(err)) == codeBufferTooSmall {
			buffer = make([]byte, used)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		place := pageHeader
		for ; rows > 0; rows-- {
			keySize := int(binary.LittleEndian.Uint32(buffer[place:]))
			valueSize := int(binary.LittleEndian.Uint32(buffer[place+4:]))
			key := place + rowHeader
			found = append(found, string(buffer[key:key+keySize])+"="+string(buffer[key+keySize:key+keySize+valueSize]))
			place = key + keySize + valueSize
		}
		if place != used {
			t.Fatalf("a page of %d bytes says it has %d", place, used)
		}
		if !more {
			return found
		}
	}
}

func orNone(err error) error {
	if err == nil {
		return fault{code: 0}
	}
	return err
}

func TestPagesOfEverySizeGiveTheSameRows(t *testing.T) {
	d := opened(t, t.TempDir())
	var batch []byte
	for number := 0; number < 500; number++ {
		batch = encodePut(batch, []byte(fmt.Sprintf("k%04d", number)), bytes.Repeat([]byte{'v'}, number))
	}
	mustCommit(t, d, batch)
	wanted := rowsOf(t, d, span{lower: []byte("k"), upper: []byte("l")}, 1_000_000, 1<<20)
	if len(wanted) != 500 {
		t.Fatalf("%d rows", len(wanted))
	}
	for _, size := range []struct{ limit, room int }{{1, 1 << 16}, {7, 1 << 16}, {1000, 600}, {1000, pageHeader}} {
		if got := rowsOf(t, d, span{lower: []byte("k"), upper: []byte("l")}, size.limit, size.room); strings.Join(got, ",") != strings.Join(wanted, ",") {
			t.Errorf("pages of %v give other rows", size)
		}
	}
	backwards := rowsOf(t, d, span{lower: []byte("k0001"), upper: []byte("k0003"), reverse: true}, 10, 1<<16)
	if strings.Join(backwards, ",") != "k0002=vv,k0001=v" {
		t.Errorf("backwards: %v", backwards)
	}
	keys := rowsOf(t, d, span{lower: []byte("k0001"), upper: []byte("k0003"), keysOnly: true}, 10, 1<<16)
	if strings.Join(keys, ",") != "k0001=,k0002=" {
		t.Errorf("keys: %v", keys)
	}
}

func TestMalformedBatchesWriteNothing(t *testing.T) {
	d := opened(t, t.TempDir())
	good := encodePut(nil, []byte("k"), []byte("v"))
	for name, batch := range map[string][]byte{
		"cut header":    append(bytes.Clone(good), 1, 2),
		"cut value":     append(bytes.Clone(good), good[:len(good)-1]...),
		"operation 3":   append(bytes.Clone(good), append([]byte{3}, good[1:]...)...),
		"empty key":     append(bytes.Clone(good), encodePut(nil, nil, []byte("v"))...),
		"reserved key":  append(bytes.Clone(good), encodePut(nil, journalKey, []byte("v"))...),
		"badger's keys": append(bytes.Clone(good), encodePut(nil, []byte("!badger!x"), []byte("v"))...),
		"huge length":   append(bytes.Clone(good), 1, 255, 255, 255, 255, 255, 255, 255, 255),
	} {
		if err := d.commit(batch, false); codeOf(orNone(err)) != codeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.get([]byte("k"), nil); codeOf(orNone(err)) != codeNotFound {
		t.Errorf("something was written: %v", err)
	}
}

// A batch that takes several transactions is checked as a whole before any of it is written.
func TestABadOperationBehindALargeBatchWritesNothing(t *testing.T) {
	path := t.TempDir()
	d := opened(t, path)
	var large []byte
	for number := 0; number < 40; number++ {
		large = encodePut(large, []byte(fmt.Sprintf("k%02d", number)), make([]byte, 100_000))
	}
	for name, bad := range map[string]struct {
		batch []byte
		code  code
	}{
		"empty key":     {encodePut(nil, nil, []byte("v")), codeInvalid},
		"badger's keys": {encodePut(nil, []byte("!badger!x"), []byte("v")), codeInvalid},
		"reserved key":  {encodeDelete(nil, journalKey), codeInvalid},
		"long key":      {encodePut(nil, make([]byte, maxKeyBytes+1), nil), codeTooBig},
		"all too big":   {encodePut(nil, []byte("v"), make([]byte, 63<<20)), codeTooBig},
	} {
		if err := d.commit(append(bytes.Clone(large), bad.batch...), false); codeOf(orNone(err)) != bad.code || len(err.Error()) > 200 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.commit(encodePut(nil, []byte("v"), make([]byte, 65<<20)), false); codeOf(orNone(err)) != codeTooBig {
		t.Errorf("a value larger than a value log file: %v", err)
	}
	mustCommit(t, d, encodePut(nil, []byte("after"), []byte("v")))
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if rows := rowsOf(t, opened(t, path), span{}, 100, 1<<16); strings.Join(rows, ",") != "after=v" {
		t.Errorf("something was written: %d rows", len(rows))
	}
}

func TestTransactionsThatAreJustFull(t *testing.T) {
	d := opened(t, t.TempDir())
	for turn := 0; turn < 10_000; turn++ { // the number of a transaction is written with it: its digits count at the commit
		mustCommit(t, d, encodePut(nil, []byte("turn"), nil))
	}
	limit := int(d.badger.MaxBatchSize())
	for less := -2; less < 60; less++ {
		half := limit/2 - less/2
		batch := encodePut(encodePut(nil, []byte("a"), make([]byte, half)), []byte("b"), make([]byte, limit-half-less))
		mustCommit(t, d, batch)
	}
}

func TestAnInterruptedBatchIsCompletedAtTheNextOpen(t *testing.T) {
	path := t.TempDir()
	d := opened(t, path)
	journal := encodePut(encodePut(nil, []byte("k"), []byte("v")), []byte("l"), []byte("v"))
	if err := d.badger.Update(func(txn *badger.Txn) error { return txn.Set(journalKey, journal) }); err != nil {
		t.Fatal(err)
	}
	if err := d.completeOrTear(append(bytes.Clone(journal), 9)); err == nil {
		t.Fatal("the cut operation was taken")
	}
	_, getError := d.get([]byte("k"), nil)
	_, openError := d.openSnapshot()
	for _, err := range []error{getError, openError, d.commit(encodePut(nil, []byte("x"), nil), false)} {
		if codeOf(orNone(err)) != codeIO {
			t.Errorf("half a batch can be seen, or undone: %v", err)
		}
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if rows := rowsOf(t, opened(t, path), span{}, 10, 1<<16); strings.Join(rows, ",") != "k=v,l=v" {
		t.Errorf("rows: %v", rows)
	}
}

func TestAJournalIsAppliedAtOpen(t *testing.T) {
	path := t.TempDir()
	d := opened(t, path)
	mustCommit(t, d, encodePut(nil, []byte("gone"), []byte("v")))
	journal := encodeDelete(encodePut(nil, []byte("k"), []byte("v")), []byte("gone"))
	if err := d.badger.Update(func(txn *badger.Txn) error { return txn.Set(journalKey, journal) }); err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openDatabase(path, bytes.Replace(testSettings(""), []byte(`"read_only": false`), []byte(`"read_only": true`), 1)); codeOf(orNone(err)) != codeReadOnly {
		t.Errorf("reading only hides the interrupted batch: %v", err)
	}
	d = opened(t, path)
	if rows := rowsOf(t, d, span{}, 10, 1<<16); strings.Join(rows, ",") != "k=v" {
		t.Errorf("rows: %v", rows)
	}
	err := d.badger.View(func(txn *badger.Txn) error { _, err := txn.Get(journalKey); return err })
	if !errors.Is(err, badger.ErrKeyNotFound) {
		t.Errorf("the journal is still there: %v", err)
	}
}

func TestKeptReadersDontHoldBackOldVersions(t *testing.T) {
	d := opened(t, t.TempDir())
	mustCommit(t, d, encodePut(nil, []byte("k"), []byte("v")))
	buffer := make([]byte, 16)
	for turn := 0; turn < 3; turn++ {
		if _, err := d.get([]byte("k"), buffer); err != nil {
			t.Fatal(err)
		}
	}
	if kept := len(d.readers.idle); kept != 1 {
		t.Errorf("%d readers are kept, wanted 1", kept)
	}
	mustCommit(t, d, encodePut(nil, []byte("k"), []byte("w")))
	if kept := len(d.readers.idle); kept != 0 {
		t.Errorf("%d readers outlive a write", kept)
	}
}

func TestAReaderBegunDuringAWriteIsNotKept(t *testing.T) {
	d := opened(t, t.TempDir())
	mustCommit(t, d, encodePut(nil, []byte("n"), []byte("old")))
	d.readers.writeBegins()
	transaction, epoch := d.readers.take(d.badger)
	write := func(writer *badger.Txn) error { return writer.Set([]byte("n"), []byte("new")) }
	if err := d.badger.Update(write); err != nil {
		t.Fatal(err)
	}
	d.readers.writeEnds()
	d.readers.give(transaction, epoch)
	if kept := len(d.readers.idle); kept != 0 {
		t.Errorf("%d readers are kept, and they don't know the last write", kept)
	}
}

func TestClosedAndStaleHandlesAreRefused(t *testing.T) {
	d := opened(t, t.TempDir())
	s, err := d.openSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.openCursor(span{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	_, getError := d.get([]byte("k"), nil)
	_, snapshotError := s.get([]byte("k"), nil)
	_, _, _, pageError := c.page(1, make([]byte, 64))
	_, openError := d.openSnapshot()
	for _, err := range []error{getError, snapshotError, pageError, openError, d.commit(nil, false), d.compact()} {
		if codeOf(orNone(err)) != codeClosed {
			t.Errorf("%v", err)
		}
	}
	if _, err := databases.find(1 << 40); codeOf(orNone(err)) != codeClosed {
		t.Errorf("a handle that never was: %v", err)
	}
}

func TestEndedAssertionsAndFaultsAreErrors(t *testing.T) {
	d := opened(t, t.TempDir())
	_, err := guarded(d, func() (int, error) { panic("on purpose") })
	if codeOf(orNone(err)) != codeCorrupt || !strings.Contains(err.Error(), "on purpose") {
		t.Errorf("%v", err)
	}
	if _, err := d.get([]byte("k"), nil); codeOf(orNone(err)) != codeBroken {
		t.Errorf("a broken database is still used: %v", err)
	}
}

func TestAMemoryTableIsAsLargeAsTheLogThatIsThere(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "00001.mem"), make([]byte, 32<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := memtableBytes(path, 8<<20); got != 16<<20 {
		t.Errorf("%d", got)
	}
}

func TestNoGoroutineStaysAfterClose(t *testing.T) {
	use := func() {
		d, err := openDatabase(t.TempDir(), testSettings(""))
		if err != nil {
			t.Fatal(err)
		}
		var work sync.WaitGroup
		for worker := 0; worker < 4; worker++ {
			work.Add(1)
			go func() {
				defer work.Done()
				for turn := 0; turn < 50; turn++ {
					_ = d.commit(encodePut(nil, []byte(fmt.Sprintf("%d", turn)), []byte("v")), false)
					_, _ = d.get([]byte("1"), make([]byte, 8))
				}
			}()
		}
		work.Wait()
		if err := d.compact(); err != nil {
			t.Fatal(err)
		}
		if err := d.close(); err != nil {
			t.Fatal(err)
		}
	}
	use()
	before := runtime.NumGoroutine()
	for turn := 0; turn < 5; turn++ {
		use()
	}
	for wait := 0; wait < 1000 && runtime.NumGoroutine() > before; wait++ {
		runtime.Gosched()
	}
	if after := runtime.NumGoroutine(); after > before+1 {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}
