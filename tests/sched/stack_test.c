/* SPDX-License-Identifier: MIT */
/* Stacks: calls on larger ones, memory that goes back, the report; blocking calls. */
#include "sched/support.h"

#include "base/pages.h"

#include <pthread.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

static void run_small(unsigned procs, void (*fn)(void))
{
    struct body body = {fn};
    weft_options options = {.size = sizeof options, .procs = procs, .stack_size = 64 * KIB};
    CHECK_EQ(weft_run(&options, run_body, &body), 0);
}

/* ---- Calls on larger stacks ---- */

struct depth {
    uint64_t goid;
    unsigned levels, reached;
    weft_chan *chan;
};

static __attribute__((noinline)) unsigned recurse(struct depth *d, unsigned level)
{
    volatile char page[4 * KIB];
    page[0] = page[sizeof page - 1] = (char)level;
    if (level == d->levels) {
        if (d->chan)
            CHECK_EQ(weft_chan_recv(d->chan, NULL), 0);
        CHECK_EQ(weft_goid(), d->goid);
        return level;
    }
    unsigned reached = recurse(d, level + 1);
    CHECK_EQ(page[0], (char)level);
    return reached;
}

static void recurse_on_stack(void *arg)
{
    struct depth *d = arg;
    d->reached = recurse(d, 1);
}

static void recursion_far_beyond_the_own_stack(void)
{
    struct depth d = {.goid = weft_goid(), .levels = 1000};
    CHECK_EQ(weft_call_on_stack(16 * MIB, recurse_on_stack, &d), 0);
    CHECK_EQ(d.reached, 1000);
}

static void send_much(void *chan)
{
    for (int i = 0; i < 20; i++) {
        weft_yield();
        CHECK_EQ(weft_chan_send(chan, "x"), 0);
    }
}

static void waits_there_and_goes_on(void)
{
    struct depth d = {.goid = weft_goid(), .levels = 50, .chan = weft_chan_new(1, 0)};
    go(send_much, d.chan);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(weft_call_on_stack(2 * MIB, recurse_on_stack, &d), 0);
    weft_chan_free(d.chan);
}

static void nest(void *arg)
{
    unsigned *left = arg;
    if (*left > 0) {
        --*left;
        CHECK_EQ(weft_call_on_stack(64 * KIB, nest, left), 0);
        weft_yield();
    }
}

static void calls_nest(void)
{
    unsigned left = 10;
    CHECK_EQ(weft_call_on_stack(64 * KIB, nest, &left), 0);
    CHECK_EQ(left, 0);
}

static void end_there(void *arg)
{
    weft_chan_send(arg, "x");
    weft_goexit();
}

static void call_and_end_there(void *arg)
{
    weft_call_on_stack(1 * MIB, end_there, arg);
    CHECK(false);
}

static void a_goroutine_may_end_there(void)
{
    weft_chan *chan = weft_chan_new(1, 0);
    for (int i = 0; i < 50; i++) {
        go(call_and_end_there, chan);
        CHECK_EQ(weft_chan_recv(chan, NULL), 0);
    }
    weft_stats s = {.size = sizeof s};
    do {
        weft_yield();
        weft_stats_get(&s);
    } while (s.goroutines > 1);
    CHECK(s.stacks < 60); /* they were used again */
    weft_chan_free(chan);
}

static void *call_on_attached(void *arg)
{
    (void)arg;
    CHECK_EQ(weft_thread_attach(), 0);
    struct depth d = {.goid = weft_goid(), .levels = 1000};
    CHECK_EQ(weft_call_on_stack(16 * MIB, recurse_on_stack, &d), 0);
    CHECK_EQ(d.reached, 1000);
    CHECK_EQ(weft_thread_detach(), 0);
    return NULL;
}

static void an_attached_thread_may_too(void)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, call_on_attached, NULL), 0);
    weft_blocking_enter();
    pthread_join(thread, NULL);
    weft_blocking_exit();
}

#define ON_SMALL_STACKS(name)                                                                      \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_small(1, name);                                                                        \
        run_small(4, name);                                                                        \
    }

ON_SMALL_STACKS(recursion_far_beyond_the_own_stack)
ON_SMALL_STACKS(waits_there_and_goes_on)
ON_SMALL_STACKS(calls_nest)
ON_SMALL_STACKS(a_goroutine_may_end_there)
ON_SMALL_STACKS(an_attached_thread_may_too)

static void sizes_out_of_range(void)
{
    CHECK_EQ(weft_call_on_stack(1, recurse_on_stack, NULL), -EINVAL);
    CHECK_EQ(weft_call_on_stack((size_t)1 << 40, recurse_on_stack, NULL), -EINVAL);
}
ON_ALL_PROCS(sizes_out_of_range)

static void test_not_outside_goroutines(void **state)
{
    (void)state;
    assert_int_equal(weft_call_on_stack(MIB, recurse_on_stack, NULL), -EPERM);
}

static __attribute__((noinline)) void wait_inside(void *arg)
{
    CHECK_EQ(weft_chan_recv(arg, NULL), 0);
}

static __attribute__((noinline)) void call_from_outside(weft_chan *chan)
{
    CHECK_EQ(weft_call_on_stack(MIB, wait_inside, chan), 0);
}

static void print_both_stacks(void)
{
    weft_chan *chan = weft_chan_new(1, 0);
    call_from_outside(chan);
    weft_chan_free(chan);
}

static bool never_told(void)
{
#ifdef BASE_TSAN
    return true;
#else
    return getenv("WEFT_EMULATED") != NULL;
#endif
}

