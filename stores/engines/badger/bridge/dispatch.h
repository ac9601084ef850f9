#ifndef PARITY_BADGER_DISPATCH_H
#define PARITY_BADGER_DISPATCH_H

#include <stdint.h>

enum { PARITY_WAITING = 0, PARITY_SLEEPING = 1, PARITY_DONE = 2 };

// A commit that waits for a goroutine. It lives on the stack of the calling thread until `state` says done.
typedef struct parity_request {
    int64_t handle;
    const char *batch;
    int64_t batch_size;
    int64_t sync;
    char *buffer;
    int64_t size;
    int64_t result;
    int32_t state;
    struct parity_request *next;
} parity_request;

// The requests that nobody has taken yet, newest first.
extern parity_request *parity_pending;
// 1 while a dispatcher looks at `parity_pending`; one at a time does, the others sleep.
extern int32_t parity_leader;

// Sleeps until there are requests and takes all of them.
parity_request *parity_sleep_until_taken(void);

// Wakes the threads that sleep until their request is done.
void parity_wake_callers(void);

#endif
