/* SPDX-License-Identifier: MIT */
/* Signals in channels: in each state of the runtime, many subscribers, storms, what was there
 * before comes back. */
#include "sched/support.h"

#include <pthread.h>
#include <signal.h>

#include "sched/signals.h"

/* One plain thread takes the signals that are sent to the process; all others block them. It sleeps
 * in a call that ThreadSanitizer knows, where that delivers them. */
static uint32_t catching;

static void *catch_signals(void *arg)
{
    sigset_t none;
    (void)arg;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    atomic_store_release(&catching, 1);
    while (atomic_load_acquire(&catching))
        usleep(300);
    return NULL;
}

static pthread_t catcher;

static int start_catcher(void **state)
{
    sigset_t all;
    (void)state;
    sigfillset(&all);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    assert_int_equal(pthread_create(&catcher, NULL, catch_signals, NULL), 0);
    while (!atomic_load_acquire(&catching))
        usleep(100);
    return 0;
}

static int stop_catcher(void **state)
{
    (void)state;
    atomic_store_release(&catching, 0);
    return pthread_join(catcher, NULL);
}

static void arrive(int number)
{
    CHECK_EQ(kill(getpid(), number), 0);
}

static weft_chan *subscribed(int number, size_t capacity)
{
    weft_chan *chan = weft_chan_new(sizeof(int), capacity);
    CHECK_EQ(weft_signal_notify(chan, &number, 1), 0);
    return chan;
}

static void expect(weft_chan *chan, int number)
{
    int got = 0;
    CHECK_EQ(weft_chan_recv(chan, &got), 0);
    CHECK_EQ(got, number);
}

static void stop(weft_chan *chan)
{
    CHECK_EQ(weft_signal_stop(chan), 0);
    CHECK_EQ(weft_chan_try_recv(chan, NULL), -EAGAIN);
    weft_chan_free(chan);
}

static void (*handler_of(int number))(int)
{
    struct sigaction action;
    CHECK_EQ(sigaction(number, NULL, &action), 0);
    return action.sa_handler;
}

/* ---- States of the runtime ---- */

static weft_chan *chan;

static void receive_inside(void)
{
    arrive(SIGUSR1);
    expect(chan, SIGUSR1);
}

static void a_subscription_outlives_runs(void **state)
{
    (void)state;
    chan = subscribed(SIGUSR1, 1);
    for (int round = 0; round < 20; round++) {
        arrive(SIGUSR1);
        expect(chan, SIGUSR1);
        run_on(1 + (unsigned)round % 3, receive_inside);
    }
    stop(chan);
    assert_ptr_equal(handler_of(SIGUSR1), SIG_DFL);
}

static void subscribe_inside(void)
{
    chan = subscribed(SIGHUP, 1);
    arrive(SIGHUP);
    expect(chan, SIGHUP);
}

static void made_in_a_run_it_is_there_after_it(void **state)
{
    (void)state;
    run_on(2, subscribe_inside);
    arrive(SIGHUP);
    expect(chan, SIGHUP);
    CHECK_EQ(weft_signal_notify(chan, WEFT_SIGNALS(SIGUSR1)), 0);
    run_on(2, receive_inside);
    stop(chan);
}

static void nothing(void) {}

static void signals_come_while_runtimes_start_and_end(void **state)
{
    (void)state;
    chan = subscribed(SIGUSR1, 1000);
    int received = 0;
    for (int round = 0; round < ROUNDS(200); round++) {
        arrive(SIGUSR1);
        run_on(2, nothing);
        while (weft_chan_try_recv(chan, NULL) == 0)
            received++;
    }
    assert_in_range(received, 1, ROUNDS(200));
    weft_signal_stop(chan);
    weft_chan_free(chan);
}

/* ---- Subscribers ---- */

