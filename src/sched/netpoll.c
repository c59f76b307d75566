/* SPDX-License-Identifier: MIT */
/* Waiting for descriptors, and the poller that ends it. Design and invariants are in netpoll.h. */
#include "sched/netpoll.h"

#include <errno.h>

#include "base/os_poll.h"
#include "sched/trace_hooks.h"

enum { MAX_EVENTS = 128 };

static struct {
    os_poller os;
    uint32_t wake_pending; /* atomic: the eventfd was written and not read yet */
    uint32_t used;         /* atomic: descriptors registered in this run */
    uint64_t waits;        /* atomic: how often the kernel was asked, in this run */
    uint64_t woken;        /* atomic: goroutines made ready, in this run */
    uint32_t run;          /* changed while no runtime is up */
} poller = {.os = {-1, -1}};

int netpoll_init(void)
{
    poller.run++;
    poller.used = 0;
    poller.waits = poller.woken = 0;
    poller.wake_pending = 0;
    return os_poller_init(&poller.os);
}

void netpoll_fini(void)
{
    poll_descs_fini();
    os_poller_fini(&poller.os);
}

uint32_t netpoll_run(void)
{
    return poller.run;
}

bool netpoll_used(void)
{
    return atomic_load_relaxed(&poller.used) != 0;
}

int netpoll_add(const struct poll_desc *desc, uint64_t cookie)
{
    int error = os_poller_add(&poller.os, desc->fd, cookie);
    if (!error)
        atomic_add_relaxed(&poller.used, 1);
    return error;
}

void netpoll_remove(const struct poll_desc *desc)
{
    if (desc->run != poller.run)
        return; /* left over from a runtime that has ended */
    os_poller_remove(&poller.os, desc->fd);
    atomic_sub_relaxed(&poller.used, 1);
}

void netpoll_wake(void)
{
    /* Pairs with the swap in netpoll_wait(): either the waiter sees what the caller did before, or
     * this sees 0. */
    if (atomic_swap_acqrel(&poller.wake_pending, 1) == 0)
        os_poller_wake(&poller.os);
}

/* Takes all waiters off; returns how many. desc->lock, with which they parked, is held: so whoever
 * of them is claimed here is off its stack. */
static uint32_t wake_queue(struct waiter_queue *q, int result, struct g_list *ready)
{
    uint32_t count = 0;
    for (struct waiter *w; (w = q->head); count++) {
        waiters_remove(q, w);
        w->dropped = w->wait && !wait_claim(w->wait);
        if (w->dropped)
            continue; /* its context has ended */
        waiter_end_parked(w, result);
        g_list_push(ready, w->g);
    }
    return count;
}

void poll_side_wake(struct poll_desc *desc, enum poll_mode mode, int result, struct g_list *ready)
{
    struct poll_side *side = &desc->side[mode];
    desc->users -= wake_queue(&side->turns, result, ready); /* their operations never begin */
    wake_queue(&side->waiters, result, ready);
}

/* An event of a descriptor. Its lock is held. */
static void deliver(struct poll_desc *desc, enum poll_mode mode, struct g_list *ready)
{
    struct poll_side *side = &desc->side[mode];
    /* Release: pairs with the load in poll_begin() and poll_wait(); the system call after it sees
     * the new state. */
    atomic_store_release(&side->events, side->events + 1);
    side->empty = false;
    wake_queue(&side->waiters, 0, ready);
}

void netpoll_wait(int64_t timeout_ns, struct g_list *ready)
{
    os_poll_event events[MAX_EVENTS];
    bool woken;
    unsigned before = ready->count;
    unsigned count = os_poller_wait(&poller.os, events, MAX_EVENTS, timeout_ns, &woken);

    if (woken)
        atomic_swap_acqrel(&poller.wake_pending, 0); /* pairs with netpoll_wake() */
    torture_point("netpoll_wait");
    for (unsigned i = 0; i < count; i++) {
        struct poll_desc *desc = poll_desc_lock_event(events[i].cookie);
        if (!desc)
            continue;
        if (events[i].modes & OS_POLL_MARK)
            desc->side[POLL_READ].marked = true;
        if (events[i].modes & OS_POLL_READ)
            deliver(desc, POLL_READ, ready);
        if (events[i].modes & OS_POLL_WRITE)
            deliver(desc, POLL_WRITE, ready);
        lock_release(&desc->lock);
    }
    atomic_add_relaxed(&poller.waits, 1);
    if (ready->count > before)
        atomic_add_relaxed(&poller.woken, ready->count - before);
}

void netpoll_count(weft_stats *stats)
{
    stats->descriptors = atomic_load_relaxed(&poller.used);
    stats->poll_waits = atomic_load_relaxed(&poller.waits);
    stats->poll_wakeups = atomic_load_relaxed(&poller.woken);
}

/* ---- Deadlines ---- */

/*
 * The timer may fire before the deadline, never after it. When it is to fire earlier than set and
 * cannot be stopped any more, its run() is on the way and looks at the deadline anyway.
 */
static void side_arm(struct m *m, struct poll_side *side)
{
    if (side->deadline == WEFT_NEVER || (side->armed && side->alarm <= side->deadline))
        return;
    if (side->armed && !wait_timer_stop(&side->timer))
        return;
    side->armed = true;
    side->alarm = side->deadline;
    wait_timer_start(m, &side->timer, side->deadline);
}

void poll_side_disarm(struct poll_side *side)
{
    if (side->armed && wait_timer_stop(&side->timer))
        side->armed = false;
}

bool poll_timer_due(struct wait_timer *timer)
{
    (void)timer;
    return true; /* the record is never unmapped (invariant 3) */
}

