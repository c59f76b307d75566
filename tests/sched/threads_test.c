/* SPDX-License-Identifier: MIT */
/* Plain threads use channels and locks together with goroutines, and without a runtime. */
#include "sched/mutex.h"
#include "sched/support.h"

#include <pthread.h>

enum { THREADS = 3, GOROUTINES = 3 };

struct arena {
    weft_mutex mutex;
    weft_rwmutex rw;
    weft_sem sem;
    weft_cond cond;
    weft_once once;
    weft_waitgroup group, gate;
    weft_chan *chan, *other;
    weft_context *context;
    int rounds, tickets;
    int64_t value, sum; /* sum: atomic */
    uint32_t inside;    /* atomic */
};

typedef void (*work_fn)(struct arena *);

struct worker {
    struct arena *arena;
    work_fn fn;
    pthread_t thread;
};

static void work(void *arg)
{
    struct worker *w = arg;
    w->fn(w->arena);
    weft_waitgroup_done(&w->arena->group);
}

static void *thread_main(void *arg)
{
    work(arg);
    return NULL;
}

/* fn on threads, other on as many goroutines (or threads, where there is no runtime). */
static void run_both(struct arena *a, work_fn fn, work_fn other)
{
    struct worker threads[THREADS], others[GOROUTINES];
    bool runtime = weft_in_goroutine();
    weft_waitgroup_add(&a->group, THREADS + GOROUTINES);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (struct worker){.arena = a, .fn = fn};
        CHECK_EQ(pthread_create(&threads[i].thread, NULL, thread_main, &threads[i]), 0);
        others[i] = (struct worker){.arena = a, .fn = other};
        if (runtime)
            go(work, &others[i]);
        else
            CHECK_EQ(pthread_create(&others[i].thread, NULL, thread_main, &others[i]), 0);
    }
    weft_waitgroup_wait(&a->group);
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i].thread, NULL), 0);
        if (!runtime)
            CHECK_EQ(pthread_join(others[i].thread, NULL), 0);
    }
}

static void pause_now_and_then(int i)
{
    if (i % 32 == 0)
        weft_sleep(10 * WEFT_MICROSECOND);
}

static void count_under_mutex(struct arena *a)
{
    for (int i = 0; i < a->rounds; i++) {
        weft_mutex_lock(&a->mutex);
        CHECK_EQ(atomic_add_acqrel(&a->inside, 1), 0);
        a->value++;
        pause_now_and_then(i);
        CHECK_EQ(atomic_sub_acqrel(&a->inside, 1), 1);
        weft_mutex_unlock(&a->mutex);
    }
}

static void a_mutex_excludes_threads_and_goroutines(void)
{
    struct arena a = {.rounds = ROUNDS(1000)};
    run_both(&a, count_under_mutex, count_under_mutex);
    CHECK_EQ(a.value, (THREADS + GOROUTINES) * a.rounds);
    CHECK_EQ(a.mutex.state, 0);
}

static void read_and_write(struct arena *a)
{
    for (int i = 0; i < a->rounds; i++) {
        if (i % 4 == 0) {
            weft_rwmutex_wrlock(&a->rw);
            a->value++;
            pause_now_and_then(i);
            weft_rwmutex_wrunlock(&a->rw);
        } else {
            weft_rwmutex_rdlock(&a->rw);
            int64_t value = a->value;
            pause_now_and_then(i + 1);
            CHECK_EQ(a->value, value);
            weft_rwmutex_rdunlock(&a->rw);
        }
    }
}

static void a_read_write_mutex_serves_both(void)
{
    struct arena a = {.rounds = ROUNDS(800) / 4 * 4};
    run_both(&a, read_and_write, read_and_write);
    CHECK_EQ(a.value, (THREADS + GOROUTINES) * a.rounds / 4);
    CHECK_EQ(a.rw.state, 0);
}

static void use_units(struct arena *a)
{
    for (int i = 0; i < a->rounds; i++) {
        uint32_t units = 1 + (uint32_t)i % 2;
        weft_sem_acquire(&a->sem, units);
        CHECK(atomic_add_acqrel(&a->inside, units) + units <= 2);
        pause_now_and_then(i);
        atomic_sub_acqrel(&a->inside, units);
        weft_sem_release(&a->sem, units);
    }
}

