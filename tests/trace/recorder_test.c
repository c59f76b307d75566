/* SPDX-License-Identifier: MIT */
/* The flight recorder: its window, snapshots of it, and its life beside streams. Twins of Go's
 * flightrecorder_test.go and subscribe_test.go are among these, under Go's names. */
#define _GNU_SOURCE
#include "base/atomic.h"
#include "base/cmocka_all.h"
#include "base/thread.h"
#include "trace/check.h"
#include "trace/script.h"
#include "trace/tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static weft_trace_recorder *recorder_with(script *s, uint64_t window_ns, size_t window_bytes)
{
    weft_trace_recorder_options options = {.size = sizeof options,
                                           .generation_ns = UINT64_MAX,
                                           .window_ns = window_ns,
                                           .window_bytes = window_bytes};
    weft_trace_recorder *recorder = NULL;
    assert_int_equal(weft_trace_recorder_new(s->tracer, &options, &recorder), 0);
    return recorder;
}

static weft_trace_recorder *started(script *s, uint64_t window_ns, size_t window_bytes)
{
    weft_trace_recorder *recorder = recorder_with(s, window_ns, window_bytes);
    assert_int_equal(weft_trace_recorder_start(recorder), 0);
    return recorder;
}

static void some_events(script *s, unsigned rounds)
{
    while (rounds-- > 0)
        script_busy(s);
}

static weft_trace_recorder_result status_of(weft_trace_recorder *recorder)
{
    weft_trace_recorder_result result = {.size = sizeof result};
    assert_int_equal(weft_trace_recorder_status(recorder, &result), 0);
    return result;
}

/* A valid snapshot. Returns its generations. */
static uint64_t snap(weft_trace_recorder *recorder, const char *name)
{
    sink out = {0};
    weft_trace_snapshot_result result = {.size = sizeof result};
    assert_int_equal(weft_trace_snapshot_callback(recorder, sink_write, &out, &result), 0);
    assert_int_equal(result.bytes, out.size);
    assert_valid(&out, name);
    assert_int_equal(count_generations(&out), result.generations);
    sink_free(&out);
    return result.generations;
}

/* ---- The life of a recorder ---- */

static void double_start(void **state)
{
    (void)state;
    script *s = script_new(2);
    weft_trace_recorder *recorder = started(s, 0, 0);
    assert_int_equal(weft_trace_recorder_start(recorder), -EALREADY);
    assert_int_equal(weft_trace_recorder_enabled(recorder), 1);
    snap(recorder, "double_start");
    assert_int_equal(weft_trace_recorder_stop(recorder), 0);
    assert_int_equal(weft_trace_recorder_stop(recorder), 0);
    weft_trace_recorder_free(recorder);
    script_free(s);
}

static void flight_recorder_enabled(void **state)
{
    (void)state;
    script *s = script_new(1);
    weft_trace_recorder *recorder = recorder_with(s, 0, 0);
    assert_int_equal(weft_trace_recorder_enabled(recorder), 0);
    assert_int_equal(weft_trace_recorder_start(recorder), 0);
    assert_int_equal(weft_trace_recorder_enabled(recorder), 1);
    assert_int_equal(weft_trace_enabled(s->tracer), 1);
    assert_int_equal(weft_trace_recorder_stop(recorder), 0);
    assert_int_equal(weft_trace_recorder_enabled(recorder), 0);
    assert_int_equal(weft_trace_enabled(s->tracer), 0);
    weft_trace_recorder_free(recorder);
    script_free(s);
}

static void write_to_disabled(void **state)
{
    (void)state;
    script *s = script_new(1);
    sink out = {0};
    weft_trace_recorder *recorder = recorder_with(s, 0, 0);
    assert_int_equal(weft_trace_snapshot_callback(recorder, sink_write, &out, NULL), -EINVAL);
    assert_int_equal(weft_trace_recorder_start(recorder), 0);
    assert_int_equal(weft_trace_recorder_stop(recorder), 0);
    assert_int_equal(weft_trace_snapshot_callback(recorder, sink_write, &out, NULL), -EINVAL);
    assert_int_equal(weft_trace_snapshot_path(recorder, "/nowhere/at/all", NULL), -EINVAL);
    assert_int_equal(out.calls, 0);
    weft_trace_recorder_free(recorder);
    script_free(s);
}

