// Why commits don't simply call into Go: a goroutine that was entered from C is tied to the calling thread. Badger
// passes a commit through two more goroutines, so that thread would be put to sleep and woken again by others: 30 µs
// on top of the 10 µs that a commit without fsync takes. So the thread leaves a request here instead. A goroutine
// takes it and commits with plain goroutine switches. Both sides look out for each other a moment before they sleep
// (dispatch.go), because waking a thread costs more than a commit. Who sleeps does it here, on plain condition
// variables: Go would need two wake-ups where this needs one.

#include "dispatch.h"
#include "_cgo_export.h"

#include <pthread.h>

parity_request *parity_pending = 0;
int32_t parity_leader = 0;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_came = PTHREAD_COND_INITIALIZER;
static pthread_cond_t work_done = PTHREAD_COND_INITIALIZER;

static int is_done(parity_request *request) {
    return __atomic_load_n(&request->state, __ATOMIC_SEQ_CST) == PARITY_DONE;
}

static void sleep_until_done(parity_request *request) {
    int32_t waiting = PARITY_WAITING;
    pthread_mutex_lock(&mutex);
    __atomic_compare_exchange_n(
        &request->state, &waiting, PARITY_SLEEPING, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    while (!is_done(request)) pthread_cond_wait(&work_done, &mutex);
    pthread_mutex_unlock(&mutex);
}

void parity_wake_callers(void) {
    pthread_mutex_lock(&mutex);
    pthread_cond_broadcast(&work_done);
    pthread_mutex_unlock(&mutex);
}

// Looks once more with the mutex held: whoever leaves a request and sees no leader takes the mutex to signal.
parity_request *parity_sleep_until_taken(void) {
    parity_request *found;
    pthread_mutex_lock(&mutex);
    while (!(found = __atomic_exchange_n(&parity_pending, 0, __ATOMIC_SEQ_CST))) {
        pthread_cond_wait(&work_came, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    return found;
}

int64_t parity_badger_commit(
    int64_t handle, const char *batch, int64_t batch_size, int64_t sync, char *buffer, int64_t size) {
    parity_request request = {.handle = handle, .batch = batch, .batch_size = batch_size, .sync = sync,
                              .buffer = buffer, .size = size, .result = 0, .state = PARITY_WAITING};
    request.next = __atomic_load_n(&parity_pending, __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(
        &parity_pending, &request.next, &request, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    if (!__atomic_load_n(&parity_leader, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&mutex);
        pthread_cond_signal(&work_came);
        pthread_mutex_unlock(&mutex);
    }
    if (!parity_await(&request)) sleep_until_done(&request);
    return request.result;
}
