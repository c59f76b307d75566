/* SPDX-License-Identifier: MIT */
/* Figures about the runtime: weft_stats, the scheduler's line, the dump at SIGQUIT. */
#include "sched/support.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static weft_stats stats_now(void)
{
    weft_stats stats = {.size = sizeof stats};
    weft_stats_get(&stats);
    return stats;
}

/* ---- Goroutines by state ---- */

static weft_chan *gate;

static void wait_at_gate(void *arg)
{
    (void)arg;
    CHECK_EQ(weft_chan_recv(gate, NULL), -EPIPE);
}

static void block_on_pipe(void *arg)
{
    char byte;
    weft_blocking_enter();
    CHECK_EQ(read(*(int *)arg, &byte, 1), 1);
    weft_blocking_exit();
}

static void await_states(uint64_t waiting, uint64_t blocked)
{
    weft_stats s;
    do {
        weft_sleep(WEFT_MILLISECOND);
        s = stats_now();
    } while (s.waiting != waiting || s.blocked != blocked || s.runnable != 0 || s.executing != 1);
    CHECK_EQ(s.goroutines, waiting + blocked + 1);
}

static void goroutines_by_state(void)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    gate = weft_chan_new(1, 0);
    for (int i = 0; i < 5; i++)
        go(wait_at_gate, NULL);
    go(block_on_pipe, &ends[0]);
    await_states(5, 1);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    await_states(5, 0);
    weft_chan_close(gate);
    await_states(0, 0);
    weft_chan_free(gate);
    close(ends[0]);
    close(ends[1]);
}
ON_ALL_PROCS(goroutines_by_state)

static void count_up(void *count)
{
    atomic_add_relaxed((uint32_t *)count, 1);
}

/* On one P they end only when the main goroutine has been made to give it away. */
static void runnable_goroutines_are_queued(void)
{
    enum { N = 300 }; /* more than a P's ring holds */
    uint32_t count = 0, ended;
    weft_stats s;
    do {
        while (atomic_load_relaxed(&count) != 0 && stats_now().goroutines > 1)
            weft_yield();
        atomic_store_relaxed(&count, 0);
        for (int i = 0; i < N; i++)
            go(count_up, &count);
        ended = atomic_load_relaxed(&count);
        s = stats_now();
    } while (atomic_load_relaxed(&count) != ended || ended == N);
    CHECK_EQ(s.runnable, N - ended);
    CHECK_EQ(s.executing, 1);
    CHECK_EQ(s.waiting, 0);
    while (stats_now().goroutines > 1)
        weft_yield();
    CHECK_EQ(count, N);
}

static void test_runnable_goroutines_are_queued(void **state)
{
    (void)state;
    run_on(1, runnable_goroutines_are_queued);
}

/* ---- Counters ---- */

static void echo(void *chan)
{
    for (int i = 0; i < 100; i++)
        weft_chan_send(chan, "x");
}

static void parks_are_counted(void)
{
    weft_chan *chan = weft_chan_new(1, 0);
    uint64_t before = stats_now().parks;
    go(echo, chan);
    for (int i = 0; i < 100; i++)
        weft_chan_recv(chan, NULL);
    CHECK(stats_now().parks >= before + 50);
    weft_chan_free(chan);
}
ON_ALL_PROCS(parks_are_counted)

static void spin_until_set(void *flag)
{
    while (!atomic_load_acquire((uint32_t *)flag))
        ;
}

static void set(void *flag)
{
    atomic_store_release((uint32_t *)flag, 1);
}

/* What is behind a hog in the ring is stolen, or taken over with the hog's lease. */
static void work_goes_to_others(void)
{
    weft_stats before = stats_now(), after;
    do {
        uint32_t flag = 0;
        go(set, &flag);
        go(spin_until_set, &flag);
        spin_until_set(&flag);
        after = stats_now();
    } while (after.steals == before.steals || after.wakeups == before.wakeups);
}

static void test_work_goes_to_others(void **state)
{
    (void)state;
    run_on(4, work_goes_to_others);
}

static void nap(void *arg)
{
    (void)arg;
    weft_sleep(3600 * WEFT_SECOND);
}

