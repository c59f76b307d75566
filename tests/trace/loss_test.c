/* SPDX-License-Identifier: MIT */
/* What a loss leaves: the segment before is a valid trace, the one that follows begins cleanly and
 * says what is missing between them. */
#define _GNU_SOURCE
#include "base/atomic.h"
#include "base/cmocka_all.h"
#include "base/thread.h"
#include "trace/check.h"
#include "trace/script.h"
#include "trace/tracer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENTS 8

/* A callback that takes segments, and that can be made to wait or to fail. */
typedef struct receiver {
    sink segment[SEGMENTS];
    unsigned number;
    uint32_t hold, waiting; /* atomic */
    size_t room;            /* in each segment; 0: any number of bytes */
} receiver;

static int receive(void *context, const void *data, size_t size)
{
    receiver *r = context;
    sink *out = &r->segment[r->number];
    while (atomic_load_acquire(&r->hold)) {
        atomic_store_release(&r->waiting, 1);
        base_sleep_ns(1000000);
    }
    if (r->room && out->size + size > r->room)
        return -ENOSPC;
    return sink_write(out, data, size);
}

static int next_segment(void *context, unsigned number, uint64_t whole)
{
    receiver *r = context;
    r->segment[r->number].size = whole;
    r->number = number;
    return number < SEGMENTS ? 0 : -ENOSPC;
}

static void free_segments(receiver *r)
{
    for (unsigned i = 0; i < SEGMENTS; i++)
        sink_free(&r->segment[i]);
}

static void some_events(script *s, unsigned rounds)
{
    while (rounds-- > 0)
        script_busy(s);
}

/* A boundary of generations that does not wait for receivers. */
static void make_boundary(script *s)
{
    sink out = {0};
    assert_int_equal(weft_trace_stop(script_stream(s, sink_write, &out, 0), NULL), 0);
    sink_free(&out);
}

static weft_trace_result status_of(weft_trace_stream *stream)
{
    weft_trace_result result = {.size = sizeof result};
    assert_int_equal(weft_trace_stream_status(stream, &result), 0);
    return result;
}

static const weft_trace_options small = {.size = sizeof small,
                                         .generation_ns = UINT64_MAX,
                                         .memory_budget = 32 * TRACE_CHUNK_SIZE,
                                         .segment = next_segment};

static void find_loss(void *arg, weft_reader *reader, const weft_event *event)
{
    (void)reader;
    *(unsigned *)arg += event->kind == WEFT_EVENT_LOG;
}

/* Log events of a valid trace; a first segment has none, a later one has one in its first
 * generation. */
static unsigned losses_in(const sink *out, const char *name)
{
    unsigned logs = 0;
    assert_valid(out, name);
    const char *complaint = check_sink(out, find_loss, &logs);
    if (complaint)
        fail_msg("%s: %s", name, complaint);
    return logs;
}

static bool has_text(const sink *out, const char *text)
{
    return memmem(out->data, out->size, text, strlen(text)) != NULL;
}

static void stick_until_loss(script *s, receiver *r, weft_trace_stream *stream)
{
    atomic_store_release(&r->waiting, 0);
    atomic_store_release(&r->hold, 1);
    some_events(s, 10);
    make_boundary(s);
    while (!atomic_load_acquire(&r->waiting))
        base_sleep_ns(1000000);
    uint64_t before = status_of(stream).lost_generations;
    /* With boundaries, so that it is lost to this stream: without them a busy machine may not run
     * the tracer's thread in time, and what has not ended is lost to all. */
    while (status_of(stream).lost_generations < before + 2) {
        some_events(s, 10);
        make_boundary(s);
    }
    atomic_store_release(&r->hold, 0);
}

