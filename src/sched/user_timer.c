/* SPDX-License-Identifier: MIT */
/*
 * weft_timer: a function on a goroutine of its own, or an element in a channel, at an instant.
 *
 * The record is shared by its owner and by run() calls that are under way, which hold references:
 * it can be freed between becoming due (under the heap's lock) and the start of the goroutine
 * (after it).
 *
 * A firing of a timer with a channel is counted by due() and sent by run(), under the channel's
 * lock, if it is still counted then. Stopping takes the count back and empties the channel under
 * that lock, after due() cannot come any more: so a firing that is under way is not sent later.
 */
#include <errno.h>
#include <stdlib.h>

#include "sched/chan_ops.h"
#include "sched/schedule.h"
#include "sched/timer.h"

struct weft_timer {
    struct wait_timer timer;
    base_lock lock; /* rank USER_TIMER: one start or stop at a time */
    uint32_t refs;  /* atomic: the owner's and one for each run() to come */
    void (*fn)(void *arg);
    void *arg;
    weft_chan *chan; /* instead of fn, or NULL */
    uint32_t fired;  /* atomic: due() has come, run() has not sent yet */
};

static void release(struct weft_timer *t)
{
    /* Acquire-release: whoever frees it comes after every other user. */
    if (atomic_sub_acqrel(&t->refs, 1) == 1) {
        weft_chan_free(t->chan);
        free(t);
    }
}

static bool user_due(struct wait_timer *timer)
{
    struct weft_timer *t = (struct weft_timer *)timer;
    atomic_add_relaxed(&t->refs, 1);
    return true;
}

static void user_run(struct m *m, struct wait_timer *timer, struct g_list *ready)
{
    (void)ready;
    struct weft_timer *t = (struct weft_timer *)timer;
    if (sched_spawn(m, sched.stack_size, t->fn, t->arg, false) < 0)
        fatal("no memory for the goroutine of a timer");
    /* Behind the others: a timer that is always due must not keep them from running. */
    sched_slice_over(m->p);
    release(t);
}

static bool chan_due(struct wait_timer *timer)
{
    struct weft_timer *t = (struct weft_timer *)timer;
    atomic_add_relaxed(&t->fired, 1);
    return user_due(timer);
}

/* Takes one firing, unless it was taken back. The channel's lock is held. */
static bool take_firing(struct weft_timer *t)
{
    uint32_t fired = atomic_load_relaxed(&t->fired);
    while (fired > 0)
        if (atomic_cas_relaxed(&t->fired, &fired, fired - 1))
            return true;
    return false;
}

static void chan_run(struct m *m, struct wait_timer *timer, struct g_list *ready)
{
    (void)m;
    struct weft_timer *t = (struct weft_timer *)timer;
    struct waiter *partner = NULL;
    int64_t now = timer_now();
    torture_point("timer: fired, not sent");
    lock_acquire(&t->chan->lock);
    if (take_firing(t))
        (void)chan_send_locked(t->chan, &now, &partner); /* or it is full */
    lock_release(&t->chan->lock);
    if (partner)
        waiter_wake_into(partner, 0, ready);
    release(t);
}

/* What has fired before is not received any more. The timer is in no heap. */
static void forget_firings(struct weft_timer *t)
{
    struct weft_chan *c = t->chan;
    if (!c)
        return;
    lock_acquire(&c->lock);
    atomic_store_relaxed(&t->fired, 0);
    if (c->count > 0)
        chan_get(c, NULL);
    lock_release(&c->lock);
}

weft_timer *weft_timer_new(void (*fn)(void *arg), void *arg)
{
    struct weft_timer *t = torture_refuse("timer") ? NULL : malloc(sizeof *t);
    if (!t)
        return NULL;
    *t = (struct weft_timer){
        .timer = {.due = user_due, .run = user_run}, .refs = 1, .fn = fn, .arg = arg};
    lock_init(&t->lock, BASE_RANK_USER_TIMER);
    return t;
}

weft_timer *weft_timer_new_chan(void)
{
    struct weft_timer *t = weft_timer_new(NULL, NULL);
    if (!t)
        return NULL;
    t->timer.due = chan_due;
    t->timer.run = chan_run;
    t->chan = weft_chan_new(sizeof(int64_t), 1);
    if (!t->chan) {
        free(t);
        return NULL;
    }
    return t;
}

weft_chan *weft_timer_chan(const weft_timer *timer)
{
    return timer->chan;
}

/* The instant `delay` from now. */
static int64_t instant(int64_t delay)
{
    int64_t when, now = timer_now();
    if (delay < 0)
        delay = 0;
    return __builtin_add_overflow(now, delay, &when) ? WEFT_NEVER : when;
}

int weft_timer_start(weft_timer *timer, int64_t delay, int64_t period)
{
    struct m *m = rt_enter();
    if (!m)
        return -EPERM;
    lock_acquire(&timer->lock);
    bool active = wait_timer_stop(&timer->timer);
    forget_firings(timer);
    timer->timer.period = period;
    wait_timer_start(m, &timer->timer, instant(delay));
    lock_release(&timer->lock);
    rt_exit(m);
    return active;
}

int weft_timer_stop(weft_timer *timer)
{
    struct m *m = rt_enter();
    if (!m)
        return -EPERM;
    lock_acquire(&timer->lock);
    bool active = wait_timer_stop(&timer->timer);
    forget_firings(timer);
    lock_release(&timer->lock);
    rt_exit(m);
    return active;
}

void weft_timer_free(weft_timer *timer)
{
    if (!timer)
        return;
    struct m *m = rt_enter();
    if (!m && atomic_load_relaxed(&sched.running))
        rt_not_a_goroutine("weft_timer_free");
    wait_timer_stop(&timer->timer);
    release(timer);
    if (m)
        rt_exit(m);
}
