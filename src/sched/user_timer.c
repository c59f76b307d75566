/* SPDX-License-Identifier: MIT */
/*
 * weft_timer: a function on a goroutine of its own, at an instant.
 *
 * The record is shared by its owner and by run() calls that are under way, which hold references:
 * it can be freed between becoming due (under the heap's lock) and the start of the goroutine
 * (after it).
 */
#include <errno.h>
#include <stdlib.h>

#include "sched/schedule.h"
#include "sched/timer.h"

struct weft_timer {
    struct wait_timer timer;
    base_lock lock; /* rank CHAN: one start or stop at a time; outside the heap's lock */
    uint32_t refs;  /* atomic: the owner's and one for each run() to come */
    void (*fn)(void *arg);
    void *arg;
};

static void release(struct weft_timer *t)
{
    /* Acquire-release: whoever frees it comes after every other user. */
    if (atomic_sub_acqrel(&t->refs, 1) == 1)
        free(t);
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

weft_timer *weft_timer_new(void (*fn)(void *arg), void *arg)
{
    struct weft_timer *t = torture_refuse("timer") ? NULL : malloc(sizeof *t);
    if (!t)
        return NULL;
    *t = (struct weft_timer){
        .timer = {.due = user_due, .run = user_run}, .refs = 1, .fn = fn, .arg = arg};
    lock_init(&t->lock, BASE_RANK_CHAN);
    return t;
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