static void timers_are_counted(void)
{
    for (int i = 0; i < 7; i++)
        go(nap, NULL);
    while (stats_now().timers != 7)
        weft_yield();
}
ON_ALL_PROCS(timers_are_counted)

static void write_late(void *fd)
{
    weft_sleep(5 * WEFT_MILLISECOND);
    CHECK_EQ(write(*(int *)fd, "x", 1), 1);
}

static void the_poller_is_counted(void)
{
    int ends[2];
    char byte;
    weft_conn *conn;
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(weft_conn_from_fd(ends[0], &conn), 0);
    CHECK_EQ(stats_now().descriptors, 1);
    go(write_late, &ends[1]);
    CHECK_EQ(weft_conn_read(conn, &byte, 1), 1);
    weft_stats s = stats_now();
    CHECK(s.poll_waits > 0);
    CHECK_EQ(s.poll_wakeups, 1);
    weft_conn_close(conn);
    CHECK_EQ(stats_now().descriptors, 0);
    close(ends[1]);
}
ON_ALL_PROCS(the_poller_is_counted)

static void nothing(void *arg)
{
    (void)arg;
}

static void stacks_are_counted(void)
{
    weft_stats before = stats_now();
    for (int i = 0; i < 100; i++)
        go(nothing, NULL);
    while (stats_now().goroutines > 1)
        weft_yield();
    weft_stats s = stats_now();
    CHECK(s.stacks >= before.stacks && s.stacks <= before.stacks + 100);
    CHECK(s.stacks_free >= s.stacks - 3); /* this one's, the poster's, one that is just ending */
    CHECK(s.stack_bytes <= s.stacks * 256 * 1024); /* some of weft's own are smaller */
    CHECK(s.stack_bytes > (s.stacks - 3) * 256 * 1024);
}
ON_ALL_PROCS(stacks_are_counted)

/* ---- From outside ---- */

static void test_zero_outside(void **state)
{
    (void)state;
    weft_stats s = stats_now(), zero = {.size = sizeof zero};
    assert_memory_equal(&s, &zero, sizeof s);
}

static void test_a_caller_of_an_older_version(void **state)
{
    (void)state;
    weft_stats s = {.size = offsetof(weft_stats, procs), .procs = 77};
    weft_stats_get(&s);
    assert_int_equal(s.procs, 77);
}

static uint32_t over; /* atomic */

static void *ask_all_the_time(void *arg)
{
    (void)arg;
    while (!atomic_load_relaxed(&over))
        CHECK(stats_now().procs <= 2);
    return NULL;
}

static void yield_a_little(void)
{
    for (int i = 0; i < 20; i++) {
        go(nothing, NULL);
        weft_yield();
    }
}

static void test_asked_while_the_runtime_starts_and_ends(void **state)
{
    (void)state;
    pthread_t thread;
    over = 0;
    assert_int_equal(pthread_create(&thread, NULL, ask_all_the_time, NULL), 0);
    for (int i = 0; i < ROUNDS(100); i++)
        run_on(2, yield_a_little);
    atomic_store_relaxed(&over, 1);
    pthread_join(thread, NULL);
}

/* ---- Text ---- */

static death die_in_child(void (*fn)(void))
{
    struct death_body body = {fn};
    death d = death_of(run_dying, &body);
    unsetenv("WEFT_DEBUG");
    if (d.status != 0)
        fail_msg("status %x: %s", (unsigned)d.status, d.text);
    return d;
}

static void expect_text(const death *d, const char *text)
{
    if (!strstr(d->text, text))
        fail_msg("expected \"%s\", got: %s", text, d->text);
}

static void sleep_a_moment(void)
{
    weft_sleep(WEFT_MILLISECOND);
}

/* Standard error goes to a file, so that the program can see what other threads have printed. */
static FILE *printed;
static int real_stderr;

static void capture(void)
{
    real_stderr = dup(STDERR_FILENO);
    CHECK((printed = tmpfile()) != NULL);
    CHECK(dup2(fileno(printed), STDERR_FILENO) >= 0);
}

