/* SPDX-License-Identifier: MIT */
/* Virtual time: hours in milliseconds, exactly. */
#include "sched/support.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define HOUR   (3600 * WEFT_SECOND)
#define MINUTE (60 * WEFT_SECOND)

static void run_virtual(unsigned procs, void (*fn)(void))
{
    struct body body = {fn};
    weft_options options = {.size = sizeof options, .procs = procs, .virtual_time = 1};
    CHECK_EQ(weft_run(&options, run_body, &body), 0);
}

#define ON_VIRTUAL_TIME(name)                                                                      \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_virtual(1, name);                                                                      \
        run_virtual(2, name);                                                                      \
        run_virtual(4, name);                                                                      \
    }

static void time_stands_still_while_something_runs(void)
{
    int64_t start = weft_now();
    struct timespec moment = {.tv_nsec = 2000000};
    for (int i = 0; i < 1000; i++)
        weft_yield();
    nanosleep(&moment, NULL); /* not annotated: the lease is revoked */
    weft_blocking_enter();
    nanosleep(&moment, NULL);
    weft_blocking_exit();
    CHECK_EQ(weft_now(), start);
}

static void a_sleep_takes_exactly_its_time(void)
{
    int64_t start = weft_now();
    for (int i = 1; i <= 24; i++) {
        weft_sleep(HOUR);
        CHECK_EQ(weft_now() - start, i * HOUR);
    }
}

struct sleeper {
    int64_t start, each, total;
    int rounds;
    weft_waitgroup *group;
};

static void sleep_often(void *arg)
{
    struct sleeper *s = arg;
    for (int i = 1; i <= s->rounds; i++) {
        weft_sleep(s->each);
        CHECK_EQ(weft_now() - s->start, i * s->each);
    }
    weft_waitgroup_done(s->group);
}

/* 24 h with a sleeper every minute, every two, …: each wakes exactly in time. */
static void a_day_of_many_sleepers(void)
{
    enum { SLEEPERS = 12 };
    struct sleeper s[SLEEPERS];
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    int64_t start = weft_now();
    weft_waitgroup_add(&group, SLEEPERS);
    for (int i = 0; i < SLEEPERS; i++) {
        s[i] = (struct sleeper){start, (i + 1) * 10 * MINUTE, 0, 144 / (i + 1), &group};
        go(sleep_often, &s[i]);
    }
    weft_waitgroup_wait(&group);
    CHECK_EQ(weft_now() - start, 24 * HOUR);
}

static void deadlines_and_contexts_go_by_it(void)
{
    weft_chan *chan = weft_chan_new(0, 0);
    weft_mutex mutex = WEFT_MUTEX_INIT;
    int64_t start = weft_now();
    CHECK_EQ(weft_chan_recv_until(chan, NULL, start + HOUR), -ETIMEDOUT);
    CHECK_EQ(weft_now(), start + HOUR);
    weft_context *context = weft_context_with_timeout(NULL, HOUR);
    CHECK_EQ(weft_chan_recv_ctx(context, chan, NULL), -ETIMEDOUT);
    CHECK_EQ(weft_now(), start + 2 * HOUR);
    weft_context_free(context);
    weft_mutex_lock(&mutex);
    CHECK_EQ(weft_mutex_lock_until(&mutex, start + 3 * HOUR), -ETIMEDOUT);
    weft_mutex_unlock(&mutex);
    CHECK_EQ(weft_now(), start + 3 * HOUR);
    weft_chan_free(chan);
}

static uint32_t ticks; /* atomic */

static void tick(void *arg)
{
    (void)arg;
    atomic_add_relaxed(&ticks, 1);
}

static void a_ticker_misses_nothing(void)
{
    ticks = 0;
    weft_timer *timer = weft_timer_new(tick, NULL);
    CHECK_EQ(weft_timer_start(timer, MINUTE, MINUTE), 0);
    weft_sleep(HOUR + WEFT_SECOND);
    CHECK_EQ(atomic_load_relaxed(&ticks), 60);
    CHECK_EQ(weft_timer_stop(timer), 1);
    weft_timer_free(timer);
}

/* ---- A day with everything that knows time: each comes when it is due, and nothing else. ---- */

static void each_hour_ends_a_context(void *arg)
{
    int64_t start = weft_now();
    weft_chan *silent = weft_chan_new(0, 0);
    for (int i = 1; i <= 24; i++) {
        weft_context *context = weft_context_with_deadline(NULL, start + i * HOUR);
        weft_context *below = weft_context_with_timeout(context, 2 * HOUR);
        CHECK_EQ(weft_chan_recv_ctx(below, silent, NULL), -ETIMEDOUT);
        CHECK_EQ(weft_now(), start + i * HOUR);
        weft_context_free(below);
        weft_context_free(context);
    }
    weft_chan_free(silent);
    weft_waitgroup_done(arg);
}

