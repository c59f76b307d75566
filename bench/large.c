/* SPDX-License-Identifier: MIT */
/*
 * large FILE MEGABYTES: writes a trace of about that size (in 10⁶ bytes) of a program that does a
 * bit of everything: messages over channels, a mutex that many want, goroutines that come and go,
 * timers, tasks with regions and logs. A generation is 100 ms, so that what a reader holds does not
 * depend on the size.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/annotate.h>
#include <weft/weft.h>

enum { PAIRS = 4, LOCKERS = 4, REQUESTS = 2, STEPS = 3 };

static const char *path;
static uint64_t goal; /* bytes */
static atomic_bool over;
static weft_waitgroup workers;
static weft_mutex wanted;

static void must(int error)
{
    if (error) {
        fprintf(stderr, "large: %s\n", strerror(-error));
        exit(1);
    }
}

static void start(void (*fn)(void *arg), void *arg)
{
    weft_waitgroup_add(&workers, 1);
    must(weft_go(fn, arg));
}

/* ---- Workers ---- */

static void produce(void *arg)
{
    weft_chan *chan = arg;
    for (long i = 0; !atomic_load_explicit(&over, memory_order_relaxed); i++)
        must(weft_chan_send(chan, &i));
    weft_chan_close(chan);
    weft_waitgroup_done(&workers);
}

static void consume(void *arg)
{
    weft_chan *chan = arg;
    while (weft_chan_recv(chan, NULL) == 0)
        ;
    weft_chan_free(chan);
    weft_waitgroup_done(&workers);
}

static void lock(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        weft_mutex_lock(&wanted);
        weft_yield();
        weft_mutex_unlock(&wanted);
    }
    weft_waitgroup_done(&workers);
}

static void step(void *arg)
{
    weft_yield();
    weft_waitgroup_done(arg);
}

/* A task for each request, whose steps are goroutines. */
static void serve(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        weft_waitgroup steps = {0};
        weft_task task = weft_task_begin(WEFT_TASK_NONE, "request");
        weft_region region;
        weft_region_begin(&region, "steps");
        for (int i = 0; i < STEPS; i++) {
            weft_waitgroup_add(&steps, 1);
            must(weft_go(step, &steps));
        }
        weft_waitgroup_wait(&steps);
        (void)weft_region_end(&region);
        weft_log("request", "done");
        weft_task_end(task);
        weft_sleep(50 * WEFT_MICROSECOND);
    }
    weft_waitgroup_done(&workers);
}

/* ---- The trace ---- */

static void start_workers(void)
{
    for (int i = 0; i < PAIRS; i++) {
        weft_chan *chan = weft_chan_new(sizeof(long), 0);
        must(chan ? 0 : -ENOMEM);
        start(produce, chan);
        start(consume, chan);
    }
    for (int i = 0; i < LOCKERS; i++)
        start(lock, NULL);
    for (int i = 0; i < REQUESTS; i++)
        start(serve, NULL);
}

static int record(void *arg)
{
    (void)arg;
    weft_trace_options options = {.size = sizeof options, .generation_ns = 100 * WEFT_MILLISECOND};
    weft_trace_result result = {.size = sizeof result};
    weft_trace_stream *stream;
    must(weft_trace_start_path(weft_tracer_default(), path, &options, &stream));
    start_workers();
    do {
        weft_sleep(5 * WEFT_MILLISECOND);
        must(weft_trace_stream_status(stream, &result));
    } while (result.bytes + result.pending_bytes < goal && !result.ended);
    atomic_store(&over, true);
    weft_waitgroup_wait(&workers);
    must(weft_trace_stop(stream, &result));
    printf("large/bytes %llu B\nlarge/generations %llu count\n", (unsigned long long)result.bytes,
           (unsigned long long)result.generations);
    return result.lost_generations ? 1 : 0;
}

int main(int argc, char **argv)
{
    goal = argc == 3 ? strtoull(argv[2], NULL, 10) * 1000000 : 0;
    if (goal == 0) {
        fputs("usage: large FILE MEGABYTES\n", stderr);
        return 2;
    }
    path = argv[1];
    return weft_run(NULL, record, NULL);
}
