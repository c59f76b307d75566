/* SPDX-License-Identifier: MIT */
/*
 * Select: one of several channel operations.
 *
 * Design. Three passes, after Go's runtime/select.go:
 *   1. Lock all channels in ascending order of address, look at the cases in random order, carry
 *      out the first that can go on.
 *   2. Else put a waiter on every channel's queue and park. Wakers, and the deadline, compete
 *      through the claim of waiter.c, whose invariants (W1 … W5) are cited here.
 *   3. After waking, take the other waiters off, one channel at a time.
 *
 * All locks are held together in pass 1 and until the last waiter is queued, else two selects could
 * each find the other not yet there. The lock with which the goroutine parks (wait.parked) is the
 * one of the highest address: any would do.
 *
 * Corners
 *   NULL channels take no part. If nothing is left, only the deadline can end the wait.
 *   A channel may be there several times: it is locked once.
 *   Partners are woken after every lock is released: they may be on their way off their stack with
 *     one of them (W4).
 *   n has no limit; up to CASES_INLINE cases need no memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sched/chan_ops.h"
#include "sched/trace_hooks.h"

enum { CASES_INLINE = 8 };

/* What a select needs for each case that has a channel. */
struct entry {
    struct waiter waiter;
    struct weft_chan *lock_order; /* these two are lists of their own, in the same memory */
    uint32_t poll_order;
};

struct select {
    weft_select_case *cases;
    struct entry *entries;
    size_t count; /* of cases with a channel */
    struct wait wait;
    struct entry inline_entries[CASES_INLINE];
};

/* ---- Orders ---- */

static void order_sift(struct entry *e, size_t i, size_t n)
{
    struct weft_chan *c = e[i].lock_order;
    size_t child;
    while ((child = 2 * i + 1) < n) {
        if (child + 1 < n && e[child].lock_order < e[child + 1].lock_order)
            child++;
        if (e[child].lock_order <= c)
            break;
        e[i].lock_order = e[child].lock_order;
        i = child;
    }
    e[i].lock_order = c;
}

static void sort_by_insertion(struct entry *e, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct weft_chan *c = e[i].lock_order;
        size_t j = i;
        for (; j > 0 && e[j - 1].lock_order > c; j--)
            e[j].lock_order = e[j - 1].lock_order;
        e[j].lock_order = c;
    }
}

static void sort_by_heap(struct entry *e, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        order_sift(e, i, n);
    for (size_t i = n; i-- > 1;) {
        struct weft_chan *c = e[0].lock_order;
        e[0].lock_order = e[i].lock_order;
        e[i].lock_order = c;
        order_sift(e, 0, i);
    }
}

/* Collects the cases that have a channel, in random order (each permutation equally likely: Fisher
 * and Yates). */
static void select_orders(struct select *s, struct m *m, weft_select_case *cases, size_t n)
{
    uint32_t thread_random = m ? 0 : (uint32_t)base_clock_now() | 1;
    uint32_t *random = m ? &m->random : &thread_random;
    struct entry *e = s->entries;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!cases[i].chan)
            continue;
        size_t j = (size_t)(((uint64_t)random_next(random) * (count + 1)) >> 32);
        e[count].poll_order = e[j].poll_order;
        e[j].poll_order = (uint32_t)i;
        e[count++].lock_order = cases[i].chan;
    }
    s->cases = cases;
    s->count = count;
    if (count <= 16)
        sort_by_insertion(e, count);
    else
        sort_by_heap(e, count);
}

/* ---- Locks ---- */

static bool is_repeated(const struct select *s, size_t i)
{
    return i > 0 && s->entries[i].lock_order == s->entries[i - 1].lock_order;
}

static void lock_all(struct select *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (!is_repeated(s, i))
            lock_acquire_same(&s->entries[i].lock_order->lock);
}

static base_lock *last_lock(const struct select *s)
{
    return &s->entries[s->count - 1].lock_order->lock;
}

static void unlock_all_but(struct select *s, const base_lock *kept)
{
    for (size_t i = 0; i < s->count; i++)
        if (!is_repeated(s, i) && &s->entries[i].lock_order->lock != kept)
            lock_release(&s->entries[i].lock_order->lock);
}

/* ---- The passes ---- */

/* Pass 1. The locks are held. Returns the index of the case that was carried out, or -EAGAIN. */
static int select_ready(struct select *s, struct waiter **partner)
{
    for (size_t i = 0; i < s->count; i++) {
        uint32_t index = s->entries[i].poll_order;
        weft_select_case *c = &s->cases[index];
        int result = c->send ? chan_send_locked(c->chan, c->send, partner)
                             : chan_recv_locked(c->chan, c->recv, partner);
        if (result != CHAN_MUST_WAIT) {
            c->result = result;
            return (int)index;
        }
    }
    return -EAGAIN;
}