static void a_semaphore_serves_both(void)
{
    struct arena a = {.rounds = ROUNDS(500), .sem = WEFT_SEM_INIT(2)};
    run_both(&a, use_units, use_units);
    CHECK_EQ(a.sem.units, 2);
}

static void sell(struct arena *a)
{
    for (int i = 0; i < a->rounds; i++) {
        weft_mutex_lock(&a->mutex);
        a->tickets++;
        weft_cond_signal(&a->cond);
        weft_mutex_unlock(&a->mutex);
    }
}

static void buy(struct arena *a)
{
    for (int i = 0; i < a->rounds; i++) {
        weft_mutex_lock(&a->mutex);
        while (a->tickets == 0)
            weft_cond_wait(&a->cond, &a->mutex);
        a->tickets--;
        a->value++;
        weft_mutex_unlock(&a->mutex);
    }
}

static void a_condition_wakes_both(void)
{
    struct arena a = {.rounds = ROUNDS(500)};
    run_both(&a, sell, buy);
    run_both(&a, buy, sell);
    CHECK_EQ(a.value, 2 * THREADS * a.rounds);
    CHECK_EQ(a.tickets, 0);
}

static void send_all(struct arena *a)
{
    for (int i = 1; i <= a->rounds; i++)
        CHECK_EQ(weft_chan_send(a->chan, &i), 0);
}

static void recv_all(struct arena *a)
{
    for (int i = 0, value; i < a->rounds; i++) {
        CHECK_EQ(weft_chan_recv(a->chan, &value), 0);
        atomic_add_relaxed(&a->sum, value);
    }
}

static void select_all(struct arena *a)
{
    int value;
    weft_select_case cases[] = {{.chan = a->other}, {.chan = a->chan, .recv = &value}};
    for (int i = 0; i < a->rounds; i++) {
        CHECK_EQ(weft_select(cases, 2, WEFT_NEVER), 1);
        atomic_add_relaxed(&a->sum, value);
    }
}

static void channels_join_threads_and_goroutines(void)
{
    struct arena a = {.rounds = ROUNDS(500)};
    a.chan = weft_chan_new(sizeof(int), 0);
    a.other = weft_chan_new(sizeof(int), 0);
    run_both(&a, send_all, recv_all);
    run_both(&a, recv_all, send_all);
    run_both(&a, send_all, select_all);
    run_both(&a, select_all, send_all);
    CHECK_EQ(a.sum, 4 * THREADS * (int64_t)a.rounds * (a.rounds + 1) / 2);
    weft_chan_free(a.chan);
    weft_chan_free(a.other);
}

static void do_once(void *arg)
{
    struct arena *a = arg;
    weft_sleep(100 * WEFT_MICROSECOND);
    a->value++;
}

static void come_once(struct arena *a)
{
    weft_once_do(&a->once, do_once, a);
    CHECK_EQ(a->value, 1);
    weft_waitgroup_done(&a->gate);
    weft_waitgroup_wait(&a->gate);
}

static void once_and_wait_group_serve_both(void)
{
    struct arena a = {0};
    weft_waitgroup_add(&a.gate, THREADS + GOROUTINES);
    run_both(&a, come_once, come_once);
}

static void run_into_deadlines(struct arena *a)
{
    int value;
    for (int i = 0; i < 5; i++) {
        int64_t deadline = weft_now() + 100 * WEFT_MICROSECOND;
        CHECK_EQ(weft_chan_recv_until(a->chan, &value, deadline), -ETIMEDOUT);
        CHECK(weft_now() >= deadline);
        deadline = weft_now() + 100 * WEFT_MICROSECOND;
        CHECK_EQ(weft_mutex_lock_until(&a->mutex, deadline), -ETIMEDOUT);
        CHECK_EQ(weft_waitgroup_wait_until(&a->gate, deadline), -ETIMEDOUT);
        CHECK(weft_now() >= deadline);
    }
}

static void deadlines_end_the_waits_of_both(void)
{
    struct arena a = {.chan = weft_chan_new(sizeof(int), 0)};
    weft_mutex_lock(&a.mutex);
    weft_waitgroup_add(&a.gate, 1);
    run_both(&a, run_into_deadlines, run_into_deadlines);
    weft_mutex_unlock(&a.mutex);
    CHECK(a.mutex.state == 0 && !a.mutex.head && !a.gate.head);
    weft_chan_free(a.chan);
}

