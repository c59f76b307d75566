/* SPDX-License-Identifier: MIT */
/* Coroutines: values, ends, misuse, and their company: other goroutines, blocking, many Ps. */
#define _GNU_SOURCE
#include "sched/support.h"

#include "trace/check.h"

#include <pthread.h>
#include <unistd.h>

static void *value_of(intptr_t n)
{
    return (void *)n;
}

/* ---- Values and ends ---- */

static void *count_to_three(void *arg, void *value)
{
    CHECK(value == value_of(100));
    for (intptr_t i = 1; i <= 3; i++) {
        CHECK_EQ(weft_coro_yield(value_of((intptr_t)arg + i), &value), 0);
        CHECK(value == value_of(100 + i));
    }
    return value_of(7);
}

static void values_go_to_and_fro(void)
{
    weft_coro *coro = weft_coro_new(count_to_three, value_of(10), 0);
    CHECK(coro);
    void *out;
    for (intptr_t i = 1; i <= 3; i++) {
        CHECK_EQ(weft_coro_resume(coro, value_of(99 + i), &out), WEFT_CORO_YIELDED);
        CHECK(out == value_of(10 + i));
    }
    CHECK_EQ(weft_coro_resume(coro, value_of(103), &out), WEFT_CORO_ENDED);
    CHECK(out == value_of(7));
    CHECK_EQ(weft_coro_resume(coro, NULL, NULL), -ESRCH);
    CHECK_EQ(weft_coro_free(coro), 0);
}
ON_ALL_PROCS(values_go_to_and_fro)

static void *leave(void *arg, void *value)
{
    (void)arg, (void)value;
    weft_goexit();
}

static void goexit_ends_a_coroutine(void)
{
    void *out = value_of(1);
    weft_coro *coro = weft_coro_new(leave, NULL, 16 * 1024);
    CHECK_EQ(weft_coro_resume(coro, value_of(2), &out), WEFT_CORO_ENDED);
    CHECK(out == NULL);
    CHECK_EQ(weft_coro_free(coro), 0);
}
ON_ALL_PROCS(goexit_ends_a_coroutine)

static void *until_cancelled(void *arg, void *value)
{
    while (weft_coro_yield(value, &value) == 0)
        ;
    CHECK_EQ(weft_coro_yield(value, NULL), -ECANCELED);
    weft_yield();
    ++*(int *)arg;
    return NULL;
}

static void ended_and_never_begun(void)
{
    int cleaned = 0;
    weft_coro *coro = weft_coro_new(until_cancelled, &cleaned, 0);
    CHECK_EQ(weft_coro_resume(coro, NULL, NULL), WEFT_CORO_YIELDED);
    CHECK_EQ(weft_coro_free(coro), 0);
    CHECK_EQ(cleaned, 1);
    coro = weft_coro_new(until_cancelled, &cleaned, 0);
    CHECK_EQ(weft_coro_free(coro), 0);
    CHECK_EQ(cleaned, 1); /* it never ran */
}

static void free_lets_a_coroutine_clean_up(void)
{
    ended_and_never_begun();
    CHECK_EQ(weft_coro_free(NULL), 0);
    weft_stats stats = {.size = sizeof stats};
    weft_stats_get(&stats);
    CHECK_EQ(stats.goroutines, 1);
}
ON_ALL_PROCS(free_lets_a_coroutine_clean_up)

/* ---- Misuse ---- */

static weft_coro *self, *inner;

static void *resume_and_free_itself(void *arg, void *value)
{
    (void)arg, (void)value;
    CHECK_EQ(weft_coro_resume(self, NULL, NULL), -EBUSY);
    CHECK_EQ(weft_coro_free(self), -EBUSY);
    return NULL;
}

static void *resume_the_outer(void *arg, void *value)
{
    (void)arg, (void)value;
    CHECK_EQ(weft_coro_resume(self, NULL, NULL), -EBUSY);
    return NULL;
}

static void *resume_the_inner(void *arg, void *value)
{
    (void)arg, (void)value;
    CHECK_EQ(weft_coro_resume(inner, NULL, NULL), WEFT_CORO_ENDED);
    return NULL;
}

