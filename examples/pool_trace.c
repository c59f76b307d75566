/* SPDX-License-Identifier: MIT */
/*
 * A plain pool of threads, traced: blocking code, one lock, condition variables.
 *
 *     pool_trace FILE        or WEFT_TRACE=FILE pool_trace        then: go tool trace FILE
 *
 * A G is a work item, or main; a P is the right of a thread to run one; an M is a thread. What
 * waits in the queue is runnable; whoever waits for room in it or for the last item is blocked; an
 * item that sleeps in the kernel is in a system call. Each item is a task with a region for what it
 * computes, and CPU samples tell which item they belong to.
 *
 * The pool has one lock for everything, so its side of the tracer is one_lock_host.h, whose lock is
 * the pool's. Unlike tinyhost's, these threads have no safepoints.
 */
#include "one_lock_host.h"

#include <time.h>

#define WORKERS 3
#define ITEMS   400
#define ROOM    16 /* items in the queue */

typedef struct item {
    unit *unit;
    uint64_t number;
    void (*run)(struct item *item);
} item;

static struct {
    pthread_cond_t work, woken;
    item items[ITEMS];
    int created, started, finished;
    unit *main;
    bool main_waits;
    bool quitting;
} pool = {.work = PTHREAD_COND_INITIALIZER, .woken = PTHREAD_COND_INITIALIZER};

/* ---- Waiting. Under the lock. ---- */

/* Blocks main until somebody signals it. The lock is free meanwhile. */
static void main_wait(weft_trace_block_reason reason)
{
    pool.main_waits = true;
    unit_block(reason);
    proc_drop();
    while (pool.main_waits)
        pthread_cond_wait(&pool.woken, &host.lock);
    proc_take();
    unit_start(pool.main);
}

static void main_signal(void)
{
    if (!pool.main_waits)
        return;
    pool.main_waits = false;
    unit_wake(pool.main);
    pthread_cond_signal(&pool.woken);
}

/* ---- The pool ---- */

static void submit(void (*run)(item *i))
{
    host_lock();
    while (pool.created - pool.started == ROOM)
        main_wait(WEFT_TRACE_BLOCK_CHAN_SEND);
    item *i = &pool.items[pool.created++];
    i->run = run;
    i->number = (uint64_t)pool.created;
    i->unit = unit_new((void (*)(void))run, WEFT_TRACE_G_RUNNABLE);
    pthread_cond_signal(&pool.work);
    host_unlock();
}

static void wait_for_all(void)
{
    host_lock();
    while (pool.finished < pool.created)
        main_wait(WEFT_TRACE_BLOCK_SYNC);
    host_unlock();
}

/* Under the lock, which is free while the item runs. */
static void run_next(void)
{
    item *i = &pool.items[pool.started++];
    unit_start(i->unit);
    if (pool.created - pool.started < ROOM / 2)
        main_signal();
    host_unlock();
    i->run(i);
    host_lock();
    unit_end();
    if (++pool.finished == pool.created)
        main_signal();
}

static void *worker_main(void *unused)
{
    (void)unused;
    host_enroll();
    host_lock();
    for (;;) {
        while (pool.started == pool.created && !pool.quitting)
            pthread_cond_wait(&pool.work, &host.lock);
        if (pool.started == pool.created)
            break;
        proc_take();
        while (pool.started < pool.created)
            run_next();
        proc_drop();
    }
    host_unlock();
    host_retire();
    return NULL;
}

/* ---- Something to do ---- */

static void compute(int n)
{
    volatile double x = 1;
    while (n-- > 0)
        x = x * 1.000001 + 0.5;
}

static void work(item *i)
{
    const struct timespec moment = {.tv_nsec = 100000};
    host_annotate(TASK_BEGIN, i->number, "item");
    host_annotate(REGION_BEGIN, i->number, "compute");
    compute(100000);
    host_annotate(REGION_END, i->number, "compute");
    if (i->number % 4 == 0) {
        host_syscall_begin();
        nanosleep(&moment, NULL);
        host_syscall_end();
    }
    host_annotate(TASK_END, i->number, "item");
}

static void set_up(pthread_t *threads)
{
    host_open(WORKERS + 1);
    host_enroll();
    host_lock();
    proc_take();
    pool.main = unit_new(NULL, WEFT_TRACE_G_RUNNABLE);
    unit_start(pool.main);
    host_unlock();
    for (int i = 0; i < WORKERS; i++)
        if (pthread_create(&threads[i], NULL, worker_main, NULL) != 0)
            abort();
}

static void tear_down(const pthread_t *threads)
{
    host_lock();
    pool.quitting = true;
    pthread_cond_broadcast(&pool.work);
    host_unlock();
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    host_retire();
    host_close();
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : getenv("WEFT_TRACE");
    weft_trace_stream *stream = NULL;
    weft_trace_result result = {.size = sizeof result};
    pthread_t threads[WORKERS];
    set_up(threads);
    int rc = host_trace(path, &stream);
    for (int i = 0; i < ITEMS; i++)
        submit(work);
    wait_for_all();
    if (stream)
        rc = weft_trace_stop(stream, &result);
    tear_down(threads);
    printf("%d items, %llu generations, %llu bytes of trace\n", pool.finished,
           (unsigned long long)result.generations, (unsigned long long)result.bytes);
    return rc < 0;
}
