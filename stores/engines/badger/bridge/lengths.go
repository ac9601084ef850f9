package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Badger v4.5.0 believes lengths before it checks what they stand in: noise makes it ask for gigabytes, which takes
// minutes, or ends the process where there is no such memory. What is here looks at the lengths first, and is silent
// about all other damage: Badger tells that itself.

const (
	// registryHeader is the initialization vector and the text by which a key is recognized.
	registryHeader = 16 + 12
	// registryKeyMax is far above what a key of the registry takes: two numbers, the key, and its vector.
	registryKeyMax = 4096
	lengthAndSum   = 8
	// logHeader is the number of the key that encrypts a log, and an initialization vector.
	logHeader = 8 + 12
	// logKeyMax ends Badger's replay of a log where a key is said to be longer.
	logKeyMax = 1 << 16
	readBytes = 1 << 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkRegistry refuses a file of keys with a key that can't be one.
func checkRegistry(path string) error {
	name := filepath.Join(path, "KEYREGISTRY")
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	var lengths [lengthAndSum]byte
	for at := int64(registryHeader); at < info.Size(); {
		if _, err := file.ReadAt(lengths[:], at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		left := info.Size() - at - lengthAndSum
		size := int64(binary.BigEndian.Uint32(lengths[:]))
		if left < 0 || size > min(left, registryKeyMax) {
			return faultf(codeCorrupt, "%s holds something that is no key at byte %d", name, at)
		}
		at += lengthAndSum + size
	}
	return nil
}

// checkLogs refuses logs with an entry that is longer than what is left of the file. Where an entry isn't whole for
// another reason the log ends, for Badger too.
func checkLogs(path string) error {
	names, err := filepath.Glob(filepath.Join(path, "*.mem"))
	if err != nil {
		return err
	}
	values, err := filepath.Glob(filepath.Join(path, "*.vlog"))
	if err != nil {
		return err
	}
	if len(values) > 0 {
		names = append(names, values[len(values)-1]) // the only one that is read from its begin to its end
	}
	for _, name := range names {
		if err := checkLog(name); err != nil {
			return err
		}
	}
	return nil
}

func checkLog(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	entries := &logEntries{reader: bufio.NewReaderSize(io.NewSectionReader(file, logHeader, info.Size()), readBytes)}
	for at := int64(logHeader); ; at += entries.read {
		size, ends := entries.next()
		if ends {
			return nil
		}
		if left := info.Size() - at - entries.read; size > left {
			return faultf(codeCorrupt, "%s is damaged: its entry at byte %d is said to have %d bytes, and %d are left",
				name, at, size, left)
		}
		if !entries.isWhole(size) {
			return nil
		}
	}
}

// logEntries reads a log entry by entry: kind, a byte of nobody's, the lengths of key and value, when it expires, key,
// value, checksum.
type logEntries struct {
	reader *bufio.Reader
	sum    uint32
	read   int64
}

// ReadByte reads a byte of a header, which is part of what the checksum covers.
func (e *logEntries) ReadByte() (byte, error) {
	value, err := e.reader.ReadByte()
	if err == nil {
		e.sum = crc32.Update(e.sum, castagnoli, []byte{value})
		e.read++
	}
	return value, err
}

// next reads a header. It answers how long key and value are, or that the log ends here.
func (e *logEntries) next() (size int64, ends bool) {
	e.sum, e.read = 0, 0
	for range [2]struct{}{} {
		if _, err := e.ReadByte(); err != nil {
			return 0, true
		}
	}
	var numbers [3]uint64
	for place := range numbers {
		number, err := binary.ReadUvarint(e)
		if err != nil {
			return 0, true
		}
		numbers[place] = number
	}
	key, value := uint32(numbers[0]), uint32(numbers[1])
	return int64(key) + int64(value), key > logKeyMax || key == 0 && value == 0
}

// isWhole reads key, value and checksum and says whether they fit.
func (e *logEntries) isWhole(size int64) bool {
	for left := size; left > 0; {
		chunk, err := e.reader.Peek(int(min(left, readBytes)))
		if err != nil {
			return false
		}
		e.sum = crc32.Update(e.sum, castagnoli, chunk)
		left -= int64(len(chunk))
		_, _ = e.reader.Discard(len(chunk)) // it was peeked at
	}
	var sum [4]byte
	if _, err := io.ReadFull(e.reader, sum[:]); err != nil {
		return false
	}
	e.read += size + int64(len(sum))
	return binary.BigEndian.Uint32(sum[:]) == e.sum
}