static void misuse_is_reported(void)
{
    CHECK_EQ(weft_coro_yield(NULL, NULL), -EPERM);
    CHECK(!weft_coro_new(leave, NULL, 1));
    self = weft_coro_new(resume_and_free_itself, NULL, 0);
    CHECK_EQ(weft_coro_resume(self, NULL, NULL), WEFT_CORO_ENDED);
    CHECK_EQ(weft_coro_free(self), 0);
    self = weft_coro_new(resume_the_inner, NULL, 0);
    inner = weft_coro_new(resume_the_outer, NULL, 0);
    CHECK_EQ(weft_coro_resume(self, NULL, NULL), WEFT_CORO_ENDED);
    CHECK_EQ(weft_coro_free(inner), 0);
    CHECK_EQ(weft_coro_free(self), 0);
}
ON_ALL_PROCS(misuse_is_reported)

static void test_outside_goroutines(void **state)
{
    (void)state;
    assert_null(weft_coro_new(leave, NULL, 0));
    assert_int_equal(weft_coro_yield(NULL, NULL), -EPERM);
}

/* ---- Company ---- */

enum { CHILDREN = 16 };

static uint32_t left; /* goroutines that have not ended */

static weft_chan *results;

/* An iterator over the leaves of a tree, by recursion over coroutines. */
static void *walk(void *arg, void *value)
{
    intptr_t depth = (intptr_t)arg;
    if (depth == 0) {
        CHECK_EQ(weft_coro_yield(value_of(1), NULL), 0);
        return NULL;
    }
    for (int side = 0; side < 2; side++) {
        weft_coro *child = weft_coro_new(walk, value_of(depth - 1), 16 * 1024);
        while (weft_coro_resume(child, NULL, &value) == WEFT_CORO_YIELDED)
            CHECK_EQ(weft_coro_yield(value, NULL), 0);
        CHECK_EQ(weft_coro_free(child), 0);
    }
    return NULL;
}

static void count_leaves(void *arg)
{
    intptr_t depth = (intptr_t)arg, n = 0;
    weft_coro *root = weft_coro_new(walk, arg, 0);
    while (weft_coro_resume(root, NULL, NULL) == WEFT_CORO_YIELDED)
        n++;
    CHECK_EQ(n, 1 << depth);
    CHECK_EQ(weft_coro_free(root), 0);
    CHECK_EQ(weft_chan_send(results, &n), 0);
}

static void nested_on_many_goroutines(void)
{
    results = weft_chan_new(sizeof(intptr_t), CHILDREN);
    for (int i = 0; i < CHILDREN; i++)
        go(count_leaves, value_of(6));
    for (int i = 0; i < CHILDREN; i++)
        CHECK_EQ(weft_chan_recv(results, NULL), 0);
    weft_chan_free(results);
}
ON_ALL_PROCS(nested_on_many_goroutines)

/* Each resumption blocks in another way. */
static void *block(void *arg, void *value)
{
    weft_chan *chan = arg;
    int n;
    (void)value;
    for (int i = 0;; i++) {
        switch (i % 5) {
        case 0:
            CHECK_EQ(weft_chan_recv(chan, &n), 0);
            break;
        case 1:
            weft_sleep(10 * WEFT_MICROSECOND);
            break;
        case 2:
            weft_blocking_enter();
            usleep(10);
            weft_blocking_exit();
            break;
        case 3:
            usleep(100);
            break;
        case 4:
            weft_yield();
            break;
        }
        if (weft_coro_yield(value_of(i), NULL) < 0)
            return NULL;
    }
}

static void feed(void *arg)
{
    int n = 0;
    while (weft_chan_send(arg, &n) == 0)
        weft_yield();
    __atomic_store_n(&left, 0, __ATOMIC_RELEASE);
}

static void blocking_in_between(void)
{
    weft_chan *chan = weft_chan_new(sizeof(int), 0);
    left = 1;
    go(feed, chan);
    weft_coro *coro = weft_coro_new(block, chan, 0);
    void *out;
    for (intptr_t i = 0; i < ROUNDS(1000); i++) {
        CHECK_EQ(weft_coro_resume(coro, NULL, &out), WEFT_CORO_YIELDED);
        CHECK(out == value_of(i));
    }
    CHECK_EQ(weft_coro_free(coro), 0);
    weft_chan_close(chan);
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE))
        weft_sleep(100 * WEFT_MICROSECOND);
    weft_chan_free(chan);
}
ON_ALL_PROCS(blocking_in_between)

/* Several goroutines take turns with one coroutine, without a lock: it is one at a time who gets
 * it, the others are told so. */
static weft_coro *shared;
static uint32_t turns;

