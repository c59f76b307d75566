/* SPDX-License-Identifier: MIT */
/*
 * What Go's tests of package time try beyond timer_test.c and virtual_time_test.c (docs/ports.md).
 * Names in brackets are Go's. Whatever is about instants runs on virtual time, where they are
 * exact; races run on both clocks.
 */
#include "sched/support.h"

#include "sched/timer.h"

static void run_on_clock(unsigned procs, unsigned virtual_time, void (*fn)(void))
{
    struct body body = {fn};
    weft_options options = {.size = sizeof options, .procs = procs, .virtual_time = virtual_time};
    CHECK_EQ(weft_run(&options, run_body, &body), 0);
}

static void run_everywhere_on_virtual_time(void (*fn)(void))
{
    run_on_clock(1, 1, fn);
    run_on_clock(2, 1, fn);
    run_on_clock(4, 1, fn);
}

#define ON_VIRTUAL_TIME(name)                                                                      \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_everywhere_on_virtual_time(name);                                                      \
    }

#define ON_BOTH_CLOCKS(name)                                                                       \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_everywhere(name);                                                                      \
        run_everywhere_on_virtual_time(name);                                                      \
    }

static void *timer_chan(weft_timer *timer)
{
    return weft_timer_chan(timer);
}

static int64_t next_tick(weft_timer *timer)
{
    int64_t instant = 0;
    CHECK_EQ(weft_chan_recv(timer_chan(timer), &instant), 0);
    return instant;
}

/* ---- Instants ---- */

/* [After, AfterTick] */
static void ticks_come_at_their_instants(void)
{
    weft_timer *timer = weft_timer_new_chan();
    int64_t start = weft_now();
    CHECK_EQ(weft_timer_start(timer, 100 * WEFT_MILLISECOND, 0), 0);
    CHECK_EQ(next_tick(timer), start + 100 * WEFT_MILLISECOND);
    CHECK_EQ(weft_now(), start + 100 * WEFT_MILLISECOND);
    weft_timer_free(timer);
}

/* [Ticker, TickTimes]: a thousand periods later the ticker is not a nanosecond off. */
static void a_ticker_does_not_drift(void)
{
    static const int64_t periods[] = {1, 999, WEFT_MILLISECOND, 7 * WEFT_SECOND};
    for (size_t k = 0; k < sizeof periods / sizeof *periods; k++) {
        weft_timer *ticker = weft_timer_new_chan();
        int64_t start = weft_now();
        CHECK_EQ(weft_timer_start(ticker, periods[k], periods[k]), 0);
        for (int i = 1; i <= 1000; i++)
            CHECK_EQ(next_tick(ticker), start + i * periods[k]);
        CHECK_EQ(weft_timer_stop(ticker), 1);
        weft_timer_free(ticker);
    }
}

/* A receiver that takes two and a half periods gets each second or third tick, and always one of
 * those that are multiples of the period. */
static void a_ticker_keeps_its_phase_for_a_slow_receiver(void)
{
    enum { PERIOD = 1000, ROUND = 2500 };
    weft_timer *ticker = weft_timer_new_chan();
    int64_t start = weft_now(), last = start;
    CHECK_EQ(weft_timer_start(ticker, PERIOD, PERIOD), 0);
    for (int i = 0; i < 100; i++) {
        int64_t tick = next_tick(ticker);
        CHECK_EQ((tick - start) % PERIOD, 0);
        CHECK(tick > last && tick - last <= 3 * PERIOD);
        last = tick;
        weft_sleep(ROUND);
    }
    weft_timer_free(ticker);
}

/* The instant of its next tick. With one P nobody else runs timers while the goroutine is inside.
 */
static int64_t next_instant(weft_timer *ticker)
{
    struct m *m = rt_enter();
    int64_t when = ((struct wait_timer *)(void *)ticker)->when;
    rt_exit(m);
    return when;
}

