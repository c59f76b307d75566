/* SPDX-License-Identifier: MIT */
/* Receivers: joining and leaving in all orders, failing, slow, stuck; budgets; memory that is
 * refused; a fork. */
#define _GNU_SOURCE /* pipe2 */
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
#include <sys/wait.h>
#include <unistd.h>

/* The scripted host cannot be asked at any moment: no ticks. */
static const weft_trace_options on_request = {.size = sizeof on_request,
                                              .generation_ns = UINT64_MAX};

static void some_events(script *s, unsigned rounds)
{
    while (rounds-- > 0)
        script_busy(s);
}

/* ---- Joining and leaving ---- */

/* All interleavings of three streams' joins and leaves, by what a number in base 3 says: who acts
 * next. */
static void one_interleaving(unsigned number)
{
    script *s = script_new(2);
    sink out[3] = {{0}};
    weft_trace_stream *stream[3] = {NULL};
    for (unsigned i = 0; i < 8; i++, number /= 3) {
        unsigned who = number % 3;
        if (!stream[who] && out[who].size == 0) {
            stream[who] = script_stream(s, sink_write, &out[who], 0);
        } else if (stream[who]) {
            assert_int_equal(weft_trace_stop(stream[who], NULL), 0);
            stream[who] = NULL;
        }
        script_busy(s);
    }
    for (unsigned who = 0; who < 3; who++) {
        if (stream[who])
            assert_int_equal(weft_trace_stop(stream[who], NULL), 0);
        const char *complaint = out[who].size ? check_sink(&out[who], NULL, NULL) : NULL;
        if (complaint)
            fail_msg("stream %u: %s", who, complaint);
        sink_free(&out[who]);
    }
    assert_int_equal(weft_trace_enabled(s->tracer), 0);
    script_free(s);
}

static void joins_and_leaves_in_all_orders(void **state)
{
    (void)state;
    for (unsigned number = 0; number < 6561; number += 13)
        one_interleaving(number);
}

static void a_stream_that_joins_late_gets_whole_generations(void **state)
{
    (void)state;
    script *s = script_new(3);
    sink early = {0}, late = {0};
    weft_trace_stream *first = script_stream(s, sink_write, &early, 0);
    some_events(s, 3);
    weft_trace_advance(s->tracer);
    some_events(s, 3);
    weft_trace_stream *second = script_stream(s, sink_write, &late, 0);
    some_events(s, 3);
    weft_trace_result result = {.size = sizeof result};
    assert_int_equal(weft_trace_stop(first, &result), 0);
    assert_int_equal(result.generations, 3);
    assert_int_equal(result.bytes, early.size);
    unsigned calls = early.calls;
    some_events(s, 3);
    assert_int_equal(weft_trace_stop(second, &result), 0);
    assert_int_equal(result.generations, 2);
    assert_int_equal(early.calls, calls);
    assert_valid(&early, "early");
    assert_valid(&late, "late");
    sink_free(&early);
    sink_free(&late);
    script_free(s);
}

static void options_are_checked(void **state)
{
    (void)state;
    script *s = script_new(1);
    sink out = {0};
    weft_trace_stream *stream, *other;
    weft_trace_options options = {.size = sizeof options, .format = 24};
    weft_tracer *t = s->tracer;
    assert_int_equal(weft_trace_advance(t), 0);
    assert_int_equal(weft_trace_start_callback(t, sink_write, &out, &options, &stream), -EINVAL);
    options = (weft_trace_options){.size = 4};
    assert_int_equal(weft_trace_start_callback(t, sink_write, &out, &options, &stream), -EINVAL);
    assert_int_equal(weft_trace_start_callback(t, NULL, &out, NULL, &stream), -EINVAL);
    assert_int_equal(weft_trace_start_fd(t, -1, NULL, &stream), -EBADF);
    assert_int_equal(weft_trace_start_path(t, "/nowhere/at/all", NULL, &stream), -ENOENT);
    assert_int_equal(weft_trace_enabled(t), 0);
    assert_int_equal(weft_trace_generation(t), 0);
    stream = script_stream(s, sink_write, &out, 23);
    options = (weft_trace_options){.size = sizeof options, .format = 26};
    assert_int_equal(weft_trace_start_callback(t, sink_write, &out, &options, &other), -EBUSY);
    assert_int_equal(weft_trace_enabled(t), 1);
    assert_int_equal(weft_trace_generation(t), 1);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    assert_int_equal(weft_trace_enabled(t), 0);
    assert_valid(&out, "options");
    sink_free(&out);
    script_free(s);
}

