/* SPDX-License-Identifier: MIT */
/*
 * Everything at once, in one process: all that goroutines and threads can do, while streams start
 * and stop, recorders are asked for snapshots, receivers are slow or fail, generations end without
 * a pause, and a CPU profile is switched on and off. Each trace is valid, and memory does not grow.
 *
 * WEFT_STORM_SECONDS: for so long (4). In a soak one trace of a hundred is kept for Go's reader.
 */
#include "base/atomic.h"
#include "base/cmocka_all.h"
#include "base/thread.h"
#include "trace/check.h"
#include "trace/everything_load.h"

#include <weft/weft.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT 24 /* traces of each kind that are kept for Go's reader */

#ifdef WEFT_TORTURE
#define PERIOD_NS 1000000
#else
#define PERIOD_NS 0 /* a second */
#endif
#define GROWTH_BYTES ((uint64_t)96 << 20)

static uint32_t ending; /* atomic */

static bool goes_on(void)
{
    return !atomic_load_acquire(&ending); /* pairs with run() */
}

static uint64_t milliseconds(void)
{
    const char *text = getenv("WEFT_STORM_SECONDS");
    return text ? (uint64_t)(atof(text) * 1000) : 4000;
}

/* ---- Those who trace: each a plain thread that makes one trace after the other ---- */

typedef struct tracer {
    const char *name;
    void (*round)(struct tracer *self);
    weft_trace_recorder *recorder;
    unsigned random, rounds, traces;
    char complaint[1200];
    pthread_t thread;
} tracer;

static unsigned random_below(tracer *self, unsigned limit)
{
    self->random = self->random * 1664525 + 1013904223;
    return (self->random >> 16) % limit;
}

static void complain(tracer *self, const char *what, int rc)
{
    if (!self->complaint[0])
        snprintf(self->complaint, sizeof self->complaint, "%s: %s", what, strerror(-rc));
}

/* Kept are the first, and then fewer and fewer. */
static void judge(tracer *self, const sink *out)
{
    char name[64];
    const char *complaint = check_sink(out, NULL, NULL);
    if (complaint && !self->complaint[0])
        snprintf(self->complaint, sizeof self->complaint, "%s", complaint);
    if (complaint || self->traces < KEPT || self->traces % 1000 == 0) {
        snprintf(name, sizeof name, "%s_%u", self->name, self->traces);
        sink_save(out, name);
    }
    self->traces++;
}

static weft_trace_stream *start(tracer *self, weft_trace_write_fn write, sink *out,
                                size_t memory_budget)
{
    weft_trace_stream *stream = NULL;
    weft_trace_options options = {.size = sizeof options,
                                  .memory_budget = memory_budget,
                                  .generation_ns = random_below(self, 3) ? PERIOD_NS : 1000000,
                                  .cpu_hz = random_below(self, 2) ? 0 : 500};
    int rc = weft_trace_start_callback(weft_tracer_default(), write, out, &options, &stream);
    if (rc < 0)
        complain(self, "start", rc);
    return stream;
}

static void stop(tracer *self, weft_trace_stream *stream, int expected)
{
    int rc = weft_trace_stop(stream, NULL);
    if (rc != expected)
        complain(self, "stop", rc);
}

static void stream_for_a_moment(tracer *self)
{
    sink out = {0};
    weft_trace_stream *stream = start(self, sink_write, &out, 0);
    if (!stream)
        return;
    base_sleep_ns((int64_t)random_below(self, 30) * 1000000);
    for (unsigned n = random_below(self, 4); n > 0; n--)
        (void)weft_trace_advance(weft_tracer_default());
    stop(self, stream, 0);
    judge(self, &out);
    sink_free(&out);
}

/* It falls behind: what it has received whole is valid, up to where its loss begins. */
static int write_slowly(void *context, const void *data, size_t size)
{
    base_sleep_ns(2000000);
    return sink_write(context, data, size);
}

static void stream_to_one_who_is_slow(tracer *self)
{
    sink out = {0};
    weft_trace_stream *stream = start(self, write_slowly, &out, (size_t)4 << 20);
    if (!stream)
        return;
    base_sleep_ns(80000000);
    stop(self, stream, 0);
    judge(self, &out);
    sink_free(&out);
}

/* It fails in the middle of a generation, of which nothing more is sent then. */
static int write_a_little(void *context, const void *data, size_t size)
{
    sink *out = context;
    return out->calls >= 2 ? -EIO : sink_write(context, data, size);
}

static void stream_to_one_who_fails(tracer *self)
{
    sink out = {0};
    weft_trace_stream *stream = start(self, write_a_little, &out, 0);
    if (!stream)
        return;
    base_sleep_ns(10000000);
    stop(self, stream, -EIO);
    sink_free(&out);
}