/* On the real clock each tick is a little late, but none is late because the one before was. */
static void a_late_tick_does_not_put_off_the_next(void)
{
    enum { PERIOD = 5000 };
    weft_timer *ticker = weft_timer_new_chan();
    CHECK_EQ(weft_timer_start(ticker, PERIOD, PERIOD), 0);
    int64_t first = next_instant(ticker);
    for (int i = 0; i < 100; i++) {
        next_tick(ticker);
        CHECK_EQ((next_instant(ticker) - first) % PERIOD, 0);
    }
    CHECK(next_instant(ticker) > first);
    weft_timer_free(ticker);
}

/* [Ticker: Reset]: a new period counts from the moment at which it is set. */
static void a_ticker_takes_a_new_period(void)
{
    weft_timer *ticker = weft_timer_new_chan();
    int64_t start = weft_now();
    CHECK_EQ(weft_timer_start(ticker, 10, 10), 0);
    CHECK_EQ(next_tick(ticker), start + 10);
    weft_sleep(5);
    CHECK_EQ(weft_timer_start(ticker, 100, 100), 1);
    for (int i = 1; i <= 10; i++)
        CHECK_EQ(next_tick(ticker), start + 15 + i * 100);
    weft_timer_free(ticker);
}

struct order {
    weft_chan *results; /* of struct result */
    weft_waitgroup group;
};

struct sleeper {
    struct order *order;
    int slot;
};

struct result {
    int slot;
    int64_t instant;
};

static void sleep_for_slot(void *arg)
{
    struct sleeper *s = arg;
    weft_sleep(s->slot * WEFT_SECOND);
    struct result r = {s->slot, weft_now()};
    CHECK_EQ(weft_chan_send(s->order->results, &r), 0);
    weft_waitgroup_done(&s->order->group);
}