static void start_stop_five_times_with_other_procs(void **state)
{
    (void)state;
    script *s = script_new(4);
    weft_trace_recorder *recorder = recorder_with(s, 0, 0);
    for (unsigned round = 0; round < 5; round++) {
        script_procs(s, 1 + round % 4);
        assert_int_equal(weft_trace_recorder_start(recorder), 0);
        assert_int_equal(status_of(recorder).generations, 0);
        some_events(s, 20);
        assert_int_equal(snap(recorder, "round"), 1);
        some_events(s, 20);
        assert_int_equal(weft_trace_recorder_stop(recorder), 0);
        assert_int_equal(status_of(recorder).memory, 0);
        assert_int_equal(trace_arena_used(&s->tracer->arena), 0);
    }
    weft_trace_recorder_free(recorder);
    script_free(s);
}

static void misuse_is_an_error(void **state)
{
    (void)state;
    script *s = script_new(1);
    weft_tracer *t = s->tracer;
    weft_trace_recorder *recorder;
    weft_trace_stream *stream;
    weft_trace_recorder_options options = {.size = sizeof options, .format = 24};
    weft_trace_recorder_result status = {.size = 2};
    assert_int_equal(weft_trace_recorder_new(t, &options, &recorder), -EINVAL);
    options = (weft_trace_recorder_options){.size = 1};
    assert_int_equal(weft_trace_recorder_new(t, &options, &recorder), -EINVAL);
    assert_int_equal(weft_trace_recorder_new(NULL, NULL, &recorder), -EINVAL);
    assert_int_equal(weft_trace_recorder_new(t, NULL, NULL), -EINVAL);
    assert_int_equal(weft_trace_recorder_start(NULL), -EINVAL);
    assert_int_equal(weft_trace_recorder_stop(NULL), -EINVAL);
    assert_int_equal(weft_trace_recorder_free(NULL), 0);
    assert_int_equal(weft_trace_recorder_enabled(NULL), 0);
    assert_int_equal(weft_trace_snapshot_path(NULL, "x", NULL), -EINVAL);
    assert_int_equal(weft_trace_snapshot_fd(NULL, 1, NULL), -EINVAL);
    assert_int_equal(weft_trace_start_callback(NULL, sink_write, NULL, NULL, &stream), -EINVAL);
    assert_int_equal(weft_trace_start_path(NULL, "x", NULL, &stream), -EINVAL);
    assert_int_equal(weft_trace_start_path(t, NULL, NULL, &stream), -EINVAL);
    assert_int_equal(weft_trace_start_fd(t, 1, NULL, NULL), -EINVAL);
    assert_int_equal(weft_trace_stop(NULL, NULL), -EINVAL);
    assert_int_equal(weft_trace_advance(NULL), -EINVAL);
    assert_int_equal(weft_trace_enabled(NULL), 0);
    assert_int_equal(weft_trace_generation(NULL), 0);
    recorder = started(s, 0, 0);
    assert_int_equal(weft_trace_snapshot_path(recorder, NULL, NULL), -EINVAL);
    assert_int_equal(weft_trace_snapshot_fd(recorder, -1, NULL), -EBADF);
    assert_int_equal(weft_trace_snapshot_callback(recorder, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(weft_trace_snapshot_path(recorder, "/nowhere/at/all", NULL), -ENOENT);
    assert_int_equal(weft_trace_recorder_status(recorder, &status), -EINVAL);
    options = (weft_trace_recorder_options){.size = sizeof options, .format = 22};
    weft_trace_recorder *other;
    assert_int_equal(weft_trace_recorder_new(t, &options, &other), 0);
    assert_int_equal(weft_trace_recorder_start(other), -EBUSY);
    weft_trace_recorder_free(other);
    weft_trace_recorder_free(recorder);
    script_free(s);
}

static void recorder_outlives_its_tracer(void **state)
{
    (void)state;
    script *s = script_new(1);
    weft_trace_recorder *recorder = started(s, 0, 0);
    some_events(s, 5);
    script_free(s);
    assert_int_equal(weft_trace_recorder_enabled(recorder), 0);
    assert_int_equal(weft_trace_recorder_start(recorder), -ESHUTDOWN);
    assert_int_equal(weft_trace_snapshot_fd(recorder, 1, NULL), -EINVAL);
    assert_int_equal(weft_trace_recorder_free(recorder), 0);
}

/* ---- Snapshots ---- */

static void snapshot_straight_after_start(void **state)
{
    (void)state;
    static const unsigned formats[] = {22, 23, 25, 26};
    for (unsigned i = 0; i < 4; i++) {
        script *s = script_new(2);
        weft_trace_recorder_options options = {
            .size = sizeof options, .format = formats[i], .generation_ns = UINT64_MAX};
        weft_trace_recorder *recorder;
        assert_int_equal(weft_trace_recorder_new(s->tracer, &options, &recorder), 0);
        assert_int_equal(weft_trace_recorder_start(recorder), 0);
        assert_int_equal(snap(recorder, "at_once"), 1);
        assert_int_equal(snap(recorder, "at_once_again"), 2);
        weft_trace_recorder_free(recorder);
        script_free(s);
    }
}

static void count_events(void *arg, weft_reader *reader, const weft_event *event)
{
    (void)reader;
    *(unsigned *)arg += event->kind != WEFT_EVENT_SYNC;
}

/* Everything emitted before the call is in it. */
static void snapshot_is_up_to_date(void **state)
{
    (void)state;
    script *s = script_new(2);
    sink streamed = {0}, snapped = {0};
    weft_trace_recorder *recorder = started(s, 0, 0);
    weft_trace_stream *stream = script_stream(s, sink_write, &streamed, 0);
    weft_trace_recorder *late = started(s, 0, 0);
    for (int i = 0; i < 4; i++) {
        some_events(s, 7);
        weft_trace_advance(s->tracer);
    }
    some_events(s, 7);
    assert_int_equal(weft_trace_snapshot_callback(late, sink_write, &snapped, NULL), 0);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    unsigned in_stream = 0, in_snapshot = 0;
    assert_null(check_sink(&streamed, count_events, &in_stream));
    assert_null(check_sink(&snapped, count_events, &in_snapshot));
    assert_true(in_snapshot >= 5 * 7 * 2 && in_stream > in_snapshot);
    assert_true(snap(recorder, "earlier") > 5);
    assert_valid(&snapped, "late");
    sink_free(&streamed);
    sink_free(&snapped);
    weft_trace_recorder_free(late);
    weft_trace_recorder_free(recorder);
    script_free(s);
}

static void snapshots_to_files_and_descriptors(void **state)
{
    (void)state;
    script *s = script_new(2);
    const char *dir = getenv("WEFT_TRACE_DIR");
    char path[4096];
    weft_trace_recorder *recorder = started(s, 0, 0);
    weft_trace_snapshot_result first = {.size = sizeof first}, second = {.size = sizeof second};
    snprintf(path, sizeof path, "%s/path.trace", dir ? dir : ".");
    some_events(s, 50);
    assert_int_equal(weft_trace_snapshot_path(recorder, path, &first), 0);
    snprintf(path, sizeof path, "%s/fd.trace", dir ? dir : ".");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_int_equal(weft_trace_snapshot_fd(recorder, fd, &second), 0);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), second.bytes);
    assert_true(second.bytes > first.bytes); /* successive ones overlap */
    close(fd);
    weft_trace_recorder_free(recorder);
    script_free(s);
}