static void files_and_descriptors(void **state)
{
    (void)state;
    script *s = script_new(2);
    sink out = {0};
    const char *dir = getenv("WEFT_TRACE_DIR");
    char path[4096], data[4096];
    snprintf(path, sizeof path, "%s/file.trace", dir ? dir : ".");
    FILE *file = tmpfile();
    weft_trace_stream *by_path, *by_fd;
    assert_int_equal(weft_trace_start_path(s->tracer, path, &on_request, &by_path), 0);
    assert_int_equal(weft_trace_start_fd(s->tracer, fileno(file), &on_request, &by_fd), 0);
    some_events(s, 100);
    assert_int_equal(weft_trace_stop(by_path, NULL), 0);
    some_events(s, 100);
    assert_int_equal(weft_trace_stop(by_fd, NULL), 0);
    rewind(file);
    for (size_t n; (n = fread(data, 1, sizeof data, file)) > 0;)
        sink_write(&out, data, n);
    assert_valid(&out, "descriptor");
    fclose(file);
    sink_free(&out);
    script_free(s);
}

/* ---- Receivers that fail ---- */

typedef struct failing {
    sink out;
    size_t limit; /* bytes that it takes */
} failing;

static int failing_write(void *context, const void *data, size_t size)
{
    failing *f = context;
    if (f->out.size + size > f->limit)
        return -ENOSPC;
    return sink_write(&f->out, data, size);
}

static void failure_of_one_does_not_stop_the_others(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 20000; limit += 1777) {
        script *s = script_new(3);
        sink good = {0};
        failing bad = {.limit = limit};
        weft_trace_result result = {.size = sizeof result};
        weft_trace_stream *first = script_stream(s, failing_write, &bad, 0);
        weft_trace_stream *second = script_stream(s, sink_write, &good, 0);
        for (int i = 0; i < 10; i++) {
            some_events(s, 20);
            weft_trace_advance(s->tracer);
        }
        assert_int_equal(weft_trace_stop(first, &result), -ENOSPC);
        assert_int_equal(result.error, -ENOSPC);
        assert_int_equal(result.bytes, bad.out.size);
        assert_true(result.lost_generations > 0 && result.lost_bytes > 0);
        some_events(s, 1);
        assert_int_equal(weft_trace_stop(second, &result), 0);
        assert_int_equal(result.lost_generations, 0);
        assert_valid(&good, "beside_a_failure");
        sink_free(&good);
        sink_free(&bad.out);
        script_free(s);
    }
}

static void pipe_without_a_reader(void **state)
{
    (void)state;
    script *s = script_new(2);
    int ends[2];
    weft_trace_stream *stream;
    weft_trace_result result = {.size = sizeof result};
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(weft_trace_start_fd(s->tracer, ends[1], &on_request, &stream), 0);
    some_events(s, 10);
    assert_int_equal(weft_trace_stop(stream, &result), -EPIPE);
    assert_int_equal(result.bytes, 0);
    close(ends[1]);
    script_free(s);
}

/* ---- Receivers that are slow ---- */

typedef struct pipe_reader {
    int fd;
    sink out;
} pipe_reader;

static void *read_slowly(void *arg)
{
    pipe_reader *r = arg;
    char data[700];
    for (ssize_t n; (n = read(r->fd, data, sizeof data)) > 0;) {
        sink_write(&r->out, data, (size_t)n);
        if (r->out.size / 50000 != (r->out.size - (size_t)n) / 50000)
            base_sleep_ns(2000000);
    }
    return NULL;
}

/* A pipe that does not block, and is full again and again. */
static void slow_pipe_gets_everything(void **state)
{
    (void)state;
    script *s = script_new(4);
    int ends[2];
    pthread_t thread;
    weft_trace_stream *stream;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    fcntl(ends[0], F_SETFL, 0);
    pipe_reader r = {.fd = ends[0]};
    assert_int_equal(pthread_create(&thread, NULL, read_slowly, &r), 0);
    assert_int_equal(weft_trace_start_fd(s->tracer, ends[1], &on_request, &stream), 0);
    for (int i = 0; i < 5; i++) {
        some_events(s, 3000);
        weft_trace_advance(s->tracer);
    }
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    close(ends[1]);
    pthread_join(thread, NULL);
    close(ends[0]);
    assert_true(r.out.size > 500000);
    assert_valid(&r.out, "slow_pipe");
    sink_free(&r.out);
    script_free(s);
}

