package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

const mebibyte = 1 << 20

// settings are what the host chooses; engine.py says why each has the value it has. Sizes are in MiB but for the
// threshold, which is in bytes.
type settings struct {
	SyncWrites     bool   `json:"sync_writes"`
	ReadOnly       bool   `json:"read_only"`
	MemtableMB     int64  `json:"memtable_mb"`
	CacheMB        int64  `json:"cache_mb"`
	ValueLogMB     int64  `json:"value_log_mb"`
	ValueThreshold int64  `json:"value_threshold"`
	Compression    string `json:"compression"`
	ReserveMB      int64  `json:"reserve_mb"`
	VerifyOnOpen   bool   `json:"verify_on_open"`
}

// database is an open Badger database with what the bridge keeps beside it.
type database struct {
	badger   *badger.DB
	settings settings
	path     string
	// life is held for reading by every call and for writing by close.
	life   sync.RWMutex
	closed bool
	broken atomic.Bool
	// torn is set when a batch that is applied in parts fails in between.
	torn atomic.Bool
	// writes is held for reading by commits and for writing by a flush, while which Badger
	// refuses writes, and by a batch that is applied in parts.
	writes sync.RWMutex
	// visible is held for writing while a batch is applied in parts, and for reading where a state is chosen to read.
	visible sync.RWMutex
	space   spaceGuard
	flushes *flushWatch

	readers readers

	mutex     sync.Mutex
	snapshots map[*snapshot]struct{}
}

var compressions = map[string]options.CompressionType{
	"none": options.None, "snappy": options.Snappy, "zstd": options.ZSTD,
}

func parseSettings(text []byte) (settings, error) {
	var chosen settings
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&chosen); err != nil {
		return chosen, faultf(codeInvalid, "the settings can't be read: %v", err)
	}
	if _, known := compressions[chosen.Compression]; !known {
		return chosen, faultf(codeInvalid, "compression %q is none of none, snappy, zstd", chosen.Compression)
	}
	return chosen, nil
}

// memtableBytes returns the size of memory tables: the chosen one, or a larger one that an earlier, killed process
// left a log of. Replaying that log into a smaller table would overflow it. Badger makes the log twice the table.
func memtableBytes(path string, chosen int64) int64 {
	logs, err := filepath.Glob(filepath.Join(path, "*.mem"))
	if err != nil {
		return chosen
	}
	for _, name := range logs {
		if info, err := os.Stat(name); err == nil {
			chosen = max(chosen, info.Size()/2)
		}
	}
	return chosen
}

func (s settings) options(path string) badger.Options {
	return badger.DefaultOptions(path).
		WithSyncWrites(s.SyncWrites).
		WithReadOnly(s.ReadOnly).
		WithMemTableSize(memtableBytes(path, s.MemtableMB*mebibyte)).
		WithBlockCacheSize(s.CacheMB * mebibyte).
		WithValueLogFileSize(s.ValueLogMB * mebibyte).
		WithValueThreshold(s.ValueThreshold).
		WithCompression(compressions[s.Compression]).
		// The host's store checks preconditions under its own lock and writes blindly: nothing to detect.
		WithDetectConflicts(false).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithVerifyValueChecksum(true).
		// Metrics live in a global map by path that is never emptied.
		WithMetricsEnabled(false)
}

func openDatabase(path string, text []byte) (*database, error) {
	startDispatchers()
	chosen, err := parseSettings(text)
	if err != nil {
		return nil, err
	}
	d := &database{settings: chosen, path: path, snapshots: map[*snapshot]struct{}{}, flushes: newFlushWatch()}
	d.space = spaceGuard{path: path, reserve: chosen.ReserveMB * mebibyte}
	if !chosen.ReadOnly {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return nil, err
		}
		if err := tidy(path); err != nil {
			return nil, err
		}
		if err := d.space.check(0); err != nil {
			return nil, err
		}
	}
	if _, err := guarded(nil, func() (int, error) { return 0, d.checkFiles() }); err != nil {
		return nil, err
	}
	if err := d.openBadger(); err != nil {
		return nil, err
	}
	if _, err := guarded(d, func() (int, error) { return 0, d.recover() }); err != nil {
		_ = d.closeBadger() // the reason to give is the first one
		return nil, err
	}
	return d, nil
}

// checkFiles refuses what Badger must not see.
func (d *database) checkFiles() error {
	if err := checkRegistry(d.path); err != nil {
		return err
	}
	if d.settings.VerifyOnOpen {
		if err := checkLogs(d.path); err != nil {
			return err
		}
	}
	return checkTables(d.path, d.settings.VerifyOnOpen)
}

func (d *database) openBadger() error {
	var opened *badger.DB
	open := func() (err error) {
		opened, err = badger.Open(d.settings.options(d.path).WithLogger(d.flushes))
		return err
	}
	late := func(err error) {
		if err == nil {
			_, _ = guarded(nil, func() (int, error) { return 0, opened.Close() }) // nobody waits for it any more
		}
	}
	err := d.flushes.unlessStuck(nil, open, late)
	if err == nil {
		d.badger = opened
	}
	return err
}

func (d *database) closeBadger() error {
	return d.flushes.unlessStuck(d, d.badger.Close, func(error) {})
}

// enter begins a call; the caller must call d.life.RUnlock when it answers no error.
func (d *database) enter() error {
	if d.broken.Load() {
		return faultf(codeBroken, "the database failed while it was used and can't be used again in this process")
	}
	if d.torn.Load() {
		return faultf(codeIO, "a batch was interrupted by an error; open the database again, which completes it")
	}
	d.life.RLock()
	if d.closed {
		d.life.RUnlock()
		return errClosed
	}
	return nil
}

// close waits for running calls, ends all snapshots and closes Badger. Closing twice is no error.
func (d *database) close() error {
	if d.broken.Load() {
		return nil
	}
	d.life.Lock()
	defer d.life.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.mutex.Lock()
	left := make([]*snapshot, 0, len(d.snapshots))
	for s := range d.snapshots {
		left = append(left, s)
	}
	d.mutex.Unlock()
	for _, s := range left {
		s.end()
	}
	d.readers.writeBegins()
	return d.closeBadger()
}
