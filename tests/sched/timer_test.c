/* SPDX-License-Identifier: MIT */
/* Sleeping, weft_timer, and the heaps behind them. */
#include "sched/support.h"

#include "sched/timer.h"

/* ---- Sleeping ---- */

static void a_sleep_is_never_too_short(void)
{
    for (int i = 0; i < 20; i++) {
        int64_t start = weft_now();
        weft_sleep(i * 100 * WEFT_MICROSECOND);
        int64_t slept = weft_now() - start;
        CHECK(slept >= i * 100 * WEFT_MICROSECOND);
        CHECK(slept < WEFT_SECOND);
    }
    weft_sleep(-5);
    weft_sleep(INT64_MIN);
}

struct sleeper_log {
    weft_waitgroup group;
    int order[32];
    uint32_t count; /* atomic */
};

struct log_sleeper {
    struct sleeper_log *log;
    int number;
    int64_t base;
};

static void sleep_and_log(void *arg)
{
    struct log_sleeper *s = arg;
    weft_sleep(s->base + s->number * WEFT_MILLISECOND - weft_now());
    s->log->order[atomic_add_relaxed(&s->log->count, 1)] = s->number;
    weft_waitgroup_done(&s->log->group);
}

static bool wake_in_order(void)
{
    struct sleeper_log log = {0};
    struct log_sleeper sleepers[32];
    int64_t base = weft_now() + 20 * WEFT_MILLISECOND;
    bool ordered = true;
    weft_waitgroup_add(&log.group, 32);
    for (int i = 0; i < 32; i++) {
        sleepers[i] = (struct log_sleeper){&log, (i * 13) % 32, base};
        go(sleep_and_log, &sleepers[i]);
    }
    weft_waitgroup_wait(&log.group);
    for (int i = 0; i < 32; i++)
        ordered = ordered && log.order[i] == i;
    return ordered;
}

/* With one P, they also run in that order. A busy machine may hold the test up for longer than it
 * gives itself to get them to sleep: then once more. */
static void sleepers_wake_in_order(void)
{
    for (int i = 0; !wake_in_order(); i++)
        CHECK(i < 20);
}

struct crowd {
    weft_waitgroup group;
    int64_t until, early;
};

static void sleep_in_crowd(void *arg)
{
    struct crowd *c = arg;
    int64_t until = c->until + (int64_t)(weft_goid() % 1000) * 10000;
    weft_sleep(until - weft_now());
    if (weft_now() < until)
        atomic_add_relaxed(&c->early, 1);
    weft_waitgroup_done(&c->group);
}

static void a_hundred_thousand_sleep(void)
{
    int n = ROUNDS(100000);
    struct crowd c = {.until = weft_now() + 50 * WEFT_MILLISECOND};
    weft_waitgroup_add(&c.group, n);
    for (int i = 0; i < n; i++)
        CHECK_EQ(weft_go_stack(16384, sleep_in_crowd, &c), 0);
    weft_waitgroup_wait(&c.group);
    CHECK_EQ(c.early, 0);
}

static void compute(void *arg)
{
    uint32_t *stop = arg;
    while (!atomic_load_relaxed(stop))
        cpu_relax();
    atomic_store_relaxed(stop, 2);
}

/* The P on whose heap a sleeper is may be busy for long. */
static void a_hog_does_not_delay_sleepers(void)
{
    uint32_t stop = 0;
    go(compute, &stop);
    for (int i = 0; i < 10; i++) {
        int64_t start = weft_now();
        weft_sleep(WEFT_MILLISECOND);
        CHECK(weft_now() - start < WEFT_SECOND);
    }
    atomic_store_relaxed(&stop, 1);
    while (atomic_load_relaxed(&stop) != 2)
        weft_sleep(WEFT_MILLISECOND);
}

struct chain {
    uint32_t stop; /* atomic: 1 asked for, 2 done */
};

static void forge_link(void *arg)
{
    struct chain *c = arg;
    if (atomic_load_relaxed(&c->stop))
        atomic_store_relaxed(&c->stop, 2);
    else
        go(forge_link, c);
}

/* Each link is the next to run, with what is left of the time slice of the one before. */
static void a_chain_of_goroutines_does_not_starve_others(void)
{
    struct chain c = {0};
    go(forge_link, &c);
    for (int i = 0; i < 10; i++) {
        int64_t start = weft_now();
        weft_sleep(WEFT_MILLISECOND);
        CHECK(weft_now() - start < WEFT_SECOND);
    }
    atomic_store_relaxed(&c.stop, 1);
    while (atomic_load_relaxed(&c.stop) != 2)
        weft_yield();
}