static struct waiter_queue *queue_of(const weft_select_case *c)
{
    return c->send ? &c->chan->senders : &c->chan->receivers;
}

/* The log weft.wait: as many channels as a text holds. */
static __attribute__((cold, noinline)) void log_wait(const struct select *s, struct m *m)
{
    char text[1024 + 1];
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < s->count && sizeof text - at > 20; i++) {
        uintptr_t chan = (uintptr_t)s->cases[s->entries[i].poll_order].chan;
        at += (size_t)snprintf(text + at, sizeof text - at, " 0x%lx", (unsigned long)chan);
    }
    hook_wait_text_traced(m, "select%s", text);
}

/* Pass 2. The locks are held; releases them. Waits; returns the M on which the goroutine goes on.
 * *error: what had ended the limit before. */
static struct m *select_wait(struct select *s, struct m *m, const struct limit *limit, int *error)
{
    wait_init(&s->wait, waiting_g(m), last_lock(s));
    *error = wait_limit_start(m, &s->wait, limit);
    if (*error) {
        unlock_all_but(s, NULL);
        return m;
    }
    for (size_t i = 0; i < s->count; i++) {
        struct waiter *w = &s->entries[i].waiter;
        uint32_t index = s->entries[i].poll_order;
        const weft_select_case *c = &s->cases[index];
        waiter_init(w, waiting_g(m), &s->wait, c->send ? (void *)(uintptr_t)c->send : c->recv);
        w->index = index;
        waiters_push(queue_of(c), w);
    }
    unlock_all_but(s, s->wait.parked);
    if (unlikely(atomic_load_relaxed(&sched.waits)) && m)
        log_wait(s, m);
    torture_point("select_wait");
    m = wait_park(m, &s->wait, WEFT_TRACE_BLOCK_SELECT); /* W3 */
    wait_limit_stop(&s->wait);
    return m;
}

/* Pass 3. Returns the index of the case through which the goroutine was woken, or what the limit
 * said. */
static int select_finish(struct select *s)
{
    struct waiter *winner = s->wait.winner;
    for (size_t i = 0; i < s->count; i++) {
        struct waiter *w = &s->entries[i].waiter;
        const weft_select_case *c = &s->cases[w->index];
        if (w == winner)
            continue;
        lock_acquire(&c->chan->lock); /* W2, even if it is not queued any more */
        waiters_remove(queue_of(c), w);
        lock_release(&c->chan->lock);
    }
    if (!winner)
        return s->wait.result;
    s->cases[winner->index].result = winner->result;
    return (int)winner->index;
}

/* No channel can end the wait. */
static struct m *wait_without_channels(struct m *m, size_t n, int64_t deadline, int *result)
{
    *result = -EAGAIN;
    if (deadline == 0)
        return m;
    struct limit limit = limit_until(m, deadline);
    bool for_ever = n == 0 && limit.deadline == WEFT_NEVER && !limit.context;
    *result =
        wait_for_limit(&m, &limit, for_ever ? WEFT_TRACE_BLOCK_FOREVER : WEFT_TRACE_BLOCK_SELECT);
    return m;
}

static struct m *select_run(struct select *s, struct m *m, int64_t deadline, int *result)
{
    struct waiter *partner = NULL;
    lock_all(s);
    *result = select_ready(s, &partner);
    if (*result < 0 && deadline != 0) {
        struct limit limit = limit_until(m, deadline);
        m = select_wait(s, m, &limit, result);
        if (*result >= 0)
            *result = select_finish(s);
        return m;
    }
    unlock_all_but(s, NULL);
    if (partner)
        waiter_wake(m, partner, 0); /* W4 */
    return m;
}

int weft_select(weft_select_case *cases, size_t n, int64_t deadline)
{
    struct select s;
    s.entries = s.inline_entries;
    if (n > INT32_MAX)
        return -EINVAL;
    if (n > CASES_INLINE && !(s.entries = malloc(n * sizeof *s.entries)))
        return -ENOMEM;
    struct m *m = rt_enter();
    int result;
    select_orders(&s, m, cases, n);
    m = s.count ? select_run(&s, m, deadline, &result)
                : wait_without_channels(m, n, deadline, &result);
    rt_exit_any(m);
    if (s.entries != s.inline_entries)
        free(s.entries);
    return result;
}