/* The program hangs, which prints its stacks. */
static void test_backtraces_go_on_where_the_call_was(void **state)
{
    (void)state;
    if (never_told())
        skip();
    struct death_body body = {print_both_stacks};
    death d = death_of(run_dying, &body);
    const char *inner = strstr(d.text, "    wait_inside\n");
    assert_non_null(inner);
    assert_non_null(strstr(inner, "    weft_call_on_stack\n"));
    assert_non_null(strstr(inner, "    call_from_outside\n"));
}

/* ---- Memory of stacks ---- */

static uintptr_t deep_page; /* on the stack that was used */

static void touch_deeply(void *arg)
{
    volatile char space[48 * KIB];
    for (size_t i = 0; i < sizeof space; i += KIB)
        space[i] = 1;
    deep_page = (uintptr_t)space & ~(uintptr_t)(base_page_size() - 1);
    if (arg)
        weft_chan_send(arg, "x");
}

/* Sleeps until the page is not there any more. */
static void await_discarded(void)
{
    while (base_pages_untouched((void *)deep_page, base_page_size()) == 0)
        weft_sleep(10 * WEFT_MILLISECOND);
}

static void memory_of_dead_goroutines_goes_back(void)
{
    weft_chan *chan = weft_chan_new(1, 0);
    go(touch_deeply, chan);
    CHECK_EQ(weft_chan_recv(chan, NULL), 0);
    await_discarded();
    weft_stats s = {.size = sizeof s};
    weft_stats_get(&s);
    CHECK(s.stacks_trimmed > 0);
    go(touch_deeply, chan); /* and can be used again */
    CHECK_EQ(weft_chan_recv(chan, NULL), 0);
    weft_chan_free(chan);
}

static void memory_of_lent_stacks_goes_back(void)
{
    CHECK_EQ(weft_call_on_stack(MIB, touch_deeply, NULL), 0);
    await_discarded();
    CHECK_EQ(weft_call_on_stack(MIB, touch_deeply, NULL), 0);
}

static void test_memory_of_dead_goroutines_goes_back(void **state)
{
    (void)state;
    run_small(2, memory_of_dead_goroutines_goes_back);
}

static void test_memory_of_lent_stacks_goes_back(void **state)
{
    (void)state;
    run_small(2, memory_of_lent_stacks_goes_back);
}

static void use_stacks(void)
{
    weft_chan *chan = weft_chan_new(1, 0);
    for (int i = 0; i < 3; i++) {
        go(touch_deeply, chan);
        CHECK_EQ(weft_chan_recv(chan, NULL), 0);
    }
    weft_chan_free(chan);
}

static void run_reported(void *arg)
{
    (void)arg;
    setenv("WEFT_DEBUG", "stacks", 1);
    run_on(2, use_stacks);
}

static void test_the_report_says_how_much_was_touched(void **state)
{
    (void)state;
    death d = death_of(run_reported, NULL);
    assert_int_equal(d.status, 0);
    const char *line = strstr(d.text, "weft: stacks: touch_deeply: ");
    assert_non_null(line);
    unsigned long used, size, count;
    assert_int_equal(sscanf(line, "weft: stacks: touch_deeply: %lu bytes of %lu at most, in %lu",
                            &used, &size, &count),
                     3);
    assert_true(used >= 48 * KIB && used < 64 * KIB);
    assert_true(size > 250 * KIB && size < 256 * KIB);
    assert_int_equal(count, 3);
}

/* ---- Blocking calls ---- */

static int read_one(void *fd)
{
    char byte;
    return (int)read(*(int *)fd, &byte, 1) + 41;
}

static void write_one(void *fd)
{
    CHECK_EQ(write(*(int *)fd, "x", 1), 1);
}

/* On one P: who writes runs because who reads has given it up. */
static void others_run_while_one_blocks(void)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    go(write_one, &ends[1]);
    CHECK_EQ(weft_blocking(read_one, &ends[0]), 42);
    close(ends[0]);
    close(ends[1]);
}
ON_ALL_PROCS(others_run_while_one_blocks)

static int answer(void *arg)
{
    return *(int *)arg;
}

static void test_blocking_outside_goroutines_just_calls(void **state)
{
    (void)state;
    int value = -7;
    assert_int_equal(weft_blocking(answer, &value), -7);
}

static void block_for_ever(void *fd)
{
    weft_blocking(read_one, fd);
}

static void block_in_many(void)
{
    static int ends[2];
    CHECK_EQ(pipe(ends), 0);
    for (int i = 0; i < 20; i++)
        go(block_for_ever, &ends[0]);
    for (;;)
        weft_yield();
}

static void run_with_few_threads(void *arg)
{
    (void)arg;
    struct body body = {block_in_many};
    weft_options options = {.size = sizeof options, .procs = 2, .max_threads = 12};
    (void)weft_run(&options, run_body, &body);
}

static void test_too_many_threads_is_said(void **state)
{
    (void)state;
    death d = death_of(run_with_few_threads, NULL);
    assert_int_equal(death_signal(&d), SIGABRT);
    assert_non_null(strstr(d.text, "weft: fatal: the limit of 12 threads is reached: too many "
                                   "goroutines block outside the runtime "
                                   "(weft_options.max_threads)\n"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(recursion_far_beyond_the_own_stack),
        TEST(waits_there_and_goes_on),
        TEST(calls_nest),
        TEST(a_goroutine_may_end_there),
        TEST(an_attached_thread_may_too),
        TEST(sizes_out_of_range),
        TEST(not_outside_goroutines),
        TEST(backtraces_go_on_where_the_call_was),
        TEST(memory_of_dead_goroutines_goes_back),
        TEST(memory_of_lent_stacks_goes_back),
        TEST(the_report_says_how_much_was_touched),
        TEST(others_run_while_one_blocks),
        TEST(blocking_outside_goroutines_just_calls),
        TEST(too_many_threads_is_said),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