/* Golang issue 77083: the first write is the header alone. */
static void header_comes_first_and_is_counted(void **state)
{
    (void)state;
    script *s = script_new(1);
    sink out = {0};
    weft_trace_recorder *recorder = started(s, 0, 1);
    for (int i = 0; i < 3; i++) {
        weft_trace_snapshot_result result = {.size = sizeof result};
        some_events(s, 3);
        assert_int_equal(weft_trace_snapshot_callback(recorder, sink_write, &out, &result), 0);
        assert_memory_equal(out.data, "go 1.26 trace\0\0\0", 16);
        assert_int_equal(result.bytes, out.size);
        assert_int_equal(out.size, 16 + status_of(recorder).bytes + 1); /* and the end mark */
        assert_valid(&out, "counted");
        sink_free(&out);
    }
    weft_trace_recorder_free(recorder);
    script_free(s);
}

/* ---- The window ---- */

static void generation_count_with_tiny_limits(void **state)
{
    (void)state;
    script *s = script_new(2);
    weft_trace_recorder *recorder = started(s, 1, 16);
    for (int i = 0; i < 20; i++) {
        some_events(s, 10);
        weft_trace_advance(s->tracer);
        assert_int_equal(status_of(recorder).generations, 1);
    }
    assert_int_equal(snap(recorder, "tiny"), 1);
    weft_trace_recorder_free(recorder);
    script_free(s);
}

