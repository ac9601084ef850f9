package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// closedDatabase makes a database with a table, a log and a value log, and returns its folder.
func closedDatabase(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	d := opened(t, path)
	mustCommit(t, d, encodePut(nil, []byte("large"), bytes.Repeat([]byte{'l'}, 2<<20)))
	for number := byte(0); number < 50; number++ {
		mustCommit(t, d, encodePut(nil, []byte{'k', number}, bytes.Repeat([]byte{number}, 3000)))
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func refusedAs(t *testing.T, path string, wanted code, words string) {
	t.Helper()
	d, err := openDatabase(path, testSettings(""))
	if err == nil {
		_ = d.close()
		t.Fatalf("it was opened, not refused with %q", words)
	}
	if codeOf(err) != wanted || !strings.Contains(err.Error(), words) {
		t.Fatalf("code %d: %v", codeOf(err), err)
	}
}

func TestALengthInTheKeyRegistryIsNotBelieved(t *testing.T) {
	for _, noise := range [][]byte{{0xff}, {0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5}, bytes.Repeat([]byte{0x7f}, 10_000)} {
		path := closedDatabase(t)
		name := filepath.Join(path, "KEYREGISTRY")
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, append(before, noise...), 0o644); err != nil {
			t.Fatal(err)
		}
		refusedAs(t, path, codeCorrupt, "no key at byte 28")
	}
}

func TestALengthInALogIsNotBelieved(t *testing.T) {
	path := closedDatabase(t)
	entry := []byte{0, 0}
	entry = binary.AppendUvarint(entry, 12)
	entry = binary.AppendUvarint(entry, 4_000_000_000)
	entry = binary.AppendUvarint(entry, 0)
	name := filepath.Join(path, "000009.vlog")
	if err := os.WriteFile(name, append(make([]byte, logHeader), append(entry, "not so much"...)...), 0o644); err != nil {
		t.Fatal(err)
	}
	refusedAs(t, path, codeCorrupt, "4000000012 bytes, and 11 are left")
}

func TestEveryBitOfATableIsLookedAt(t *testing.T) {
	path := closedDatabase(t)
	tables, err := filepath.Glob(filepath.Join(path, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatal("no table", err)
	}
	before, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range []int{0, 1, 2, 3, len(before) / 2, len(before) - 1, len(before) - 5, len(before) - 20} {
		for _, mask := range []byte{0x01, 0x80} {
			damaged := bytes.Clone(before)
			damaged[place] ^= mask
			if err := os.WriteFile(tables[0], damaged, 0o644); err != nil {
				t.Fatal(err)
			}
			refusedAs(t, path, codeCorrupt, tables[0])
		}
	}
	for _, size := range []int{0, 3, 100, len(before) - 1} {
		if err := os.WriteFile(tables[0], before[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		refusedAs(t, path, codeCorrupt, tables[0])
	}
}

func TestACallThatWaitsForAFlushIsGivenUp(t *testing.T) {
	watch, release, ended := newFlushWatch(), make(chan struct{}), make(chan error, 1)
	go func() {
		for number := 0; number < flushTries; number++ {
			watch.Errorf("error flushing memtable to disk: %v, retrying", "too many open files")
			time.Sleep(10 * time.Millisecond) // as Badger, which sleeps longer
		}
	}()
	err := watch.unlessStuck(nil, func() error { <-release; return errors.New("late") }, func(err error) { ended <- err })
	if err == nil || err.Error() != "error flushing memtable to disk: too many open files" {
		t.Fatal(err)
	}
	if codeOf(err) != codeTooManyFiles {
		t.Fatal(codeOf(err))
	}
	close(release)
	if late := <-ended; late == nil || late.Error() != "late" {
		t.Fatal(late)
	}
}

func TestAFailureThatPassesIsNoReason(t *testing.T) {
	watch := newFlushWatch()
	watch.Errorf("error flushing memtable to disk: %v, retrying", "for a moment")
	watch.Errorf("while deleting file: %s, err: %v", "x", "of no interest")
	if err := watch.unlessStuck(nil, func() error { return nil }, func(error) {}); err != nil {
		t.Fatal(err)
	}
}
