/* SPDX-License-Identifier: MIT */
/*
 * Every kind of wait as the trace shows it: running, then waiting for the reason that Go's tools
 * know, in the public function that the user called and below it the user's own, then runnable and
 * running again.
 *
 * Each situation is a function wait_…(), on a goroutine of its own; the main goroutine ends its
 * wait when it has begun.
 */
#include "sched/mutex.h"
#include "sched/support.h"

#include "trace/check.h"
#include "weft/scope.h"

struct objects {
    weft_chan *empty, *full, *null;
    weft_mutex held, mutex;
    weft_rwmutex written;
    weft_sem none;
    weft_cond cond;
    weft_waitgroup open, finished;
    weft_once once;
    weft_context *context;
    weft_timer *ticker;
};
static struct objects o;

/* Not a tail call: the function stays on the stack. */
#define stay() __asm__ volatile("")

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

struct situation {
    void (*fn)(void);
    const char *name, *reason, *function;
    /* found in the trace */
    uint64_t g;
    unsigned blocked, unblocked, started;
};

#define SITUATION(fn, reason, function)                                                            \
    {                                                                                              \
        fn, #fn, reason, function, 0, 0, 0, 0                                                      \
    }
static struct situation situations[] = {
    SITUATION(wait_send, "chan send", "weft_chan_send"),
    SITUATION(wait_recv, "chan receive", "weft_chan_recv"),
    SITUATION(wait_send_until, "chan send", "weft_chan_send_until"),
    SITUATION(wait_recv_until, "chan receive", "weft_chan_recv_until"),
    SITUATION(wait_recv_ctx, "chan receive", "weft_chan_recv"),
    SITUATION(wait_select, "select", "weft_select"),
    SITUATION(wait_lock, "sync", "weft_mutex_lock"),
    SITUATION(wait_lock_ctx, "sync", "weft_mutex_lock_until"),
    SITUATION(wait_rdlock, "sync", "weft_rwmutex_rdlock"),
    SITUATION(wait_wrlock, "sync", "weft_rwmutex_wrlock"),
    SITUATION(wait_sem, "sync", "weft_sem_acquire"),
    SITUATION(wait_cond, "sync.(*Cond).Wait", "weft_cond_wait"),
    SITUATION(wait_group, "sync", "weft_waitgroup_wait"),
    SITUATION(wait_sleep, "sleep", "weft_sleep"),
    SITUATION(wait_sleep_until, "sleep", "weft_sleep_until"),
    SITUATION(wait_context, "sync", "weft_context_wait"),
    SITUATION(wait_ticker, "chan receive", "weft_chan_recv"),
    SITUATION(wait_scope, "sync", "weft_waitgroup_wait"),
};
enum { SITUATIONS = sizeof situations / sizeof *situations };

/* ---- The program that is traced ---- */

static void be_in(void *arg)
{
    ((struct situation *)arg)->fn();
    weft_waitgroup_done(&o.finished);
}

static void set_up(void)
{
    o = (struct objects){.empty = weft_chan_new(0, 0), .full = weft_chan_new(0, 0)};
    o.context = weft_context_new(NULL);
    o.ticker = weft_timer_new_chan();
    weft_mutex_lock(&o.held);
    weft_rwmutex_wrlock(&o.written);
    weft_waitgroup_add(&o.open, 1);
    weft_waitgroup_add(&o.finished, SITUATIONS);
}