static void window_by_bytes(void **state)
{
    (void)state;
    static const size_t limits[] = {1, TRACE_CHUNK_SIZE, 5 * TRACE_CHUNK_SIZE, SIZE_MAX};
    static const unsigned most[] = {1, 1, 5, 30};
    for (unsigned i = 0; i < 4; i++) {
        script *s = script_new(3);
        weft_trace_recorder *recorder = started(s, UINT64_MAX, limits[i]);
        for (int n = 0; n < 29; n++) {
            some_events(s, 5);
            weft_trace_advance(s->tracer);
            weft_trace_recorder_result now = status_of(recorder);
            assert_true(now.window_bytes <= limits[i] || now.generations == 1);
        }
        assert_int_equal(snap(recorder, "by_bytes"), most[i]);
        weft_trace_recorder_free(recorder);
        script_free(s);
    }
}

/* Many small generations take one chunk each. */
static void small_generations_are_packed(void **state)
{
    (void)state;
    script *s = script_new(SCRIPT_PS);
    weft_trace_recorder *recorder = started(s, UINT64_MAX, SIZE_MAX);
    for (int n = 0; n < 50; n++) {
        some_events(s, 2);
        weft_trace_advance(s->tracer);
    }
    assert_int_equal(status_of(recorder).window_bytes, 50 * TRACE_CHUNK_SIZE);
    snap(recorder, "packed");
    weft_trace_recorder_free(recorder);
    script_free(s);
}

/* The age is that of a generation's end: what began before the window's begin and ended in it
 * stays. */
static void window_by_age(void **state)
{
    (void)state;
    script *s = script_new(1);
    const uint64_t window = 50000000;
    weft_trace_recorder *recorder = started(s, window, SIZE_MAX);
    for (int n = 0; n < 30; n++) {
        some_events(s, 2);
        base_sleep_ns(5000000);
        weft_trace_advance(s->tracer);
        weft_trace_recorder_result now = status_of(recorder);
        assert_true(now.span_ns >= window || now.generations == (uint64_t)n + 1);
    }
    assert_true(status_of(recorder).generations < 30);
    snap(recorder, "by_age");
    weft_trace_recorder_free(recorder);
    script_free(s);
}

/* Events without end: generations are ended early, and the memory stays within its bounds. */
static void memory_stays_within_the_budget(void **state)
{
    (void)state;
    script *s = script_new(4);
    const size_t window = 32 * TRACE_CHUNK_SIZE;
    weft_trace_recorder *recorder = started(s, UINT64_MAX, window);
    while (weft_trace_generation(s->tracer) < 10) {
        some_events(s, 500);
        weft_trace_recorder_result now = status_of(recorder);
        assert_true(now.window_bytes <= window || now.generations == 1);
        assert_true(trace_arena_used(&s->tracer->arena) <= window + ((size_t)64 << 20));
    }
    assert_true(snap(recorder, "bounded") >= 1);
    weft_trace_recorder_free(recorder);
    script_free(s);
}