/* Ticks through a channel, and a deadline that comes between two of them. */
static void each_ten_seconds_a_tick(void *arg)
{
    int64_t start = weft_now(), at;
    weft_timer *ticker = weft_timer_new_chan();
    weft_timer_start(ticker, 10 * WEFT_SECOND, 10 * WEFT_SECOND);
    for (int i = 1; i <= 24 * 360; i++) {
        weft_select_case c = {.chan = weft_timer_chan(ticker), .recv = &at};
        if (i % 100 == 0)
            CHECK_EQ(weft_select(&c, 1, weft_now() + WEFT_SECOND), -ETIMEDOUT);
        CHECK_EQ(weft_select(&c, 1, WEFT_NEVER), 0);
        CHECK_EQ(at - start, i * 10 * WEFT_SECOND);
        CHECK_EQ(weft_now(), at);
    }
    weft_timer_free(ticker);
    weft_waitgroup_done(arg);
}

static void a_day_of_everything(void)
{
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    int64_t start = weft_now();
    ticks = 0;
    weft_timer *timer = weft_timer_new(tick, NULL);
    weft_timer_start(timer, MINUTE, MINUTE);
    weft_waitgroup_add(&group, 2);
    go(each_hour_ends_a_context, &group);
    go(each_ten_seconds_a_tick, &group);
    weft_waitgroup_wait(&group);
    CHECK_EQ(weft_now() - start, 24 * HOUR);
    weft_sleep(WEFT_SECOND);
    CHECK_EQ(atomic_load_relaxed(&ticks), 24 * 60);
    weft_timer_free(timer);
}

struct pipe_reader {
    weft_conn *conn;
    weft_waitgroup group;
};

static void read_pipe(void *arg)
{
    struct pipe_reader *r = arg;
    char byte;
    CHECK_EQ(weft_conn_read(r->conn, &byte, 1), 1);
    weft_waitgroup_done(&r->group);
}

/* What is in a pipe comes before time does. */
static void descriptors_come_first(void)
{
    int ends[2];
    struct pipe_reader r = {0};
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(weft_conn_from_fd(ends[0], &r.conn), 0);
    weft_waitgroup_add(&r.group, 1);
    go(read_pipe, &r);
    weft_sleep(HOUR);
    int64_t start = weft_now();
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(weft_waitgroup_wait_until(&r.group, start + HOUR), 0);
    CHECK_EQ(weft_now(), start);
    weft_conn_close(r.conn);
    close(ends[1]);
}

static void *post_later(void *arg)
{
    struct timespec moment = {.tv_nsec = 5000000};
    nanosleep(&moment, NULL);
    CHECK_EQ(weft_chan_send(arg, NULL), 0);
    return NULL;
}

/* Nobody's timer is waited for, so time has no reason to move. */
static void a_plain_thread_wakes_a_goroutine_without_time_passing(void)
{
    weft_chan *chan = weft_chan_new(0, 0);
    int64_t start = weft_now();
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, post_later, chan), 0);
    CHECK_EQ(weft_chan_recv(chan, NULL), 0);
    CHECK_EQ(weft_now(), start);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    weft_chan_free(chan);
}

static void count_generations(void)
{
    char path[4096];
    weft_trace_stream *stream;
    weft_trace_options options = {.size = sizeof options, .generation_ns = (uint64_t)WEFT_SECOND};
    weft_trace_result result = {.size = sizeof result};
    snprintf(path, sizeof path, "%s/day.trace", getenv("WEFT_TRACE_DIR"));
    CHECK_EQ(weft_trace_start_path(weft_tracer_default(), path, &options, &stream), 0);
    a_day_of_many_sleepers();
    CHECK_EQ(weft_trace_stop(stream, &result), 0);
    CHECK(result.generations < 1000);
}

/* Go issue 60806: the tracer's own ticking goes by the real clock, else a day of virtual time would
 * be 86,400 generations, or the ticker would keep time from standing still. */
static void test_the_tracer_s_period_is_real_time(void **state)
{
    (void)state;
    run_virtual(2, count_generations);
}

ON_VIRTUAL_TIME(time_stands_still_while_something_runs)
ON_VIRTUAL_TIME(a_sleep_takes_exactly_its_time)
ON_VIRTUAL_TIME(a_day_of_many_sleepers)
ON_VIRTUAL_TIME(deadlines_and_contexts_go_by_it)
ON_VIRTUAL_TIME(a_ticker_misses_nothing)
ON_VIRTUAL_TIME(a_day_of_everything)
ON_VIRTUAL_TIME(descriptors_come_first)
ON_VIRTUAL_TIME(a_plain_thread_wakes_a_goroutine_without_time_passing)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(time_stands_still_while_something_runs),
        TEST(a_sleep_takes_exactly_its_time),
        TEST(a_day_of_many_sleepers),
        TEST(deadlines_and_contexts_go_by_it),
        TEST(a_ticker_misses_nothing),
        TEST(a_day_of_everything),
        TEST(descriptors_come_first),
        TEST(a_plain_thread_wakes_a_goroutine_without_time_passing),
        TEST(the_tracer_s_period_is_real_time),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
