// Why commits don't simply call into Go: a goroutine that was entered from C is tied to its thread. Badger hands a
// commit through two more goroutines, so each commit would put that thread to sleep and wake it again, about 30 µs
// on top of 10. Here the thread leaves a request in memory, a free goroutine does the commit with plain goroutine
// switches, and the thread spins for as long as a commit without fsync takes, then sleeps.

#include "dispatch.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "_cgo_export.h"

enum { WAITING = 0, SLEEPING = 1, DONE = 2 };

// Longer than a commit without fsync (10 µs), shorter than one with (200 µs and more).
static const int64_t spin_nanoseconds = 40 * 1000;

void *parity_pending = 0;
uint32_t parity_leader = 0;

static pthread_mutex_t sleep_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t sleep_over = PTHREAD_COND_INITIALIZER;

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// On a single processor, spinning would only keep the goroutine from running.
static int worth_spinning(void) {
    static int processors = 0;
    int known = __atomic_load_n(&processors, __ATOMIC_RELAXED);
    if (known == 0) {
        known = (int)sysconf(_SC_NPROCESSORS_ONLN);
        __atomic_store_n(&processors, known, __ATOMIC_RELAXED);
    }
    return known > 1;
}

static int is_done(parity_request *request) { return __atomic_load_n(&request->state, __ATOMIC_SEQ_CST) == DONE; }

static int done_while_spinning(parity_request *request) {
    if (!worth_spinning()) return is_done(request);
    int64_t end = nanoseconds() + spin_nanoseconds;
    do {
        for (int turn = 0; turn < 64; turn++) {
            if (is_done(request)) return 1;
            pause_briefly();
        }
    } while (nanoseconds() < end);
    return 0;
}

static void sleep_until_done(parity_request *request) {
    int32_t waiting = WAITING;
    pthread_mutex_lock(&sleep_mutex);
    __atomic_compare_exchange_n(&request->state, &waiting, SLEEPING, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    while (!is_done(request)) pthread_cond_wait(&sleep_over, &sleep_mutex);
    pthread_mutex_unlock(&sleep_mutex);
}

// Called by a goroutine. The request is gone as soon as its state says done, so nothing of it is read after that.
void parity_finish(parity_request *request, int64_t result) {
    request->result = result;
    if (__atomic_exchange_n(&request->state, DONE, __ATOMIC_SEQ_CST) != SLEEPING) return;
    pthread_mutex_lock(&sleep_mutex);
    pthread_cond_broadcast(&sleep_over);
    pthread_mutex_unlock(&sleep_mutex);
}

__attribute__((visibility("default"))) int64_t parity_badger_commit(
    int64_t handle, const char *batch, int64_t batch_size, int64_t sync, char *buffer, int64_t size) {
    parity_request request = {.handle = handle, .batch = batch, .batch_size = batch_size, .sync = sync,
                              .buffer = buffer, .size = size, .result = 0, .state = WAITING};
    void *newest = __atomic_load_n(&parity_pending, __ATOMIC_SEQ_CST);
    do {
        request.next = newest;
    } while (!__atomic_compare_exchange_n(
        &parity_pending, &newest, &request, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    if (__atomic_load_n(&parity_leader, __ATOMIC_SEQ_CST) == 0) parity_badger_serve();
    if (!done_while_spinning(&request)) sleep_until_done(&request);
    return request.result;
}
