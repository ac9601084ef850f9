package main

import (
	"sync/atomic"
	"syscall"
	"time"
)

// Badger writes through mapped files whose blocks are allocated on first touch. On a full disk that touch is a
// SIGBUS in one of Badger's own goroutines, which nobody can catch: the process ends. So the bridge refuses a
// commit while the file system has less left than the reserve, which is more than a flush of the memory tables
// takes. It looks at most every checkInterval or every checkBytes written, since looking costs about 1 µs.
const (
	checkInterval = 50 * time.Millisecond
	checkBytes    = 1 << 20
)

type spaceGuard struct {
	path    string
	reserve int64
	next    atomic.Int64 // when to look again, nanoseconds of the monotonic clock since start
	written atomic.Int64
}

var start = time.Now()

func (g *spaceGuard) check(size int) error {
	now := int64(time.Since(start))
	if g.written.Add(int64(size)) < checkBytes && now < g.next.Load() {
		return nil
	}
	var stat syscall.Statfs_t
	if err := syscall.Statfs(g.path, &stat); err != nil {
		return err
	}
	free := int64(stat.Bavail) * int64(stat.Bsize) //nolint:unconvert // the types differ between systems
	if needed := g.reserve + 2*int64(size); free < needed {
		return faultf(codeDiskFull, "the file system of %s has %d MiB left, less than the %d MiB kept in reserve",
			g.path, free/mebibyte, needed/mebibyte)
	}
	g.written.Store(0)
	g.next.Store(now + int64(checkInterval))
	return nil
}