static void sleeping_callback_goes_on_with_a_segment(void **state)
{
    (void)state;
    script *s = script_new(3);
    receiver r = {.hold = 0};
    weft_trace_stream *stream;
    weft_trace_result result = {.size = sizeof result};
    assert_int_equal(weft_trace_start_callback(s->tracer, receive, &r, &small, &stream), 0);
    for (unsigned round = 1; round <= 2; round++) {
        stick_until_loss(s, &r, stream);
        assert_int_equal(status_of(stream).loss, WEFT_TRACE_LOSS_SLOW);
        while (status_of(stream).pending_bytes > 0)
            base_sleep_ns(1000000);
        some_events(s, 20);
        assert_int_equal(weft_trace_advance(s->tracer), 0);
        assert_int_equal(status_of(stream).segments, round);
        some_events(s, 20);
    }
    assert_int_equal(weft_trace_stop(stream, &result), 0);
    assert_int_equal(r.number, 2);
    assert_int_equal(losses_in(&r.segment[0], "slow_0"), 0);
    assert_int_equal(losses_in(&r.segment[1], "slow_1"), 1);
    assert_int_equal(losses_in(&r.segment[2], "slow_2"), 1);
    assert_true(has_text(&r.segment[1], "weft.loss"));
    assert_true(has_text(&r.segment[1], "callback: ") && has_text(&r.segment[1], "too slow"));
    assert_int_equal(result.bytes, r.segment[0].size + r.segment[1].size + r.segment[2].size);
    free_segments(&r);
    script_free(s);
}

/* Each segment takes some generations and fails within one. */
static void failing_callback_is_cut_back(void **state)
{
    (void)state;
    script *s = script_new(2);
    receiver r = {.room = 6000};
    weft_trace_stream *stream;
    weft_trace_result result = {.size = sizeof result};
    assert_int_equal(weft_trace_start_callback(s->tracer, receive, &r, &small, &stream), 0);
    while (r.number < 3 && status_of(stream).generations < 200) {
        some_events(s, 5);
        assert_int_equal(weft_trace_advance(s->tracer), 0);
    }
    r.room = 0;
    some_events(s, 5);
    assert_int_equal(weft_trace_stop(stream, &result), -ENOSPC);
    assert_int_equal(result.segments, 3);
    for (unsigned i = 0; i <= 3; i++)
        assert_int_equal(losses_in(&r.segment[i], "failing"), i > 0);
    assert_true(has_text(&r.segment[1], "No space left on device"));
    free_segments(&r);
    script_free(s);
}

/* ---- Files ---- */

static void path_of(char *path, size_t size, const char *name, unsigned number)
{
    const char *dir = getenv("WEFT_TRACE_DIR");
    if (number)
        snprintf(path, size, "%s/%s.%u", dir ? dir : ".", name, number);
    else
        snprintf(path, size, "%s/%s", dir ? dir : ".", name);
}