static void each_subscriber_gets_each_signal(void)
{
    enum { MANY = 50 };
    weft_chan *of[MANY];
    for (int i = 0; i < MANY; i++)
        of[i] = subscribed(i % 2 ? SIGUSR1 : SIGUSR2, 2);
    CHECK_EQ(weft_signal_notify(of[0], WEFT_SIGNALS(SIGUSR1, SIGTERM)), 0);
    arrive(SIGUSR1);
    for (int i = 1; i < MANY; i += 2)
        expect(of[i], SIGUSR1);
    expect(of[0], SIGUSR1);
    arrive(SIGTERM);
    expect(of[0], SIGTERM);
    arrive(SIGUSR2);
    for (int i = 0; i < MANY; i += 2)
        expect(of[i], SIGUSR2);
    for (int i = 0; i < MANY; i++)
        stop(of[i]);
    CHECK(handler_of(SIGTERM) == SIG_DFL);
}

static void what_a_channel_has_no_room_for_is_counted(void)
{
    weft_chan *small = subscribed(SIGUSR1, 1), *large = subscribed(SIGUSR1, 10);
    for (int i = 0; i < 5; i++) {
        arrive(SIGUSR1);
        expect(large, SIGUSR1);
    }
    CHECK_EQ(weft_signal_dropped(small), 4);
    CHECK_EQ(weft_chan_len(small), 1);
    CHECK_EQ(weft_signal_stop(small), 4);
    CHECK_EQ(weft_signal_dropped(small), 0);
    weft_chan_free(small);
    stop(large);
}

static void a_select_waits_for_signals(void)
{
    weft_chan *signals = subscribed(SIGINT, 1), *other = weft_chan_new(0, 0);
    int number = 0;
    weft_select_case cases[] = {{.chan = other}, {.chan = signals, .recv = &number}};
    arrive(SIGINT);
    CHECK_EQ(weft_select(cases, 2, WEFT_NEVER), 1);
    CHECK_EQ(number, SIGINT);
    stop(signals);
    weft_chan_free(other);
}

ON_ALL_PROCS(each_subscriber_gets_each_signal)
ON_ALL_PROCS(what_a_channel_has_no_room_for_is_counted)
ON_ALL_PROCS(a_select_waits_for_signals)

static void what_cannot_be_had_is_refused(void **state)
{
    (void)state;
    static const int bad[] = {0, -1, 65, SIGKILL, SIGSTOP, SIGSEGV, SIGABRT, SIGPROF, 32};
    weft_chan *good = weft_chan_new(sizeof(int), 1), *unbuffered = weft_chan_new(sizeof(int), 0),
              *bytes = weft_chan_new(1, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(weft_signal_notify(good, WEFT_SIGNALS(SIGUSR1, bad[i])), -EINVAL);
        assert_int_equal(weft_signal_ignore(&bad[i], 1), -EINVAL);
    }
    assert_int_equal(weft_signal_notify(good, NULL, 0), -EINVAL);
    assert_int_equal(weft_signal_notify(NULL, WEFT_SIGNALS(SIGUSR1)), -EINVAL);
    assert_int_equal(weft_signal_notify(unbuffered, WEFT_SIGNALS(SIGUSR1)), -EINVAL);
    assert_int_equal(weft_signal_notify(bytes, WEFT_SIGNALS(SIGUSR1)), -EINVAL);
    assert_ptr_equal(handler_of(SIGUSR1), SIG_DFL);
    weft_chan_free(good);
    weft_chan_free(unbuffered);
    weft_chan_free(bytes);
}

/* ---- What was there before ---- */

static uint32_t handled;

static void count(int number)
{
    (void)number;
    atomic_add_relaxed(&handled, 1);
}

static void await_handled(uint32_t n)
{
    while (atomic_load_relaxed(&handled) != n)
        usleep(100);
}

static void a_handler_comes_back(void **state)
{
    (void)state;
    handled = 0;
    signal(SIGUSR1, count);
    chan = subscribed(SIGUSR1, 1);
    arrive(SIGUSR1);
    expect(chan, SIGUSR1);
    stop(chan);
    assert_int_equal(atomic_load_relaxed(&handled), 0);
    arrive(SIGUSR1);
    await_handled(1);
    signal(SIGUSR1, SIG_DFL);
}

static void a_handler_installed_meanwhile_stays(void **state)
{
    (void)state;
    chan = subscribed(SIGUSR1, 1);
    signal(SIGUSR1, count);
    stop(chan);
    assert_ptr_equal(handler_of(SIGUSR1), count);
    signal(SIGUSR1, SIG_DFL);
}

