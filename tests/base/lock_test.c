/* SPDX-License-Identifier: MIT */
#include "base/lock.h"
#include "base/thread.h"

#include <time.h>

#include "base/cmocka_all.h"

#define THREADS 4
#define ROUNDS  100000

static base_lock lock = BASE_LOCK_INIT(LEAF);
static uint64_t counter; /* lock: lock */

/* Some sections are long enough for others to fall asleep. */
static void *count(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        lock_acquire(&lock);
        counter++;
        if (i % 8192 == 0)
            base_sleep_ns(100000);
        lock_release(&lock);
    }
    return arg;
}

static void sections_exclude_each_other(void **unused)
{
    (void)unused;
    pthread_t threads[THREADS];
    counter = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(base_thread_start(&threads[i], "count", count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counter, THREADS * ROUNDS);
    assert_int_equal(lock.word, 0);
}

static void *try_and_count(void *failures)
{
    for (int i = 0; i < ROUNDS; i++) {
        while (!lock_try(&lock)) {
            ++*(uint64_t *)failures;
            cpu_relax();
        }
        counter++;
        lock_release(&lock);
    }
    return NULL;
}

static void tries_and_waits_exclude_each_other(void **unused)
{
    (void)unused;
    pthread_t threads[2];
    uint64_t failures = 0;
    counter = 0;
    assert_int_equal(base_thread_start(&threads[0], "try", try_and_count, &failures), 0);
    assert_int_equal(base_thread_start(&threads[1], "count", count, NULL), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counter, 2 * ROUNDS);
}

static void *wait_and_measure(void *cpu_ns)
{
    struct timespec used;
    lock_acquire(&lock);
    lock_release(&lock);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    *(int64_t *)cpu_ns = used.tv_sec * 1000000000 + used.tv_nsec;
    return NULL;
}

static void long_wait_is_slept_through(void **unused)
{
    (void)unused;
    pthread_t waiter;
    int64_t cpu_ns = 0;
    lock_acquire(&lock);
    assert_int_equal(base_thread_start(&waiter, "waiter", wait_and_measure, &cpu_ns), 0);
    base_sleep_ns(300000000);
    lock_release(&lock);
    pthread_join(waiter, NULL);
    print_message("CPU time of a wait of 300 ms: %lld us\n", (long long)cpu_ns / 1000);
    assert_in_range(cpu_ns, 0, 30000000);
}

static void held_lock_refuses_a_try(void **unused)
{
    (void)unused;
    base_lock l;
    lock_init(&l, BASE_RANK_CHAN);
    assert_true(lock_try(&l));
    assert_false(lock_try(&l));
    lock_release(&l);
    assert_true(lock_try(&l));
    lock_release(&l);
}

/* A lock that its holder never releases, as it has crashed. */

static void *wait_for_ever(void *orphan)
{
    lock_acquire(orphan);
    counter++;
    lock_release(orphan);
    return orphan;
}

static void orphaned_lock_is_taken_over_by_one_after_the_other(void **unused)
{
    (void)unused;
    static base_lock orphan = {.word = 1, .rank = BASE_RANK_TRACE};
    pthread_t threads[THREADS];
    counter = 0;
    base_locks_abandon(true);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(base_thread_start(&threads[i], "heir", wait_for_ever, &orphan), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    base_locks_abandon(false);
    assert_int_equal(counter, THREADS);
    assert_int_equal(orphan.word, 0);
}

static void locks_of_the_scheduler_are_left_alone(void **unused)
{
    (void)unused;
    static base_lock orphan = {.word = 1, .rank = BASE_RANK_SCHED};
    pthread_t thread;
    counter = 0;
    base_locks_abandon(true);
    assert_int_equal(base_thread_start(&thread, "heir", wait_for_ever, &orphan), 0);
    base_sleep_ns(INT64_C(1500000000));
    assert_int_equal(atomic_load_relaxed(&orphan.word), 1);
    base_locks_abandon(false);
    atomic_store_release(&orphan.word, 0);
    pthread_join(thread, NULL);
    assert_int_equal(counter, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_exclude_each_other),
        cmocka_unit_test(tries_and_waits_exclude_each_other),
        cmocka_unit_test(long_wait_is_slept_through),
        cmocka_unit_test(held_lock_refuses_a_try),
        cmocka_unit_test(orphaned_lock_is_taken_over_by_one_after_the_other),
        cmocka_unit_test(locks_of_the_scheduler_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
