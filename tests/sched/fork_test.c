/* SPDX-License-Identifier: MIT */
/* fork() in a program with threads: the child may exec or end, whatever the others did at that
 * moment, and calls into weft say that they are none of its business. */
#include "sched/support.h"

#include <pthread.h>
#include <unistd.h>

#include "sched/chan_ops.h"

/* ---- One child ---- */

static void (*in_child)(void);
static int child_status;
static char child_text[4096];

/* On a goroutine: runs in_child in the child of a fork. */
static void fork_one(void)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        death_prepare_child(ends[1]);
        in_child();
        _exit(0);
    }
    close(ends[1]);
    weft_blocking_enter();
    size_t used = 0;
    for (ssize_t n; used < sizeof child_text - 1 &&
                    (n = read(ends[0], child_text + used, sizeof child_text - 1 - used)) > 0;)
        used += (size_t)n;
    CHECK_EQ(waitpid(child, &child_status, 0), child);
    weft_blocking_exit();
    child_text[used] = 0;
    close(ends[0]);
}

static void run_child(void (*fn)(void))
{
    in_child = fn;
    run_on(2, fork_one);
}

static void expect_message(void (*fn)(void), const char *message)
{
    run_child(fn);
    if (!WIFSIGNALED(child_status) || WTERMSIG(child_status) != SIGABRT ||
        !strstr(child_text, message))
        fail_msg("status %x, and: %s", (unsigned)child_status, child_text);
}

/* ---- Errors ---- */

static void never(void *arg)
{
    (void)arg;
    _exit(9);
}

static int never_run(void *arg)
{
    never(arg);
    return 0;
}

static weft_conn *pipe_ends[2];

static void call_everything(void)
{
    char byte;
    weft_stats stats = {.size = sizeof stats};
    weft_listener *listener;
    weft_process *process;
    const char *const argv[] = {"true", NULL};
    CHECK_EQ(weft_in_goroutine(), 0);
    CHECK_EQ(weft_goid(), 0);
    CHECK_EQ(weft_go(never, NULL), -EPERM);
    CHECK_EQ(weft_post(never, NULL), -EPERM);
    CHECK_EQ(weft_thread_attach(), -EPERM);
    CHECK_EQ(weft_procs(0), -EPERM);
    CHECK_EQ(weft_conn_read(pipe_ends[0], &byte, 1), -EPERM);
    CHECK_EQ(weft_conn_write(pipe_ends[1], "x", 1), -EPERM);
    CHECK_EQ(weft_tcp_listen("127.0.0.1:0", &listener), -EPERM);
    CHECK_EQ(weft_process_start(argv, NULL, &process), -EPERM);
    CHECK_EQ(weft_run(NULL, never_run, NULL), -EBUSY);
    CHECK(weft_tracer_default() == NULL);
    weft_stats_get(&stats);
    CHECK_EQ(stats.goroutines, 0);
    weft_sleep(WEFT_MILLISECOND);
    weft_blocking_enter();
    weft_blocking_exit();
}

static void open_and_fork(void)
{
    CHECK_EQ(weft_pipe(pipe_ends), 0);
    fork_one();
    CHECK_EQ(weft_conn_write(pipe_ends[1], "y", 1), 1); /* the parent's are as they were */
    weft_conn_close(pipe_ends[0]);
    weft_conn_close(pipe_ends[1]);
}

static void the_child_is_told_that_it_is_none_of_its_business(void **state)
{
    (void)state;
    in_child = call_everything;
    run_on(2, open_and_fork);
    if (child_status != 0)
        fail_msg("status %x, and: %s", (unsigned)child_status, child_text);
    assert_non_null(strstr(child_text, "weft_run: this is the child of a fork()"));
}

static void wait_for_ever(void)
{
    weft_chan *chan = weft_chan_new(0, 0);
    weft_chan_recv(chan, NULL);
}

static void yield(void)
{
    weft_yield();
}

static weft_chan *chan;
static uint32_t held, forked; /* atomic */

static void *hold_lock(void *arg)
{
    (void)arg;
    lock_acquire(&chan->lock);
    atomic_store_release(&held, 1);
    while (!atomic_load_acquire(&forked))
        usleep(100);
    lock_release(&chan->lock);
    return NULL;
}