static void storm_of_deadlines(struct arena *a)
{
    for (int i = 0; i < a->rounds; i++) {
        if (weft_mutex_lock_until(&a->mutex, weft_now() + i % 8 * 5 * WEFT_MICROSECOND))
            continue;
        CHECK_EQ(atomic_add_acqrel(&a->inside, 1), 0);
        pause_now_and_then(i);
        atomic_sub_acqrel(&a->inside, 1);
        weft_mutex_unlock(&a->mutex);
    }
}

static void deadlines_race_with_wake_ups_of_both(void)
{
    struct arena a = {.rounds = ROUNDS(1000)};
    run_both(&a, storm_of_deadlines, storm_of_deadlines);
    CHECK(a.mutex.state == 0 && !a.mutex.head);
}

static void wait_to_be_cancelled(struct arena *a)
{
    CHECK_EQ(weft_chan_recv_ctx(a->context, a->chan, NULL), -ECANCELED);
    CHECK_EQ(weft_sem_acquire_ctx(a->context, &a->sem, 1), -ECANCELED);
    CHECK(weft_context_current() == NULL);
}

static void cancel_after_a_while(struct arena *a)
{
    weft_sleep(200 * WEFT_MICROSECOND);
    weft_context_cancel(a->context, 0);
}

static void contexts_end_the_waits_of_both(void)
{
    struct arena a = {.chan = weft_chan_new(0, 0), .context = weft_context_new(NULL)};
    run_both(&a, wait_to_be_cancelled, cancel_after_a_while);
    weft_context_free(a.context);
    a.context = weft_context_new(NULL);
    run_both(&a, cancel_after_a_while, wait_to_be_cancelled);
    weft_context_free(a.context);
    weft_chan_free(a.chan);
}

static void test_threads_need_no_runtime(void **state)
{
    (void)state;
    a_mutex_excludes_threads_and_goroutines();
    a_read_write_mutex_serves_both();
    a_semaphore_serves_both();
    a_condition_wakes_both();
    channels_join_threads_and_goroutines();
    once_and_wait_group_serve_both();
    deadlines_end_the_waits_of_both();
    deadlines_race_with_wake_ups_of_both();
    contexts_end_the_waits_of_both();
}

static void *traced_thread(void *arg)
{
    recv_all(arg);
    send_all(arg);
    return NULL;
}

/* Whom a thread wakes becomes runnable by an event of the M that takes it. */
static void a_trace_says_who_was_woken_by_a_thread(void)
{
    char path[4096];
    weft_trace_stream *stream;
    snprintf(path, sizeof path, "%s/threads.trace", getenv("WEFT_TRACE_DIR"));
    struct arena a = {.rounds = 200, .chan = weft_chan_new(sizeof(int), 0)};
    CHECK_EQ(weft_trace_start_path(weft_tracer_default(), path, NULL, &stream), 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, traced_thread, &a), 0);
    send_all(&a);
    recv_all(&a);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(weft_trace_stop(stream, NULL), 0);
    weft_chan_free(a.chan);
}

static void test_a_trace_says_who_was_woken_by_a_thread(void **state)
{
    (void)state;
    run_on(2, a_trace_says_who_was_woken_by_a_thread);
}

ON_ALL_PROCS(a_mutex_excludes_threads_and_goroutines)
ON_ALL_PROCS(a_read_write_mutex_serves_both)
ON_ALL_PROCS(a_semaphore_serves_both)
ON_ALL_PROCS(a_condition_wakes_both)
ON_ALL_PROCS(channels_join_threads_and_goroutines)
ON_ALL_PROCS(once_and_wait_group_serve_both)
ON_ALL_PROCS(deadlines_end_the_waits_of_both)
ON_ALL_PROCS(deadlines_race_with_wake_ups_of_both)
ON_ALL_PROCS(contexts_end_the_waits_of_both)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_need_no_runtime),
        TEST(a_mutex_excludes_threads_and_goroutines),
        TEST(a_read_write_mutex_serves_both),
        TEST(a_semaphore_serves_both),
        TEST(a_condition_wakes_both),
        TEST(channels_join_threads_and_goroutines),
        TEST(once_and_wait_group_serve_both),
        TEST(deadlines_end_the_waits_of_both),
        TEST(deadlines_race_with_wake_ups_of_both),
        TEST(contexts_end_the_waits_of_both),
        TEST(a_trace_says_who_was_woken_by_a_thread),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
