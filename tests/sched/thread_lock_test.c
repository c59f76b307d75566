/* SPDX-License-Identifier: MIT */
/* Goroutines that stay on their thread. */
#include "sched/support.h"

#include <pthread.h>

enum { LOCKED = 6, FREE = 10 };

static weft_chan *chan;
static weft_mutex mutex;
static weft_waitgroup group;

/* ---- One thread, and nobody else on it ---- */

static __thread uint64_t tenant; /* by whom the thread is locked */

static uint64_t *tenant_of_thread(void) __attribute__((noinline));
static uint64_t *tenant_of_thread(void)
{
    uint64_t *address = &tenant;
    __asm__ __volatile__("" : "+r"(address));
    return address;
}

/* As many send as receive. */
static void wait_in_all_ways(int i, bool sends)
{
    weft_yield();
    if (sends)
        CHECK_EQ(weft_chan_send(chan, "x"), 0);
    else
        CHECK_EQ(weft_chan_recv(chan, NULL), 0);
    weft_mutex_lock(&mutex);
    weft_yield();
    weft_mutex_unlock(&mutex);
    if (i % 8 == 0)
        weft_sleep(50 * WEFT_MICROSECOND);
    weft_blocking_enter();
    weft_blocking_exit();
}

static void stay_on_thread(void *arg)
{
    CHECK_EQ(weft_thread_lock(), 0);
    uint64_t *own = tenant_of_thread();
    *own = weft_goid();
    for (int i = 0; i < ROUNDS(200); i++) {
        wait_in_all_ways(i, arg != NULL);
        CHECK(tenant_of_thread() == own);
        CHECK_EQ(*own, weft_goid());
    }
    *own = 0;
    CHECK_EQ(weft_thread_unlock(), 0);
    weft_waitgroup_done(&group);
}

static void move_about(void *arg)
{
    for (int i = 0; i < ROUNDS(200); i++) {
        CHECK_EQ(*tenant_of_thread(), 0);
        wait_in_all_ways(i, arg != NULL);
    }
    weft_waitgroup_done(&group);
}

static void locked_and_free_goroutines(void)
{
    chan = weft_chan_new(1, 0);
    weft_waitgroup_add(&group, LOCKED + FREE);
    for (intptr_t i = 0; i < LOCKED; i++)
        go(stay_on_thread, (void *)(i % 2));
    for (intptr_t i = 0; i < FREE; i++)
        go(move_about, (void *)(i % 2));
    weft_waitgroup_wait(&group);
    weft_chan_free(chan);
}
ON_ALL_PROCS(locked_and_free_goroutines)

/* ---- Nesting, misuse, ends ---- */

static void locks_nest(void)
{
    CHECK_EQ(weft_thread_unlock(), -EPERM);
    CHECK_EQ(weft_thread_lock(), 0);
    CHECK_EQ(weft_thread_lock(), 0);
    CHECK_EQ(weft_thread_unlock(), 0);
    pthread_t self = pthread_self();
    weft_sleep(WEFT_MILLISECOND);
    CHECK(pthread_equal(self, pthread_self()));
    CHECK_EQ(weft_thread_unlock(), 0);
    CHECK_EQ(weft_thread_unlock(), -EPERM);
}
ON_ALL_PROCS(locks_nest)

static void test_not_outside_goroutines(void **state)
{
    (void)state;
    assert_int_equal(weft_thread_lock(), -EPERM);
    assert_int_equal(weft_thread_unlock(), -EPERM);
}

static void end_locked(void *arg)
{
    CHECK_EQ(weft_thread_lock(), 0);
    weft_yield();
    weft_waitgroup_done(&group);
    if (arg)
        weft_goexit();
}

static void ending_is_unlocking(void)
{
    for (intptr_t i = 0; i < ROUNDS(200); i++) {
        weft_waitgroup_add(&group, 1);
        go(end_locked, (void *)(i % 2));
        weft_waitgroup_wait(&group);
    }
    weft_stats s = {.size = sizeof s};
    weft_stats_get(&s);
    CHECK(s.threads < 20); /* they were used again */
}
ON_ALL_PROCS(ending_is_unlocking)

static void wait_locked(void *arg)
{
    CHECK_EQ(weft_thread_lock(), 0);
    weft_waitgroup_done(&group);
    if (arg)
        weft_sleep(3600 * WEFT_SECOND);
    for (;;)
        weft_yield();
}

/* Some wait, some run: their threads end with the runtime. */
static void leave_some_locked(void)
{
    weft_waitgroup_add(&group, 6);
    for (intptr_t i = 0; i < 6; i++)
        go(wait_locked, (void *)(i % 3));
    weft_waitgroup_wait(&group);
}

static void test_the_runtime_ends_while_some_are_locked(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS(40); i++)
        run_everywhere(leave_some_locked);
}

/* ---- Virtual time ---- */

static void sleep_locked(void *arg)
{
    (void)arg;
    CHECK_EQ(weft_thread_lock(), 0);
    int64_t start = weft_now();
    for (int i = 0; i < 10; i++)
        weft_sleep(3600 * WEFT_SECOND);
    CHECK_EQ(weft_now() - start, 36000 * WEFT_SECOND);
    weft_waitgroup_done(&group);
}

static void hours_pass_for_locked_ones(void)
{
    weft_waitgroup_add(&group, 3);
    for (int i = 0; i < 3; i++)
        go(sleep_locked, NULL);
    weft_waitgroup_wait(&group);
}

static void test_hours_pass_for_locked_ones(void **state)
{
    (void)state;
    struct body body = {hours_pass_for_locked_ones};
    weft_options options = {.size = sizeof options, .procs = 2, .virtual_time = 1};
    CHECK_EQ(weft_run(&options, run_body, &body), 0);
}

/* ---- In a trace ---- */

static void run_traced(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/locked.trace", getenv("WEFT_TRACE_DIR"));
    setenv("WEFT_TRACE", path, 1);
    run_on(2, locked_and_free_goroutines);
    unsetenv("WEFT_TRACE");
}

static void test_traced(void **state)
{
    (void)state;
    if (!getenv("WEFT_TRACE_DIR"))
        skip();
    run_traced();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(locked_and_free_goroutines),
        TEST(locks_nest),
        TEST(not_outside_goroutines),
        TEST(ending_is_unlocking),
        TEST(the_runtime_ends_while_some_are_locked),
        TEST(hours_pass_for_locked_ones),
        TEST(traced),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
