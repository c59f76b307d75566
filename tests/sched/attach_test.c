/* SPDX-License-Identifier: MIT */
/* Threads that weft did not make: they attach, call in, come back, end; and work posted from
 * anywhere. */
#define _GNU_SOURCE
#include "sched/limits.h"
#include "sched/support.h"

#include "sched/chan_ops.h"
#include "sched/mutex.h"
#include "trace/check.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { THREADS = 8 };

static void start_thread(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    CHECK_EQ(pthread_create(thread, NULL, fn, arg), 0);
}

/* From a goroutine. */
static void join(pthread_t thread)
{
    weft_blocking_enter();
    CHECK_EQ(pthread_join(thread, NULL), 0);
    weft_blocking_exit();
}

static void run_threads(void *(*fn)(void *), void *arg)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        start_thread(&threads[i], fn, arg);
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
}

/* ---- Attaching ---- */

static weft_chan *to_threads, *from_threads;
static weft_mutex mutex;
static weft_cond cond;
static weft_waitgroup group;
static uint32_t protected, spawned;

static void count_spawned(void *arg)
{
    (void)arg;
    __atomic_add_fetch(&spawned, 1, __ATOMIC_RELAXED);
    weft_waitgroup_done(&group);
}

/* One of everything that can block. */
static void call_in(void)
{
    int n = 1;
    CHECK_EQ(weft_chan_recv(to_threads, &n), 0);
    weft_mutex_lock(&mutex);
    protected++;
    weft_mutex_unlock(&mutex);
    weft_sleep(10 * WEFT_MICROSECOND);
    if (weft_in_goroutine())
        weft_yield();
    weft_waitgroup_add(&group, 1);
    CHECK_EQ(weft_go(count_spawned, NULL), 0);
    weft_select_case cases[] = {{.chan = from_threads, .send = &n}, {.chan = NULL}};
    CHECK_EQ(weft_select(cases, 2, WEFT_NEVER), 0);
}

static void serve(int n)
{
    for (int i = 0; i < n; i++) {
        CHECK_EQ(weft_chan_send(to_threads, &i), 0);
        CHECK_EQ(weft_chan_recv(from_threads, NULL), 0);
    }
}

static void set_up(void)
{
    to_threads = weft_chan_new(sizeof(int), 0);
    from_threads = weft_chan_new(sizeof(int), 0);
    protected = spawned = 0;
}

static void tear_down(void)
{
    weft_chan_free(to_threads);
    weft_chan_free(from_threads);
}

enum { ROUNDS_EACH = 20 };

static void *attached(void *arg)
{
    (void)arg;
    CHECK_EQ(weft_thread_attach(), 0);
    CHECK_EQ(weft_thread_attach(), -EBUSY);
    CHECK(weft_in_goroutine());
    uint64_t id = weft_goid();
    for (int i = 0; i < ROUNDS_EACH; i++)
        call_in();
    CHECK(id != 0 && weft_goid() == id);
    CHECK_EQ(weft_thread_detach(), 0);
    CHECK_EQ(weft_thread_detach(), -EPERM);
    CHECK(!weft_in_goroutine());
    return NULL;
}

static void *attached_until_its_end(void *arg)
{
    (void)arg;
    CHECK_EQ(weft_thread_attach(), 0);
    for (int i = 0; i < ROUNDS_EACH; i++)
        call_in();
    return NULL;
}

static void *for_each_call(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS_EACH; i++) {
        call_in();
        CHECK(!weft_in_goroutine());
    }
    return NULL;
}

/* Attaches and detaches all the time, and calls in between. */
static void *back_and_forth(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS_EACH; i++) {
        if (i % 3 == 1)
            CHECK_EQ(weft_thread_attach(), 0);
        call_in();
        if (i % 3 == 1 || i % 3 == 2)
            CHECK_EQ(weft_thread_detach(), 0);
    }
    return NULL;
}

/* The threads of one kind, and the goroutine that serves them. */
static void serve_threads(void *(*fn)(void *))
{
    pthread_t threads[THREADS];
    set_up();
    for (int i = 0; i < THREADS; i++)
        start_thread(&threads[i], fn, NULL);
    serve(THREADS * ROUNDS_EACH);
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
    weft_waitgroup_wait(&group);
    CHECK_EQ(protected, THREADS * ROUNDS_EACH);
    CHECK_EQ(spawned, THREADS * ROUNDS_EACH);
    tear_down();
}

static void threads_attach(void)
{
    CHECK_EQ(weft_thread_attach(), -EBUSY);
    CHECK_EQ(weft_thread_detach(), -EPERM);
    serve_threads(attached);
}
ON_ALL_PROCS(threads_attach)