/* Others seem to have taken all of the arena, or give it back. */
static void let_the_arena_be_full(script *s, size_t *held)
{
    trace_arena *arena = &s->tracer->arena;
    lock_acquire(&arena->lock);
    size_t change = *held ? 0 - *held : arena->limit - arena->taken;
    atomic_store_relaxed(&arena->taken, arena->taken + change);
    lock_release(&arena->lock);
    *held = *held ? 0 : change;
}

/* The older ones can be had until the next one is there; that begins a new window, and says why. */
static void lost_generation_begins_a_new_window(void **state)
{
    (void)state;
    script *s = script_new(2);
    sink before = {0}, after = {0};
    size_t held = 0;
    weft_trace_snapshot_result result = {.size = sizeof result};
    weft_trace_recorder *recorder = started(s, UINT64_MAX, 0);
    some_events(s, 10);
    assert_int_equal(snap(recorder, "before_loss"), 1);
    let_the_arena_be_full(s, &held);
    some_events(s, 2000);
    assert_int_equal(weft_trace_snapshot_callback(recorder, sink_write, &before, &result), 0);
    assert_int_equal(result.generations, 1);
    assert_true(result.lost_generations >= 1);
    let_the_arena_be_full(s, &held);
    weft_trace_advance(s->tracer);
    some_events(s, 10);
    assert_int_equal(weft_trace_snapshot_callback(recorder, sink_write, &after, &result), 0);
    assert_int_equal(result.lost_generations, 0);
    assert_non_null(memmem(after.data, after.size, "flight recorder: ", 17));
    assert_null(memmem(after.data, after.size, before.data + 16, 64)); /* nothing older */
    assert_true(status_of(recorder).lost_generations >= 1);
    assert_valid(&before, "older_than_the_loss");
    assert_valid(&after, "newer_than_the_loss");
    sink_free(&before);
    sink_free(&after);
    weft_trace_recorder_free(recorder);
    script_free(s);
}

/* ---- Receivers that are slow or fail ---- */

typedef struct slow_snapshot {
    weft_trace_recorder *recorder;
    pthread_t thread;
    sink out;
    uint32_t hold, waiting; /* atomic */
    int rc;
} slow_snapshot;

static int write_when_allowed(void *context, const void *data, size_t size)
{
    slow_snapshot *slow = context;
    atomic_store_release(&slow->waiting, 1);
    while (atomic_load_acquire(&slow->hold))
        base_sleep_ns(1000000);
    return sink_write(&slow->out, data, size);
}

static void *snapshot_slowly(void *arg)
{
    slow_snapshot *slow = arg;
    slow->rc = weft_trace_snapshot_callback(slow->recorder, write_when_allowed, slow, NULL);
    return NULL;
}

static void slow_start(slow_snapshot *slow, weft_trace_recorder *recorder)
{
    *slow = (slow_snapshot){.recorder = recorder, .hold = 1};
    assert_int_equal(pthread_create(&slow->thread, NULL, snapshot_slowly, slow), 0);
    while (!atomic_load_acquire(&slow->waiting))
        base_sleep_ns(1000000);
}

static void slow_finish(slow_snapshot *slow, const char *name)
{
    atomic_store_release(&slow->hold, 0);
    pthread_join(slow->thread, NULL);
    assert_int_equal(slow->rc, 0);
    assert_valid(&slow->out, name);
    sink_free(&slow->out);
}

