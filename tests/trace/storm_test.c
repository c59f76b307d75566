/* SPDX-License-Identifier: MIT */
/* Starts, advances and stops from several threads at once, while a crowd does everything that can
 * be traced. */
#include "base/atomic.h"
#include "base/cmocka_all.h"
#include "base/thread.h"
#include "trace/check.h"
#include "trace/crowd.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WORKERS 6
#define PROCS   4

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Longer runs for soaks. */
static double duration(double otherwise)
{
    const char *text = getenv("WEFT_STORM_SECONDS");
    return text ? atof(text) : otherwise;
}

/* In a torture build that refuses memory at random a generation may be lost; what there is must be
 * valid all the same. */
static bool refusing(void)
{
    return getenv("WEFT_TORTURE_ALLOC") != NULL;
}

/* A stream that lost its first generation has nothing but the header. */
static const char *complaint_about(const sink *out)
{
    return out->size <= 16 ? NULL : check_sink(out, NULL, NULL);
}

static void assert_sound(const sink *out, const char *name)
{
    if (out->size > 16)
        assert_valid(out, name);
}

static weft_trace_stream *start_with(crowd *c, sink *out, uint64_t period_ns, size_t budget)
{
    weft_trace_options options = {
        .size = sizeof options, .generation_ns = period_ns, .memory_budget = budget};
    weft_trace_stream *stream = NULL;
    int rc;
    do
        rc = weft_trace_start_callback(crowd_tracer(c), sink_write, out, &options, &stream);
    while (rc == -ENOMEM && refusing());
    assert_int_equal(rc, 0);
    return stream;
}

static weft_trace_stream *start(crowd *c, sink *out, uint64_t period_ns)
{
    return start_with(c, out, period_ns, 0);
}

static void stop(weft_trace_stream *stream)
{
    weft_trace_result result = {.size = sizeof result};
    assert_int_equal(weft_trace_stop(stream, &result), 0);
    if (!refusing())
        assert_int_equal(result.lost_generations, 0);
}

static void advances_without_a_pause(void **state)
{
    (void)state;
    crowd *c = crowd_new(WORKERS, PROCS, 1);
    sink out = {0};
    crowd_start(c);
    weft_trace_stream *stream = start(c, &out, UINT64_MAX);
    unsigned advances = 0;
    for (double end = seconds() + duration(1.5); seconds() < end && advances < 2000; advances++)
        assert_int_equal(weft_trace_advance(crowd_tracer(c)), 0);
    stop(stream);
    crowd_stop(c);
    assert_sound(&out, "advances");
    if (!refusing())
        assert_int_equal(count_generations(&out), advances + 1);
    assert_true(crowd_steps(c) > 100);
    sink_free(&out);
    crowd_free(c);
}

static void ticks_every_millisecond(void **state)
{
    (void)state;
    crowd *c = crowd_new(WORKERS, PROCS, 2);
    sink out = {0};
    crowd_start(c);
    weft_trace_stream *stream = start(c, &out, 1000000);
    for (double end = seconds() + duration(1.0); seconds() < end;)
        base_sleep_ns(10000000);
    stop(stream);
    crowd_stop(c);
    assert_sound(&out, "ticks");
    sink_free(&out);
    crowd_free(c);
}

static void starts_and_stops(void **state)
{
    (void)state;
    crowd *c = crowd_new(WORKERS, PROCS, 3);
    crowd_start(c);
    unsigned round = 0;
    for (double end = seconds() + duration(1.5); seconds() < end; round++) {
        sink out = {0};
        char name[32];
        weft_trace_stream *stream = start(c, &out, UINT64_MAX);
        for (unsigned i = 0; i < round % 3; i++)
            assert_int_equal(weft_trace_advance(crowd_tracer(c)), 0);
        if (round % 5)
            sched_yield();
        stop(stream);
        snprintf(name, sizeof name, "start_stop_%u", round % 20);
        assert_sound(&out, name);
        sink_free(&out);
    }
    crowd_stop(c);
    crowd_free(c);
}

/* True if no generation was lost, which can happen when the tracer's thread gets no CPU for long.
 */
static bool run_until_large(uint64_t seed)
{
    crowd *c = crowd_new(WORKERS, PROCS, seed);
    sink out = {0};
    weft_trace_result result = {.size = sizeof result};
    crowd_start(c);
    weft_trace_stream *stream = start_with(c, &out, UINT64_MAX, 16 << 20);
    for (double end = seconds() + 10;
         seconds() < end && weft_trace_generation(crowd_tracer(c)) < 4;)
        base_sleep_ns(10000000);
    crowd_stop(c);
    assert_int_equal(weft_trace_stop(stream, &result), 0);
    if (result.lost_generations == 0) {
        assert_true(count_generations(&out) >= 4);
        assert_true(out.size > 4 << 20);
    }
    assert_sound(&out, "large");
    sink_free(&out);
    crowd_free(c);
    return result.lost_generations == 0;
}

/* Nobody asks for a boundary: the budget does, before anything is lost. */
static void large_generations_end_early(void **state)
{
    (void)state;
    unsigned attempts = refusing() ? 1 : 6;
    for (uint64_t seed = 5; attempts > 0 && !run_until_large(seed); seed++)
        attempts--;
    assert_true(attempts > 0 || refusing());
}

