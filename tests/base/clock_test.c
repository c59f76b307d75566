/* SPDX-License-Identifier: MIT */
/* The clock as its users see it: against CLOCK_MONOTONIC, and between threads. */
#include "base/atomic.h"
#include "base/clock.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cmocka_all.h"

/*
 * What the test demands: 20 times what clock.c says it measured, as a calibration may be disturbed.
 */
#define BOUND_NS      100000
#define BENT_BOUND_NS 2000

/* How far now is ahead of CLOCK_MONOTONIC, from the narrowest of many brackets. */
static int64_t drift(void)
{
    uint64_t narrowest = UINT64_MAX;
    int64_t best = 0;
    for (int i = 0; i < 2000; i++) {
        uint64_t from = base_clock_monotonic();
        uint64_t now = base_clock_now();
        uint64_t width = base_clock_monotonic() - from;
        if (width < narrowest) {
            narrowest = width;
            best = (int64_t)(now - from) - (int64_t)(width / 2);
        }
    }
    return best;
}

static void time_begins_at_one_and_ascends(void **unused)
{
    (void)unused;
    uint64_t last = base_clock_now();
    assert_true(last >= 1);
    for (int i = 0; i < 1000000; i++) {
        uint64_t now = i % 2 ? base_clock_now() : base_clock_now_loose();
        if (now < last)
            fail_msg("%llu after %llu", (unsigned long long)now, (unsigned long long)last);
        last = now;
    }
}

static void follows_clock_monotonic_without_snapshots(void **unused)
{
    (void)unused;
    base_sleep_ns(500000000);
    int64_t d = drift();
    print_message("drift 0.5 s after the calibration: %lld ns\n", (long long)d);
    assert_in_range(llabs(d), 0, BOUND_NS);
}

static void follows_clock_monotonic_with_snapshots(void **unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++) {
        base_clock_snapshot s;
        base_clock_snap(&s);
        base_sleep_ns(700000000);
        int64_t d = drift();
        print_message("drift: %lld ns, rate %llu Hz\n", (long long)d,
                      (unsigned long long)base_clock_tsc_hz());
        assert_in_range(llabs(d), 0, i < 2 ? BOUND_NS : BENT_BOUND_NS);
    }
}

static void snapshot_shows_one_moment_on_three_clocks(void **unused)
{
    (void)unused;
    base_clock_snapshot s;
    struct timespec wall, mono;
    base_clock_snap(&s);
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    uint64_t mono_ns = (uint64_t)mono.tv_sec * 1000000000u + (uint64_t)mono.tv_nsec;
    uint64_t wall_ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec;
    uint64_t snap_ns = s.wall_sec * 1000000000u + s.wall_nsec;
    assert_true(s.wall_nsec < 1000000000u);
    assert_true(s.mono <= mono_ns && mono_ns - s.mono < 2000000000u);
    assert_true(wall_ns - snap_ns < 2000000000u);
    assert_true(s.now <= base_clock_now());
}

/* ---- threads ---- */

static uint64_t latest;   /* atomic: the greatest time that a thread has published */
static uint64_t backward; /* atomic: times found below it */
static bool over;         /* atomic */

static void publish(uint64_t now)
{
    uint64_t seen = atomic_load_relaxed(&latest);
    while (seen < now &&
           !atomic_cas_acqrel(&latest, &seen, now)) /* pairs with the acquire in watch() */
        ;
}

static void *watch(void *count)
{
    while (!atomic_load_relaxed(&over)) {
        uint64_t before = atomic_load_acquire(&latest); /* pairs with publish() */
        uint64_t now = base_clock_now();
        if (now < before)
            atomic_add_relaxed(&backward, 1);
        publish(now);
        ++*(uint64_t *)count;
    }
    return NULL;
}

static void times_of_several_threads_agree_with_the_order_of_messages(void **unused)
{
    (void)unused;
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    uint64_t counts[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(base_thread_start(&threads[i], "watch", watch, &counts[i]), 0);
    for (int i = 0; i < 25; i++) {
        base_clock_snapshot s;
        base_clock_snap(&s);
        base_sleep_ns(100000000);
    }
    atomic_store_relaxed(&over, true);
    uint64_t total = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        total += counts[i];
    }
    print_message("%llu readings of %d threads\n", (unsigned long long)total, THREADS);
    assert_int_equal(backward, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_begins_at_one_and_ascends),
        cmocka_unit_test(follows_clock_monotonic_without_snapshots),
        cmocka_unit_test(follows_clock_monotonic_with_snapshots),
        cmocka_unit_test(snapshot_shows_one_moment_on_three_clocks),
        cmocka_unit_test(times_of_several_threads_agree_with_the_order_of_messages),
    };
    print_message("counter in use: %s, %llu Hz\n", base_clock_uses_tsc() ? "yes" : "no",
                  (unsigned long long)base_clock_tsc_hz());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