/* ---- The heap ---- */

struct probe {
    struct wait_timer timer; /* first */
    uint32_t fired;
};

static bool probe_due(struct wait_timer *timer)
{
    struct probe *p = (struct probe *)timer;
    p->fired++;
    return false;
}

/* Timers of all kinds come and go in every order; the heap stays a heap. */
static void the_heap_stays_a_heap(void)
{
    enum { PROBES = 300 };
    struct probe *probes = calloc(PROBES, sizeof *probes);
    int64_t far = weft_now() + 3600 * WEFT_SECOND;
    for (int i = 0; i < PROBES; i++)
        probes[i].timer.due = probe_due;
    uint64_t random = 12345;
    for (int step = 0; step < ROUNDS(20000); step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct probe *p = &probes[(random >> 33) % PROBES];
        struct m *m = rt_enter();
        bool active = p->timer.heap != NULL;
        CHECK_EQ(wait_timer_stop(&p->timer), active);
        CHECK(!wait_timer_stop(&p->timer));
        if (!active)
            wait_timer_start(m, &p->timer, far + (int64_t)((random >> 40) % 1000));
        if (step % 100 == 0)
            CHECK(timers_valid(m->p));
        rt_exit(m);
    }
    struct m *m = rt_enter();
    for (int i = 0; i < PROBES; i++)
        wait_timer_stop(&probes[i].timer);
    CHECK(timers_valid(m->p));
    CHECK_EQ(timers_earliest(), WEFT_NEVER);
    rt_exit(m);
    free(probes);
}

static void a_million_timers(void)
{
    int n = ROUNDS(1000000);
    struct probe *probes = calloc((size_t)n, sizeof *probes);
    int64_t start = weft_now() + 100 * WEFT_SECOND;
    for (int i = 0; i < n; i++) {
        struct m *m = rt_enter();
        probes[i].timer.due = probe_due;
        wait_timer_start(m, &probes[i].timer, start + (int64_t)i * 7919 % 1000003);
        rt_exit(m);
    }
    struct m *m = rt_enter();
    CHECK(timers_valid(m->p));
    for (int i = 0; i < n; i += 2)
        CHECK(wait_timer_stop(&probes[i].timer));
    CHECK(timers_valid(m->p));
    for (uint32_t i = 0; i < sched.proc_count; i++)
        timers_run(m, sched.all_p[i], start + 2000000); /* as if their time had come */
    CHECK(timers_valid(m->p));
    rt_exit(m);
    for (int i = 0; i < n; i++)
        CHECK_EQ(probes[i].fired, i % 2);
    free(probes);
}

/* ---- weft_timer ---- */

struct ticks {
    uint32_t count; /* atomic */
    weft_chan *chan;
};

static void tick(void *arg)
{
    struct ticks *t = arg;
    CHECK(weft_in_goroutine());
    atomic_add_relaxed(&t->count, 1);
    if (t->chan)
        CHECK_EQ(weft_chan_send(t->chan, NULL), 0);
}

static void a_timer_fires_once(void)
{
    struct ticks t = {0, weft_chan_new(0, 0)};
    weft_timer *timer = weft_timer_new(tick, &t);
    for (int i = 1; i <= 3; i++) {
        int64_t start = weft_now();
        CHECK_EQ(weft_timer_start(timer, 2 * WEFT_MILLISECOND, 0), 0);
        CHECK_EQ(weft_chan_recv(t.chan, NULL), 0);
        CHECK(weft_now() - start >= 2 * WEFT_MILLISECOND);
        CHECK_EQ(weft_timer_stop(timer), 0);
        CHECK_EQ(t.count, i);
    }
    CHECK_EQ(weft_timer_start(timer, -1, 0), 0);
    CHECK_EQ(weft_chan_recv(t.chan, NULL), 0);
    weft_timer_free(timer);
    weft_chan_free(t.chan);
}

static void a_stopped_timer_does_not_fire(void)
{
    struct ticks t = {0, NULL};
    weft_timer *timer = weft_timer_new(tick, &t);
    CHECK_EQ(weft_timer_stop(timer), 0);
    CHECK_EQ(weft_timer_start(timer, 5 * WEFT_MILLISECOND, 0), 0);
    CHECK_EQ(weft_timer_start(timer, 6 * WEFT_MILLISECOND, 0), 1);
    CHECK_EQ(weft_timer_stop(timer), 1);
    CHECK_EQ(weft_timer_stop(timer), 0);
    CHECK_EQ(weft_timer_start(timer, WEFT_NEVER, 0), 0);
    CHECK_EQ(weft_timer_start(timer, 5 * WEFT_MILLISECOND, 0), 1);
    weft_timer_free(timer);
    weft_sleep(10 * WEFT_MILLISECOND);
    CHECK_EQ(atomic_load_relaxed(&t.count), 0);
    weft_timer_free(NULL);
}