static void slow_snapshot_delays_nobody(void **state)
{
    (void)state;
    script *s = script_new(2);
    slow_snapshot slow;
    sink streamed = {0};
    weft_trace_recorder *recorder = started(s, UINT64_MAX, 0);
    some_events(s, 10);
    slow_start(&slow, recorder);
    weft_trace_stream *stream = script_stream(s, sink_write, &streamed, 0);
    some_events(s, 10);
    assert_int_equal(weft_trace_advance(s->tracer), 0);
    assert_true(snap(recorder, "beside_a_slow_one") >= 3);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    /* It stops at once, and the slow one still gets what it began. */
    assert_int_equal(weft_trace_recorder_stop(recorder), 0);
    weft_trace_recorder_free(recorder);
    slow_finish(&slow, "slow");
    assert_valid(&streamed, "beside_a_slow_snapshot");
    sink_free(&streamed);
    script_free(s);
}

static void snapshot_outlives_the_tracer(void **state)
{
    (void)state;
    script *s = script_new(2);
    slow_snapshot slow;
    weft_trace_recorder *recorder = started(s, 0, 0);
    some_events(s, 10);
    slow_start(&slow, recorder);
    script_free(s);
    weft_trace_recorder_free(recorder);
    slow_finish(&slow, "outlived");
}

/* What they pin counts; in the end further ones are refused, and the window stays usable. */
static void stuck_snapshots_are_within_the_budget(void **state)
{
    (void)state;
    script *s = script_new(2);
    slow_snapshot slow[3];
    const size_t window = 3 * TRACE_CHUNK_SIZE;
    weft_trace_recorder *recorder = started(s, UINT64_MAX, window);
    unsigned stuck = 0;
    for (; stuck < 3; stuck++) {
        some_events(s, 10);
        slow_start(&slow[stuck], recorder);
        assert_true(status_of(recorder).memory <= window);
    }
    for (int i = 0; i < 5; i++) {
        some_events(s, 10);
        weft_trace_advance(s->tracer);
        assert_true(status_of(recorder).memory <= window + TRACE_CHUNK_SIZE);
    }
    sink out = {0};
    assert_int_equal(weft_trace_snapshot_callback(recorder, sink_write, &out, NULL), -EBUSY);
    assert_int_equal(out.calls, 0);
    while (stuck > 0)
        slow_finish(&slow[--stuck], "was_stuck");
    assert_int_equal(snap(recorder, "after_stuck_ones"), 2);
    weft_trace_recorder_free(recorder);
    script_free(s);
}

static int refuse(void *context, const void *data, size_t size)
{
    size_t *room = context;
    (void)data;
    if (*room < size)
        return -ENOSPC;
    *room -= size;
    return 0;
}

static void snapshot_to_a_failing_receiver(void **state)
{
    (void)state;
    script *s = script_new(2);
    weft_trace_recorder *recorder = started(s, 0, 0);
    weft_trace_snapshot_result result = {.size = sizeof result};
    int ends[2];
    for (size_t room = 0; room < 3000; room += 333) {
        size_t left = room;
        some_events(s, 10);
        assert_int_equal(weft_trace_snapshot_callback(recorder, refuse, &left, &result), -ENOSPC);
        assert_int_equal(result.bytes, room - left);
    }
    assert_int_equal(weft_trace_snapshot_path(recorder, "/dev/full", &result), -ENOSPC);
    assert_int_equal(result.bytes, 0);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(weft_trace_snapshot_fd(recorder, ends[1], &result), -EPIPE);
    close(ends[1]);
    snap(recorder, "after_failures");
    weft_trace_recorder_free(recorder);
    assert_int_equal(trace_arena_used(&s->tracer->arena), 0);
    script_free(s);
}

static void *snapshot_many(void *arg)
{
    slow_snapshot *own = arg;
    for (int i = 0; i < 50 && own->rc == 0; i++) {
        sink_free(&own->out);
        own->rc = weft_trace_snapshot_callback(own->recorder, sink_write, &own->out, NULL);
    }
    return NULL;
}