typedef struct controller {
    pthread_t thread;
    crowd *c;
    unsigned number;
    double end;
    unsigned traces;
    char complaint[1200];
} controller;

static void *control(void *arg)
{
    controller *self = arg;
    uint64_t random = self->number * 77777 + 1;
    while (seconds() < self->end && !self->complaint[0]) {
        sink out = {0};
        weft_trace_stream *stream = start(self->c, &out, 0);
        for (random = random * 6364136223846793005u + 1; random >> 62;
             random = random * 6364136223846793005u + 1)
            if (weft_trace_advance(crowd_tracer(self->c)) < 0)
                abort();
        if (weft_trace_stop(stream, NULL) < 0)
            abort();
        const char *complaint = complaint_about(&out);
        if (complaint)
            snprintf(self->complaint, sizeof self->complaint, "%s", complaint);
        if (complaint || self->traces % 50 == 0) {
            char name[64];
            snprintf(name, sizeof name, "controller_%u_%u", self->number, self->traces);
            sink_save(&out, name);
        }
        self->traces++;
        sink_free(&out);
    }
    return NULL;
}

static void streams_join_and_leave_from_many_threads(void **state)
{
    (void)state;
    crowd *c = crowd_new(WORKERS, PROCS, 4);
    controller controllers[4];
    crowd_start(c);
    for (unsigned i = 0; i < 4; i++) {
        controllers[i] = (controller){.c = c, .number = i, .end = seconds() + duration(2.0)};
        assert_int_equal(pthread_create(&controllers[i].thread, NULL, control, &controllers[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(controllers[i].thread, NULL);
    crowd_stop(c);
    for (unsigned i = 0; i < 4; i++) {
        if (controllers[i].complaint[0])
            fail_msg("controller %u: %s", i, controllers[i].complaint);
        assert_true(controllers[i].traces > 0);
    }
    crowd_free(c);
}

/* A recorder that all share, and one of each thread's own. */
typedef struct recording {
    pthread_t thread;
    crowd *c;
    weft_trace_recorder *shared;
    unsigned number;
    double end;
    unsigned snapshots;
    char complaint[1200];
} recording;

static void take_snapshot(recording *self, weft_trace_recorder *recorder)
{
    sink out = {0};
    int rc = weft_trace_snapshot_callback(recorder, sink_write, &out, NULL);
    const char *complaint = rc == 0 ? check_sink(&out, NULL, NULL) : NULL;
    if (complaint)
        snprintf(self->complaint, sizeof self->complaint, "%s", complaint);
    else if (rc < 0 && rc != -EINVAL && rc != -EBUSY && !refusing())
        snprintf(self->complaint, sizeof self->complaint, "snapshot: %d", rc);
    if (rc == 0 && (complaint || self->snapshots++ % 100 == 0)) {
        char name[64];
        snprintf(name, sizeof name, "recording_%u_%u", self->number, self->snapshots);
        sink_save(&out, name);
    }
    sink_free(&out);
}

static void *record(void *arg)
{
    recording *self = arg;
    weft_trace_recorder_options options = {.size = sizeof options, .window_bytes = 1 << 20};
    weft_trace_recorder *own;
    if (weft_trace_recorder_new(crowd_tracer(self->c), &options, &own) < 0)
        abort();
    for (unsigned i = 0; seconds() < self->end && !self->complaint[0]; i++) {
        weft_trace_recorder *one = i % 2 ? own : self->shared;
        int rc = weft_trace_recorder_start(one);
        if (rc < 0 && rc != -EALREADY && !refusing())
            abort();
        take_snapshot(self, one);
        if (i % 3 == 0 && weft_trace_recorder_stop(one) < 0)
            abort();
    }
    weft_trace_recorder_free(own);
    return NULL;
}

/* Starts, snapshots and stops of recorders, beside a stream from which nothing may be missing. */
static void recorders_come_and_go_on_many_threads(void **state)
{
    (void)state;
    crowd *c = crowd_new(WORKERS, PROCS, 6);
    recording threads[4];
    sink out = {0};
    weft_trace_recorder *shared;
    assert_int_equal(weft_trace_recorder_new(crowd_tracer(c), NULL, &shared), 0);
    crowd_start(c);
    weft_trace_stream *stream = start(c, &out, 0);
    for (unsigned i = 0; i < 4; i++) {
        threads[i] =
            (recording){.c = c, .shared = shared, .number = i, .end = seconds() + duration(2.0)};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, record, &threads[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i].thread, NULL);
    weft_trace_recorder_free(shared);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    crowd_stop(c);
    for (unsigned i = 0; i < 4; i++) {
        if (threads[i].complaint[0])
            fail_msg("recording %u: %s", i, threads[i].complaint);
        assert_true(threads[i].snapshots > 0 || refusing());
    }
    assert_sound(&out, "beside_recorders");
    sink_free(&out);
    crowd_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(advances_without_a_pause),
        cmocka_unit_test(ticks_every_millisecond),
        cmocka_unit_test(starts_and_stops),
        cmocka_unit_test(large_generations_end_early),
        cmocka_unit_test(streams_join_and_leave_from_many_threads),
        cmocka_unit_test(recorders_come_and_go_on_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