/* [AfterQueuing], with Go's slots. */
static void waits_end_in_the_order_of_their_instants(void)
{
    static const int slots[] = {5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
    enum { SLOTS = sizeof slots / sizeof *slots };
    struct order o = {.results = weft_chan_new(sizeof(struct result), SLOTS)};
    struct sleeper sleepers[SLOTS];
    int64_t start = weft_now();
    weft_waitgroup_add(&o.group, SLOTS);
    for (int i = 0; i < SLOTS; i++) {
        sleepers[i] = (struct sleeper){&o, slots[i]};
        go(sleep_for_slot, &sleepers[i]);
    }
    weft_waitgroup_wait(&o.group);
    for (int i = 0, last = 0; i < SLOTS; i++) {
        struct result r;
        CHECK_EQ(weft_chan_recv(o.results, &r), 0);
        CHECK_EQ(r.instant - start, r.slot * WEFT_SECOND);
        CHECK(r.slot >= last);
        last = r.slot;
    }
    weft_chan_free(o.results);
}

/* ---- Start and stop ---- */

static void count_firing(void *arg)
{
    atomic_add_relaxed((uint32_t *)arg, 1);
}

/* [TimerStopStress]: none of those that are stopped in time fires. */
static void a_hundred_timers_are_stopped_before_they_fire(void)
{
    enum { TIMERS = 100 };
    weft_timer *timers[TIMERS];
    uint32_t fired = 0;
    for (int i = 0; i < TIMERS; i++) {
        timers[i] = weft_timer_new(count_firing, &fired);
        CHECK_EQ(weft_timer_start(timers[i], 2 * WEFT_SECOND, 0), 0);
    }
    weft_sleep(WEFT_SECOND);
    for (int i = 0; i < TIMERS; i++)
        CHECK_EQ(weft_timer_stop(timers[i]), 1);
    weft_sleep(10 * WEFT_SECOND);
    CHECK_EQ(atomic_load_relaxed(&fired), 0);
    for (int i = 0; i < TIMERS; i++)
        weft_timer_free(timers[i]);
}

/* [Reset] */
static void a_timer_that_is_put_off_fires_later(void)
{
    weft_timer *timer = weft_timer_new_chan();
    int64_t start = weft_now();
    CHECK_EQ(weft_timer_start(timer, 100, 0), 0);
    weft_sleep(50);
    CHECK_EQ(weft_timer_start(timer, 150, 0), 1);
    weft_sleep(100);
    CHECK_EQ(weft_chan_try_recv(timer_chan(timer), NULL), -EAGAIN);
    CHECK_EQ(next_tick(timer), start + 200);
    CHECK_EQ(weft_timer_start(timer, 50, 0), 0);
    CHECK_EQ(next_tick(timer), start + 250);
    weft_timer_free(timer);
}

/* [TimerModifiedEarlier]: many that wait for an hour are moved to the past, again and again. */
static void a_timer_that_is_moved_ahead_fires_at_once(void)
{
    int64_t start = weft_now();
    weft_timer *timer = weft_timer_new_chan();
    for (int i = 0; i < ROUNDS(1000); i++) {
        CHECK_EQ(weft_timer_start(timer, 3600 * WEFT_SECOND, 0), 0);
        for (int k = 0; k < 10; k++) {
            weft_timer_stop(timer);
            CHECK_EQ(weft_timer_start(timer, -k * WEFT_SECOND, 0), 0);
        }
        CHECK_EQ(next_tick(timer), start);
    }
    weft_timer_free(timer);
}

enum { ADJUSTED = 60, STATES = 11 };

/* One step of a timer's life, which is idle before the steps 2, 4, 6 and 8; the seconds of Go's
 * test. */
static void adjust(weft_timer *timer, int state)
{
    static const int64_t delays[STATES] = {[2] = 60, [4] = 180, [6] = 120};
    if (state == 0 || state == 8)
        CHECK_EQ(weft_timer_start(timer, 0, 0), 0);
    else if (state == 1 || state == 9)
        CHECK_EQ(next_tick(timer), weft_now());
    else if (state % 2 == 0)
        CHECK_EQ(weft_timer_start(timer, delays[state] * WEFT_SECOND, 0), 0);
    else
        CHECK_EQ(weft_timer_stop(timer), 1);
}

/* [AdjustTimers]: timers are moved to and fro in an order drawn at random; time stands still. */
static void timers_that_move_to_and_fro_lose_no_instant(void)
{
    weft_timer *timers[ADJUSTED];
    int states[ADJUSTED] = {0}, left = ADJUSTED * (STATES - 1);
    uint32_t seed = 4711;
    int64_t start = weft_now();
    for (int i = 0; i < ADJUSTED; i++)
        timers[i] = weft_timer_new_chan();
    while (left > 0) {
        uint32_t i = random_next(&seed) % ADJUSTED;
        if (states[i] == STATES - 1)
            continue;
        adjust(timers[i], states[i]++);
        left--;
    }
    CHECK_EQ(weft_now(), start);
    for (int i = 0; i < ADJUSTED; i++)
        weft_timer_free(timers[i]);
}

struct self {
    weft_timer *timer;
    weft_chan *done;
    int left;
};

static void start_itself(void *arg)
{
    struct self *s = arg;
    CHECK_EQ(weft_timer_stop(s->timer), 0);
    if (s->left-- > 0)
        CHECK_EQ(weft_timer_start(s->timer, s->left % 2, 0), 0);
    else
        CHECK_EQ(weft_chan_send(s->done, NULL), 0);
}

/* [Issue5745]: a timer's function may use timers, its own included. */
static void a_function_may_stop_and_start_its_own_timer(void)
{
    struct self s = {.done = weft_chan_new(0, 0), .left = 100};
    s.timer = weft_timer_new(start_itself, &s);
    CHECK_EQ(weft_timer_start(s.timer, 0, 0), 0);
    CHECK_EQ(weft_chan_recv(s.done, NULL), 0);
    weft_timer_free(s.timer);
    weft_chan_free(s.done);
}

/* ---- The ends of time ---- */

static void sleep_for_good(void *arg)
{
    weft_sleep(*(const int64_t *)arg);
    CHECK(!"reached");
}

/* [OverflowSleep, Issue5745]: durations that end after the end of time never end, and do not wrap
 * to the past in front of others. */
static void durations_beyond_the_end_of_time_never_end(void)
{
    static const int64_t durations[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX / 2 + 1};
    enum { DURATIONS = sizeof durations / sizeof *durations };
    weft_timer *timers[DURATIONS];
    uint32_t fired = 0;
    for (int i = 0; i < DURATIONS; i++) {
        go(sleep_for_good, (void *)&durations[i]);
        timers[i] = weft_timer_new(count_firing, &fired);
        CHECK_EQ(weft_timer_start(timers[i], durations[i], 0), 0);
    }
    weft_sleep(24 * 3600 * WEFT_SECOND);
    CHECK_EQ(atomic_load_relaxed(&fired), 0);
    for (int i = 0; i < DURATIONS; i++) {
        CHECK_EQ(weft_timer_stop(timers[i]), 1);
        weft_timer_free(timers[i]);
    }
}

/* [OverflowPeriodRuntimeTimer]: the second firing would be after the end of time. */
static void a_period_beyond_the_end_of_time_gives_one_tick(void)
{
    weft_timer *timer = weft_timer_new_chan();
    int64_t start = weft_now();
    CHECK_EQ(weft_timer_start(timer, 1000, INT64_MAX), 0);
    CHECK_EQ(next_tick(timer), start + 1000);
    weft_sleep(24 * 3600 * WEFT_SECOND);
    CHECK_EQ(weft_chan_try_recv(timer_chan(timer), NULL), -EAGAIN);
    weft_timer_free(timer);
}

/* What is past is past, however far, and what is far is far. */
static void deadlines_at_the_ends_of_time(void)
{
    static const int64_t past[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1};
    weft_chan *chan = weft_chan_new(0, 0);
    weft_sem sem = WEFT_SEM_INIT(0);
    weft_mutex held = WEFT_MUTEX_INIT;
    weft_mutex_lock(&held);
    weft_sleep(WEFT_SECOND);
    int64_t now = weft_now();
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
        CHECK_EQ(weft_chan_recv_until(chan, NULL, past[i]), -ETIMEDOUT);
        CHECK_EQ(weft_chan_send_until(chan, NULL, past[i]), -ETIMEDOUT);
        CHECK_EQ(weft_sem_acquire_until(&sem, 1, past[i]), -ETIMEDOUT);
        CHECK_EQ(weft_mutex_lock_until(&held, past[i]), -ETIMEDOUT);
        CHECK_EQ(weft_sleep_until(past[i]), 0);
    }
    weft_sleep(INT64_MIN);
    weft_sleep(-1);
    CHECK_EQ(weft_now(), now);
    weft_mutex_unlock(&held);
    weft_chan_free(chan);
}

