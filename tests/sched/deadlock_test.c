/* SPDX-License-Identifier: MIT */
/* All goroutines asleep: told when nothing can wake them, and only then. What is left at the end.
 */
#include "sched/support.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define A_WHILE_MS 400 /* far longer than the monitor waits before it looks */

static const char asleep[] = "weft: fatal: all goroutines are asleep, and nothing can wake them\n";

static void plain_sleep(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};
    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        ;
}

/* ---- Children ---- */

/* Under these, a thread that is not weft's is always there. */
static bool never_told(void)
{
#ifdef BASE_TSAN
    return true;
#else
    return getenv("WEFT_EMULATED") != NULL;
#endif
}

static death die_in_child(void (*fn)(void))
{
    struct death_body body = {fn};
    return death_of(run_dying, &body);
}

static void expect_exit(const death *d, int status, const char *text)
{
    if (!WIFEXITED(d->status) || WEXITSTATUS(d->status) != status || !strstr(d->text, text))
        fail_msg("expected exit status %d and \"%s\", got %x and: %s", status, text,
                 (unsigned)d->status, d->text);
}

static void expect_deadlock(void (*fn)(void), const char *message, const char *stack)
{
    if (never_told())
        skip();
    death d = die_in_child(fn);
    expect_exit(&d, 2, message);
    expect_exit(&d, 2, stack);
}

static void expect_life(void (*fn)(void))
{
    death d = die_in_child(fn);
    expect_exit(&d, 0, "");
    assert_null(strstr(d.text, "asleep"));
}

#define DEADLOCK(name, message, stack)                                                             \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        expect_deadlock(name, message, stack);                                                     \
    }

#define LIFE(name)                                                                                 \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        expect_life(name);                                                                         \
    }

static void receive_for_ever(void *arg)
{
    char byte;
    CHECK_EQ(weft_chan_recv(arg ? arg : weft_chan_new(1, 0), &byte), 0);
}

static void nothing(void) {}

/* ---- Told ---- */

static void main_waits_on_its_own_channel(void)
{
    receive_for_ever(NULL);
}
DEADLOCK(main_waits_on_its_own_channel, asleep, "goroutine 1 [chan receive")

static void the_dump_names_the_function(void)
{
    receive_for_ever(NULL);
}
DEADLOCK(the_dump_names_the_function, asleep, "    the_dump_names_the_function\n")

static weft_mutex first, second;

static void lock_second_then_first(void *arg)
{
    (void)arg;
    weft_mutex_lock(&second);
    weft_yield();
    weft_mutex_lock(&first);
    weft_mutex_unlock(&first); /* the call before is no tail call */
}

static void two_locks_in_two_orders(void)
{
    weft_mutex_lock(&first);
    go(lock_second_then_first, NULL);
    while (weft_mutex_trylock(&second)) {
        weft_mutex_unlock(&second);
        weft_yield();
    }
    weft_mutex_lock(&second);
}
DEADLOCK(two_locks_in_two_orders, asleep, "lock_second_then_first\n")

static void main_ends_alone(void)
{
    weft_goexit();
}
DEADLOCK(main_ends_alone,
         "weft: fatal: no goroutine is left, and the main goroutine has not returned\n", "")

static void after_timers_and_blocking_calls(void)
{
    weft_sleep(A_WHILE_MS / 4 * WEFT_MILLISECOND);
    weft_blocking_enter();
    plain_sleep(A_WHILE_MS / 4);
    weft_blocking_exit();
    char byte;
    CHECK_EQ(weft_chan_recv_until(weft_chan_new(1, 0), &byte, weft_now() + WEFT_MILLISECOND),
             -ETIMEDOUT);
    receive_for_ever(NULL);
}
DEADLOCK(after_timers_and_blocking_calls, asleep, "goroutine 1 [chan receive")

static void *end_soon(void *arg)
{
    plain_sleep(A_WHILE_MS);
    return arg;
}