static void end_all_waits(void)
{
    weft_context_cancel(o.context, 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(weft_chan_recv(o.full, NULL), 0);
    weft_chan_close(o.empty);
    weft_mutex_unlock(&o.held);
    weft_rwmutex_wrunlock(&o.written);
    weft_sem_release(&o.none, 1);
    weft_cond_broadcast(&o.cond);
    weft_waitgroup_done(&o.open);
    CHECK_EQ(weft_timer_start(o.ticker, WEFT_MICROSECOND, WEFT_MICROSECOND), 0);
}

/* Until all but the sleepers wait: they are where only this goroutine can get them on. */
static void await_all(void)
{
    await_waiters(sync_queue(&o.held.head), sync_lock(o.held.lock), 2);
    await_waiters(sync_queue(&o.written.readers_head), sync_lock(o.written.lock), 1);
    await_waiters(sync_queue(&o.written.writers_head), sync_lock(o.written.lock), 1);
    await_waiters(sync_queue(&o.none.head), sync_lock(o.none.lock), 1);
    await_waiters(sync_queue(&o.cond.head), sync_lock(o.cond.lock), 1);
    await_waiters(sync_queue(&o.open.head), sync_lock(o.open.lock), 1);
    weft_sleep(20 * WEFT_MILLISECOND);
}

static void run_all(void)
{
    set_up();
    for (size_t i = 0; i < SITUATIONS; i++)
        go(be_in, &situations[i]);
    await_all();
    end_all_waits();
    weft_waitgroup_wait(&o.finished);
    weft_timer_free(o.ticker);
    weft_context_free(o.context);
    weft_chan_free(o.empty);
    weft_chan_free(o.full);
}

/* ---- What the trace says ---- */

static bool text_is(const weft_reader *reader, weft_string string, const char *text)
{
    weft_text t = weft_reader_string(reader, string);
    return t.size == strlen(text) && memcmp(t.data, text, t.size) == 0;
}

static bool frame_is(const weft_reader *reader, weft_stack stack, size_t i, const char *name)
{
    weft_frame frame;
    return weft_reader_stack_frame(reader, stack, i, &frame) == 0 &&
           text_is(reader, frame.function, name);
}

/* The stack goes through the situation's function. */
static bool is_in(const weft_reader *reader, weft_stack stack, const char *name)
{
    for (size_t i = 0; i < weft_reader_stack_depth(reader, stack); i++)
        if (frame_is(reader, stack, i, name))
            return true;
    return false;
}

static void see_block(const weft_reader *reader, const weft_event *event)
{
    for (struct situation *s = situations; s < situations + SITUATIONS; s++) {
        weft_stack stack = event->resource_stack;
        if (!is_in(reader, stack, s->name))
            continue;
        s->g = event->id;
        s->blocked++;
        if (!text_is(reader, event->name, s->reason))
            fail_msg("%s waits for another reason than \"%s\"", s->name, s->reason);
        if (!frame_is(reader, stack, 0, s->function))
            fail_msg("%s does not wait in %s", s->name, s->function);
    }
}

static void see(void *arg, weft_reader *reader, const weft_event *event)
{
    (void)arg;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->resource != WEFT_RESOURCE_GOROUTINE)
        return;
    if (event->from == WEFT_STATE_RUNNING && event->to == WEFT_STATE_WAITING) {
        see_block(reader, event);
        return;
    }
    for (struct situation *s = situations; s < situations + SITUATIONS; s++) {
        if (!s->blocked || event->id != s->g)
            continue;
        s->unblocked += event->from == WEFT_STATE_WAITING && event->to == WEFT_STATE_RUNNABLE;
        s->started += event->from == WEFT_STATE_RUNNABLE && event->to == WEFT_STATE_RUNNING;
    }
}

static sink trace;

static void trace_all(void)
{
    weft_trace_stream *stream;
    CHECK_EQ(weft_trace_start_callback(weft_tracer_default(), sink_write, &trace, NULL, &stream),
             0);
    run_all();
    CHECK_EQ(weft_trace_stop(stream, NULL), 0);
}

static void check_on(unsigned procs)
{
    char name[32];
    run_on(procs, trace_all);
    snprintf(name, sizeof name, "waits_%u", procs);
    sink_save(&trace, name);
    const char *complaint = check_sink(&trace, see, NULL);
    if (complaint)
        fail_msg("%s", complaint);
    sink_free(&trace);
    for (struct situation *s = situations; s < situations + SITUATIONS; s++) {
        if (s->blocked < 1 || s->unblocked < s->blocked || s->started < s->blocked)
            fail_msg("%s: blocked %u, made runnable %u, started %u times", s->name, s->blocked,
                     s->unblocked, s->started);
        s->blocked = s->unblocked = s->started = 0;
    }
}

static void test_every_wait_is_in_the_trace_with_reason_and_stack(void **state)
{
    (void)state;
    check_on(1);
    check_on(2);
    check_on(4);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {TEST(every_wait_is_in_the_trace_with_reason_and_stack)};
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
