package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// The benchmarks do what overhead.py does from Python: the same number of keys, the same sizes, the same settings,
// in the same order, through the same functions of the bridge, without the crossing. The two must be changed together.

const benchmarkKeys = 10_000

func benchmarkSettings(sync bool) []byte {
	return []byte(fmt.Sprintf(`{"sync_writes": %t, "read_only": false, "memtable_mb": 64, "cache_mb": 256,
		"value_log_mb": 256, "value_threshold": 1048576, "compression": "snappy", "reserve_mb": 64, "verify_on_open": true}`, sync))
}

func benchmarkValueBytes() int {
	if size, err := strconv.Atoi(os.Getenv("PARITY_BADGER_VALUE_BYTES")); err == nil {
		return size
	}
	return 1024
}

func benchmarkKey(number int) []byte { return []byte(fmt.Sprintf("agent/%08d", number%benchmarkKeys)) }

func encodePut(batch, key, value []byte) []byte {
	batch = append(batch, opPut)
	batch = binary.LittleEndian.AppendUint32(batch, uint32(len(key)))
	batch = binary.LittleEndian.AppendUint32(batch, uint32(len(value)))
	return append(append(batch, key...), value...)
}

func openFilled(b *testing.B, sync bool) *database {
	b.Helper()
	d, err := openDatabase(b.TempDir(), benchmarkSettings(sync))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := d.close(); err != nil {
			b.Fatal(err)
		}
	})
	value := make([]byte, benchmarkValueBytes())
	for first := 0; first < benchmarkKeys; first += 100 {
		var batch []byte
		for number := first; number < first+100; number++ {
			batch = encodePut(batch, benchmarkKey(number), value)
		}
		if err := d.commit(batch, sync); err != nil {
			b.Fatal(err)
		}
	}
	syscall.Sync() // what the filling left behind would be written during the calls
	return d
}

// perWindow times runs of this many calls, so that a short moment without other users of the machine shows.
const perWindow = 50

// warmUpDurable is the number of durable puts before the timed ones; gets and relaxed puts: one for each key. What a
// process does only once, such as bringing memory to its processor, counts for neither side.
const warmUpDurable = 500

// measure makes b.N calls and reports, beside Go's own mean, the fastest window and the median one (ns for a call).
// The time for a turn starts after the database is filled. In the locked form the goroutine is tied to a thread,
// which is what a thread that comes from C always pays.
func measure(b *testing.B, warmUp int, locked bool, call func(turn int) error) {
	if locked {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	windows := make([]float64, 0, b.N/perWindow+1)
	for turn := benchmarkKeys - warmUp; turn < benchmarkKeys; turn++ {
		if err := call(turn); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	began := time.Now()
	for turn := 0; turn < b.N; turn++ {
		if err := call(turn); err != nil {
			b.Fatal(err)
		}
		if turn%perWindow == perWindow-1 {
			now := time.Now()
			windows = append(windows, float64(now.Sub(began))/perWindow)
			began = now
		}
	}
	b.StopTimer()
	if len(windows) > 0 {
		slices.Sort(windows)
		b.ReportMetric(windows[0], "best-ns/op")
		b.ReportMetric(windows[len(windows)/2], "middle-ns/op")
	}
}

func benchmarkGet(b *testing.B, locked bool) {
	d := openFilled(b, false)
	buffer := make([]byte, 1<<16)
	keys := make([][]byte, benchmarkKeys)
	for number := range keys {
		keys[number] = benchmarkKey(number * 7919)
	}
	measure(b, benchmarkKeys, locked, func(turn int) error {
		_, err := d.get(keys[turn%benchmarkKeys], buffer)
		return err
	})
}

func benchmarkPut(b *testing.B, sync, locked bool) {
	d := openFilled(b, sync)
	value := make([]byte, benchmarkValueBytes())
	keys := make([][]byte, benchmarkKeys)
	for number := range keys {
		keys[number] = benchmarkKey(number * 7919)
	}
	var batch []byte
	warmUp := benchmarkKeys
	if sync {
		warmUp = warmUpDurable
	}
	measure(b, warmUp, locked, func(turn int) error {
		batch = encodePut(batch[:0], keys[turn%benchmarkKeys], value)
		return d.commit(batch, sync)
	})
}

func BenchmarkGet(b *testing.B) { benchmarkGet(b, false) }

func BenchmarkGetLocked(b *testing.B) { benchmarkGet(b, true) }

func BenchmarkPutRelaxed(b *testing.B) { benchmarkPut(b, false, false) }

func BenchmarkPutRelaxedLocked(b *testing.B) { benchmarkPut(b, false, true) }

func BenchmarkPutDurable(b *testing.B) { benchmarkPut(b, true, false) }

func BenchmarkPutDurableLocked(b *testing.B) { benchmarkPut(b, true, true) }
