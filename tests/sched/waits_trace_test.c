/* SPDX-License-Identifier: MIT */
/*
 * Every kind of wait as the trace shows it (situations.h). The main goroutine ends the waits when
 * all have begun.
 */
#include "sched/situations.h"

#include <unistd.h>

#include "weft/coro.h"
#include "weft/scope.h"
#include "weft/signal.h"

struct objects {
    weft_chan *empty, *full, *null, *gate, *signals;
    weft_mutex held, mutex;
    weft_rwmutex written, written_for_good;
    weft_sem none, none_for_good;
    weft_cond cond;
    weft_waitgroup open;
    weft_once once;
    weft_context *context;
    weft_timer *ticker;
};
static struct objects o;

#define FAR (weft_now() + 1000 * WEFT_SECOND)

static void wait_send(void)
{
    CHECK_EQ(weft_chan_send(o.full, NULL), 0);
}

static void wait_recv(void)
{
    CHECK_EQ(weft_chan_recv(o.empty, NULL), -EPIPE);
}

static void wait_send_until(void)
{
    CHECK_EQ(weft_chan_send_until(o.full, NULL, FAR), 0);
}

static void wait_recv_until(void)
{
    CHECK_EQ(weft_chan_recv_until(o.empty, NULL, FAR), -EPIPE);
}

static void wait_recv_ctx(void)
{
    CHECK_EQ(weft_chan_recv_ctx(o.context, o.null, NULL), -ECANCELED);
}

static void wait_select(void)
{
    weft_select_case cases[] = {{.chan = o.empty}, {.chan = o.null, .send = ""}};
    CHECK_EQ(weft_select(cases, 2, WEFT_NEVER), 0);
}

static void wait_lock(void)
{
    weft_mutex_lock(&o.held);
    weft_mutex_unlock(&o.held);
}

static void wait_lock_ctx(void)
{
    CHECK_EQ(weft_mutex_lock_ctx(o.context, &o.held), -ECANCELED);
}

static void wait_rdlock(void)
{
    weft_rwmutex_rdlock(&o.written);
    weft_rwmutex_rdunlock(&o.written);
}

static void wait_wrlock(void)
{
    weft_rwmutex_wrlock(&o.written);
    weft_rwmutex_wrunlock(&o.written);
}

static void wait_sem(void)
{
    weft_sem_acquire(&o.none, 1);
    stay();
}

static void wait_cond(void)
{
    weft_mutex_lock(&o.mutex);
    weft_cond_wait(&o.cond, &o.mutex);
    weft_mutex_unlock(&o.mutex);
}

static void wait_group(void)
{
    weft_waitgroup_wait(&o.open);
    stay();
}

static void wait_wrlock_ctx(void)
{
    CHECK_EQ(weft_rwmutex_wrlock_ctx(o.context, &o.written_for_good), -ECANCELED);
}

static void wait_sem_ctx(void)
{
    CHECK_EQ(weft_sem_acquire_ctx(o.context, &o.none_for_good, 1), -ECANCELED);
}

static void wait_cond_ctx(void)
{
    weft_mutex mutex = WEFT_MUTEX_INIT;
    weft_cond cond = WEFT_COND_INIT;
    weft_mutex_lock(&mutex);
    CHECK_EQ(weft_cond_wait_ctx(o.context, &cond, &mutex), -ECANCELED);
    weft_mutex_unlock(&mutex);
}

static void wait_group_ctx(void)
{
    weft_waitgroup group = WEFT_WAITGROUP_INIT;
    weft_waitgroup_add(&group, 1);
    CHECK_EQ(weft_waitgroup_wait_ctx(o.context, &group), -ECANCELED);
}

static void wait_signal(void)
{
    int number;
    CHECK_EQ(weft_chan_recv(o.signals, &number), 0);
    CHECK_EQ(number, SIGUSR1);
}

static void wait_sleep(void)
{
    weft_sleep(2 * WEFT_MILLISECOND);
    stay();
}

static void wait_sleep_until(void)
{
    CHECK_EQ(weft_sleep_until_ctx(o.context, FAR), -ECANCELED);
}

static void wait_context(void)
{
    CHECK_EQ(weft_context_wait(o.context), -ECANCELED);
}

static void wait_ticker(void)
{
    CHECK_EQ(weft_chan_recv(weft_timer_chan(o.ticker), NULL), 0);
}

static int end_at_once(void *arg)
{
    (void)arg;
    weft_sleep(2 * WEFT_MILLISECOND);
    return 0;
}

static void wait_scope(void)
{
    weft_scope *scope = weft_scope_new(NULL, 0);
    CHECK_EQ(weft_scope_go(scope, end_at_once, NULL), 0);
    CHECK_EQ(weft_scope_end(scope), 0);
}

static void wait_nil_send(void)
{
    weft_chan_send(NULL, NULL);
    stay();
}

static void wait_nil_recv(void)
{
    weft_chan_recv(NULL, NULL);
    stay();
}

