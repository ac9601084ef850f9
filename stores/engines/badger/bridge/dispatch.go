package main

/*
#include "dispatch.h"
*/
import "C"

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	// dispatchers commit what threads leave in dispatch.c. While one commits, another takes what comes meanwhile; a
	// third covers the moment in which both are at it. They live as long as the process.
	dispatchers = 3
	// workPatience is how long a dispatcher looks out for the next commit. Commits come in rows: it is often a few
	// µs away.
	workPatience = 25 * time.Microsecond
	// commitPatience is how long a thread looks out for its commit: a few times what one without fsync takes.
	commitPatience = 40 * time.Microsecond
	// tooLong for a turn of looking out: another process got the processor meanwhile, for its whole time slice. It
	// would again and again, so for some time (crowdedTime) everybody sleeps instead: a thread that is woken gets a
	// processor at once.
	tooLong     = 200 * time.Microsecond
	crowdedTime = 20 * time.Millisecond
)

// crowdedUntil is when it is worth looking out again, in ns since start.
var crowdedUntil atomic.Int64

// lookOut asks `seen` again and again until it says yes or the time is over. In between others get the processor.
func lookOut(patience time.Duration, seen func() bool, yield func()) bool {
	before := time.Since(start)
	if int64(before) < crowdedUntil.Load() {
		return seen()
	}
	for end := before + patience; !seen(); {
		yield()
		now := time.Since(start)
		if now-before > tooLong {
			crowdedUntil.Store(int64(now + crowdedTime))
			return seen()
		}
		if now >= end {
			return false
		}
		before = now
	}
	return true
}

var startDispatchers = sync.OnceFunc(func() {
	for count := 0; count < dispatchers; count++ {
		go dispatch()
	}
})

func dispatch() {
	var request *C.parity_request
	var result C.int64_t
	for {
		request = finishAndTake(request, result)
		for request.next != nil {
			other := request
			request = other.next // read before the other is done: its memory is gone then
			go func() { finish(other, perform(other)) }()
		}
		result = perform(request)
	}
}

func perform(request *C.parity_request) C.int64_t {
	room := view(request.buffer, request.size)
	d, err := databases.find(int64(request.handle))
	if err == nil {
		_, err = guarded(d, func() (int, error) {
			return 0, d.commit(view(request.batch, request.batch_size), request.sync != 0)
		})
	}
	return answer(0, err, room)
}

func state(request *C.parity_request) *int32 { return (*int32)(unsafe.Pointer(&request.state)) }

// finish ends a request. Nothing of it is touched afterwards: its memory belongs to its thread again.
func finish(request *C.parity_request, result C.int64_t) {
	request.result = result
	if atomic.SwapInt32(state(request), C.PARITY_DONE) == C.PARITY_SLEEPING {
		C.parity_wake_callers()
	}
}

// finishAndTake ends the last request (nil: there was none), then waits for requests and takes all that wait.
func finishAndTake(last *C.parity_request, result C.int64_t) (found *C.parity_request) {
	leader := (*int32)(unsafe.Pointer(&C.parity_leader))
	// Lead before the thread learns that its commit is done: then it finds a leader for its next one.
	leads := atomic.CompareAndSwapInt32(leader, 0, 1)
	if last != nil {
		finish(last, result)
	}
	if leads {
		found = takeSoon()
		atomic.StoreInt32(leader, 0)
	}
	if found == nil {
		found = C.parity_sleep_until_taken()
	}
	return found
}

// takeSoon looks out in Go, not in C: Badger's own goroutines, which still have to note that the last commit is
// done, run meanwhile on the same thread instead of waking another one.
func takeSoon() (found *C.parity_request) {
	pending := (*unsafe.Pointer)(unsafe.Pointer(&C.parity_pending))
	lookOut(workPatience, func() bool {
		if atomic.LoadPointer(pending) != nil {
			found = (*C.parity_request)(atomic.SwapPointer(pending, nil))
		}
		return found != nil
	}, func() {
		runtime.Gosched()
		yieldProcessor()
	})
	return found
}

// awaiting is 1 while a thread looks out for its commit. One at a time does, so that most of Go's processors are
// left to those who commit.
var awaiting atomic.Int32

// parity_await looks out for the end of a request, and says whether it came. It is in Go to hold one of Go's
// processors meanwhile: as long as one is idle, every hand-over between Badger's goroutines wakes a thread to use
// it, which takes the goroutines away from the processor whose cache has their data.
//
//export parity_await
func parity_await(request *C.parity_request) C.int {
	if runtime.GOMAXPROCS(0) == 1 || syncs(request) || !awaiting.CompareAndSwap(0, 1) {
		return 0
	}
	defer awaiting.Store(0)
	done := func() bool { return atomic.LoadInt32(state(request)) == C.PARITY_DONE }
	if lookOut(commitPatience, done, yieldProcessor) {
		return 1
	}
	return 0
}

// syncs says whether the commit waits for the disk. That takes far longer than anybody looks out.
func syncs(request *C.parity_request) bool {
	if request.sync != 0 {
		return true
	}
	d, err := databases.find(int64(request.handle))
	return err == nil && d.settings.SyncWrites
}
