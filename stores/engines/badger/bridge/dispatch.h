#ifndef PARITY_BADGER_DISPATCH_H
#define PARITY_BADGER_DISPATCH_H

#include <stdint.h>

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

// The newest waiting request. Both sides touch these two with atomic operations only.
extern void *parity_pending;
// 1 while a goroutine watches parity_pending.
extern uint32_t parity_leader;

void parity_finish(parity_request *request, int64_t result);

#endif