static void wait_nothing(void)
{
    weft_select(NULL, 0, WEFT_NEVER);
    stay();
}

static void be_called_once(void *arg)
{
    CHECK_EQ(weft_chan_recv(arg, NULL), -EPIPE);
}

/* The first who comes: it is held up by what it calls. */
static void wait_once_first(void)
{
    weft_once_do(&o.once, be_called_once, o.gate);
    stay();
}

static void wait_once_second(void)
{
    while (atomic_load_relaxed(&o.once.mutex.state) == 0)
        weft_yield();
    weft_once_do(&o.once, be_called_once, NULL);
    stay();
}

static void *yield_once(void *arg, void *value)
{
    (void)arg;
    CHECK_EQ(weft_coro_yield(value, NULL), 0);
    return NULL;
}

static void wait_coroutine(void)
{
    weft_coro *coro = weft_coro_new(yield_once, NULL, 0);
    CHECK_EQ(weft_coro_resume(coro, NULL, NULL), WEFT_CORO_YIELDED);
    CHECK_EQ(weft_coro_resume(coro, NULL, NULL), WEFT_CORO_ENDED);
    CHECK_EQ(weft_coro_free(coro), 0);
}

static void wait_locked(void)
{
    CHECK_EQ(weft_thread_lock(), 0);
    CHECK_EQ(weft_chan_recv(o.gate, NULL), -EPIPE);
    CHECK_EQ(weft_thread_unlock(), 0);
}

static int block_a_moment(void *arg)
{
    usleep(1000);
    return *(const int *)arg;
}

static void in_blocking(void)
{
    CHECK_EQ(weft_blocking(block_a_moment, &(int){7}), 7);
}

static void in_blocking_enter(void)
{
    weft_blocking_enter();
    usleep(1000);
    weft_blocking_exit();
    stay();
}

static struct situation situations[] = {
    SITUATION(wait_send, "chan send", "weft_chan_send", .waker = "weft_chan_recv"),
    SITUATION(wait_recv, "chan receive", "weft_chan_recv", .waker = "weft_chan_close"),
    SITUATION(wait_send_until, "chan send", "weft_chan_send_until", .waker = "weft_chan_recv"),
    SITUATION(wait_recv_until, "chan receive", "weft_chan_recv_until", .waker = "weft_chan_close"),
    SITUATION(wait_recv_ctx, "chan receive", "weft_chan_recv", .waker = "weft_context_cancel"),
    SITUATION(wait_nil_send, "forever", "weft_chan_send", .for_ever = true),
    SITUATION(wait_nil_recv, "forever", "weft_chan_recv", .for_ever = true),
    SITUATION(wait_select, "select", "weft_select", .waker = "weft_chan_close"),
    SITUATION(wait_nothing, "forever", "weft_select", .for_ever = true),
    SITUATION(wait_lock, "sync", "weft_mutex_lock", .waker = "weft_mutex_unlock"),
    SITUATION(wait_lock_ctx, "sync", "weft_mutex_lock_until", .waker = "weft_context_cancel"),
    SITUATION(wait_rdlock, "sync", "weft_rwmutex_rdlock", .waker = "weft_rwmutex_wrunlock"),
    SITUATION(wait_wrlock, "sync", "weft_rwmutex_wrlock", .waker = "weft_rwmutex_rdunlock"),
    SITUATION(wait_sem, "sync", "weft_sem_acquire", .waker = "weft_sem_release"),
    SITUATION(wait_cond, "sync.(*Cond).Wait", "weft_cond_wait", .waker = "weft_cond_broadcast"),
    SITUATION(wait_once_first, "chan receive", "weft_chan_recv", .waker = "weft_chan_close"),
    SITUATION(wait_once_second, "sync", "weft_mutex_lock", .waker = "weft_mutex_unlock"),
    SITUATION(wait_group, "sync", "weft_waitgroup_wait", .waker = "weft_waitgroup_done"),
    SITUATION(wait_wrlock_ctx, "sync", "weft_rwmutex_wrlock_until", .waker = "weft_context_cancel"),
    SITUATION(wait_sem_ctx, "sync", "weft_sem_acquire_until", .waker = "weft_context_cancel"),
    SITUATION(wait_cond_ctx, "sync.(*Cond).Wait", "weft_cond_wait_until",
              .waker = "weft_context_cancel"),
    SITUATION(wait_group_ctx, "sync", "weft_waitgroup_wait_until", .waker = "weft_context_cancel"),
    SITUATION(wait_signal, "chan receive", "weft_chan_recv"),
    SITUATION(wait_sleep, "sleep", "weft_sleep", .by_itself = true),
    SITUATION(wait_sleep_until, "sleep", "weft_sleep_until", .waker = "weft_context_cancel"),
    SITUATION(wait_context, "sync", "weft_context_wait", .waker = "weft_context_cancel"),
    SITUATION(wait_ticker, "chan receive", "weft_chan_recv"),
    SITUATION(wait_scope, "sync", "weft_waitgroup_wait", .by_itself = true),
    SITUATION(wait_coroutine, "", NULL, .by_itself = true),
    SITUATION(wait_locked, "chan receive", "weft_chan_recv", .waker = "weft_chan_close",
              .on_one_thread = true),
    SITUATION(in_blocking, NULL, "weft_blocking", .by_itself = true),
    SITUATION(in_blocking_enter, NULL, "weft_blocking_enter", .by_itself = true),
};
enum { SITUATIONS = sizeof situations / sizeof *situations };

