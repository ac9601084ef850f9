package main

import (
	"errors"
	"fmt"
	"strings"
)

// flushTries is how often Badger may fail to write a memory table while a call waits for it. It tries once a second.
const flushTries = 3

// flushWatch is Badger's logger. There, and nowhere else, Badger v4.5.0 says that it can't write a memory table into a
// table (no file descriptor left, no right, a disk that fails). It tries again for ever, and its close, and its open
// when that fails after the first log was read, wait for that for ever.
type flushWatch struct {
	failures chan error
}

func newFlushWatch() *flushWatch { return &flushWatch{failures: make(chan error, 1)} }

// Errorf hears of failed flushes, and passes over all else.
func (w *flushWatch) Errorf(format string, arguments ...any) {
	if !strings.HasPrefix(format, "error flushing memtable") {
		return
	}
	select {
	case w.failures <- errors.New(strings.TrimSuffix(fmt.Sprintf(format, arguments...), ", retrying")):
	default: // one is waiting to be heard
	}
}

// Warningf, Infof and Debugf say nothing that is needed.
func (w *flushWatch) Warningf(string, ...any) {}
func (w *flushWatch) Infof(string, ...any)    {}
func (w *flushWatch) Debugf(string, ...any)   {}

// unlessStuck runs a call of Badger's, and gives it up when it waits for a memory table that can't be written: it
// answers why not. The call goes on behind; when it ends after all, `late` gets its error.
func (w *flushWatch) unlessStuck(d *database, call func() error, late func(error)) error {
	done := make(chan error, 1)
	go func() {
		_, err := guarded(d, func() (int, error) { return 0, call() })
		done <- err
	}()
	for failed := 0; ; {
		select {
		case err := <-done:
			return err
		case err := <-w.failures:
			if failed++; failed == flushTries {
				go func() { late(<-done) }()
				return err
			}
		}
	}
}