static void take_snapshot(tracer *self)
{
    sink out = {0};
    base_sleep_ns((int64_t)random_below(self, 20) * 1000000);
    int rc = weft_trace_snapshot_callback(self->recorder, sink_write, &out, NULL);
    if (rc == 0)
        judge(self, &out);
    else if (rc != -EBUSY)
        complain(self, "snapshot", rc);
    sink_free(&out);
}

static void record_for_a_moment(tracer *self)
{
    int rc = weft_trace_recorder_start(self->recorder);
    if (rc < 0)
        complain(self, "recorder", rc);
    for (unsigned n = random_below(self, 4); n > 0; n--)
        take_snapshot(self);
    (void)weft_trace_recorder_stop(self->recorder);
}

static void profile_for_a_moment(tracer *self)
{
    sink out = {0};
    int rc = weft_cpu_profile_start_callback(sink_write, &out, NULL);
    base_sleep_ns((int64_t)random_below(self, 60) * 1000000);
    if (rc == 0)
        rc = weft_cpu_profile_stop(NULL);
    if (rc < 0)
        complain(self, "profile", rc);
    sink_free(&out);
    base_sleep_ns(10000000);
}

static tracer tracers[] = {
    {.name = "stream", .round = stream_for_a_moment},
    {.name = "other_stream", .round = stream_for_a_moment},
    {.name = "slow", .round = stream_to_one_who_is_slow},
    {.name = "failing", .round = stream_to_one_who_fails},
    {.name = "recorder", .round = record_for_a_moment},
    {.name = "profile", .round = profile_for_a_moment},
};
enum { TRACERS = sizeof tracers / sizeof *tracers };

static void *trace(void *arg)
{
    tracer *self = arg;
    for (; goes_on() && !self->complaint[0]; self->rounds++)
        self->round(self);
    return NULL;
}

static void tracers_start(void)
{
    weft_trace_recorder_options options = {
        .size = sizeof options, .window_bytes = 1 << 20, .generation_ns = PERIOD_NS};
    for (unsigned i = 0; i < TRACERS; i++) {
        tracers[i].random = i * 77777 + 1;
        if (weft_trace_recorder_new(weft_tracer_default(), &options, &tracers[i].recorder) < 0 ||
            pthread_create(&tracers[i].thread, NULL, trace, &tracers[i]) != 0)
            abort();
    }
}

static int tracers_join(void *arg)
{
    for (unsigned i = 0; i < TRACERS; i++) {
        pthread_join(tracers[i].thread, NULL);
        (void)weft_trace_recorder_free(tracers[i].recorder);
    }
    return arg != NULL;
}

/* ---- Memory ---- */

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- The test ---- */

static uint64_t resident[2]; /* the most in the first half, and in the second */

static void watch_memory(uint64_t *most)
{
    for (int64_t end = weft_now() + (int64_t)milliseconds() * WEFT_MILLISECOND / 2;
         weft_now() < end;) {
        uint64_t now = resident_bytes();
        *most = now > *most ? now : *most;
        weft_sleep(20 * WEFT_MILLISECOND);
    }
}

static int run(void *arg)
{
    int procs = weft_procs(0);
    everything_load_start();
    tracers_start();
    watch_memory(&resident[0]);
    watch_memory(&resident[1]);
    atomic_store_release(&ending, 1); /* pairs with goes_on() */
    (void)weft_blocking(tracers_join, NULL);
    everything_load_stop();
    return arg != NULL || weft_procs(procs) < 0;
}

static void print_what_was_done(void)
{
    uint64_t rounds;
    const char *name;
    for (unsigned i = 0; (name = everything_load_kind(i, &rounds)); i++)
        print_message("%s: %llu times\n", name, (unsigned long long)rounds);
    for (unsigned i = 0; i < TRACERS; i++)
        print_message("%s: %u rounds, %u traces checked\n", tracers[i].name, tracers[i].rounds,
                      tracers[i].traces);
    print_message("resident: at most %llu MiB in the first half, %llu MiB in the second\n",
                  (unsigned long long)resident[0] >> 20, (unsigned long long)resident[1] >> 20);
}

static void everything_at_once(void **state)
{
    uint64_t rounds;
    const char *name;
    (void)state;
    assert_int_equal(weft_run(NULL, run, NULL), 0);
    print_what_was_done();
    for (unsigned i = 0; i < TRACERS; i++) {
        if (tracers[i].complaint[0])
            fail_msg("%s: %s", tracers[i].name, tracers[i].complaint);
        assert_true(tracers[i].rounds > 0);
    }
    for (unsigned i = 0; (name = everything_load_kind(i, &rounds)); i++)
        if (rounds == 0)
            fail_msg("nobody %s", name);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which keep what was freed   \
                                                                     */
    assert_true(resident[1] < resident[0] + GROWTH_BYTES);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