static void threads_end_without_detaching(void)
{
    for (int i = 0; i < 3; i++)
        serve_threads(attached_until_its_end);
    weft_stats stats = {.size = sizeof stats};
    weft_stats_get(&stats);
    CHECK_EQ(stats.goroutines, 1);
}
ON_ALL_PROCS(threads_end_without_detaching)

static void threads_call_without_attaching(void)
{
    serve_threads(for_each_call);
}
ON_ALL_PROCS(threads_call_without_attaching)

static void threads_come_and_go(void)
{
    serve_threads(back_and_forth);
}
ON_ALL_PROCS(threads_come_and_go)

/* ---- A P is wanted ---- */

static uint32_t stop;

static void hog(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
        cpu_relax();
}

static void hog_with_yields(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
        weft_yield();
}

/* All Ps are busy, with goroutines that yield and with others that never do. */
static void threads_among_hogs(void)
{
    stop = 0;
    for (int i = 0; i < 3; i++) {
        go(hog, NULL);
        go(hog_with_yields, NULL);
    }
    serve_threads(back_and_forth);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
}
ON_ALL_PROCS(threads_among_hogs)

/* An attached thread that computes or blocks holds nobody up. */
static void *compute_attached(void *arg)
{
    (void)arg;
    CHECK_EQ(weft_thread_attach(), 0);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) == 1)
        cpu_relax();
    weft_yield();
    CHECK_EQ(weft_thread_detach(), 0);
    return NULL;
}

static void an_attached_hog_loses_its_lease(void)
{
    pthread_t thread;
    stop = 0;
    start_thread(&thread, compute_attached, NULL);
    while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) == 0)
        weft_yield();
    for (int i = 0; i < 5; i++)
        weft_sleep(WEFT_MILLISECOND);
    __atomic_store_n(&stop, 2, __ATOMIC_RELEASE);
    join(thread);
}
ON_ALL_PROCS(an_attached_hog_loses_its_lease)

/* ---- Before, between and after runs ---- */

static void test_without_a_runtime(void **state)
{
    (void)state;
    assert_int_equal(weft_thread_attach(), -EPERM);
    assert_int_equal(weft_thread_detach(), -EPERM);
    assert_int_equal(weft_go(count_spawned, NULL), -EPERM);
    assert_int_equal(weft_post(count_spawned, NULL), -EPERM);
}

static uint32_t phase;

static void reach(uint32_t n)
{
    __atomic_store_n(&phase, n, __ATOMIC_RELEASE);
}

static void await(uint32_t n)
{
    while (__atomic_load_n(&phase, __ATOMIC_ACQUIRE) < n)
        usleep(100);
}

/* Attached in one run, it finds itself a plain thread after it, and attaches to the next. */
static void *through_two_runs(void *arg)
{
    (void)arg;
    await(1);
    CHECK_EQ(weft_thread_attach(), 0);
    reach(2);
    await(3);
    CHECK(!weft_in_goroutine());
    CHECK_EQ(weft_go(count_spawned, NULL), -EPERM);
    reach(4);
    await(5);
    CHECK_EQ(weft_thread_attach(), 0);
    reach(6);
    await(7);
    return NULL;
}

static void first_run(void)
{
    reach(1);
    await(2);
}

static void second_run(void)
{
    reach(5);
    await(6);
}

static void test_a_thread_outlives_a_runtime(void **state)
{
    pthread_t thread;
    (void)state;
    phase = 0;
    start_thread(&thread, through_two_runs, NULL);
    run_on(2, first_run);
    reach(3);
    await(4);
    run_on(2, second_run);
    reach(7);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* It calls in while runs begin and end: what it gets is an answer or a refusal. */
static void *call_all_the_time(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        int error = weft_go(nothing, NULL);
        CHECK(error == 0 || error == -EPERM);
        error = weft_thread_attach();
        CHECK(error == 0 || error == -EPERM);
        if (error == 0)
            weft_thread_detach();
    }
    return NULL;
}

static void short_run(void)
{
    weft_yield();
}

