package main

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/dgraph-io/badger/v4"
)

const (
	opPut    = 1
	opDelete = 2
	// operationHeader is the operation (1 byte), then the lengths of key and value (4 bytes each, little-endian).
	operationHeader = 9
)

// Keys with this prefix are the bridge's own: nobody else may write them, and reads don't show them.
var (
	reservedPrefix = []byte("\xffparity-bridge\xff")
	flushMarker    = []byte("\xffparity-bridge\xffflush")
	journalKey     = []byte("\xffparity-bridge\xffjournal")
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
	rest, err := fill(transaction, batch)
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

// fill stages operations until the batch ends or the transaction is full, and returns the operations left over.
func fill(transaction *badger.Txn, batch []byte) (rest []byte, err error) {
	for len(batch) > 0 {
		operation, key, value, rest, err := nextOperation(batch)
		if err != nil {
			return nil, err
		}
		if operation == opPut {
			err = transaction.Set(key, value)
		} else {
			err = transaction.Delete(key)
		}
		if errors.Is(err, badger.ErrTxnTooBig) {
			return batch, nil
		}
		if err != nil {
			return nil, err
		}
		batch = rest
	}
	return nil, nil
}

func nextOperation(batch []byte) (operation byte, key, value, rest []byte, err error) {
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
	if bytes.HasPrefix(key, reservedPrefix) {
		return 0, nil, nil, nil, faultf(codeInvalid, "the key %q is the bridge's own", key)
	}
	return operation, key, batch[keyEnd:valueEnd:valueEnd], batch[valueEnd:], nil
}