static void concurrent_snapshots(void **state)
{
    (void)state;
    static const unsigned numbers[] = {2, 8};
    for (unsigned n = 0; n < 2; n++) {
        script *s = script_new(2);
        slow_snapshot threads[8];
        /* Room for all their generations: one that is interrupted for long would else be refused.
         */
        weft_trace_recorder *recorder = started(s, 0, (size_t)64 << 20);
        for (unsigned i = 0; i < numbers[n]; i++) {
            threads[i] = (slow_snapshot){.recorder = recorder};
            assert_int_equal(pthread_create(&threads[i].thread, NULL, snapshot_many, &threads[i]),
                             0);
        }
        for (int i = 0; i < 200; i++)
            script_busy(s);
        for (unsigned i = 0; i < numbers[n]; i++) {
            pthread_join(threads[i].thread, NULL);
            assert_int_equal(threads[i].rc, 0);
            assert_valid(&threads[i].out, "concurrent");
            sink_free(&threads[i].out);
        }
        weft_trace_recorder_free(recorder);
        script_free(s);
    }
}

/* ---- Beside streams ---- */

/* Defect (a) of Go 1.27: stopping the file's trace while only a recorder is active stops all
 * tracing, and the recorder returns stale data. */
static void stray_stop_leaves_the_recorder_alone(void **state)
{
    (void)state;
    script *s = script_new(2);
    sink out = {0};
    weft_trace_recorder *recorder = started(s, 0, 0), *idle = recorder_with(s, 0, 0);
    weft_trace_stream *stream = script_stream(s, sink_write, &out, 0);
    some_events(s, 3);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    uint64_t generation = weft_trace_generation(s->tracer);
    assert_int_equal(weft_trace_recorder_stop(idle), 0);
    assert_int_equal(weft_trace_recorder_stop(idle), 0);
    assert_int_equal(weft_trace_generation(s->tracer), generation);
    assert_int_equal(weft_trace_enabled(s->tracer), 1);
    uint64_t before = snap(recorder, "stray_before");
    some_events(s, 3);
    assert_int_equal(snap(recorder, "stray_after"), before + 1);
    assert_valid(&out, "stray_stream");
    sink_free(&out);
    weft_trace_recorder_free(idle);
    weft_trace_recorder_free(recorder);
    script_free(s);
}

/* The trace of a stream is longer than what a tiny recorder keeps of it. */
static void trace_and_flight_recorder(void **state)
{
    (void)state;
    script *s = script_new(2);
    sink streamed = {0}, snapped = {0};
    weft_trace_stream *stream = script_stream(s, sink_write, &streamed, 0);
    weft_trace_recorder *recorder = started(s, 0, 16);
    for (int i = 0; i < 5; i++) {
        some_events(s, 10);
        weft_trace_advance(s->tracer);
    }
    assert_int_equal(weft_trace_snapshot_callback(recorder, sink_write, &snapped, NULL), 0);
    weft_trace_recorder_free(recorder);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    assert_true(snapped.size > 16 && snapped.size < streamed.size);
    assert_valid(&streamed, "beside_recorder");
    assert_valid(&snapped, "beside_stream");
    sink_free(&streamed);
    sink_free(&snapped);
    script_free(s);
}

/* Who takes part in an interleaving: a stream and a recorder, which join and leave by turns. */
typedef struct pair {
    script *s;
    sink out;
    weft_trace_stream *stream;
    weft_trace_recorder *recorder;
} pair;

static void toggle_stream(pair *p)
{
    if (!p->stream) {
        p->stream = script_stream(p->s, sink_write, &p->out, 0);
        return;
    }
    assert_int_equal(weft_trace_stop(p->stream, NULL), 0);
    p->stream = NULL;
    assert_valid(&p->out, "interleaved_stream");
    sink_free(&p->out);
}

static void toggle_recorder(pair *p)
{
    if (!weft_trace_recorder_enabled(p->recorder)) {
        assert_int_equal(weft_trace_recorder_start(p->recorder), 0);
        return;
    }
    snap(p->recorder, "interleaved_recorder");
    assert_int_equal(weft_trace_recorder_stop(p->recorder), 0);
}