static void the_last_thread_outside_ends(void)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, end_soon, NULL), 0);
    receive_for_ever(NULL);
}
DEADLOCK(the_last_thread_outside_ends, asleep, "goroutine 1 [chan receive")

static void a_descriptor_that_nobody_waits_for(void)
{
    int ends[2];
    weft_conn *conn;
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(weft_conn_from_fd(ends[0], &conn), 0);
    receive_for_ever(NULL);
}
DEADLOCK(a_descriptor_that_nobody_waits_for, asleep, "goroutine 1 [chan receive")

static void run_virtual_deadlock(void *arg)
{
    struct body body = {main_waits_on_its_own_channel};
    weft_options options = {.size = sizeof options, .virtual_time = 1};
    (void)arg;
    (void)weft_run(&options, run_body, &body);
}

static void test_in_virtual_time(void **state)
{
    (void)state;
    if (never_told())
        skip();
    death d = death_of(run_virtual_deadlock, NULL);
    expect_exit(&d, 2, asleep);
}

static void run_traced(void *arg)
{
    char path[512];
    snprintf(path, sizeof path, "%s/deadlock.trace", (const char *)arg);
    setenv("WEFT_TRACE", path, 1);
    run_on(2, never_told() ? nothing : two_locks_in_two_orders);
}

/* The fixture passes the trace to Go's reader. */
static void test_the_trace_is_completed(void **state)
{
    (void)state;
    const char *dir = getenv("WEFT_TRACE_DIR");
    if (!dir)
        skip();
    death d = death_of(run_traced, (void *)(uintptr_t)dir);
    expect_exit(&d, never_told() ? 0 : 2, never_told() ? "" : asleep);
}

/* ---- Not told ---- */

static void a_timer_is_set(void)
{
    weft_sleep(A_WHILE_MS * WEFT_MILLISECOND);
}
LIFE(a_timer_is_set)

static void *send_later(void *chan)
{
    plain_sleep(A_WHILE_MS);
    weft_chan_send(chan, "x");
    return NULL;
}

static void a_thread_outside_sends(void)
{
    weft_chan *chan = weft_chan_new(1, 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, send_later, chan), 0);
    receive_for_ever(chan);
    pthread_join(thread, NULL);
    weft_chan_free(chan);
}
LIFE(a_thread_outside_sends)

static void *attach_and_send(void *chan)
{
    plain_sleep(A_WHILE_MS);
    CHECK_EQ(weft_thread_attach(), 0);
    weft_chan_send(chan, "x");
    CHECK_EQ(weft_thread_detach(), 0);
    return NULL;
}

static void an_attached_thread_sends(void)
{
    weft_chan *chan = weft_chan_new(1, 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, attach_and_send, chan), 0);
    receive_for_ever(chan);
    pthread_join(thread, NULL);
    weft_chan_free(chan);
}
LIFE(an_attached_thread_sends)

static void send_one(void *chan)
{
    weft_chan_send(chan, "x");
}

static void posted_work_sends(void)
{
    weft_chan *chan = weft_chan_new(1, 0);
    for (int i = 0; i < ROUNDS(400); i++) {
        CHECK_EQ(weft_post(send_one, chan), 0);
        if (i % 100 == 0)
            plain_sleep(60);
        receive_for_ever(chan);
    }
    weft_chan_free(chan);
}
LIFE(posted_work_sends)

static void block_and_send(void *chan)
{
    plain_sleep(A_WHILE_MS); /* not annotated */
    weft_blocking_enter();
    plain_sleep(A_WHILE_MS);
    weft_blocking_exit();
    weft_chan_send(chan, "x");
}

static void a_goroutine_blocks_outside(void)
{
    weft_chan *chan = weft_chan_new(1, 0);
    go(block_and_send, chan);
    receive_for_ever(chan);
    weft_chan_free(chan);
}
LIFE(a_goroutine_blocks_outside)

static void write_later(int fd)
{
    if (fork() == 0) {
        plain_sleep(A_WHILE_MS);
        _exit(write(fd, "x", 1) == 1 ? 0 : 1);
    }
}

