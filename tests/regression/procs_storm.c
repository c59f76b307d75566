/* SPDX-License-Identifier: MIT */
/*
 * The number of Ps goes up and down all the time, under load, while traces are started, advanced
 * and stopped at random.
 *
 *   procs_storm [CHANGES [FORMAT [SEED]]]
 *
 * Every trace stays in $WEFT_TRACE_DIR as procs_storm_N.trace, up to KEPT of them; later ones
 * replace earlier ones.
 */
#include "sched/on_runtime.h"

#include <unistd.h>

enum { KEPT = 24, WORKERS = 12 };

static int changes = 2000;
static unsigned format = 26;
static uint32_t seed = 1;
static uint32_t stop, left;
static weft_chan *chan;
static weft_mutex mutex;
static uint64_t shared;

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void produce(void *arg)
{
    (void)arg;
    for (int i = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); i++)
        if (weft_chan_send_until(chan, &i, weft_now() + WEFT_MILLISECOND) == -ETIMEDOUT)
            weft_yield();
    __atomic_sub_fetch(&left, 1, __ATOMIC_RELEASE);
}

static void consume(void *arg)
{
    (void)arg;
    int value;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
        weft_chan_recv_until(chan, &value, weft_now() + WEFT_MILLISECOND);
    __atomic_sub_fetch(&left, 1, __ATOMIC_RELEASE);
}

static void spawn_and_block(void *arg)
{
    (void)arg;
    weft_mutex_lock(&mutex);
    shared++;
    weft_mutex_unlock(&mutex);
    weft_sleep(20 * WEFT_MICROSECOND);
}

static void mixed(void *arg)
{
    uint32_t state = (uint32_t)(uintptr_t)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        switch (next_random(&state) % 5) {
        case 0:
            weft_blocking_enter();
            usleep(next_random(&state) % 50);
            weft_blocking_exit();
            break;
        case 1:
            check(weft_go(spawn_and_block, NULL) == 0);
            weft_sleep(WEFT_MICROSECOND * (next_random(&state) % 100));
            break;
        case 2:
            for (uint32_t n = next_random(&state) % 10000; n > 0; n--)
                __asm__ __volatile__("");
            break;
        case 3:
            usleep(next_random(&state) % 200); /* not announced */
            break;
        default:
            weft_yield();
        }
    }
    __atomic_sub_fetch(&left, 1, __ATOMIC_RELEASE);
}

static weft_trace_stream *stream;
static unsigned traces;

static void start_trace(void)
{
    char path[512];
    const char *folder = getenv("WEFT_TRACE_DIR");
    snprintf(path, sizeof path, "%s/procs_storm_%u_%02u.trace", folder ? folder : ".", format,
             traces++ % KEPT);
    weft_trace_options options = {
        .size = sizeof options, .format = format, .generation_ns = 5 * WEFT_MILLISECOND};
    check(weft_trace_start_path(weft_tracer_default(), path, &options, &stream) == 0);
}

static void stop_trace(void)
{
    weft_trace_result result = {.size = sizeof result};
    check(weft_trace_stop(stream, &result) == 0);
    check(result.lost_generations == 0);
    stream = NULL;
}

static int body(void *arg)
{
    (void)arg;
    chan = weft_chan_new(sizeof(int), 4);
    left = WORKERS;
    for (uintptr_t i = 0; i < WORKERS; i++)
        check(weft_go(i % 3 == 0   ? produce
                      : i % 3 == 1 ? consume
                                   : mixed,
                      (void *)(i * 7919 + seed)) == 0);
    uint32_t state = seed;
    for (int i = 0; i < changes; i++) {
        check(weft_procs(1 + (int)(next_random(&state) % 16)) > 0);
        uint32_t dice = next_random(&state) % 64;
        if (dice < 4 && !stream)
            start_trace();
        else if (dice < 4 && dice > 1)
            stop_trace();
        else if (dice < 8)
            check(weft_trace_advance(weft_tracer_default()) == 0);
        else if (dice < 24)
            weft_yield();
    }
    if (stream)
        stop_trace();
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE) > 0)
        weft_sleep(WEFT_MILLISECOND);
    weft_sleep(WEFT_MILLISECOND);
    printf("%d changes of the number of Ps, %u traces\n", changes, traces);
    return traces > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        changes = atoi(argv[1]);
    if (argc > 2)
        format = (unsigned)atoi(argv[2]);
    if (argc > 3)
        seed = (uint32_t)atoi(argv[3]);
    return run_with_procs(4, body, NULL);
}
