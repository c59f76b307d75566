/* SPDX-License-Identifier: MIT */
/* The lease: goroutines that compute or block without a word delay nobody, and get a P back when
 * they return. */
#include "sched/on_runtime.h"

#include <unistd.h>

static uint32_t stop, entered;

static void compute(void *arg)
{
    (void)arg;
    __atomic_add_fetch(&entered, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
        ;
    weft_yield(); /* back inside: with a P again */
    __atomic_add_fetch(&entered, 1, __ATOMIC_RELEASE);
}

static int pipe_ends[2];

static void read_pipe(void *arg)
{
    (void)arg;
    char byte;
    __atomic_add_fetch(&entered, 1, __ATOMIC_RELEASE);
    check(read(pipe_ends[0], &byte, 1) == 1);
    weft_yield();
    __atomic_add_fetch(&entered, 1, __ATOMIC_RELEASE);
}

static void read_pipe_annotated(void *arg)
{
    (void)arg;
    char byte;
    __atomic_add_fetch(&entered, 1, __ATOMIC_RELEASE);
    weft_blocking_enter();
    ssize_t n = read(pipe_ends[0], &byte, 1);
    weft_blocking_exit();
    check(n == 1);
    __atomic_add_fetch(&entered, 1, __ATOMIC_RELEASE);
}

static void reach(uint32_t n)
{
    while (__atomic_load_n(&entered, __ATOMIC_ACQUIRE) < n)
        weft_sleep(WEFT_MILLISECOND / 10);
}

static weft_chan *there, *back;

static void answer(void *arg)
{
    int value;
    for (int n = *(int *)arg; n > 0; n--) {
        check(weft_chan_recv(there, &value) == 0);
        check(weft_chan_send(back, &value) == 0);
    }
}

static void ping_pong(int n)
{
    there = weft_chan_new(sizeof(int), 0);
    back = weft_chan_new(sizeof(int), 0);
    check(weft_go(answer, &n) == 0);
    for (int i = 0, value = 0; i < n; i++) {
        check(weft_chan_send(there, &value) == 0);
        check(weft_chan_recv(back, &value) == 0);
    }
    weft_yield();
    weft_chan_free(there);
    weft_chan_free(back);
}

static void dodge(int hogs)
{
    reach((uint32_t)hogs);
    ping_pong(1000);
    int procs = weft_procs(0);
    check(weft_procs(3) == procs);
    ping_pong(10);
    check(weft_procs(procs) == 3);
    ping_pong(1000);
}

static void start_over(void)
{
    __atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&entered, 0, __ATOMIC_RELEASE);
}

static int hog_body(void *arg)
{
    (void)arg;
    start_over();
    for (int i = 0; i < 3; i++)
        check(weft_go(compute, NULL) == 0);
    dodge(3);
    weft_stats stats = {.size = sizeof stats};
    weft_stats_get(&stats);
    check(stats.revocations >= 1 ||
          stats.procs > 1); /* with more Ps the hogs may be in nobody's way */
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    reach(6);
    return 0;
}

static void computing_loops_delay_nobody_and_come_back(void **state)
{
    (void)state;
    for (unsigned procs = 1; procs <= 4; procs *= 2)
        assert_int_equal(run_with_procs(procs, hog_body, NULL), 0);
}

static int block_body(void *arg)
{
    void (*reader)(void *) = *(void (**)(void *))arg;
    start_over();
    check(pipe(pipe_ends) == 0);
    for (int i = 0; i < 3; i++)
        check(weft_go(reader, NULL) == 0);
    dodge(3);
    check(write(pipe_ends[1], "abc", 3) == 3);
    reach(6);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return 0;
}

static void unannotated_blocking_reads_delay_nobody(void **state)
{
    (void)state;
    void (*reader)(void *) = read_pipe;
    for (unsigned procs = 1; procs <= 4; procs *= 2)
        assert_int_equal(run_with_procs(procs, block_body, &reader), 0);
}

static void annotated_blocking_reads_delay_nobody(void **state)
{
    (void)state;
    void (*reader)(void *) = read_pipe_annotated;
    for (unsigned procs = 1; procs <= 4; procs *= 2)
        assert_int_equal(run_with_procs(procs, block_body, &reader), 0);
}

/* Never blocks and never yields, but calls into the runtime all the time: it is asked to yield
 * there. */
static void call_in(void *arg)
{
    weft_chan *chan = arg;
    __atomic_add_fetch(&entered, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
        weft_chan_try_recv(chan, NULL);
    __atomic_add_fetch(&entered, 1, __ATOMIC_RELEASE);
}

static int call_in_body(void *arg)
{
    (void)arg;
    start_over();
    weft_chan *chan = weft_chan_new(1, 1);
    for (int i = 0; i < 3; i++)
        check(weft_go(call_in, chan) == 0);
    dodge(3);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    reach(6);
    weft_chan_free(chan);
    return 0;
}

static void a_goroutine_that_calls_in_often_is_asked_to_yield(void **state)
{
    (void)state;
    for (unsigned procs = 1; procs <= 2; procs++)
        assert_int_equal(run_with_procs(procs, call_in_body, NULL), 0);
}

/* Threads come and go between inside and outside while leases are taken all the time: nothing is
 * lost. */
static uint64_t total;

static void add_up(void *arg)
{
    weft_mutex *mutex = arg;
    for (int i = 0; i < ROUNDS(2000); i++) {
        weft_mutex_lock(mutex);
        total++;
        weft_mutex_unlock(mutex);
        if (i % 64 == 0) {
            weft_blocking_enter();
            weft_blocking_exit();
        }
    }
    __atomic_add_fetch(&entered, 1, __ATOMIC_RELEASE);
}

static int storm_body(void *arg)
{
    (void)arg;
    static weft_mutex mutex;
    start_over();
    total = 0;
    for (int i = 0; i < 16; i++)
        check(weft_go(add_up, &mutex) == 0);
    for (int n = 1; __atomic_load_n(&entered, __ATOMIC_ACQUIRE) < 16; n = n % 8 + 1)
        check(weft_procs(n) >= 1);
    check(total == 16 * (uint64_t)ROUNDS(2000));
    return 0;
}

static void stops_in_a_storm_of_entries_lose_nothing(void **state)
{
    (void)state;
    assert_int_equal(run_with_procs(4, storm_body, NULL), 0);
}

static int leave_hogs(void *arg)
{
    (void)arg;
    start_over();
    check(weft_go(compute, NULL) == 0);
    reach(1);
    return 0;
}

static void a_thread_that_is_out_at_the_end_ends_later(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run_with_procs(2, leave_hogs, NULL), 0);
        __atomic_store_n(&stop, 1, __ATOMIC_RELEASE); /* it comes back to a runtime that is gone */
        usleep(20000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computing_loops_delay_nobody_and_come_back),
        cmocka_unit_test(unannotated_blocking_reads_delay_nobody),
        cmocka_unit_test(annotated_blocking_reads_delay_nobody),
        cmocka_unit_test(a_goroutine_that_calls_in_often_is_asked_to_yield),
        cmocka_unit_test(stops_in_a_storm_of_entries_lose_nothing),
        cmocka_unit_test(a_thread_that_is_out_at_the_end_ends_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