static void ignored_signals_do_nothing_until_the_reset(void **state)
{
    (void)state;
    chan = subscribed(SIGTERM, 4);
    assert_int_equal(weft_signal_ignore(WEFT_SIGNALS(SIGTERM, SIGUSR2)), 0);
    arrive(SIGTERM);
    arrive(SIGUSR2);
    assert_ptr_equal(handler_of(SIGTERM), SIG_IGN);
    assert_int_equal(weft_signal_notify(chan, WEFT_SIGNALS(SIGUSR2)), 0);
    arrive(SIGUSR2);
    expect(chan, SIGUSR2);
    stop(chan);
    assert_ptr_equal(handler_of(SIGUSR2), SIG_DFL);
    assert_ptr_equal(handler_of(SIGTERM), SIG_IGN);
    assert_int_equal(weft_signal_reset(NULL, 0), 0);
    assert_ptr_equal(handler_of(SIGTERM), SIG_DFL);
}

/* ---- Storms ---- */

#ifndef BASE_TSAN /* which keeps one arrival of a signal that it holds back */
enum { STORM = 400, STORM_THREADS = 4 };

/* Real-time signals are queued, each of them; EAGAIN when the system's queue is full. */
static void *storm(void *arg)
{
    for (int i = 0; i < STORM; i++)
        while (sigqueue(getpid(), SIGRTMIN + (int)(intptr_t)arg % 2, (union sigval){0}) != 0)
            usleep(100);
    return NULL;
}

static void every_arrival_of_a_storm_is_sent_or_counted(void)
{
    weft_chan *few = weft_chan_new(sizeof(int), 3),
              *all = weft_chan_new(sizeof(int), STORM * STORM_THREADS);
    pthread_t threads[STORM_THREADS];
    int counts[2] = {0}, number;
    CHECK_EQ(weft_signal_notify(few, WEFT_SIGNALS(SIGRTMIN, SIGRTMIN + 1)), 0);
    CHECK_EQ(weft_signal_notify(all, WEFT_SIGNALS(SIGRTMIN, SIGRTMIN + 1)), 0);
    for (intptr_t i = 0; i < STORM_THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, storm, (void *)i), 0);
    for (int i = 0; i < STORM * STORM_THREADS; i++) {
        CHECK_EQ(weft_chan_recv(all, &number), 0);
        counts[number - SIGRTMIN]++;
    }
    for (int i = 0; i < STORM_THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(counts[0], STORM * STORM_THREADS / 2);
    CHECK_EQ(counts[1], STORM * STORM_THREADS / 2);
    CHECK_EQ(weft_signal_stop(few), STORM * STORM_THREADS - 3);
    weft_chan_free(few);
    stop(all);
}

ON_ALL_PROCS(every_arrival_of_a_storm_is_sent_or_counted)
#endif

static uint32_t storming;

static void *send_without_end(void *arg)
{
    (void)arg;
    while (atomic_load_relaxed(&storming)) {
        arrive(SIGUSR1);
        usleep(20);
    }
    return NULL;
}

static void come_and_go(void *arg)
{
    for (int i = 0; i < ROUNDS(200); i++) {
        weft_chan *own = subscribed(SIGUSR1, 1);
        expect(own, SIGUSR1);
        weft_signal_stop(own);
        weft_chan_free(own);
    }
    weft_waitgroup_done(arg);
}

static void subscriptions_come_and_go_in_a_storm(void)
{
    weft_waitgroup group = {0};
    pthread_t sender;
    signal(SIGUSR1, count); /* the default action of one between two subscriptions ends the test */
    atomic_store_relaxed(&storming, 1);
    CHECK_EQ(pthread_create(&sender, NULL, send_without_end, NULL), 0);
    weft_waitgroup_add(&group, 4);
    for (int i = 0; i < 4; i++)
        go(come_and_go, &group);
    weft_waitgroup_wait(&group);
    atomic_store_relaxed(&storming, 0);
    pthread_join(sender, NULL);
    CHECK(handler_of(SIGUSR1) == count);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR1, SIG_DFL);
}

