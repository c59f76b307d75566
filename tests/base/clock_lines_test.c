/* SPDX-License-Identifier: MIT */
/* The clock's inside: how lines are bent, with readings made up by the test. Numbers are those of
 * clock.c's invariants. */
#include "base/clock.c"

#include "base/thread.h"

#include "base/cmocka_all.h"

#define HZ     UINT64_C(2500000000)
#define SECOND UINT64_C(1000000000)

static const uint64_t slope = (uint64_t)(((unsigned __int128)SECOND << FRACTION_BITS) / HZ);

static void reset(void)
{
    state.origin = 5000;
    state.last = (reading){.tick = 1000, .mono = 5000};
}

static line start_line(void)
{
    return (line){.tick = 1000, .ns = 1, .slope = slope};
}

static uint64_t schedule_at(const schedule *s, uint64_t tick)
{
    if (tick >= s->final.tick)
        return line_at(&s->final, tick);
    return line_at(tick >= s->correcting.tick ? &s->correcting : &s->before, tick);
}

static reading reading_after(uint64_t ticks, int64_t error_ns)
{
    uint64_t ns = ticks_of(0, slope) + (uint64_t)(((unsigned __int128)ticks * SECOND) / HZ);
    return (reading){.tick = 1000 + ticks, .mono = (uint64_t)((int64_t)(5000 + ns) + error_ns)};
}

/* Invariant 1: around both turns, neighbouring ticks are neighbouring times. */
static void assert_continuous(const schedule *s)
{
    uint64_t turns[] = {s->correcting.tick, s->final.tick};
    for (int i = 0; i < 2; i++) {
        uint64_t last = schedule_at(s, turns[i] - 1000);
        for (uint64_t t = turns[i] - 999; t < turns[i] + 1000; t++) {
            uint64_t now = schedule_at(s, t);
            assert_in_range(now - last, 0, 1);
            last = now;
        }
    }
}

static void bends_join_without_a_step(void **unused)
{
    (void)unused;
    static const int64_t errors[] = {0, 40, -40, 9999, -9999, 3000000, -3000000};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        reset();
        line l = start_line();
        schedule s = bent(&l, reading_after(HZ, errors[i]));
        assert_continuous(&s);
        assert_true(s.correcting.tick == 1000 + HZ + ticks_of(TURN_DELAY_NS, s.final.slope));
    }
}

/* The drift of a second is gone when the final line begins, less what the delay adds at the new
 * rate. */
static void drift_is_taken_back_within_the_correction(void **unused)
{
    (void)unused;
    for (int64_t error = -100000; error <= 100000; error += 20000) {
        reset();
        line l = start_line();
        schedule s = bent(&l, reading_after(HZ, error));
        uint64_t end = s.final.tick;
        double kernel = (double)SECOND + (double)error;
        double expected = 1 + kernel * (double)(end - 1000) / (double)HZ;
        double left = (double)schedule_at(&s, end) - expected;
        double delay_share = (double)error * TURN_DELAY_NS / SECOND;
        assert_true(left - -delay_share < 30 && left - -delay_share > -30);
    }
}

/* Invariant 4. */
static void correction_ends_by_itself(void **unused)
{
    (void)unused;
    reset();
    line l = start_line();
    schedule s = bent(&l, reading_after(HZ, 50000));
    uint64_t hour = s.final.tick + 3600 * HZ;
    double rate = (double)(schedule_at(&s, hour) - schedule_at(&s, s.final.tick)) / 3600e9;
    assert_true(rate - 1.00005 < 1e-9 && rate - 1.00005 > -1e-9);
}

/* Corner: the counter ran on through a suspend of 10 s that CLOCK_MONOTONIC does not count. */
static void suspend_leaves_the_rate_alone(void **unused)
{
    (void)unused;
    reset();
    line l = start_line();
    schedule s = bent(&l, reading_after(11 * HZ, -(int64_t)(10 * SECOND)));
    assert_true(s.final.slope == slope);
    assert_true(s.correcting.slope < slope && s.correcting.slope > slope - slope / 1900);
    assert_continuous(&s);
}

/* A line of another rate on the living clock, with readers beside it: it bends back, and nobody
 * sees a step. */
static bool over; /* atomic */

static void *ascend(void *steps)
{
    uint64_t last = base_clock_now();
    while (!atomic_load_relaxed(&over)) {
        uint64_t now = base_clock_now();
        *(uint64_t *)steps += now < last;
        last = now;
    }
    return NULL;
}

static int64_t drift_now(void)
{
    reading r = read_both();
    const line *l = &state.slots[state.version & 1].final;
    return (int64_t)(line_at(l, r.tick) - (r.mono - state.origin + 1));
}

static void wrong_rate_is_mended_under_the_eyes_of_readers(void **unused)
{
    (void)unused;
    if (!base_clock_uses_tsc())
        skip();
    reading r = read_both();
    line l = state.slots[state.version & 1].final;
    l.slope += l.slope / 10000; /* 100 ppm */
    first_line(r, l.slope);
    pthread_t threads[2];
    uint64_t steps[2] = {0};
    for (int i = 0; i < 2; i++)
        assert_int_equal(base_thread_start(&threads[i], "ascend", ascend, &steps[i]), 0);
    for (int i = 0; i < 30; i++) {
        base_clock_snapshot s;
        base_sleep_ns(100000000);
        base_clock_snap(&s);
    }
    base_sleep_ns(700000000);
    atomic_store_relaxed(&over, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(steps[i], 0);
    }
    int64_t drift = drift_now();
    print_message("bends: %u, drift left: %lld ns\n", state.version, (long long)drift);
    assert_true(state.version >= 2);
    assert_in_range(drift < 0 ? -drift : drift, 0, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_rate_is_mended_under_the_eyes_of_readers),
        cmocka_unit_test(bends_join_without_a_step),
        cmocka_unit_test(drift_is_taken_back_within_the_correction),
        cmocka_unit_test(correction_ends_by_itself),
        cmocka_unit_test(suspend_leaves_the_rate_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
