package main

import (
	"errors"
	"math"

	"github.com/dgraph-io/badger/v4"
)

// A transaction of Badger's holds 15 % of a memory table (9.6 MiB by default), values above the threshold not
// counted. A larger batch must still happen as a whole: it is written to the value log as one value (the journal),
// then applied in several transactions, then the journal is removed. A process that dies in between finds the
// journal when it opens the database, and applies it again; applying twice is the same as once.

// commitInParts applies a batch that no transaction holds. Readers wait meanwhile, so that none sees half
// of it; so do other writers, because a journal that is applied again must not undo what came after it.
func (d *database) commitInParts(batch []byte) error {
	if limit := d.settings.ValueLogMB * mebibyte; int64(len(batch)) > limit {
		return faultf(codeTooBig, "a batch of %d bytes exceeds the %d bytes that a value log file holds", len(batch), limit)
	}
	if err := d.checkOperations(batch); err != nil {
		return err
	}
	d.writes.Lock()
	defer d.writes.Unlock()
	d.readers.writeBegins()
	defer d.readers.writeEnds()
	d.visible.Lock()
	defer d.visible.Unlock()
	write := func(transaction *badger.Txn) error { return transaction.Set(journalKey, batch) }
	if err := d.badger.Update(write); err != nil {
		return err
	}
	return d.completeOrTear(batch)
}

// completeOrTear applies the journal. When that fails (the disk did), half of the batch may be visible, and a later
// commit would be undone when the journal is applied again: the database is refused until it is opened again.
func (d *database) completeOrTear(batch []byte) error {
	err := d.applyJournal(batch)
	if err != nil {
		d.torn.Store(true)
	}
	return err
}

// checkOperations finds what is wrong with a batch before any of it is written.
func (d *database) checkOperations(batch []byte) (err error) {
	for len(batch) > 0 && err == nil {
		_, _, _, batch, err = d.nextOperation(batch)
	}
	return err
}

func (d *database) applyJournal(batch []byte) error {
	for len(batch) > 0 {
		rest, err := d.applyPart(batch)
		if err != nil {
			return err
		}
		if len(rest) == len(batch) {
			return faultf(codeTooBig, "one operation exceeds what a transaction holds")
		}
		batch = rest
	}
	return d.badger.Update(func(transaction *badger.Txn) error { return transaction.Delete(journalKey) })
}

// applyPart applies as many operations as a transaction takes, and returns the others. Badger counts a little more
// at the commit than before it, so one that was just full may be refused; then half of the operations are tried.
func (d *database) applyPart(batch []byte) (rest []byte, err error) {
	for most := math.MaxInt; ; {
		transaction := d.badger.NewTransaction(true)
		rest, staged, err := d.fill(transaction, batch, most)
		if err == nil {
			err = transaction.Commit()
		}
		transaction.Discard()
		if !errors.Is(err, badger.ErrTxnTooBig) || staged < 2 {
			return rest, err
		}
		most = staged / 2
	}
}

// recover applies a journal that an earlier process left behind.
func (d *database) recover() error {
	var batch []byte
	err := d.badger.View(func(transaction *badger.Txn) error {
		item, err := transaction.Get(journalKey)
		if err == nil {
			batch, err = item.ValueCopy(nil)
		}
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if d.settings.ReadOnly {
		return faultf(codeReadOnly, "a batch that was interrupted must be completed first: open it once for writing")
	}
	return d.applyJournal(batch)
}