/* ---- Races ---- */

struct pair {
    weft_waitgroup group;
    int rounds;
};

/* Of two timers one is received; the other is stopped, or has fired: it never is both, and what has
 * fired is not received after that. */
static void stop_the_other(void *arg)
{
    struct pair *p = arg;
    for (int i = 0; i < p->rounds; i++) {
        weft_timer *timers[2] = {weft_timer_new_chan(), weft_timer_new_chan()};
        weft_select_case cases[2];
        for (int k = 0; k < 2; k++) {
            weft_timer_start(timers[k], WEFT_MICROSECOND, 0);
            cases[k] = (weft_select_case){.chan = timer_chan(timers[k])};
        }
        int index = weft_select(cases, 2, WEFT_NEVER);
        CHECK(index >= 0);
        weft_timer *other = timers[!index];
        if (i % 2)
            weft_timer_stop(other);
        else
            weft_timer_start(other, 1000 * WEFT_SECOND, 0);
        CHECK_EQ(weft_chan_try_recv(timer_chan(other), NULL), -EAGAIN);
        weft_timer_free(timers[0]);
        weft_timer_free(timers[1]);
    }
    weft_waitgroup_done(&p->group);
}

/* [StopResult, ResetResult] */
static void a_timer_is_stopped_or_has_fired(void)
{
    struct pair p = {.rounds = 50};
    weft_waitgroup_add(&p.group, ROUNDS(100));
    for (int i = 0; i < ROUNDS(100); i++)
        go(stop_the_other, &p);
    weft_waitgroup_wait(&p.group);
}

