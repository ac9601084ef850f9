package main

import (
	"fmt"
	"log"
	"runtime/debug"
	"strings"
)

// fatalToPanic receives what Badger's assertions write through log.Fatalf just before it would end the process.
// A host like Python must not be ended by a damaged file: the panic unwinds to `guarded` and becomes an error.
type fatalToPanic struct{}

func (fatalToPanic) Write(text []byte) (int, error) {
	panic(fatalMessage(strings.TrimSpace(string(text))))
}

type fatalMessage string

// The standard logger of this library belongs to the library alone: nothing else logs through it.
func init() {
	log.SetFlags(0)
	log.SetOutput(fatalToPanic{})
}

// guarded runs one call and turns a panic into an error. A fault while reading a mapped file (the file was cut
// behind our back) panics as well. Badger may hold locks after a panic, so the database counts as broken: every
// later call is refused, and its files stay locked until the process ends.
func guarded(d *database, call func() (int, error)) (size int, err error) {
	debug.SetPanicOnFault(true)
	defer func() {
		reason := recover()
		if reason == nil {
			return
		}
		if d != nil {
			d.broken.Store(true)
		}
		size, err = 0, panicError(reason)
	}()
	return call()
}

func panicError(reason any) error {
	text := fmt.Sprint(reason)
	if first, _, found := strings.Cut(text, "\n"); found {
		text = first
	}
	return faultf(codeCorrupt, "Badger gave up on what it read: %s", text)
}
