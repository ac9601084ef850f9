package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"testing"
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
	return d
}

func BenchmarkGet(b *testing.B) {
	d := openFilled(b, false)
	buffer := make([]byte, 1<<20)
	keys := make([][]byte, benchmarkKeys)
	for number := range keys {
		keys[number] = benchmarkKey(number * 7919)
	}
	b.ResetTimer()
	for turn := 0; turn < b.N; turn++ {
		if _, err := d.get(keys[turn%benchmarkKeys], buffer); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkPut(b *testing.B, sync bool) {
	d := openFilled(b, sync)
	batches := make([][]byte, benchmarkKeys)
	for number := range batches {
		batches[number] = encodePut(nil, benchmarkKey(number*7919), make([]byte, benchmarkValueBytes()))
	}
	b.ResetTimer()
	for turn := 0; turn < b.N; turn++ {
		if err := d.commit(batches[turn%benchmarkKeys], sync); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutRelaxed(b *testing.B) { benchmarkPut(b, false) }

func BenchmarkPutDurable(b *testing.B) { benchmarkPut(b, true) }