/* The segment is kept as NAME_N.trace. */
static unsigned losses_in_file(const char *name, unsigned number)
{
    char path[4096], keep[64];
    sink out = {0};
    path_of(path, sizeof path, name, number);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (size_t n; (n = fread(path, 1, sizeof path, file)) > 0;)
        sink_write(&out, path, n);
    fclose(file);
    snprintf(keep, sizeof keep, "%s_%u", name, number);
    unsigned losses = losses_in(&out, keep);
    sink_free(&out);
    return losses;
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The disk is full for a while, here: files may not grow. SIGXFSZ does not end the process. */
static void full_disk_leaves_valid_files(void **state)
{
    (void)state;
    script *s = script_new(2);
    char path[4096];
    weft_trace_stream *stream;
    weft_trace_result result = {.size = sizeof result};
    path_of(path, sizeof path, "full", 0);
    assert_int_equal(weft_trace_start_path(s->tracer, path, &small, &stream), 0);
    some_events(s, 5);
    assert_int_equal(weft_trace_advance(s->tracer), 0);
    uint64_t whole = status_of(stream).bytes;
    assert_true(whole > 100);
    limit_files((rlim_t)whole + 100);
    for (int i = 0; i < 4; i++) {
        some_events(s, 500);
        assert_int_equal(weft_trace_advance(s->tracer), 0);
        assert_int_equal(status_of(stream).bytes, whole);
    }
    assert_int_equal(status_of(stream).loss, WEFT_TRACE_LOSS_FAILED);
    limit_files(RLIM_INFINITY);
    some_events(s, 5);
    assert_int_equal(weft_trace_stop(stream, &result), -EFBIG);
    assert_int_equal(result.segments, 1);
    assert_int_equal(result.lost_generations, 4);
    assert_int_equal(losses_in_file("full", 0), 0);
    assert_int_equal(losses_in_file("full", 1), 1);
    path_of(path, sizeof path, "full", 2);
    assert_int_equal(access(path, F_OK), -1);
    script_free(s);
}

/* A file that never takes a generation: no trail of files, and the last one is removed. */
static void disk_that_stays_full(void **state)
{
    (void)state;
    script *s = script_new(2);
    char path[4096];
    struct stat about;
    weft_trace_stream *stream;
    path_of(path, sizeof path, "stays_full", 0);
    assert_int_equal(weft_trace_start_path(s->tracer, path, &small, &stream), 0);
    some_events(s, 5);
    assert_int_equal(weft_trace_advance(s->tracer), 0);
    limit_files(100);
    for (int i = 0; i < 4; i++) {
        some_events(s, 500);
        assert_int_equal(weft_trace_advance(s->tracer), 0);
    }
    assert_int_equal(weft_trace_stop(stream, NULL), -EFBIG);
    limit_files(RLIM_INFINITY);
    assert_int_equal(losses_in_file("stays_full", 0), 0);
    path_of(path, sizeof path, "stays_full", 1);
    assert_int_equal(stat(path, &about), -1);
    script_free(s);
}

/* What is no regular file is followed by nothing. */
static void device_ends_the_stream(void **state)
{
    (void)state;
    script *s = script_new(2);
    weft_trace_stream *stream;
    weft_trace_result result = {.size = sizeof result};
    assert_int_equal(weft_trace_start_path(s->tracer, "/dev/full", &small, &stream), 0);
    for (int i = 0; i < 3; i++) {
        some_events(s, 5);
        assert_int_equal(weft_trace_advance(s->tracer), 0);
    }
    assert_int_equal(status_of(stream).ended, 1);
    assert_int_equal(weft_trace_stop(stream, &result), -ENOSPC);
    assert_int_equal(result.bytes, 0);
    assert_int_equal(result.segments, 0);
    assert_int_equal(access("/dev/full.1", F_OK), -1);
    script_free(s);
}

/* ---- Others ---- */

/* One receiver hangs: the other stream and the recorder lose nothing, starts and stops go on. */
static void stuck_stream_delays_nobody(void **state)
{
    (void)state;
    script *s = script_new(3);
    receiver r = {.hold = 1};
    sink good = {0}, snapshot = {0};
    weft_trace_recorder_options options = {.size = sizeof options, .generation_ns = UINT64_MAX};
    weft_trace_recorder *recorder;
    weft_trace_stream *stuck, *other;
    weft_trace_result result = {.size = sizeof result};
    assert_int_equal(weft_trace_recorder_new(s->tracer, &options, &recorder), 0);
    assert_int_equal(weft_trace_recorder_start(recorder), 0);
    assert_int_equal(weft_trace_start_callback(s->tracer, receive, &r, &small, &stuck), 0);
    other = script_stream(s, sink_write, &good, 0);
    for (int i = 0; i < 60; i++) {
        some_events(s, 20);
        make_boundary(s);
    }
    assert_true(status_of(stuck).lost_generations > 0);
    assert_int_equal(weft_trace_snapshot_callback(recorder, sink_write, &snapshot, NULL), 0);
    assert_int_equal(weft_trace_stop(other, &result), 0);
    assert_int_equal(result.lost_generations, 0);
    weft_trace_recorder_free(recorder);
    atomic_store_release(&r.hold, 0);
    assert_int_equal(weft_trace_stop(stuck, NULL), 0);
    assert_valid(&good, "beside_a_stuck_one");
    assert_valid(&snapshot, "recorder_beside_a_stuck_one");
    assert_valid(&r.segment[0], "stuck");
    sink_free(&good);
    sink_free(&snapshot);
    free_segments(&r);
    script_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeping_callback_goes_on_with_a_segment),
        cmocka_unit_test(failing_callback_is_cut_back),
        cmocka_unit_test(full_disk_leaves_valid_files),
        cmocka_unit_test(disk_that_stays_full),
        cmocka_unit_test(device_ends_the_stream),
        cmocka_unit_test(stuck_stream_delays_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
