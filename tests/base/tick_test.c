/* SPDX-License-Identifier: MIT */
/* Timers of threads' CPU time: who is ticked and who is not, and what else SIGPROF may mean. */
#include "base/os_tick.h"

#include "base/atomic.h"
#include "base/cmocka_all.h"
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define PERIOD_NS 2000000

static uint32_t ticks, foreign, quit, looped;
static uint64_t ticked_tid;
static os_interrupted last;

static void on_tick(const os_interrupted *at, unsigned n)
{
    last = *at;
    atomic_store_relaxed(&ticked_tid, base_thread_id());
    errno = EDOM; /* the interrupted code must not see it */
    atomic_add_acqrel(&ticks, n);
}

static void on_foreign(int number)
{
    (void)number;
    atomic_add_acqrel(&foreign, 1);
}

typedef struct worker {
    pthread_t thread;
    uint64_t tid; /* atomic; 0: not up yet */
    int errno_seen;
} worker;

/* Sanitizers deliver signals at calls that they know. */
static void let_signals_in(void)
{
    struct timespec none = {0, 0};
    nanosleep(&none, NULL);
}

static void *compute(void *arg)
{
    worker *w = arg;
    errno = 77;
    atomic_store_release(&w->tid, base_thread_id());
    while (!atomic_load_acquire(&quit)) {
        for (volatile unsigned i = 0; i < 10000; i++)
            ;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
        let_signals_in();
#endif
        atomic_add_relaxed(&looped, 1);
    }
    w->errno_seen = errno;
    return NULL;
}

static void *stay_asleep(void *arg)
{
    worker *w = arg;
    atomic_store_release(&w->tid, base_thread_id());
    while (!atomic_load_acquire(&quit))
        usleep(1000);
    return NULL;
}

static void begin(worker *w, void *(*fn)(void *))
{
    *w = (worker){0};
    atomic_store_release(&quit, 0);
    atomic_store_release(&ticks, 0);
    assert_int_equal(pthread_create(&w->thread, NULL, fn, w), 0);
    while (!atomic_load_acquire(&w->tid))
        usleep(100);
}

static void end(worker *w)
{
    atomic_store_release(&quit, 1);
    pthread_join(w->thread, NULL);
}

static void wait_for_ticks(uint32_t n)
{
    while (atomic_load_acquire(&ticks) < n)
        usleep(500);
}

static void the_thread_that_computes_is_ticked_and_keeps_errno(void **state)
{
    (void)state;
    worker busy, idle;
    os_tick_timer timer = {0}, other = {0};
    assert_int_equal(os_tick_install(on_tick), 0);
    begin(&busy, compute);
    begin(&idle, stay_asleep);
    assert_int_equal(os_tick_start(&other, idle.tid, 1000000000, 1000000000), 0);
    assert_int_equal(os_tick_start(&timer, busy.tid, 1, PERIOD_NS), 0);
    wait_for_ticks(5);
    assert_int_equal(atomic_load_relaxed(&ticked_tid), busy.tid);
    assert_true(last.pc != 0 && last.sp != 0);
    os_tick_stop(&timer);
    os_tick_stop(&other);
    end(&busy);
    pthread_join(idle.thread, NULL);
    assert_int_equal(busy.errno_seen, 77);
}

static void nothing_ticks_once_the_timer_is_gone(void **state)
{
    (void)state;
    worker busy;
    os_tick_timer timer = {0};
    begin(&busy, compute);
    assert_int_equal(os_tick_start(&timer, busy.tid, 1, PERIOD_NS), 0);
    wait_for_ticks(2);
    os_tick_stop(&timer);
    os_tick_stop(&timer);
    uint32_t at = atomic_load_acquire(&looped);
    while (atomic_load_acquire(&looped) - at < 100) /* what was under way has arrived */
        usleep(100);
    uint32_t before = atomic_load_acquire(&ticks);
    at = atomic_load_acquire(&looped);
    while (atomic_load_acquire(&looped) - at < 1000)
        usleep(100);
    assert_int_equal(atomic_load_acquire(&ticks), before);
    end(&busy);
}

static void a_thread_that_has_ended_is_an_error_and_its_timer_can_go(void **state)
{
    (void)state;
    worker busy;
    os_tick_timer timer = {0}, late = {0};
    begin(&busy, compute);
    assert_int_equal(os_tick_start(&timer, busy.tid, 1, PERIOD_NS), 0);
    end(&busy);
    /* join returns a moment before the kernel has forgotten the thread */
    while (os_tick_start(&late, busy.tid, 1, PERIOD_NS) == 0)
        os_tick_stop(&late);
    assert_int_equal(os_tick_start(&late, busy.tid, 1, PERIOD_NS), -EINVAL);
    os_tick_stop(&timer);
}

static void other_signals_reach_the_handler_that_was_there(void **state)
{
    (void)state;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_foreign;
    assert_int_equal(sigaction(SIGPROF, &action, NULL), 0);
    assert_int_equal(os_tick_install(on_tick), 0);
    assert_int_equal(os_tick_install(on_tick), 0); /* does not take itself for another */
    uint32_t before = atomic_load_acquire(&ticks);
    raise(SIGPROF);
    raise(SIGPROF);
    let_signals_in();
    assert_int_equal(atomic_load_acquire(&foreign), 2);
    assert_int_equal(atomic_load_acquire(&ticks), before);
}

static int pipe_ends[2];

static void *read_pipe(void *arg)
{
    worker *w = arg;
    char byte = 0;
    atomic_store_release(&w->tid, base_thread_id());
    ssize_t n = read(pipe_ends[0], &byte, 1);
    w->errno_seen = n == 1 && byte == 'x' ? 0 : errno;
    return NULL;
}

static void a_read_is_restarted(void **state)
{
    (void)state;
    worker w;
    uint32_t before = atomic_load_acquire(&foreign);
    assert_int_equal(pipe(pipe_ends), 0);
    begin(&w, read_pipe);
    for (unsigned i = 0; i < 50; i++) {
        pthread_kill(w.thread, SIGPROF);
        usleep(200);
    }
    assert_int_equal(write(pipe_ends[1], "x", 1), 1);
    end(&w);
    assert_int_equal(w.errno_seen, 0);
    assert_true(atomic_load_acquire(&foreign) > before);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void an_alternate_stack_is_not_replaced(void **state)
{
    (void)state;
    static char mine[65536], theirs[65536];
    stack_t none = {.ss_flags = SS_DISABLE}, had, now;
    sigaltstack(&none, &had); /* sanitizers give threads one */
    os_signal_stack_set(theirs, sizeof theirs);
    os_signal_stack_set(mine, sizeof mine);
    sigaltstack(NULL, &now);
    assert_ptr_equal(now.ss_sp, theirs);
    os_signal_stack_clear(mine);
    sigaltstack(NULL, &now);
    assert_ptr_equal(now.ss_sp, theirs);
    os_signal_stack_clear(theirs);
    sigaltstack(NULL, &now);
    assert_true(now.ss_flags & SS_DISABLE);
    if (!(had.ss_flags & SS_DISABLE))
        sigaltstack(&had, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_thread_that_computes_is_ticked_and_keeps_errno),
        cmocka_unit_test(nothing_ticks_once_the_timer_is_gone),
        cmocka_unit_test(a_thread_that_has_ended_is_an_error_and_its_timer_can_go),
        cmocka_unit_test(other_signals_reach_the_handler_that_was_there),
        cmocka_unit_test(a_read_is_restarted),
        cmocka_unit_test(an_alternate_stack_is_not_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