struct shared {
    weft_timer *timer;
    weft_waitgroup group;
    int rounds;
};

static void receive_ticks(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        int64_t until = weft_now() + 100 * WEFT_MICROSECOND;
        int error = weft_chan_recv_until(timer_chan(s->timer), NULL, until);
        CHECK(error == 0 || error == -ETIMEDOUT);
    }
    weft_waitgroup_done(&s->group);
}

static void restart_and_take(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        weft_chan_try_recv(timer_chan(s->timer), NULL);
        weft_timer_start(s->timer, 1 + i % 3, i % 4 ? 0 : 5 * WEFT_MICROSECOND);
        if (i % 16 == 0)
            weft_timer_stop(s->timer);
        if (i % 8 == 0)
            weft_yield();
    }
    weft_waitgroup_done(&s->group);
}

/* [MultiWakeupTicker, MultiWakeupTimer, TickerStress, TickerConcurrentStress] */
static void one_ticker_serves_many_and_is_restarted_meanwhile(void)
{
    struct shared s = {.timer = weft_timer_new_chan(), .rounds = ROUNDS(400)};
    weft_timer_start(s.timer, WEFT_MICROSECOND, WEFT_MICROSECOND);
    weft_waitgroup_add(&s.group, 6);
    for (int i = 0; i < 4; i++)
        go(receive_ticks, &s);
    for (int i = 0; i < 2; i++)
        go(restart_and_take, &s);
    weft_waitgroup_wait(&s.group);
    weft_timer_stop(s.timer);
    weft_timer_free(s.timer);
}

struct players {
    weft_chan *there, *back;
    weft_waitgroup group;
    uint32_t stop; /* atomic */
};

static void play(void *arg)
{
    struct players *p = arg;
    while (weft_chan_recv(p->there, NULL) == 0)
        CHECK_EQ(weft_chan_send(p->back, NULL), 0);
    weft_waitgroup_done(&p->group);
}

static void stop_playing(void *arg)
{
    struct players *p = arg;
    atomic_store_relaxed(&p->stop, 1);
    weft_waitgroup_done(&p->group);
}

/* [AfterFuncStarvation]: two goroutines that always wake each other leave the timer's its turn. */
static void a_timers_function_runs_among_goroutines_that_wake_each_other(void)
{
    struct players p = {.there = weft_chan_new(0, 0), .back = weft_chan_new(0, 0)};
    weft_timer *timer = weft_timer_new(stop_playing, &p);
    weft_waitgroup_add(&p.group, 2);
    go(play, &p);
    CHECK_EQ(weft_timer_start(timer, WEFT_MILLISECOND, 0), 0);
    while (!atomic_load_relaxed(&p.stop)) {
        CHECK_EQ(weft_chan_send(p.there, NULL), 0);
        CHECK_EQ(weft_chan_recv(p.back, NULL), 0);
    }
    weft_chan_close(p.there);
    weft_waitgroup_wait(&p.group);
    weft_timer_free(timer);
    weft_chan_free(p.there);
    weft_chan_free(p.back);
}

static void sleep_for_nothing(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < s->rounds; i++)
        weft_sleep(i % 3 - 1);
    weft_waitgroup_done(&s->group);
}

/* [SleepZeroDeadlock] */
static void sleeps_for_no_time_end(void)
{
    struct shared s = {.rounds = ROUNDS(5000)};
    weft_waitgroup_add(&s.group, 4);
    for (int i = 0; i < 4; i++)
        go(sleep_for_nothing, &s);
    weft_waitgroup_wait(&s.group);
}

static void be_asked(void *arg)
{
    struct players *p = arg;
    for (int value; weft_chan_recv(p->there, &value) == 0;)
        CHECK_EQ(weft_chan_send(p->back, &value), 0);
    weft_waitgroup_done(&p->group);
}

/* [LongAdjustTimers]: a deadline for each of many selects, none of which comes, on top of a heap
 * that has been large. */