/* A step is one of: the stream joins or leaves, the recorder does, a stray stop, a second start. */
static void one_interleaving(unsigned number, unsigned length)
{
    script *s = script_new(2);
    pair p = {.s = s, .recorder = recorder_with(s, 0, number % 2 ? 16 : 0)};
    for (unsigned i = 0; i < length; i++, number /= 4) {
        int on = weft_trace_recorder_enabled(p.recorder);
        if (number % 4 == 0)
            toggle_stream(&p);
        else if (number % 4 == 1)
            toggle_recorder(&p);
        else if (number % 4 == 2 && !on)
            assert_int_equal(weft_trace_recorder_stop(p.recorder), 0);
        else if (number % 4 == 3 && on)
            assert_int_equal(weft_trace_recorder_start(p.recorder), -EALREADY);
        script_busy(s);
        assert_int_equal(weft_trace_enabled(s->tracer),
                         p.stream || weft_trace_recorder_enabled(p.recorder));
    }
    if (p.stream)
        toggle_stream(&p);
    if (weft_trace_recorder_enabled(p.recorder))
        toggle_recorder(&p);
    weft_trace_recorder_free(p.recorder);
    script_free(s);
}

/* Matrix row 22.4. Every order of joins and leaves of length 6, and so all shorter ones; with stray
 * steps in between every number of length 4, and a sample of those of length 6. */
static void interleavings_of_a_stream_and_a_recorder(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 64; order++) {
        unsigned number = 0;
        for (unsigned i = 0; i < 6; i++)
            number |= (order >> i & 1) << 2 * i;
        one_interleaving(number, 6);
    }
    for (unsigned number = 0; number < 256; number++)
        one_interleaving(number, 4);
    for (unsigned number = 0; number < 4096; number += 29)
        one_interleaving(number, 6);
}

/* Matrix row 22.7: version 26 has no end of generations. */
static void wrap_around_of_the_generation_number(void **state)
{
    (void)state;
    script *s = script_new(2);
    sink out = {0};
    s->tracer->last_generation = UINT64_MAX - 2;
    weft_trace_stream *stream = script_stream(s, sink_write, &out, 26);
    weft_trace_recorder *recorder = started(s, 0, 0);
    for (int i = 0; i < 5; i++) {
        some_events(s, 5);
        assert_int_equal(weft_trace_advance(s->tracer), 0);
    }
    assert_true(weft_trace_generation(s->tracer) < 10 && weft_trace_generation(s->tracer) > 0);
    assert_int_equal(snap(recorder, "wrapped_recorder"), 6);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    assert_valid(&out, "wrapped_stream");
    sink_free(&out);
    weft_trace_recorder_free(recorder);
    script_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(double_start),
        cmocka_unit_test(flight_recorder_enabled),
        cmocka_unit_test(write_to_disabled),
        cmocka_unit_test(start_stop_five_times_with_other_procs),
        cmocka_unit_test(misuse_is_an_error),
        cmocka_unit_test(recorder_outlives_its_tracer),
        cmocka_unit_test(snapshot_straight_after_start),
        cmocka_unit_test(snapshot_is_up_to_date),
        cmocka_unit_test(snapshots_to_files_and_descriptors),
        cmocka_unit_test(header_comes_first_and_is_counted),
        cmocka_unit_test(generation_count_with_tiny_limits),
        cmocka_unit_test(window_by_bytes),
        cmocka_unit_test(small_generations_are_packed),
        cmocka_unit_test(window_by_age),
        cmocka_unit_test(memory_stays_within_the_budget),
        cmocka_unit_test(lost_generation_begins_a_new_window),
        cmocka_unit_test(slow_snapshot_delays_nobody),
        cmocka_unit_test(snapshot_outlives_the_tracer),
        cmocka_unit_test(stuck_snapshots_are_within_the_budget),
        cmocka_unit_test(snapshot_to_a_failing_receiver),
        cmocka_unit_test(concurrent_snapshots),
        cmocka_unit_test(stray_stop_leaves_the_recorder_alone),
        cmocka_unit_test(trace_and_flight_recorder),
        cmocka_unit_test(interleavings_of_a_stream_and_a_recorder),
        cmocka_unit_test(wrap_around_of_the_generation_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
