package main

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/pb"
	badgertable "github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/dgraph-io/ristretto/v2/z"
	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/proto"
)

// Badger v4.5.0 reads tables in goroutines of its own, where a panic over a damaged one ends the process; it believes
// a block's lengths before it checks the block; and it takes a block that fails its checksum for one that doesn't have
// the key, so that what was in it would be missing without a word. So all tables are looked through here before.

// snappyRatioMax is above what snappy can make of a byte: a copy of 64 bytes takes two at least.
const snappyRatioMax = 64

// checkTables refuses damaged tables among those that the MANIFEST names. Without `all` it looks only at what Badger
// itself reads when it opens them: the index and the last block.
func checkTables(path string, all bool) error {
	manifest, err := os.Open(filepath.Join(path, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer manifest.Close()
	listed, _, err := badger.ReplayManifestFile(manifest, 0)
	if err != nil {
		return err
	}
	ids := make([]uint64, 0, len(listed.Tables))
	for id := range listed.Tables {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(one, two int) bool { return ids[one] < ids[two] })
	for _, id := range ids {
		entry := listed.Tables[id]
		if entry.KeyID != 0 {
			continue // encrypted: there is no key, and Badger says so
		}
		if err := checkTable(badgertable.NewFilename(id, path), entry.Compression, all); err != nil {
			return err
		}
	}
	return nil
}

func checkTable(name string, compression options.CompressionType, all bool) error {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return faultf(codeCorrupt, "the MANIFEST names the table %s, and it is gone", name)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return faultf(codeCorrupt, "the table %s is empty", name)
	}
	data, err := z.Mmap(file, false, info.Size())
	if err != nil {
		return err
	}
	defer func() { _ = z.Munmap(data) }() // it was only read
	if reason := damageOf(data, compression, all); reason != "" {
		return faultf(codeCorrupt, "the table %s is damaged: %s", name, reason)
	}
	return nil
}

// damageOf says what is wrong with a table, or nothing. A table is its blocks, an index of them, the index's
// checksum; a block is rows and its checksum, compressed together. Behind each such part stands its length.
func damageOf(data []byte, compression options.CompressionType, all bool) string {
	rest, sum := cut(data)
	_, raw := cut(rest)
	if !isSum(sum, raw) {
		return "it is cut short, or its index fails its checksum"
	}
	index := fb.GetRootAsTableIndex(raw, 0)
	first := 0
	if !all {
		first = index.OffsetsLength() - 1
	}
	var text []byte
	for number := max(first, 0); number < index.OffsetsLength(); number++ {
		var at fb.BlockOffset
		if !index.Offsets(&at, number) {
			return "its index is no index"
		}
		end := uint64(at.Offset()) + uint64(at.Len())
		if end > uint64(len(data)) {
			return "a block lies behind its end"
		}
		var err error
		if text, err = decompressed(text, data[at.Offset():end], compression); err != nil {
			return "a block can't be decompressed"
		}
		if rows, sum := cut(text); !isSum(sum, rows) {
			return "a block fails its checksum"
		}
	}
	return ""
}

// cut takes the last part off, whose length stands behind it. Where it is longer than all, there is none.
func cut(data []byte) (rest, part []byte) {
	end := len(data) - 4
	if end < 0 {
		return nil, nil
	}
	size := binary.BigEndian.Uint32(data[end:])
	if uint64(size) > uint64(end) {
		return nil, nil
	}
	return data[:end-int(size)], data[end-int(size) : end]
}

func isSum(message, data []byte) bool {
	var sum pb.Checksum
	return len(message) > 0 && proto.Unmarshal(message, &sum) == nil && y.VerifyChecksum(data, &sum) == nil
}

// decompressed returns a block's text; it may stand in the room that is given.
func decompressed(room, block []byte, compression options.CompressionType) ([]byte, error) {
	switch compression {
	case options.Snappy:
		size, err := snappy.DecodedLen(block)
		if err == nil && size > snappyRatioMax*len(block) {
			err = snappy.ErrCorrupt
		}
		if err != nil {
			return nil, err
		}
		return snappy.Decode(room[:cap(room)], block)
	case options.ZSTD:
		return y.ZSTDDecompress(room, block)
	default:
		return block, nil
	}
}