static void a_periodic_timer_goes_on_until_it_is_stopped(void)
{
    struct ticks t = {0, weft_chan_new(0, 0)};
    weft_timer *timer = weft_timer_new(tick, &t);
    int64_t start = weft_now();
    CHECK_EQ(weft_timer_start(timer, WEFT_MILLISECOND, 2 * WEFT_MILLISECOND), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(weft_chan_recv(t.chan, NULL), 0);
    CHECK(weft_now() - start >= 19 * WEFT_MILLISECOND);
    CHECK_EQ(weft_timer_stop(timer), 1);
    int64_t grace = weft_now() + 5 * WEFT_MILLISECOND; /* for goroutines that were made already */
    while (weft_chan_recv_until(t.chan, NULL, grace) == 0)
        ;
    uint32_t count = atomic_load_relaxed(&t.count);
    weft_sleep(6 * WEFT_MILLISECOND);
    CHECK_EQ(atomic_load_relaxed(&t.count), count);
    weft_timer_free(timer);
    weft_chan_free(t.chan);
}

/* Ticks that come late are left out, not made up for. */
static void missed_ticks_are_left_out(void)
{
    struct ticks t = {0, NULL};
    weft_timer *timer = weft_timer_new(tick, &t);
    CHECK_EQ(weft_timer_start(timer, 0, 1), 0);
    int64_t start = weft_now();
    weft_sleep(2 * WEFT_MILLISECOND);
    CHECK_EQ(weft_timer_stop(timer), 1);
    CHECK((int64_t)atomic_load_relaxed(&t.count) < weft_now() - start);
    weft_timer_free(timer);
    weft_sleep(5 * WEFT_MILLISECOND);
}

/* Each start ends in exactly one of: stopped before it fired, or fired. */
static void stop_races_with_firing(void)
{
    struct ticks t = {0, NULL};
    uint32_t stopped = 0, rounds = ROUNDS(20000);
    weft_timer *timer = weft_timer_new(tick, &t);
    for (uint32_t i = 0; i < rounds; i++) {
        int64_t delay = i % 4000, until = weft_now() + delay;
        stopped += (uint32_t)weft_timer_start(timer, delay, 0);
        while (weft_now() < until + (int64_t)(i % 7) * 100 - 300)
            if (i % 3 == 0)
                weft_yield();
        if (i % 2)
            stopped += (uint32_t)weft_timer_stop(timer);
    }
    weft_sleep(10 * WEFT_MILLISECOND);
    stopped += (uint32_t)weft_timer_stop(timer);
    for (int i = 0; i < 100 && atomic_load_relaxed(&t.count) + stopped < rounds; i++)
        weft_sleep(10 * WEFT_MILLISECOND);
    CHECK_EQ(atomic_load_relaxed(&t.count) + stopped, rounds);
    weft_timer_free(timer);
}

struct shared_timer {
    weft_timer *timer;
    weft_waitgroup group;
    uint32_t starts, stopped; /* atomic */
    int rounds;
};

static void start_and_stop(void *arg)
{
    struct shared_timer *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        atomic_add_relaxed(&s->starts, 1);
        int stopped = weft_timer_start(s->timer, i % 3000, 0);
        if (i % 3 == 0)
            stopped += weft_timer_stop(s->timer);
        if (i % 5 == 0)
            weft_yield();
        atomic_add_relaxed(&s->stopped, (uint32_t)stopped);
    }
    weft_waitgroup_done(&s->group);
}

static void many_goroutines_start_and_stop_one_timer(void)
{
    struct ticks t = {0, NULL};
    struct shared_timer s = {.timer = weft_timer_new(tick, &t), .rounds = ROUNDS(10000)};
    weft_waitgroup_add(&s.group, 6);
    for (int i = 0; i < 6; i++)
        go(start_and_stop, &s);
    weft_waitgroup_wait(&s.group);
    weft_sleep(10 * WEFT_MILLISECOND);
    s.stopped += (uint32_t)weft_timer_stop(s.timer);
    for (int i = 0; i < 100 && atomic_load_relaxed(&t.count) + s.stopped < s.starts; i++)
        weft_sleep(10 * WEFT_MILLISECOND);
    CHECK_EQ(atomic_load_relaxed(&t.count) + s.stopped, s.starts);
    weft_timer_free(s.timer);
}