static bool side_is_late(const struct poll_side *side)
{
    return side->deadline != WEFT_NEVER && side->deadline <= timer_now();
}

static void side_look(struct m *m, struct poll_desc *desc, enum poll_mode mode,
                      struct g_list *ready)
{
    struct poll_side *side = &desc->side[mode];
    if (!side->waiters.head && !side->turns.head)
        return;
    if (side_is_late(side))
        poll_side_wake(desc, mode, -ETIMEDOUT, ready);
    else
        side_arm(m, side);
}

static struct poll_desc *desc_of(struct poll_side *side)
{
    return (struct poll_desc *)(void *)((char *)(side - side->mode) -
                                        offsetof(struct poll_desc, side));
}

/* Which user of the record set the timer does not matter: it looks at the one that is there now. */
void poll_timer_run(struct m *m, struct wait_timer *timer, struct g_list *ready)
{
    struct poll_side *side =
        (struct poll_side *)(void *)((char *)timer - offsetof(struct poll_side, timer));
    struct poll_desc *desc = desc_of(side);

    torture_point("poll_timer_run");
    lock_acquire(&desc->lock);
    side->armed = false;
    side_look(m, desc, side->mode, ready);
    lock_release(&desc->lock);
}

void poll_set_deadline(struct m *m, struct poll_desc *desc, enum poll_mode mode, int64_t deadline)
{
    struct g_list ready = {0};
    lock_acquire(&desc->lock);
    desc->side[mode].deadline = deadline;
    side_look(m, desc, mode, &ready);
    lock_release(&desc->lock);
    sched_ready_list(m, &ready);
}

/* ---- Waiting ---- */

/* Parks on a queue of the side. desc->lock is held, and released. */
static int side_park(struct m **m, struct poll_desc *desc, struct poll_side *side,
                     struct waiter_queue *q, int64_t deadline, weft_trace_block_reason reason)
{
    struct waiter self;
    struct limit limit = limit_until(*m, deadline);
    hook_wait_fd(*m, desc->fd, side->mode == POLL_WRITE);
    waiter_init(&self, (*m)->g, NULL, NULL);
    waiters_push(q, &self);
    side_arm(*m, side);
    if (waiter_block(m, &desc->lock, q, &self, &limit, reason))
        return self.result;
    if (q == &side->turns && !self.dropped)
        desc->users--; /* as poll_side_wake() does */
    lock_release(&desc->lock);
    return self.result;
}

/* Writes are whole: one writer at a time. desc->lock is held, and released. */
static int take_turn(struct m **m, struct poll_desc *desc, struct poll_side *side, int64_t deadline)
{
    if (side->busy && side_is_late(side)) {
        lock_release(&desc->lock);
        return -ETIMEDOUT;
    }
    desc->users++;
    if (side->busy) /* poll_end() hands it over; who refuses the turn takes the user away */
        return side_park(m, desc, side, &side->turns, deadline, WEFT_TRACE_BLOCK_SYNC);
    side->busy = true;
    lock_release(&desc->lock);
    return 0;
}

/* desc->lock is held. */
static bool may_begin(const struct poll_desc *desc)
{
    return !desc->closing && desc->run == poller.run;
}

int poll_begin(struct m **m, struct poll_desc *desc, enum poll_mode mode, int64_t deadline,
               uint32_t *seen)
{
    struct poll_side *side = &desc->side[mode];
    int result = 0;

    lock_acquire(&desc->lock);
    if (!may_begin(desc)) {
        lock_release(&desc->lock);
        return -ECANCELED;
    }
    if (mode == POLL_WRITE) {
        result = take_turn(m, desc, side, deadline);
    } else {
        desc->users++;
        lock_release(&desc->lock);
    }
    *seen = atomic_load_acquire(&side->events); /* invariant 1; pairs with deliver() */
    return result;
}

/* Parks until the next event. desc->lock is held, and released. */
static int await_event(struct m **m, struct poll_desc *desc, struct poll_side *side,
                       int64_t deadline, uint32_t *seen)
{
    int result = side_park(m, desc, side, &side->waiters, deadline, WEFT_TRACE_BLOCK_NETWORK);
    *seen = atomic_load_acquire(&side->events); /* invariant 1; pairs with deliver() */
    return result;
}

/* Whether a read may wait without having looked. Not when a deadline has passed: whoever set that
 * one wants a last look. */
static bool needs_event(const struct poll_side *side, int64_t deadline)
{
    return side->empty && !side_is_late(side) && (deadline == WEFT_NEVER || deadline > timer_now());
}

int poll_begin_read(struct m **m, struct poll_desc *desc, int64_t deadline, uint32_t *seen,
                    int *waited)
{
    struct poll_side *side = &desc->side[POLL_READ];

    *waited = 0;
    lock_acquire(&desc->lock);
    if (!may_begin(desc)) {
        lock_release(&desc->lock);
        return -ECANCELED;
    }
    desc->users++;
    if (needs_event(side, deadline)) {
        *waited = await_event(m, desc, side, deadline, seen);
        return 0;
    }
    *seen = side->events;
    lock_release(&desc->lock);
    return 0;
}

int poll_wait(struct m **m, struct poll_desc *desc, enum poll_mode mode, int64_t deadline,
              uint32_t *seen)
{
    struct poll_side *side = &desc->side[mode];
    int result = 0;

    torture_point("poll_wait");
    lock_acquire(&desc->lock);
    if (desc->closing)
        result = -ECANCELED;
    else if (side->events == *seen && side_is_late(side))
        result = -ETIMEDOUT;
    else if (side->events == *seen)
        return await_event(m, desc, side, deadline, seen);
    *seen = side->events;
    lock_release(&desc->lock);
    return result;
}