static void use_held_lock(void)
{
    weft_chan_try_send(chan, NULL);
}

static void fork_while_it_is_held(void)
{
    pthread_t thread;
    chan = weft_chan_new(0, 1);
    CHECK_EQ(pthread_create(&thread, NULL, hold_lock, NULL), 0);
    while (!atomic_load_acquire(&held))
        usleep(100);
    fork_one();
    atomic_store_release(&forked, 1);
    pthread_join(thread, NULL);
    weft_chan_free(chan);
}

static void who_would_wait_for_ever_is_stopped(void **state)
{
    (void)state;
    expect_message(wait_for_ever, "nobody is left to end the wait");
    expect_message(yield, "weft_yield was called outside of a goroutine");
    in_child = use_held_lock;
    run_on(2, fork_while_it_is_held);
    assert_true(WIFSIGNALED(child_status));
    assert_non_null(strstr(child_text, "nobody is left to end the wait"));
}

static void fork_and_return(void *arg)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        death_prepare_child(ends[1]);
        return;
    }
    close(ends[1]);
    CHECK_EQ(waitpid(child, &child_status, 0), child);
    ssize_t n = read(ends[0], child_text, sizeof child_text - 1);
    child_text[n > 0 ? n : 0] = 0;
    close(ends[0]);
    weft_waitgroup_done(arg);
}

static void return_in_child(void)
{
    weft_waitgroup group = {0};
    weft_waitgroup_add(&group, 1);
    go(fork_and_return, &group);
    weft_waitgroup_wait(&group);
}

static void who_returns_is_stopped(void **state)
{
    (void)state;
    run_on(2, return_in_child);
    assert_true(WIFSIGNALED(child_status));
    assert_non_null(strstr(child_text, "has returned in the child of a fork()"));
}

static void leave(void)
{
    exit(5);
}

static void exit_is_possible(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* LeakSanitizer finds what the threads had that are not there */
#endif
    run_child(leave);
    assert_true(WIFEXITED(child_status));
    assert_int_equal(WEXITSTATUS(child_status), 5);
}

/* ---- In the middle of everything ---- */

static uint32_t busy; /* atomic */

static void send_and_receive(void *arg)
{
    weft_chan *own = weft_chan_new(sizeof(int), 1);
    int n = 0;
    while (atomic_load_relaxed(&busy)) {
        CHECK_EQ(weft_chan_send(own, &n), 0);
        CHECK_EQ(weft_chan_recv(own, &n), 0);
        weft_sleep(n++ % 20 ? 0 : WEFT_MICROSECOND);
        free(malloc(100));
    }
    weft_chan_free(own);
    weft_waitgroup_done(arg);
}

static void fork_often(void *arg)
{
    for (int i = 0; i < ROUNDS(40); i++) {
        int status;
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(30);
            if (i % 2)
                _exit(weft_go(never, NULL) == -EPERM ? 0 : 1);
            execl("/bin/true", "true", (char *)NULL);
        }
        weft_blocking_enter();
        pid_t waited = waitpid(child, &status, 0);
        weft_blocking_exit();
        CHECK_EQ(waited, child);
        CHECK_EQ(status, 0);
    }
    weft_waitgroup_done(arg);
}

static void children_end_whatever_others_do(void)
{
    weft_waitgroup workers = {0}, forkers = {0};
    atomic_store_relaxed(&busy, 1);
    weft_waitgroup_add(&workers, 6);
    weft_waitgroup_add(&forkers, 3);
    for (int i = 0; i < 6; i++)
        go(send_and_receive, &workers);
    for (int i = 0; i < 3; i++)
        go(fork_often, &forkers);
    weft_waitgroup_wait(&forkers);
    atomic_store_relaxed(&busy, 0);
    weft_waitgroup_wait(&workers);
}

ON_ALL_PROCS(children_end_whatever_others_do)

int main(int argc, char **argv)
{
    choose_tests(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_child_is_told_that_it_is_none_of_its_business),
        cmocka_unit_test(who_would_wait_for_ever_is_stopped),
        cmocka_unit_test(who_returns_is_stopped),
        cmocka_unit_test(exit_is_possible),
        TEST(children_end_whatever_others_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
