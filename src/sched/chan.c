/* SPDX-License-Identifier: MIT */
/*
 * Channels.
 *
 * Design. One lock, a ring of elements, a queue of receivers and one of senders. An operation that
 * finds a partner on the other queue hands the element over directly, from stack to stack or
 * through the user's memory, so that the woken goroutine has nothing left to do but to return;
 * nothing is ever retried. The published design is Go's (runtime/chan.go).
 *
 * Invariants (under the lock)
 *   C1. Receivers that can still be woken wait only when the buffer is empty, senders only when it
 *       is full; not both, but for one select that waits on both sides.
 *   C2. A closed channel has no waiters.
 *   C3. With senders waiting on a full buffer, a receiver takes the oldest element and puts the
 *       first sender's behind: the order of elements is the order of sends.
 *   C4. After the lock was released to wake a partner the channel is not touched: the partner may
 *       free it.
 *
 * Corners
 *   A queue may hold waiters of waits which were already ended by others (a select that was woken
 *     elsewhere, a deadline). Its owner is about to remove them; whoever meets them first drops
 *     them (waiters_take).
 *   On a thread that is not a goroutine there is no M (m is NULL): it waits on its note, and whom
 *     it wakes goes to the global queue.
 */
#include "sched/chan_ops.h"

#include <errno.h>
#include <stdlib.h>

#include "sched/trace_hooks.h"

enum { ELEMENT_MAX = 65535 };

/* As a deadline: do not wait. */
#define TRY INT64_MIN

weft_chan *weft_chan_new(size_t element_size, size_t capacity)
{
    size_t buffer, size;
    if (element_size > ELEMENT_MAX || __builtin_mul_overflow(element_size, capacity, &buffer) ||
        __builtin_add_overflow(sizeof(struct weft_chan), buffer, &size) || torture_refuse("chan"))
        return NULL;
    struct weft_chan *c = malloc(size);
    if (!c)
        return NULL;
    *c = (struct weft_chan){.element_size = (uint32_t)element_size, .capacity = capacity};
    lock_init(&c->lock, BASE_RANK_CHAN);
    return c;
}

void weft_chan_free(weft_chan *chan)
{
    if (!chan)
        return;
    /* Goroutines that the end of the runtime left behind wait no more. */
    if ((chan->receivers.head || chan->senders.head) && atomic_load_relaxed(&sched.running))
        fatal("free of a channel on which goroutines wait");
    free(chan);
}

/* Waits on q; the lock is held and will be released. Returns the M on which the goroutine goes on.
 */
static __attribute__((noinline)) struct m *chan_wait(struct m *m, struct weft_chan *c,
                                                     struct waiter_queue *q, void *element,
                                                     int64_t deadline, int *result,
                                                     weft_trace_block_reason reason)
{
    if (deadline == TRY) {
        lock_release(&c->lock);
        *result = -EAGAIN;
        return m;
    }
    struct waiter self;
    struct limit limit = limit_until(m, deadline);
    hook_wait(m, "chan", c);
    waiter_init(&self, waiting_g(m), NULL, element);
    waiters_push(q, &self);
    if (!waiter_block(&m, &c->lock, q, &self, &limit, reason))
        lock_release(&c->lock);
    *result = self.result;
    return m;
}

/* A NULL channel: nobody will ever come. */
static __attribute__((noinline)) struct m *wait_null(struct m *m, int64_t deadline, int *result,
                                                     weft_trace_block_reason reason)
{
    if (deadline == TRY) {
        *result = -EAGAIN;
        return m;
    }
    struct limit limit = limit_until(m, deadline);
    bool for_ever = limit.deadline == WEFT_NEVER && !limit.context;
    hook_wait(m, "chan", NULL);
    *result = wait_for_limit(&m, &limit, for_ever ? WEFT_TRACE_BLOCK_FOREVER : reason);
    return m;
}

/* The body of the three sends; in line, so that each is a public function with a frame of its own.
 */
