package main

/*
#include "dispatch.h"
*/
import "C"

import "sync"

// dispatchers commit what threads leave in dispatch.c. While one commits, another takes what comes meanwhile; a
// third covers the moment in which both are at it. They live as long as the process.
const dispatchers = 3

var startDispatchers = sync.OnceFunc(func() {
	for count := 0; count < dispatchers; count++ {
		go dispatch()
	}
})

func dispatch() {
	var request *C.parity_request
	var result C.int64_t
	for {
		request = C.parity_finish_and_take(request, result)
		for request.next != nil {
			other := request
			request = other.next // read before the other is done: its memory is gone then
			go func() { C.parity_finish(other, perform(other)) }()
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
