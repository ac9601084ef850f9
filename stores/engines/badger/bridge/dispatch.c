// Why commits don't simply call into Go: a goroutine that was entered from C is tied to the calling thread. Badger
// passes a commit through two more goroutines, so that thread would be put to sleep and woken again by others: 35 µs
// on top of the 10 µs that a commit without fsync takes. So the thread leaves a request here instead. A goroutine
// takes it and commits with plain goroutine switches. Both sides look out for each other a moment before they sleep,
// because waking a thread costs more than a commit.

#include "dispatch.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

enum { WAITING = 0, SLEEPING = 1, DONE = 2 };

// Several times a commit without fsync, a fraction of one with. A thread that waits for the disk sleeps.
static const int64_t commit_patience_nanoseconds = 40 * 1000;
// Commits come in rows: the next one is often a few µs away.
static const int64_t work_patience_nanoseconds = 25 * 1000;

static parity_request *pending = 0;
// 1 while a dispatcher looks at `pending`; one at a time does, the others sleep.
static int32_t leader = 0;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_came = PTHREAD_COND_INITIALIZER;
static pthread_cond_t work_done = PTHREAD_COND_INITIALIZER;

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// About half a microsecond, at the end of which any other thread that wants this processor gets it.
static void pause_briefly(void) {
    for (int turn = 0; turn < 16; turn++) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }
    sched_yield();
}

static int is_done(parity_request *request) { return __atomic_load_n(&request->state, __ATOMIC_SEQ_CST) == DONE; }

static int done_soon(parity_request *request) {
    int64_t end = nanoseconds() + commit_patience_nanoseconds;
    do {
        if (is_done(request)) return 1;
        pause_briefly();
    } while (nanoseconds() < end);
    return 0;
}

static void sleep_until_done(parity_request *request) {
    int32_t waiting = WAITING;
    pthread_mutex_lock(&mutex);
    __atomic_compare_exchange_n(&request->state, &waiting, SLEEPING, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    while (!is_done(request)) pthread_cond_wait(&work_done, &mutex);
    pthread_mutex_unlock(&mutex);
}

void parity_finish(parity_request *request, int64_t result) {
    request->result = result;
    // From here on nothing of the request is touched: a thread that doesn't sleep may have returned already.
    if (__atomic_exchange_n(&request->state, DONE, __ATOMIC_SEQ_CST) != SLEEPING) return;
    pthread_mutex_lock(&mutex);
    pthread_cond_broadcast(&work_done);
    pthread_mutex_unlock(&mutex);
}

static parity_request *take_all(void) {
    if (!__atomic_load_n(&pending, __ATOMIC_SEQ_CST)) return 0;
    return __atomic_exchange_n(&pending, 0, __ATOMIC_SEQ_CST);
}

static parity_request *take_soon(void) {
    int64_t end = nanoseconds() + work_patience_nanoseconds;
    do {
        parity_request *found = take_all();
        if (found) return found;
        pause_briefly();
    } while (nanoseconds() < end);
    return 0;
}

// Looks once more with the mutex held: whoever leaves a request and sees no leader takes the mutex to signal.
static parity_request *sleep_until_taken(void) {
    parity_request *found;
    pthread_mutex_lock(&mutex);
    while (!(found = take_all())) pthread_cond_wait(&work_came, &mutex);
    pthread_mutex_unlock(&mutex);
    return found;
}

parity_request *parity_finish_and_take(parity_request *last, int64_t result) {
    int32_t nobody = 0;
    // Lead before the thread learns that its commit is done: then it finds a leader for its next one.
    int leads = __atomic_compare_exchange_n(&leader, &nobody, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    if (last) parity_finish(last, result);
    parity_request *found = 0;
    if (leads) {
        found = take_soon();
        __atomic_store_n(&leader, 0, __ATOMIC_SEQ_CST);
    }
    return found ? found : sleep_until_taken();
}

int64_t parity_badger_commit(
    int64_t handle, const char *batch, int64_t batch_size, int64_t sync, char *buffer, int64_t size) {
    parity_request request = {.handle = handle, .batch = batch, .batch_size = batch_size, .sync = sync,
                              .buffer = buffer, .size = size, .result = 0, .state = WAITING};
    request.next = __atomic_load_n(&pending, __ATOMIC_SEQ_CST);
    while (!__atomic_compare_exchange_n(
        &pending, &request.next, &request, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    if (!__atomic_load_n(&leader, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&mutex);
        pthread_cond_signal(&work_came);
        pthread_mutex_unlock(&mutex);
    }
    if (!done_soon(&request)) sleep_until_done(&request);
    return request.result;
}