static void run_all(void);
static struct situations all = {.list = situations, .count = SITUATIONS, .body = run_all};

/* ---- The program that is traced ---- */

static void set_up(void)
{
    o = (struct objects){
        .empty = weft_chan_new(0, 0), .full = weft_chan_new(0, 0), .gate = weft_chan_new(0, 0)};
    o.context = weft_context_new(NULL);
    o.ticker = weft_timer_new_chan();
    weft_mutex_lock(&o.held);
    weft_rwmutex_wrlock(&o.written);
    weft_rwmutex_wrlock(&o.written_for_good);
    o.signals = weft_chan_new(sizeof(int), 1);
    CHECK_EQ(weft_signal_notify(o.signals, WEFT_SIGNALS(SIGUSR1)), 0);
    weft_waitgroup_add(&o.open, 1);
}

static void raise_signal(void)
{
#ifdef BASE_TSAN /* which keeps signals back from threads that sleep */
    CHECK_EQ(weft_chan_send(o.signals, &(int){SIGUSR1}), 0);
#else
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
#endif
}

static void end_all_waits(void)
{
    weft_context_cancel(o.context, 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(weft_chan_recv(o.full, NULL), 0);
    weft_chan_close(o.empty);
    weft_chan_close(o.gate);
    weft_mutex_unlock(&o.held);
    weft_rwmutex_wrunlock(&o.written);
    weft_sem_release(&o.none, 1);
    weft_cond_broadcast(&o.cond);
    weft_waitgroup_done(&o.open);
    raise_signal();
    CHECK_EQ(weft_timer_start(o.ticker, WEFT_MICROSECOND, WEFT_MICROSECOND), 0);
}

static void run_all(void)
{
    set_up();
    start_situations(&all);
    await_held_up(&all);
    end_all_waits();
    weft_waitgroup_wait(&all.finished);
    weft_timer_free(o.ticker);
    weft_context_free(o.context);
    CHECK_EQ(weft_signal_stop(o.signals), 0);
    weft_rwmutex_wrunlock(&o.written_for_good);
    weft_chan_free(o.signals);
    weft_chan_free(o.empty);
    weft_chan_free(o.full);
    weft_chan_free(o.gate);
}

static void test_every_wait_is_in_the_trace_with_reason_and_stack(void **state)
{
    (void)state;
    for (unsigned procs = 1; procs <= 4; procs *= 2)
        check_situations(&all, procs, "waits");
}

/* ---- Work from outside ---- */

static uint64_t posted_g;
static weft_chan *posted_done;
static unsigned posted_steps; /* of its life that were seen, in their order */

static void be_posted(void *arg)
{
    posted_g = weft_goid();
    CHECK_EQ(weft_chan_send(arg, NULL), 0);
}

static void post_one(void)
{
    weft_trace_stream *stream;
    posted_done = weft_chan_new(0, 1);
    CHECK_EQ(
        weft_trace_start_callback(weft_tracer_default(), sink_write, &all.trace, NULL, &stream), 0);
    CHECK_EQ(weft_post(be_posted, posted_done), 0);
    CHECK_EQ(weft_chan_recv(posted_done, NULL), 0);
    CHECK_EQ(weft_trace_stop(stream, NULL), 0);
    weft_chan_free(posted_done);
}

static void see_posted(void *arg, weft_reader *reader, const weft_event *event)
{
    (void)arg;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->resource != WEFT_RESOURCE_GOROUTINE ||
        event->id != posted_g)
        return;
    if (event->from == WEFT_STATE_NOT_EXIST && event->to == WEFT_STATE_RUNNABLE)
        posted_steps +=
            posted_steps == 0 && frame_is(reader, event->resource_stack, 0, "be_posted");
    else if (event->from == WEFT_STATE_RUNNABLE && event->to == WEFT_STATE_RUNNING)
        posted_steps += posted_steps == 1;
}

static void test_posted_work_is_a_goroutine_that_begins_with_its_function(void **state)
{
    (void)state;
    for (unsigned procs = 1; procs <= 4; procs *= 2) {
        char name[32];
        run_on(procs, post_one);
        snprintf(name, sizeof name, "posted_%u", procs);
        sink_save(&all.trace, name);
        posted_steps = 0;
        const char *complaint = check_sink(&all.trace, see_posted, NULL);
        if (complaint)
            fail_msg("%s", complaint);
        sink_free(&all.trace);
        assert_int_equal(posted_steps, 2);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(every_wait_is_in_the_trace_with_reason_and_stack),
        TEST(posted_work_is_a_goroutine_that_begins_with_its_function),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