ON_ALL_PROCS(subscriptions_come_and_go_in_a_storm)

/* ---- Contexts ---- */

static void a_context_ends_with_the_first_signal(void)
{
    weft_context *context;
    atomic_store_relaxed(&handled, 0);
    signal(SIGTERM, count);
    CHECK_EQ(weft_signal_context(NULL, WEFT_SIGNALS(SIGINT, SIGTERM), &context), 0);
    CHECK_EQ(weft_context_error(context), 0);
    arrive(SIGTERM);
    CHECK_EQ(weft_context_wait(context), -ECANCELED);
    CHECK_EQ(weft_context_cause(context), SIGTERM);
    while (handler_of(SIGTERM) != count)
        usleep(100);
    CHECK(handler_of(SIGINT) == SIG_DFL);
    arrive(SIGTERM);
    await_handled(1);
    weft_signal_context_free(context);
    signal(SIGTERM, SIG_DFL);
}

static void a_context_that_is_freed_lets_go(void)
{
    weft_context *parent = weft_context_new(NULL), *context;
    CHECK_EQ(weft_signal_context(parent, WEFT_SIGNALS(SIGINT), &context), 0);
    weft_context_cancel(parent, -EIO);
    CHECK_EQ(weft_context_cause(context), -EIO);
    weft_signal_context_free(context);
    weft_context_free(parent);
    CHECK(handler_of(SIGINT) == SIG_DFL);
    CHECK_EQ(weft_signal_context(NULL, WEFT_SIGNALS(SIGKILL), &context), -EINVAL);
}

ON_ALL_PROCS(a_context_ends_with_the_first_signal)
ON_ALL_PROCS(a_context_that_is_freed_lets_go)

/* ---- Weft's own signals ---- */

static void quit_is_delivered(void)
{
    arrive(SIGQUIT);
    expect(chan, SIGQUIT);
}

static void own_quit(void)
{
    chan = subscribed(SIGQUIT, 1);
    quit_is_delivered();
}

static void *unmasked(void *arg)
{
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    ((void (*)(void))arg)();
    return NULL;
}

/* In the child of a fork, which has no catcher, this thread takes its signals. */
static void raise_quit(void)
{
    raise(SIGQUIT);
}

static void dump_twice(void)
{
    pthread_t thread;
    chan = subscribed(SIGQUIT, 1);
    CHECK_EQ(pthread_create(&thread, NULL, unmasked, (void *)(uintptr_t)raise_quit), 0);
    pthread_join(thread, NULL);
    expect(chan, SIGQUIT);
    stop(chan);
    CHECK_EQ(pthread_create(&thread, NULL, unmasked, (void *)(uintptr_t)raise_quit), 0);
    pthread_join(thread, NULL);
    usleep(200000);
}

static void run_dumps(void *arg)
{
    (void)arg;
    run_on(2, dump_twice);
    if (handler_of(SIGQUIT) != SIG_DFL)
        abort();
}

static void quit_prints_only_without_subscribers(void **state)
{
    (void)state;
    death d = death_of(run_dumps, NULL);
    assert_int_equal(d.status, 0);
    char *first = strstr(d.text, "SIGQUIT:");
    assert_non_null(first);
    assert_null(strstr(first + 1, "SIGQUIT:"));
}

static void quit_is_delivered_in_every_order(void **state)
{
    (void)state;
    chan = subscribed(SIGQUIT, 1); /* before, inside, after */
    quit_is_delivered();
    run_on(2, quit_is_delivered);
    quit_is_delivered();
    stop(chan);
    assert_ptr_equal(handler_of(SIGQUIT), SIG_DFL);
    run_on(2, own_quit); /* made inside, used after */
    quit_is_delivered();
    run_on(2, quit_is_delivered);
    stop(chan);
    assert_ptr_equal(handler_of(SIGQUIT), SIG_DFL);
    run_on(2, nothing);
    assert_ptr_equal(handler_of(SIGQUIT), SIG_DFL);
}

static void stop_inside(void)
{
    quit_is_delivered();
    stop(chan);
}