static void test_calls_while_runtimes_begin_and_end(void **state)
{
    pthread_t threads[4];
    (void)state;
    stop = 0;
    for (int i = 0; i < 4; i++)
        start_thread(&threads[i], call_all_the_time, NULL);
    for (int i = 0; i < ROUNDS(200); i++)
        run_on(2, short_run);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* ---- Traces ---- */

struct counts {
    unsigned created, destroyed, unblocked_from_outside;
};

static void count_foreign(void *arg, weft_reader *reader, const weft_event *event)
{
    struct counts *c = arg;
    (void)reader;
    c->created += event->wire == 15;   /* GoCreateSyscall */
    c->destroyed += event->wire == 18; /* GoDestroySyscall */
    c->unblocked_from_outside += event->wire == 21 && event->g == WEFT_ID_NONE;
}

static sink trace;
static weft_trace_stream *stream;

static void trace_on(unsigned format)
{
    weft_trace_options options = {
        .size = sizeof options, .format = format, .generation_ns = WEFT_MILLISECOND};
    trace = (sink){0};
    CHECK_EQ(
        weft_trace_start_callback(weft_tracer_default(), sink_write, &trace, &options, &stream), 0);
}

static struct counts trace_off(const char *name, unsigned format)
{
    char file[64];
    struct counts counts = {0};
    CHECK_EQ(weft_trace_stop(stream, NULL), 0);
    snprintf(file, sizeof file, "%s_%u", name, format);
    sink_save(&trace, file);
    const char *complaint = check_sink(&trace, count_foreign, &counts);
    if (complaint)
        fprintf(stderr, "%s: %s\n", file, complaint);
    CHECK(!complaint);
    sink_free(&trace);
    return counts;
}

static void traced(unsigned format)
{
    trace_on(format);
    serve_threads(back_and_forth);
    struct counts counts = trace_off("foreign_threads", format);
    CHECK(counts.created >= THREADS * ROUNDS_EACH);
    CHECK_EQ(counts.created, counts.destroyed);
}

static void traced_in_every_format(void)
{
    traced(22);
    traced(23);
    traced(25);
    traced(26);
}
ON_ALL_PROCS(traced_in_every_format)

/* The thread was there, and attached, before the trace begins, and stays over its end. */
static void *from_before_the_trace(void *arg)
{
    (void)arg;
    CHECK_EQ(weft_thread_attach(), 0);
    CHECK_EQ(weft_chan_recv(to_threads, NULL), 0);
    int n = 0;
    CHECK_EQ(weft_chan_send(from_threads, &n), 0);
    CHECK_EQ(weft_chan_recv(to_threads, NULL), 0);
    CHECK_EQ(weft_chan_send(from_threads, &n), 0);
    return NULL;
}

static void threads_older_than_the_trace(void)
{
    pthread_t thread;
    int n = 0;
    set_up();
    start_thread(&thread, from_before_the_trace, NULL);
    CHECK_EQ(weft_chan_send(to_threads, &n), 0);
    trace_on(26);
    CHECK_EQ(weft_trace_advance(weft_tracer_default()), 0);
    CHECK_EQ(weft_chan_recv(from_threads, NULL), 0);
    CHECK_EQ(weft_trace_advance(weft_tracer_default()), 0);
    struct counts counts = trace_off("older_thread", 26);
    CHECK_EQ(counts.created + counts.destroyed, 0);
    CHECK_EQ(weft_chan_send(to_threads, &n), 0);
    CHECK_EQ(weft_chan_recv(from_threads, NULL), 0);
    join(thread);
    tear_down();
}
ON_ALL_PROCS(threads_older_than_the_trace)

/* Woken by a thread that is no goroutine: the trace says that nobody did. */
static uint32_t woken;

static void wait_for_all(void *arg)
{
    (void)arg;
    weft_waitgroup_wait(&group);
    weft_mutex_lock(&mutex);
    weft_cond_wait(&cond, &mutex);
    weft_mutex_unlock(&mutex);
    CHECK_EQ(weft_chan_recv(to_threads, NULL), -EPIPE);
    __atomic_add_fetch(&woken, 1, __ATOMIC_RELEASE);
}

static void *wake_all(void *arg)
{
    (void)arg;
    weft_waitgroup_done(&group);
    while (queue_length(sync_queue(&cond.head), sync_lock(cond.lock)) < THREADS)
        usleep(100);
    weft_cond_broadcast(&cond);
    while (queue_length(&to_threads->receivers, &to_threads->lock) < THREADS)
        usleep(100);
    weft_chan_close(to_threads);
    return NULL;
}

static void woken_from_outside(void)
{
    pthread_t thread;
    set_up();
    woken = 0;
    weft_waitgroup_add(&group, 1);
    trace_on(26);
    for (int i = 0; i < THREADS; i++)
        go(wait_for_all, NULL);
    start_thread(&thread, wake_all, NULL);
    join(thread);
    while (__atomic_load_n(&woken, __ATOMIC_ACQUIRE) < THREADS)
        weft_yield();
    struct counts counts = trace_off("woken_from_outside", 26);
    CHECK(counts.unblocked_from_outside >= 2 * THREADS);
    CHECK_EQ(counts.created, 0);
    tear_down();
}
ON_ALL_PROCS(woken_from_outside)

/* Everything at once: foreign threads, goroutines, changes of the number of Ps, short traces. */
static void *start_and_stop_traces(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        trace_on(26);
        usleep(2000);
        trace_off("foreign_storm", 26);
    }
    return NULL;
}

