package main

/*
#include "dispatch.h"
*/
import "C"

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"
)

// A leader is a goroutine that watches for requests; there is one at most. It resigns while it commits, so that
// another one serves other threads meanwhile, and stays a moment after a commit, since commits come in rows.
const leaderPatience = 25 * time.Microsecond

func takePending() *C.parity_request {
	slot := (*unsafe.Pointer)(unsafe.Pointer(&C.parity_pending))
	if atomic.LoadPointer(slot) == nil {
		return nil
	}
	return (*C.parity_request)(atomic.SwapPointer(slot, nil))
}

func somePending() bool {
	return atomic.LoadPointer((*unsafe.Pointer)(unsafe.Pointer(&C.parity_pending))) != nil
}

// lead says whether this goroutine became the leader.
func lead() bool {
	return atomic.CompareAndSwapUint32((*uint32)(unsafe.Pointer(&C.parity_leader)), 0, 1)
}

func resign() { atomic.StoreUint32((*uint32)(unsafe.Pointer(&C.parity_leader)), 0) }

// parity_badger_serve is called by a thread that left a request and saw no leader.
//
//export parity_badger_serve
func parity_badger_serve() { go serve() }

// serve leads until nothing comes for a while. A request that comes just as it resigns is looked for once more.
func serve() {
	for lead() {
		request := watch()
		resign()
		if request == nil {
			if !somePending() {
				return
			}
			continue
		}
		if somePending() {
			go serve()
		}
		if !performAll(request) {
			return
		}
		for request = watch(); request != nil; request = watch() {
			resign()
			if somePending() {
				go serve()
			}
			if !performAll(request) {
				return
			}
		}
		resign()
	}
}

// performAll serves a list of requests, the last of it here, and says whether this goroutine leads again. It does
// so before the thread learns that its request is done: then the thread finds a leader for its next one.
func performAll(request *C.parity_request) bool {
	for request.next != nil {
		other := request
		request = (*C.parity_request)(request.next) // read before the other is done: its memory is gone then
		go func() { C.parity_finish(other, perform(other)) }()
	}
	result := perform(request)
	leads := lead()
	C.parity_finish(request, result)
	return leads
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

// watch takes all waiting requests, or nil when none comes in time.
func watch() *C.parity_request {
	end := time.Now().Add(leaderPatience)
	for turn := 1; ; turn++ {
		if request := takePending(); request != nil {
			return request
		}
		if turn%16 == 0 {
			runtime.Gosched()
			if time.Now().After(end) {
				return nil
			}
		}
	}
}