static void a_timer_may_be_freed_while_it_fires(void)
{
    static struct ticks t; /* the last ticks may come behind the test */
    for (int i = 0; i < ROUNDS(10000); i++) {
        weft_timer *timer = weft_timer_new(tick, &t);
        weft_timer_start(timer, i % 500, i % 2 ? 300 : 0);
        if (i % 16 == 0)
            weft_sleep(1);
        else
            weft_yield();
        weft_timer_free(timer);
    }
    weft_sleep(5 * WEFT_MILLISECOND);
}

/* ---- The number of Ps changes ---- */

static void timers_survive_the_end_of_their_p(void)
{
    int before = weft_procs(0), n = ROUNDS(2000);
    struct crowd c = {.until = weft_now() + 30 * WEFT_MILLISECOND};
    struct ticks t = {0, NULL};
    weft_timer *timer = weft_timer_new(tick, &t);
    weft_timer_start(timer, 100 * WEFT_SECOND, 0);
    weft_waitgroup_add(&c.group, n);
    for (int i = 0; i < n; i++) {
        go(sleep_in_crowd, &c);
        if (i % 50 == 0) {
            weft_yield();
            CHECK(weft_procs(i % 100 ? 8 : 1) > 0);
        }
    }
    weft_waitgroup_wait(&c.group);
    CHECK_EQ(c.early, 0);
    CHECK(weft_procs(before) > 0);
    CHECK_EQ(weft_timer_stop(timer), 1);
    weft_timer_free(timer);
}

/* ---- Outside, and across runs ---- */

static weft_timer *leftover;
static struct ticks leftover_ticks;

/* ---- Timers with channels ---- */

static void a_timer_sends_the_instant_at_which_it_fires(void)
{
    weft_timer *timer = weft_timer_new_chan();
    weft_chan *chan = weft_timer_chan(timer);
    int64_t start = weft_now(), instant = 0;
    CHECK_EQ(weft_timer_start(timer, WEFT_MILLISECOND, 0), 0);
    CHECK_EQ(weft_chan_try_recv(chan, &instant), -EAGAIN);
    CHECK_EQ(weft_chan_recv(chan, &instant), 0);
    CHECK(instant >= start + WEFT_MILLISECOND && instant <= weft_now());
    CHECK_EQ(weft_timer_stop(timer), 0);
    CHECK_EQ(weft_chan_recv_until(chan, NULL, weft_now() + WEFT_MILLISECOND), -ETIMEDOUT);
    weft_timer_free(timer);
    timer = weft_timer_new(tick, NULL);
    CHECK(!weft_timer_chan(timer));
    weft_timer_free(timer);
}

static void a_slow_receiver_misses_ticks(void)
{
    weft_timer *timer = weft_timer_new_chan();
    weft_chan *chan = weft_timer_chan(timer);
    weft_timer_start(timer, 1, 10 * WEFT_MICROSECOND);
    weft_sleep(5 * WEFT_MILLISECOND);
    CHECK_EQ(weft_chan_len(chan), 1);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(weft_chan_recv(chan, NULL), 0);
    CHECK_EQ(weft_timer_stop(timer), 1);
    weft_timer_free(timer);
}

/* Go's TestTimerModify, TestChan of 1.23: nothing stale after stop or reset, however close. */
static void nothing_stale_is_received_after_a_stop_or_a_start(void)
{
    weft_timer *timer = weft_timer_new_chan();
    weft_chan *chan = weft_timer_chan(timer);
    for (int i = 0; i < ROUNDS(4000); i++) {
        weft_timer_start(timer, i % 16 * WEFT_MICROSECOND, i % 3 ? 0 : 5 * WEFT_MICROSECOND);
        for (int k = 0; k < i % 5; k++)
            weft_yield();
        if (i % 2) {
            weft_timer_stop(timer);
        } else {
            weft_timer_start(timer, 1000 * WEFT_SECOND, 0);
        }
        CHECK_EQ(weft_chan_try_recv(chan, NULL), -EAGAIN);
        weft_yield();
        CHECK_EQ(weft_chan_try_recv(chan, NULL), -EAGAIN);
    }
    weft_timer_free(timer);
}

