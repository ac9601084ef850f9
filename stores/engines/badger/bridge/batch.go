package main

import (
	"bytes"
	"encoding/binary"

	"github.com/dgraph-io/badger/v4"
)

const (
	opPut    = 1
	opDelete = 2
	// operationHeader is the operation (1 byte), then the lengths of key and value (4 bytes each, little-endian).
	operationHeader = 9
)

// flushMarker is the one key that the bridge keeps for itself, see maintenance.go.
var flushMarker = []byte("\xffparity-bridge-flush\xff")

// commit applies an encoded batch in one transaction: all of it or nothing. A later operation on a key wins.
// Badger keeps references to keys and values only until the transaction has ended, so the host's memory is used
// as it is. With sync, the batch is on the medium afterwards even when the database was opened without SyncWrites.
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
	d.writes.RLock()
	defer d.writes.RUnlock()
	transaction := d.badger.NewTransaction(true)
	defer transaction.Discard()
	if err := d.fill(transaction, batch); err != nil {
		return err
	}
	d.readers.writeBegins()
	err := transaction.Commit()
	d.readers.writeEnds()
	if err == nil && sync && !d.settings.SyncWrites {
		return d.badger.Sync()
	}
	return err
}

func (d *database) fill(transaction *badger.Txn, batch []byte) error {
	for len(batch) > 0 {
		operation, key, value, rest, err := nextOperation(batch)
		if err != nil {
			return err
		}
		if bytes.Equal(key, flushMarker) {
			return faultf(codeInvalid, "the key %q is the bridge's own", key)
		}
		if operation == opPut {
			err = transaction.Set(key, value)
		} else {
			err = transaction.Delete(key)
		}
		if err == badger.ErrTxnTooBig {
			return faultf(codeTooBig, "the batch exceeds what one transaction holds: %d bytes or %d operations",
				d.badger.MaxBatchSize(), d.badger.MaxBatchCount())
		}
		if err != nil {
			return err
		}
		batch = rest
	}
	return nil
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
	return operation, batch[operationHeader:keyEnd:keyEnd], batch[keyEnd:valueEnd:valueEnd], batch[valueEnd:], nil
}