static weft_waitgroup changer;

static void change_procs(void *arg)
{
    (void)arg;
    for (int i = 0; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); i++) {
        CHECK(weft_procs(1 + i % 4) > 0);
        weft_sleep(100 * WEFT_MICROSECOND);
    }
    weft_waitgroup_done(&changer);
}

static void a_storm(void)
{
    pthread_t tracer;
    stop = 0;
    start_thread(&tracer, start_and_stop_traces, NULL);
    weft_waitgroup_add(&changer, 1);
    go(change_procs, NULL);
    for (int i = 0; i < ROUNDS(20); i++) {
        serve_threads(i % 2 ? back_and_forth : attached_until_its_end);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    weft_waitgroup_wait(&changer);
    join(tracer);
}
ON_ALL_PROCS(a_storm)

/* ---- Posting ---- */

static uint32_t posted_runs;

static void run_posted(void *arg)
{
    CHECK(weft_in_goroutine());
    weft_yield();
    __atomic_add_fetch(&posted_runs, (uint32_t)(uintptr_t)arg, __ATOMIC_RELEASE);
}

static void post(void)
{
    int error;
    while ((error = weft_post(run_posted, (void *)1)) == -EAGAIN)
        usleep(100);
    CHECK_EQ(error, 0);
}

static void await_posted(uint32_t n)
{
    while (__atomic_load_n(&posted_runs, __ATOMIC_ACQUIRE) < n)
        weft_sleep(100 * WEFT_MICROSECOND);
    CHECK_EQ(posted_runs, n);
}

static void *post_many(void *arg)
{
    for (long i = 0; i < (long)(intptr_t)arg; i++)
        post();
    return NULL;
}

static void posts_from_threads_and_goroutines(void)
{
    long each = goroutines_at_most(ROUNDS(5000) * THREADS) / THREADS; /* all may be there at once */
    posted_runs = 0;
    trace_on(26);
    for (int i = 0; i < 10; i++)
        post();
    await_posted(10);
    run_threads(post_many, (void *)(intptr_t)each);
    await_posted(10 + (uint32_t)each * THREADS);
    trace_off("posted", 26);
}
ON_ALL_PROCS(posts_from_threads_and_goroutines)

/* The signal meets threads anywhere: in weft, in malloc, and in weft_post() itself. */
static uint32_t signals_posted;

static void post_in_handler(int signal)
{
    (void)signal;
    if (weft_post(run_posted, (void *)1) == 0)
        __atomic_add_fetch(&signals_posted, 1, __ATOMIC_RELAXED);
}

static void posts_from_signal_handlers(void)
{
    struct sigaction action = {.sa_handler = post_in_handler, .sa_flags = SA_RESTART}, old;
    pthread_t thread;
    long each = ROUNDS(5000);
    posted_runs = signals_posted = 0;
    CHECK_EQ(sigaction(SIGUSR1, &action, &old), 0);
    start_thread(&thread, post_many, (void *)(intptr_t)each);
    for (int i = 0; i < 200; i++) {
        pthread_kill(thread, SIGUSR1);
        usleep(10);
    }
    join(thread);
    await_posted((uint32_t)each + signals_posted);
    CHECK_EQ(sigaction(SIGUSR1, &old, NULL), 0);
}
ON_ALL_PROCS(posts_from_signal_handlers)

/* More than there is room for, until one is refused; none of those that were taken is lost. */
static void posts_are_bounded(void)
{
    uint32_t taken = 0;
    bool refused = false;
    posted_runs = 0;
    while (!refused) {
        int error = weft_post(run_posted, (void *)1);
        CHECK(error == 0 || error == -EAGAIN);
        refused = error == -EAGAIN;
        taken += !refused;
    }
    await_posted(taken);
}

static void test_posts_are_bounded(void **state)
{
    (void)state;
    run_on(1, posts_are_bounded);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_runtime),
        TEST(threads_attach),
        TEST(threads_end_without_detaching),
        TEST(threads_call_without_attaching),
        TEST(threads_come_and_go),
        TEST(threads_among_hogs),
        TEST(an_attached_hog_loses_its_lease),
        TEST(a_thread_outlives_a_runtime),
        TEST(calls_while_runtimes_begin_and_end),
        TEST(traced_in_every_format),
        TEST(threads_older_than_the_trace),
        TEST(woken_from_outside),
        TEST(a_storm),
        TEST(posts_from_threads_and_goroutines),
        TEST(posts_from_signal_handlers),
        TEST(posts_are_bounded),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
