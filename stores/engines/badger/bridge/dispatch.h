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

// Ends `last` with this result (NULL: there was none), then waits for requests and returns all that wait.
parity_request *parity_finish_and_take(parity_request *last, int64_t result);

// Ends a request. Its memory belongs to its thread again from then on.
void parity_finish(parity_request *request, int64_t result);

#endif