typedef struct stuck {
    sink out;
    uint32_t hold; /* atomic: writes wait */
    uint32_t waiting;
} stuck;

static int stuck_write(void *context, const void *data, size_t size)
{
    stuck *k = context;
    while (atomic_load_acquire(&k->hold)) {
        atomic_store_release(&k->waiting, 1);
        base_sleep_ns(1000000);
    }
    return sink_write(&k->out, data, size);
}

static void wait_until_stuck(stuck *k)
{
    while (!atomic_load_acquire(&k->waiting))
        base_sleep_ns(1000000);
}

static weft_trace_result status_of(weft_trace_stream *stream)
{
    weft_trace_result result = {.size = sizeof result};
    assert_int_equal(weft_trace_stream_status(stream, &result), 0);
    return result;
}

/* A boundary of generations without an advance, which would wait for the stuck one. */
static void make_boundary(script *s, unsigned format)
{
    sink out = {0};
    assert_int_equal(weft_trace_stop(script_stream(s, sink_write, &out, format), NULL), 0);
    sink_free(&out);
}

/* Writers go on, first within the budget, then without effect for this stream, and never wait. */
static void stuck_receiver_and_the_budget(void **state)
{
    (void)state;
    static const unsigned formats[] = {22, 26};
    for (unsigned f = 0; f < 2; f++) {
        script *s = script_new(4);
        stuck k = {.hold = 1};
        sink later = {0};
        weft_trace_options options = {.size = sizeof options,
                                      .format = formats[f],
                                      .generation_ns = UINT64_MAX,
                                      .memory_budget = 32 * TRACE_CHUNK_SIZE};
        weft_trace_stream *stream, *other;
        weft_trace_result result = {.size = sizeof result};
        assert_int_equal(weft_trace_start_callback(s->tracer, stuck_write, &k, &options, &stream),
                         0);
        some_events(s, 10);
        make_boundary(s, formats[f]);
        wait_until_stuck(&k);
        while (status_of(stream).lost_generations < 3) {
            some_events(s, 1000);
            assert_true(trace_arena_used(&s->tracer->arena) <= options.memory_budget);
        }
        assert_true(status_of(stream).pending_bytes <= options.memory_budget);
        assert_int_equal(status_of(stream).bytes, 0);
        atomic_store_release(&k.hold, 0);
        options.memory_budget = 0;
        assert_int_equal(weft_trace_start_callback(s->tracer, sink_write, &later, &options, &other),
                         0);
        some_events(s, 100);
        assert_int_equal(weft_trace_stop(stream, &result), 0);
        assert_true(result.generations >= 1 && result.ended);
        assert_true(result.lost_bytes > 100000);
        assert_int_equal(result.bytes, k.out.size);
        assert_int_equal(weft_trace_stop(other, NULL), 0);
        assert_valid(&k.out, f ? "before_the_loss" : "before_the_loss_22");
        assert_valid(&later, f ? "after_the_loss" : "after_the_loss_22");
        sink_free(&k.out);
        sink_free(&later);
        script_free(s);
    }
}

/* ---- Memory that is refused ---- */

/* Others seem to have taken all chunks but this many. */
static size_t hold_back(script *s, size_t chunks)
{
    trace_arena *arena = &s->tracer->arena;
    lock_acquire(&arena->lock);
    size_t held = arena->limit - arena->taken - chunks;
    atomic_store_relaxed(&arena->taken, arena->taken + held);
    lock_release(&arena->lock);
    return held;
}

static void let_go(script *s, size_t held)
{
    trace_arena *arena = &s->tracer->arena;
    lock_acquire(&arena->lock);
    atomic_store_relaxed(&arena->taken, arena->taken - held);
    lock_release(&arena->lock);
}

