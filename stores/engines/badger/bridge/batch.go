package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"

	"github.com/dgraph-io/badger/v4"
)

const (
	opPut    = 1
	opDelete = 2
	// operationHeader is the operation (1 byte), then the lengths of key and value (4 bytes each, little-endian).
	operationHeader = 9
	// maxKeyBytes is Badger's own limit.
	maxKeyBytes = 65_000
)

// Keys with this prefix are the bridge's own: nobody else may write them, and reads don't show them.
var (
	reservedPrefix = []byte("\xffparity-bridge\xff")
	flushMarker    = []byte("\xffparity-bridge\xffflush")
	journalKey     = []byte("\xffparity-bridge\xffjournal")
	badgerPrefix   = []byte("!badger!")
)

// commit applies an encoded batch: all of it or nothing. A later operation on a key wins. With sync, the batch is
// on the medium afterwards even when the database was opened without SyncWrites.
func (d *database) commit(batch []byte, sync bool) error {
	if err := d.enter(); err != nil {
		return err
	}
	defer d.life.RUnlock()
	if d.settings.ReadOnly {
		return faultf(codeReadOnly, "the database is open for reading only")
	}
	if err := d.space.check(len(batch)); err != nil {
		return err
	}
	err := d.commitWhole(batch)
	if errors.Is(err, badger.ErrTxnTooBig) {
		err = d.commitInParts(batch)
	}
	if err == nil && sync && !d.settings.SyncWrites {
		err = d.badger.Sync()
	}
	return err
}

// commitWhole commits the batch in one transaction, or answers badger.ErrTxnTooBig. Badger keeps references to keys
// and values only until the transaction has ended, so the host's memory is used as it is.
func (d *database) commitWhole(batch []byte) error {
	d.writes.RLock()
	defer d.writes.RUnlock()
	transaction := d.badger.NewTransaction(true)
	defer transaction.Discard()
	rest, _, err := d.fill(transaction, batch, math.MaxInt)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return badger.ErrTxnTooBig
	}
	d.readers.writeBegins()
	defer d.readers.writeEnds()
	return transaction.Commit()
}

// fill stages operations until the batch ends, the transaction is full, or so many are staged. It returns the
// operations left over and how many it staged.
func (d *database) fill(transaction *badger.Txn, batch []byte, most int) (rest []byte, staged int, err error) {
	for len(batch) > 0 && staged < most {
		operation, key, value, rest, err := d.nextOperation(batch)
		if err != nil {
			return nil, staged, err
		}
		if operation == opPut {
			err = transaction.Set(key, value)
		} else {
			err = transaction.Delete(key)
		}
		if errors.Is(err, badger.ErrTxnTooBig) {
			return batch, staged, nil
		}
		if err != nil {
			return nil, staged, err
		}
		batch, staged = rest, staged+1
	}
	return batch, staged, nil
}

// nextOperation decodes an operation and refuses whatever Badger would refuse. A large batch is written before Badger
// sees its operations one by one, so nothing may be wrong with them by then.
func (d *database) nextOperation(batch []byte) (operation byte, key, value, rest []byte, err error) {
	if len(batch) < operationHeader {
		return 0, nil, nil, nil, faultf(codeInvalid, "the batch ends inside an operation")
	}
	operation = batch[0]
	keyEnd := operationHeader + uint64(binary.LittleEndian.Uint32(batch[1:]))
	valueEnd := keyEnd + uint64(binary.LittleEndian.Uint32(batch[5:]))
	if operation != opPut && operation != opDelete {
		return 0, nil, nil, nil, faultf(codeInvalid, "operation %d is neither put nor delete", operation)
	}
	if valueEnd > uint64(len(batch)) {
		return 0, nil, nil, nil, faultf(codeInvalid, "the batch ends inside a key or value")
	}
	key = batch[operationHeader:keyEnd:keyEnd]
	value = batch[keyEnd:valueEnd:valueEnd]
	return operation, key, value, batch[valueEnd:], d.checkSizes(key, value)
}

func (d *database) checkSizes(key, value []byte) error {
	switch limit := d.settings.ValueLogMB * mebibyte; {
	case len(key) == 0:
		return faultf(codeInvalid, "a key is empty")
	case len(key) > maxKeyBytes:
		return faultf(codeTooBig, "a key of %d bytes exceeds the %d bytes that Badger allows", len(key), maxKeyBytes)
	case int64(len(value)) > limit:
		return faultf(codeTooBig, "a value of %d bytes exceeds the %d bytes that a value log file holds", len(value), limit)
	case bytes.HasPrefix(key, reservedPrefix):
		return faultf(codeInvalid, "the key %q is the bridge's own", key)
	case bytes.HasPrefix(key, badgerPrefix):
		return faultf(codeInvalid, "the key %q is Badger's own", key)
	}
	return nil
}