static void quit_stopped_inside_is_former_after(void **state)
{
    (void)state;
    signal(SIGQUIT, count);
    chan = subscribed(SIGQUIT, 1);
    run_on(2, stop_inside);
    assert_ptr_equal(handler_of(SIGQUIT), count);
    signal(SIGQUIT, SIG_DFL);
}

static char snapshot[64];

static void a_snapshot_and_a_delivery(void)
{
    arrive(SIGUSR2);
    expect(chan, SIGUSR2);
    while (access(snapshot, F_OK) != 0)
        usleep(1000);
}

static void the_signal_of_snapshots_is_delivered_as_well(void **state)
{
    (void)state;
    snprintf(snapshot, sizeof snapshot, "/tmp/weft-signal-%d", (int)getpid());
    setenv("WEFT_TRACE_SIGNAL", "USR2", 1);
    setenv("WEFT_TRACE_SNAPSHOT", snapshot, 1);
    chan = subscribed(SIGUSR2, 1);
    run_on(2, a_snapshot_and_a_delivery);
    unsetenv("WEFT_TRACE_SIGNAL");
    unsetenv("WEFT_TRACE_SNAPSHOT");
    arrive(SIGUSR2);
    expect(chan, SIGUSR2);
    stop(chan);
    unlink(snapshot);
}

/* ---- A goroutine that waits for a signal is not dead ---- */

#ifndef BASE_TSAN
static void wait_for_quit(void)
{
    expect(chan, SIGQUIT);
}

static void wait_alone(void *arg)
{
    pid_t parent = getpid();
    (void)arg;
    if (fork() == 0) {
        usleep(1500000); /* all asleep is found within a second */
        kill(parent, SIGQUIT);
        _exit(0);
    }
    chan = subscribed(SIGQUIT, 1);
    run_on(2, wait_for_quit);
}

static void who_waits_for_a_signal_is_not_deadlocked(void **state)
{
    (void)state;
    death d = death_of(wait_alone, NULL);
    if (d.status != 0)
        fail_msg("status %d: %s", d.status, d.text);
}
#endif

/* ---- Fork ---- */

static void fork_and_end(void)
{
    weft_chan *own = subscribed(SIGTERM, 1);
    pid_t child = fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        for (;;)
            pause();
    }
    int status;
    CHECK_EQ(kill(child, SIGTERM), 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    stop(own);
}

ON_ALL_PROCS(fork_and_end)

int main(int argc, char **argv)
{
    choose_tests(argc, argv);
    /* ThreadSanitizer allows no threads in the child of a process that has some, and keeps signals
     * back from a thread that waits in weft_run(). */
    const struct CMUnitTest without_threads[] = {
        cmocka_unit_test(quit_prints_only_without_subscribers),
#ifndef BASE_TSAN
        cmocka_unit_test(who_waits_for_a_signal_is_not_deadlocked),
#endif
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscription_outlives_runs),
        cmocka_unit_test(made_in_a_run_it_is_there_after_it),
        cmocka_unit_test(signals_come_while_runtimes_start_and_end),
        TEST(each_subscriber_gets_each_signal),
        TEST(what_a_channel_has_no_room_for_is_counted),
        TEST(a_select_waits_for_signals),
        cmocka_unit_test(what_cannot_be_had_is_refused),
        cmocka_unit_test(a_handler_comes_back),
        cmocka_unit_test(a_handler_installed_meanwhile_stays),
        cmocka_unit_test(ignored_signals_do_nothing_until_the_reset),
#ifndef BASE_TSAN
        TEST(every_arrival_of_a_storm_is_sent_or_counted),
#endif
        TEST(subscriptions_come_and_go_in_a_storm),
        TEST(a_context_ends_with_the_first_signal),
        TEST(a_context_that_is_freed_lets_go),
        cmocka_unit_test(quit_is_delivered_in_every_order),
        cmocka_unit_test(quit_stopped_inside_is_former_after),
        cmocka_unit_test(the_signal_of_snapshots_is_delivered_as_well),
        TEST(fork_and_end),
    };
    int failed = cmocka_run_group_tests(without_threads, NULL, NULL);
    return failed + cmocka_run_group_tests(tests, start_catcher, stop_catcher);
}