/* The arena gives out ever fewer chunks: whatever cannot be had, the stream stays valid. */
static void every_chunk_refused_once(void **state)
{
    (void)state;
    for (size_t chunks = 0; chunks < 24; chunks++) {
        script *s = script_new(4);
        sink out = {0};
        weft_trace_result result = {.size = sizeof result};
        weft_trace_stream *stream = script_stream(s, sink_write, &out, 0);
        some_events(s, 10);
        weft_trace_advance(s->tracer);
        size_t held = hold_back(s, chunks);
        for (int i = 0; i < 3; i++) {
            some_events(s, 400);
            weft_trace_advance(s->tracer);
        }
        let_go(s, held);
        some_events(s, 10);
        weft_trace_advance(s->tracer);
        assert_int_equal(weft_trace_stop(stream, &result), 0);
        assert_true(result.generations >= 1);
        if (chunks < 4)
            assert_true(result.lost_generations >= 3);
        assert_int_equal(s->tracer->arena.taken, 0);
        assert_valid(&out, "refused");
        sink_free(&out);
        script_free(s);
    }
}

/* ---- Misuse and fork ---- */

static int advancing_write(void *context, const void *data, size_t size)
{
    script *s = context;
    (void)data, (void)size;
    assert_int_equal(weft_trace_advance(s->tracer), -EDEADLK);
    return 0;
}

static void callback_may_not_call_back(void **state)
{
    (void)state;
    script *s = script_new(1);
    weft_trace_stream *stream = script_stream(s, advancing_write, s, 0);
    assert_int_equal(weft_trace_stop(stream, NULL), 0);
    script_free(s);
}

static void free_stops_every_stream(void **state)
{
    (void)state;
    script *s = script_new(3);
    sink out[2] = {{0}};
    (void)script_stream(s, sink_write, &out[0], 0);
    some_events(s, 10);
    (void)script_stream(s, sink_write, &out[1], 0);
    some_events(s, 10);
    script_free(s);
    assert_valid(&out[0], "free_first");
    assert_valid(&out[1], "free_second");
    sink_free(&out[0]);
    sink_free(&out[1]);
}

/* In the child: returns how many things went wrong. */
static int child(script *s, weft_trace_stream *inherited, sink *out)
{
    int wrong = 0;
    weft_tracer_after_fork(s->tracer);
    wrong += weft_trace_enabled(s->tracer) != 0;
    wrong += weft_trace_stop(inherited, NULL) != 0;
    for (unsigned i = 0; i < SCRIPT_MS; i++) {
        weft_trace_m_unregister(s->tracer, &s->m[i].m);
        wrong += weft_trace_m_register(s->tracer, &s->m[i].m) != 0;
        s->m[i].m.tid = SCRIPT_TID + SCRIPT_MS + i;
    }
    some_events(s, 10);
    sink own = {0};
    weft_trace_stream *stream = script_stream(s, sink_write, &own, 0);
    some_events(s, 10);
    weft_trace_advance(s->tracer);
    some_events(s, 10);
    wrong += weft_trace_stop(stream, NULL) != 0;
    const char *complaint = check_sink(&own, NULL, NULL);
    if (complaint)
        fprintf(stderr, "child: %s\n", complaint);
    wrong += complaint != NULL || out->size == own.size;
    sink_save(&own, "child");
    script_free(s);
    return wrong;
}

static void child_of_a_fork_traces_anew(void **state)
{
    (void)state;
#if defined(__SANITIZE_THREAD__)
    skip(); /* it does not start threads after a fork */
#endif
    if (getenv("WEFT_EMULATED"))
        skip(); /* nor does qemu-user */
    for (int advances = 0; advances < 4; advances++) {
        script *s = script_new(3);
        sink out = {0};
        weft_trace_stream *stream = script_stream(s, sink_write, &out, 0);
        for (int i = 0; i < advances; i++) {
            some_events(s, 5);
            weft_trace_advance(s->tracer);
        }
        some_events(s, 5);
        pid_t pid = fork();
        if (pid == 0)
            _exit(child(s, stream, &out));
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        some_events(s, 5);
        assert_int_equal(weft_trace_stop(stream, NULL), 0);
        assert_valid(&out, "parent");
        sink_free(&out);
        script_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_and_leaves_in_all_orders),
        cmocka_unit_test(a_stream_that_joins_late_gets_whole_generations),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(files_and_descriptors),
        cmocka_unit_test(failure_of_one_does_not_stop_the_others),
        cmocka_unit_test(pipe_without_a_reader),
        cmocka_unit_test(slow_pipe_gets_everything),
        cmocka_unit_test(stuck_receiver_and_the_budget),
        cmocka_unit_test(every_chunk_refused_once),
        cmocka_unit_test(callback_may_not_call_back),
        cmocka_unit_test(free_stops_every_stream),
        cmocka_unit_test(child_of_a_fork_traces_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