static inline __attribute__((always_inline)) int chan_send(struct m *m, struct weft_chan *c,
                                                           const void *element, int64_t deadline)
{
    int result;
    if (unlikely(!c)) {
        m = wait_null(m, deadline, &result, WEFT_TRACE_BLOCK_CHAN_SEND);
        rt_exit_any(m);
        return result;
    }
    struct waiter *partner;
    lock_acquire(&c->lock);
    result = chan_send_locked(c, element, &partner);
    if (result == CHAN_MUST_WAIT) {
        m = chan_wait(m, c, &c->senders, (void *)(uintptr_t)element, deadline, &result,
                      WEFT_TRACE_BLOCK_CHAN_SEND);
    } else {
        lock_release(&c->lock); /* C4 */
        if (partner)
            waiter_wake(m, partner, 0);
    }
    rt_exit_any(m);
    return result;
}

static inline __attribute__((always_inline)) int chan_recv(struct m *m, struct weft_chan *c,
                                                           void *element, int64_t deadline)
{
    int result;
    if (unlikely(!c)) {
        m = wait_null(m, deadline, &result, WEFT_TRACE_BLOCK_CHAN_RECV);
        rt_exit_any(m);
        return result;
    }
    struct waiter *partner;
    lock_acquire(&c->lock);
    result = chan_recv_locked(c, element, &partner);
    if (result == CHAN_MUST_WAIT) {
        m = chan_wait(m, c, &c->receivers, element, deadline, &result, WEFT_TRACE_BLOCK_CHAN_RECV);
    } else {
        lock_release(&c->lock); /* C4 */
        if (partner)
            waiter_wake(m, partner, 0);
    }
    rt_exit_any(m);
    return result;
}

int weft_chan_send(weft_chan *chan, const void *element)
{
    struct m *m = rt_enter();
    return chan_send(m, chan, element, WEFT_NEVER);
}

int weft_chan_recv(weft_chan *chan, void *element)
{
    struct m *m = rt_enter();
    return chan_recv(m, chan, element, WEFT_NEVER);
}

int weft_chan_try_send(weft_chan *chan, const void *element)
{
    struct m *m = rt_enter();
    return chan_send(m, chan, element, TRY);
}

int weft_chan_try_recv(weft_chan *chan, void *element)
{
    struct m *m = rt_enter();
    return chan_recv(m, chan, element, TRY);
}

/* A deadline in the past, however far: not the mark of a try. */
static int64_t real_deadline(int64_t deadline)
{
    return deadline < 0 ? 0 : deadline;
}

int weft_chan_send_until(weft_chan *chan, const void *element, int64_t deadline)
{
    struct m *m = rt_enter();
    return chan_send(m, chan, element, real_deadline(deadline));
}

int weft_chan_recv_until(weft_chan *chan, void *element, int64_t deadline)
{
    struct m *m = rt_enter();
    return chan_recv(m, chan, element, real_deadline(deadline));
}

/* Takes all waiters off q, onto the end of *list, linked by next. */
static void take_all(struct weft_chan *c, struct waiter_queue *q, struct waiter ***link, bool zero)
{
    struct waiter *w;
    while ((w = waiters_take(q))) {
        if (zero && w->element)
            memset(w->element, 0, c->element_size);
        **link = w;
        *link = &w->next;
    }
    **link = NULL;
}

void chan_close(struct m *m, struct weft_chan *c)
{
    struct waiter *list = NULL, **link = &list;
    lock_acquire(&c->lock);
    if (c->closed) {
        lock_release(&c->lock); /* others may need it until the end */
        fatal("close of a closed channel");
    }
    c->closed = true;
    take_all(c, &c->receivers, &link, true);
    take_all(c, &c->senders, &link, false);
    lock_release(&c->lock); /* C2, C4 */
    waiters_wake_all(m, list, -EPIPE);
}

void weft_chan_close(weft_chan *chan)
{
    struct m *m = rt_enter();
    if (!chan)
        fatal("close of a NULL channel");
    chan_close(m, chan);
    rt_exit_any(m);
}

size_t weft_chan_len(const weft_chan *chan)
{
    return chan ? atomic_load_relaxed(&chan->count) : 0;
}

size_t weft_chan_cap(const weft_chan *chan)
{
    return chan ? chan->capacity : 0;
}