static void await_printed(const char *text, int times)
{
    static char all[16384];
    for (int found = 0; found < times; weft_sleep(WEFT_MILLISECOND)) {
        ssize_t n = pread(fileno(printed), all, sizeof all - 1, 0);
        all[n < 0 ? 0 : n] = 0;
        found = 0;
        for (const char *at = all; (at = strstr(at, text)); at++)
            found++;
    }
    CHECK(write(real_stderr, all, strlen(all)) > 0);
}

static void await_two_lines(void)
{
    capture();
    await_printed("weft: sched ", 2);
}

static void test_a_line_every_so_often(void **state)
{
    (void)state;
    setenv("WEFT_DEBUG", "sched=10,leaks", 1);
    death d = die_in_child(await_two_lines);
    expect_text(&d, "weft: sched ");
    expect_text(&d, "goroutines 1 (");
    expect_text(&d, "procs 2 (");
}

static void be_asked(void)
{
    gate = weft_chan_new(1, 0);
    go(wait_at_gate, NULL);
    weft_sleep(20 * WEFT_MILLISECOND);
    CHECK_EQ(kill(getpid(), SIGQUIT), 0);
}

static void be_asked_and_go_on(void)
{
    capture();
    be_asked();
    await_printed("    wait_at_gate\n", 1);
    weft_chan_close(gate);
}

/* It keeps a signal back until the thread calls something that it knows to block; the one that
 * waits in weft_run() never does. */
static void skip_under_tsan(void)
{
#ifdef BASE_TSAN
    skip();
#endif
}

static void test_sigquit_prints_and_the_program_goes_on(void **state)
{
    (void)state;
    skip_under_tsan();
    death d = die_in_child(be_asked_and_go_on);
    expect_text(&d, "weft: SIGQUIT: 2 goroutines\n");
    expect_text(&d, "goroutine 1 [");
    expect_text(&d, "[chan receive, ");
    expect_text(&d, " ms]:\n    weft_chan_recv\n");
}

static void own_handler(int number)
{
    (void)number;
    static const char text[] = "the program's own\n";
    CHECK_EQ(write(real_stderr, text, sizeof text - 1), sizeof text - 1);
}

static void test_sigquit_reaches_the_programs_handler(void **state)
{
    (void)state;
    skip_under_tsan();
    signal(SIGQUIT, own_handler);
    death d = die_in_child(be_asked_and_go_on);
    signal(SIGQUIT, SIG_DFL);
    expect_text(&d, "weft: SIGQUIT: 2 goroutines\n");
    expect_text(&d, "the program's own\n");
}

static void test_sigquit_that_is_ignored_stays_so(void **state)
{
    (void)state;
    signal(SIGQUIT, SIG_IGN);
    death d = die_in_child(be_asked);
    signal(SIGQUIT, SIG_DFL);
    assert_null(strstr(d.text, "SIGQUIT"));
}

static void fork_and_quit(void)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_UNBLOCK, &all, NULL); /* a goroutine's thread blocks them */
        raise(SIGQUIT);
        _exit(1);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
}

static void test_a_child_of_fork_dies_of_it(void **state)
{
    (void)state;
    skip_under_tsan();
    (void)die_in_child(fork_and_quit);
}

static void test_the_handler_goes_with_the_runtime(void **state)
{
    (void)state;
    struct sigaction now;
    run_on(1, sleep_a_moment);
    assert_int_equal(sigaction(SIGQUIT, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_DFL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(goroutines_by_state),
        TEST(runnable_goroutines_are_queued),
        TEST(parks_are_counted),
        TEST(work_goes_to_others),
        TEST(timers_are_counted),
        TEST(the_poller_is_counted),
        TEST(stacks_are_counted),
        TEST(zero_outside),
        TEST(a_caller_of_an_older_version),
        TEST(asked_while_the_runtime_starts_and_ends),
        TEST(a_line_every_so_often),
        TEST(sigquit_prints_and_the_program_goes_on),
        TEST(sigquit_reaches_the_programs_handler),
        TEST(sigquit_that_is_ignored_stays_so),
        TEST(a_child_of_fork_dies_of_it),
        TEST(the_handler_goes_with_the_runtime),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