static void another_process_writes(void)
{
    int ends[2];
    char byte;
    weft_conn *conn;
    CHECK_EQ(pipe(ends), 0);
    write_later(ends[1]);
    CHECK_EQ(weft_conn_from_fd(ends[0], &conn), 0);
    CHECK_EQ(weft_conn_read(conn, &byte, 1), 1);
    weft_conn_close(conn);
}
LIFE(another_process_writes)

static void end_well(int number)
{
    (void)number;
    _exit(0);
}

static void a_signal_handler_may_come(void)
{
    signal(SIGUSR1, end_well);
    if (fork() == 0) {
        plain_sleep(A_WHILE_MS);
        _exit(kill(getppid(), SIGUSR1));
    }
    receive_for_ever(NULL);
}
LIFE(a_signal_handler_may_come)

static void nap(void *arg)
{
    weft_sleep(100 * WEFT_MICROSECOND);
    weft_chan_send(arg, "x");
}

/* All wait, for moments only, and each moment may be the monitor's. */
static void hardly_anything_runs(void)
{
    weft_chan *chan = weft_chan_new(1, 0);
    for (int i = 0; i < ROUNDS(2000); i++) {
        char byte;
        go(nap, chan);
        weft_chan_recv(chan, &byte);
        if (i % 500 == 0)
            plain_sleep(60);
    }
    weft_chan_free(chan);
}
LIFE(hardly_anything_runs)

/* ---- Leaks ---- */

static void leave_two_waiting(void)
{
    weft_chan *chan = weft_chan_new(1, 0);
    go(receive_for_ever, chan);
    go(receive_for_ever, chan);
    weft_sleep(A_WHILE_MS * WEFT_MILLISECOND);
}

static void run_leaks(void *arg)
{
    setenv("WEFT_DEBUG", "leaks", 1);
    run_on(2, ((struct death_body *)arg)->fn);
}

static void test_leaks_are_listed(void **state)
{
    (void)state;
    struct death_body body = {leave_two_waiting};
    death d = death_of(run_leaks, &body);
    expect_exit(&d, 0, "weft: the main goroutine has returned while 2 still wait:\n");
    expect_exit(&d, 0, "[chan receive");
    expect_exit(&d, 0, "receive_for_ever\n");
}

static void test_no_leak_no_report(void **state)
{
    (void)state;
    struct death_body body = {a_timer_is_set};
    death d = death_of(run_leaks, &body);
    expect_exit(&d, 0, "");
    assert_null(strstr(d.text, "weft:"));
}

static void run_bad_word(void *arg)
{
    (void)arg;
    setenv("WEFT_DEBUG", "leaks,nonsense", 1);
    struct body body = {a_timer_is_set};
    CHECK_EQ(weft_run(NULL, run_body, &body), -EINVAL);
}

static void test_an_unknown_word_is_refused(void **state)
{
    (void)state;
    death d = death_of(run_bad_word, NULL);
    expect_exit(&d, 0, "weft: WEFT_DEBUG: no such word: nonsense");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(main_waits_on_its_own_channel),
        TEST(the_dump_names_the_function),
        TEST(two_locks_in_two_orders),
        TEST(main_ends_alone),
        TEST(after_timers_and_blocking_calls),
        TEST(the_last_thread_outside_ends),
        TEST(a_descriptor_that_nobody_waits_for),
        TEST(in_virtual_time),
        TEST(the_trace_is_completed),
        TEST(a_timer_is_set),
        TEST(a_thread_outside_sends),
        TEST(an_attached_thread_sends),
        TEST(posted_work_sends),
        TEST(a_goroutine_blocks_outside),
        TEST(another_process_writes),
        TEST(a_signal_handler_may_come),
        TEST(hardly_anything_runs),
        TEST(leaks_are_listed),
        TEST(no_leak_no_report),
        TEST(an_unknown_word_is_refused),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