static void deadlines_that_never_come_cost_nobody_anything(void)
{
    struct players p = {.there = weft_chan_new(sizeof(int), 20),
                        .back = weft_chan_new(sizeof(int), 20)};
    struct shared sleepers = {.rounds = 3};
    weft_waitgroup_add(&sleepers.group, ROUNDS(5000));
    for (int i = 0; i < ROUNDS(5000); i++)
        go(sleep_for_nothing, &sleepers);
    weft_waitgroup_wait(&sleepers.group);
    weft_waitgroup_add(&p.group, 1);
    go(be_asked, &p);
    for (int i = 0; i < ROUNDS(2000); i++) {
        for (int k = 0; k < 20; k++)
            CHECK_EQ(weft_chan_send(p.there, &k), 0);
        for (int k = 0; k < 20; k++) {
            int value = -1;
            weft_select_case one = {.chan = p.back, .recv = &value};
            CHECK_EQ(weft_select(&one, 1, weft_now() + 1000 * WEFT_SECOND), 0);
            CHECK_EQ(value, k);
        }
    }
    weft_chan_close(p.there);
    weft_waitgroup_wait(&p.group);
    weft_chan_free(p.there);
    weft_chan_free(p.back);
}

ON_VIRTUAL_TIME(ticks_come_at_their_instants)
ON_VIRTUAL_TIME(a_ticker_does_not_drift)
ON_VIRTUAL_TIME(a_ticker_keeps_its_phase_for_a_slow_receiver)
ON_VIRTUAL_TIME(a_ticker_takes_a_new_period)
ON_VIRTUAL_TIME(waits_end_in_the_order_of_their_instants)
ON_VIRTUAL_TIME(a_hundred_timers_are_stopped_before_they_fire)
ON_VIRTUAL_TIME(a_timer_that_is_put_off_fires_later)
ON_VIRTUAL_TIME(a_timer_that_is_moved_ahead_fires_at_once)
ON_VIRTUAL_TIME(timers_that_move_to_and_fro_lose_no_instant)
ON_BOTH_CLOCKS(a_function_may_stop_and_start_its_own_timer)
ON_VIRTUAL_TIME(durations_beyond_the_end_of_time_never_end)
ON_VIRTUAL_TIME(a_period_beyond_the_end_of_time_gives_one_tick)
ON_VIRTUAL_TIME(deadlines_at_the_ends_of_time)
ON_BOTH_CLOCKS(a_timer_is_stopped_or_has_fired)
ON_BOTH_CLOCKS(one_ticker_serves_many_and_is_restarted_meanwhile)
ON_ALL_PROCS(a_timers_function_runs_among_goroutines_that_wake_each_other)
ON_BOTH_CLOCKS(sleeps_for_no_time_end)
ON_ALL_PROCS(deadlines_that_never_come_cost_nobody_anything)

static void test_a_late_tick_does_not_put_off_the_next(void **state)
{
    (void)state;
    run_on(1, a_late_tick_does_not_put_off_the_next);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(ticks_come_at_their_instants),
        TEST(a_ticker_does_not_drift),
        TEST(a_ticker_keeps_its_phase_for_a_slow_receiver),
        TEST(a_late_tick_does_not_put_off_the_next),
        TEST(a_ticker_takes_a_new_period),
        TEST(waits_end_in_the_order_of_their_instants),
        TEST(a_hundred_timers_are_stopped_before_they_fire),
        TEST(a_timer_that_is_put_off_fires_later),
        TEST(a_timer_that_is_moved_ahead_fires_at_once),
        TEST(timers_that_move_to_and_fro_lose_no_instant),
        TEST(a_function_may_stop_and_start_its_own_timer),
        TEST(durations_beyond_the_end_of_time_never_end),
        TEST(a_period_beyond_the_end_of_time_gives_one_tick),
        TEST(deadlines_at_the_ends_of_time),
        TEST(a_timer_is_stopped_or_has_fired),
        TEST(one_ticker_serves_many_and_is_restarted_meanwhile),
        TEST(a_timers_function_runs_among_goroutines_that_wake_each_other),
        TEST(sleeps_for_no_time_end),
        TEST(deadlines_that_never_come_cost_nobody_anything),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