static void timers_are_cases_of_a_select(void)
{
    weft_timer *timer = weft_timer_new_chan(), *late = weft_timer_new_chan();
    weft_timer_start(timer, WEFT_MILLISECOND, 0);
    weft_timer_start(late, 1000 * WEFT_SECOND, 0);
    weft_select_case cases[] = {{.chan = weft_timer_chan(late)}, {.chan = weft_timer_chan(timer)}};
    CHECK_EQ(weft_select(cases, 2, WEFT_NEVER), 1);
    weft_timer_free(timer);
    weft_timer_free(late);
}

static void leave_a_timer(void)
{
    leftover = weft_timer_new(tick, &leftover_ticks);
    CHECK_EQ(weft_timer_start(leftover, 3600 * WEFT_SECOND, 0), 0);
}

static void use_it_again(void)
{
    CHECK_EQ(weft_timer_start(leftover, 0, 0), 0);
    while (atomic_load_relaxed(&leftover_ticks.count) == 0)
        weft_yield();
    CHECK_EQ(weft_timer_start(leftover, 3600 * WEFT_SECOND, 0), 0);
}

static void test_a_timer_outlives_a_run(void **state)
{
    (void)state;
    run_on(2, leave_a_timer);
    assert_int_equal(weft_timer_start(leftover, 0, 0), -EPERM);
    assert_int_equal(weft_timer_stop(leftover), -EPERM);
    run_on(2, use_it_again);
    weft_timer_free(leftover);
    assert_true(weft_now() > 0);
}

static void test_a_plain_thread_sleeps(void **state)
{
    (void)state;
    int64_t start = weft_now();
    weft_sleep(2 * WEFT_MILLISECOND);
    assert_true(weft_now() - start >= 2 * WEFT_MILLISECOND);
    assert_int_equal(weft_sleep_until(start + 4 * WEFT_MILLISECOND), 0);
    assert_true(weft_now() - start >= 4 * WEFT_MILLISECOND);
}

ON_ALL_PROCS(a_sleep_is_never_too_short)
ON_ALL_PROCS(a_hundred_thousand_sleep)
ON_ALL_PROCS(a_hog_does_not_delay_sleepers)
ON_ALL_PROCS(a_chain_of_goroutines_does_not_starve_others)
ON_ALL_PROCS(a_million_timers)
ON_ALL_PROCS(a_timer_fires_once)
ON_ALL_PROCS(a_stopped_timer_does_not_fire)
ON_ALL_PROCS(a_periodic_timer_goes_on_until_it_is_stopped)
ON_ALL_PROCS(missed_ticks_are_left_out)
ON_ALL_PROCS(stop_races_with_firing)
ON_ALL_PROCS(many_goroutines_start_and_stop_one_timer)
ON_ALL_PROCS(a_timer_may_be_freed_while_it_fires)
ON_ALL_PROCS(timers_survive_the_end_of_their_p)
ON_ALL_PROCS(a_timer_sends_the_instant_at_which_it_fires)
ON_ALL_PROCS(a_slow_receiver_misses_ticks)
ON_ALL_PROCS(nothing_stale_is_received_after_a_stop_or_a_start)
ON_ALL_PROCS(timers_are_cases_of_a_select)

static void test_sleepers_wake_in_order(void **state)
{
    (void)state;
    run_on(1, sleepers_wake_in_order);
}

/* With one P nobody else runs while the goroutine is inside. */
static void test_the_heap_stays_a_heap(void **state)
{
    (void)state;
    run_on(1, the_heap_stays_a_heap);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_thread_sleeps),
        TEST(a_sleep_is_never_too_short),
        TEST(sleepers_wake_in_order),
        TEST(a_hundred_thousand_sleep),
        TEST(a_hog_does_not_delay_sleepers),
        TEST(a_chain_of_goroutines_does_not_starve_others),
        TEST(the_heap_stays_a_heap),
        TEST(a_million_timers),
        TEST(a_timer_fires_once),
        TEST(a_stopped_timer_does_not_fire),
        TEST(a_periodic_timer_goes_on_until_it_is_stopped),
        TEST(missed_ticks_are_left_out),
        TEST(stop_races_with_firing),
        TEST(many_goroutines_start_and_stop_one_timer),
        TEST(a_timer_may_be_freed_while_it_fires),
        TEST(timers_survive_the_end_of_their_p),
        TEST(a_timer_sends_the_instant_at_which_it_fires),
        TEST(a_slow_receiver_misses_ticks),
        TEST(nothing_stale_is_received_after_a_stop_or_a_start),
        TEST(timers_are_cases_of_a_select),
        TEST(a_timer_outlives_a_run),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