static void *take_turns(void *arg, void *value)
{
    uint32_t *count = arg; /* not atomic: only the coroutine changes it */
    while (weft_coro_yield(value, NULL) == 0)
        ++*count;
    return NULL;
}

static void compete(void *arg)
{
    for (long i = 0; i < (long)(intptr_t)arg;) {
        int result = weft_coro_resume(shared, NULL, NULL);
        CHECK(result == WEFT_CORO_YIELDED || result == -EBUSY);
        i += result == WEFT_CORO_YIELDED;
        if (i % 8 == 0)
            weft_yield();
    }
    __atomic_sub_fetch(&left, 1, __ATOMIC_RELEASE);
}

static void handed_between_goroutines(void)
{
    enum { COMPETITORS = 6 };
    long each = ROUNDS(20000);
    turns = 0;
    left = COMPETITORS;
    shared = weft_coro_new(take_turns, &turns, 0);
    for (int i = 0; i < COMPETITORS; i++)
        go(compete, value_of(each));
    while (__atomic_load_n(&left, __ATOMIC_ACQUIRE))
        weft_sleep(100 * WEFT_MICROSECOND);
    CHECK_EQ(turns, COMPETITORS * each - 1);
    CHECK_EQ(weft_coro_free(shared), 0);
}
ON_ALL_PROCS(handed_between_goroutines)

/* A chain of hand-offs is one time slice: it must not keep others from running. */
static void set_flag(void *arg)
{
    __atomic_store_n((uint32_t *)arg, 1, __ATOMIC_RELEASE);
}

static void *bounce(void *arg, void *value)
{
    (void)arg;
    while (weft_coro_yield(value, &value) == 0)
        ;
    return NULL;
}

static void hand_offs_share_a_time_slice(void)
{
    uint32_t flag = 0;
    weft_coro *coro = weft_coro_new(bounce, NULL, 0);
    go(set_flag, &flag);
    while (!__atomic_load_n(&flag, __ATOMIC_ACQUIRE))
        CHECK_EQ(weft_coro_resume(coro, NULL, NULL), WEFT_CORO_YIELDED);
    CHECK_EQ(weft_coro_free(coro), 0);
}
ON_ALL_PROCS(hand_offs_share_a_time_slice)

/* ---- Traces ---- */

static void count_switches(void *arg, weft_reader *reader, const weft_event *event)
{
    unsigned *counts = arg; /* by tag */
    (void)reader;
    counts[event->wire]++;
}

static void traced(unsigned format)
{
    sink out = {0};
    weft_trace_stream *stream;
    weft_trace_options options = {
        .size = sizeof options, .format = format, .generation_ns = WEFT_MILLISECOND};
    int cleaned = 0;
    CHECK_EQ(weft_trace_start_callback(weft_tracer_default(), sink_write, &out, &options, &stream),
             0);
    values_go_to_and_fro();
    ended_and_never_begun();
    goexit_ends_a_coroutine();
    blocking_in_between();
    handed_between_goroutines();
    weft_coro *open = weft_coro_new(until_cancelled, &cleaned, 0);
    CHECK_EQ(weft_coro_resume(open, NULL, NULL), WEFT_CORO_YIELDED);
    CHECK_EQ(weft_trace_stop(stream, NULL), 0);
    CHECK_EQ(weft_coro_free(open), 0);
    char name[32];
    snprintf(name, sizeof name, "coroutines_%u", format);
    sink_save(&out, name);
    unsigned counts[256] = {0};
    const char *complaint = check_sink(&out, count_switches, counts);
    if (complaint)
        fprintf(stderr, "%s\n", complaint);
    CHECK(!complaint);
    /* A creation is one transition, a switch three. */
    CHECK_EQ(counts[47], format < 23 ? 0 : 7);
    CHECK_EQ(counts[46], format < 23 ? 0 : 3 * 6);
    CHECK(format < 23 || counts[45] > 3 * 10);
    sink_free(&out);
}

static void traced_in_every_format(void)
{
    traced(22);
    traced(23);
    traced(25);
    traced(26);
}
ON_ALL_PROCS(traced_in_every_format)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(values_go_to_and_fro),
        TEST(goexit_ends_a_coroutine),
        TEST(free_lets_a_coroutine_clean_up),
        TEST(misuse_is_reported),
        TEST(outside_goroutines),
        TEST(nested_on_many_goroutines),
        TEST(blocking_in_between),
        TEST(handed_between_goroutines),
        TEST(hand_offs_share_a_time_slice),
        TEST(traced_in_every_format),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
