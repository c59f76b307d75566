/* SPDX-License-Identifier: MIT */
/*
 * Design. A goroutine that waits for one thing only puts a struct waiter on its queue and parks
 * with the queue's lock: whoever takes it off under that lock owns the goroutine, and holding the
 * lock proves that it is off its stack. That is the usual case and costs no atomic instruction but
 * the lock's.
 *
 * If several can end the wait (the queues of a select; a queue and a deadline) the waiters share a
 * struct wait, and g->claim decides: a waker takes a waiter off its own queue and then has to bring
 * the claim from 0 to 1. The loser drops the waiter and tries the next one of the queue; only the
 * winner may copy an element and wake the goroutine. After waking, the goroutine takes its other
 * waiters off their queues and stops its deadline.
 *
 * sched_park() releases one lock only, and a select waits on many. It therefore releases all of
 * them but one, wait->parked, and parks with that one. Wakers on the other queues come in before
 * the goroutine is off its stack; they may take off, claim and copy at once, but before
 * sched_ready() they wait for wait->parked to be free (wait_parked).
 *
 * Invariants
 *   W1. The goroutine sets claim = 0 before its first waiter is on a queue and before the deadline
 *       starts, under all the locks. A waker sees a waiter only under its queue's lock, so it sees
 *       that 0 or a later value.
 *   W2. No waker touches g->claim of a wait that is over. Between two waits of g:
 *         waker: pops w of queue A under lock A, is delayed before the compare-and-swap
 *         other: claims, wakes g; g returns from its select and begins another wait: claim = 0
 *         waker: compare-and-swap succeeds, on the wrong wait.
 *       It cannot happen: before g leaves it takes lock A (waiters_remove, also when the waiter is
 *       not there any more), which the waker holds until it is through with the compare-and-swap.
 *       Likewise wait_deadline_stop() and the heap's lock, under which deadline_due() runs.
 *   W3. No goroutine is made ready before it is off its stack. g holds wait->parked (lock L) from
 *       before it releases lock A until the switch is done. Waker on A:
 *         g: holds A and L         waker: waits for A
 *         g: releases A            waker: takes A, pops, claims, copies, releases A
 *         g: still on its stack    waker: wait_parked(): L is held, so it waits for L
 *         g: off its stack, the next context releases L
 *                                  waker: takes and releases L, sched_ready(g).
 *       A free L seen by the waker is enough: it got A (or the heap's lock) from g after g had
 *       taken L, so a free L means that g, or a later holder, has released it.
 *   W4. wait_parked() waits for L with no lock of rank CHAN held, as the address of L may be
 *       anywhere in their order. Holders of L never wait for a lock that a claim's winner holds, as
 *       the winner holds none.
 *   W5. The storage of a waiter and a wait (g's stack) is there until sched_ready(g) by the winner,
 *       and for losers until they release their queue's lock (W2). Wakers touch the queue's owner
 *       (a channel) no more after releasing its lock: the woken goroutine may free it. (The
 *       kernel's wake-up call at the end of lock_release() names an address only, and does not
 *       touch it.)
 *
 * Rejected
 *   Keeping the lock of every channel until the goroutine is off its stack, as Go's selparkcommit
 *     does: would make the context switch run a callback for everybody, and lengthens the sections
 *     of channels that have nothing to do.
 *   A lock of its own in struct wait as L: one more locked instruction for each select, and the
 *     channels' locks do.
 *   Waking through a state "claimed, but not parked yet", which the parking goroutine finds and
 *     turns back: saves the wait in W3 (some tens of nanoseconds, rare), but the park has to be
 *     undone after its trace event was written.
 *
 * Corners
 *   A select may have two waiters on one channel (send and receive), or on the same queue. The
 *     first one taken wins; the other loses its claim like any other.
 *   A waker may be on a thread without M (close): all of this works there too.
 */
#include "sched/waiter.h"

#include <errno.h>

void waiters_push(struct waiter_queue *q, struct waiter *w)
{
    w->next = NULL;
    w->prev = q->tail;
    if (q->tail)
        q->tail->next = w;
    else
        q->head = w;
    q->tail = w;
    w->queued = true;
}

void waiters_push_front(struct waiter_queue *q, struct waiter *w)
{
    w->prev = NULL;
    w->next = q->head;
    if (q->head)
        q->head->prev = w;
    else
        q->tail = w;
    q->head = w;
    w->queued = true;
}

void waiters_remove(struct waiter_queue *q, struct waiter *w)
{
    if (!w->queued)
        return;
    if (w->prev)
        w->prev->next = w->next;
    else
        q->head = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        q->tail = w->prev;
    w->queued = false;
}

struct waiter *waiters_take(struct waiter_queue *q)
{
    struct waiter *w;
    while ((w = q->head)) {
        waiters_remove(q, w);
        torture_point("waiters_take");
        if (!w->wait || wait_claim(w->wait)) /* W2 */
            return w;
    }
    return NULL;
}

void wait_parked_slow(struct wait *wait)
{
    lock_acquire(wait->parked); /* W3, W4 */
    lock_release(wait->parked);
}

/* The last thing before the goroutine is made ready. */
static void wait_end(struct waiter *w, int32_t result)
{
    w->result = result;
    if (w->wait) {
        w->wait->winner = w;
        wait_parked(w->wait);
    }
}

void waiter_wake(struct m *m, struct waiter *w, int32_t result)
{
    struct g *g = w->g;
    wait_end(w, result);
    sched_ready(m, g);
    torture_point("waiter_wake"); /* W5 */
}

void waiters_wake_all(struct m *m, struct waiter *list, int32_t result)
{
    struct g_list ready = {0};
    while (list) {
        struct waiter *w = list;
        list = w->next;
        wait_end(w, result);
        g_list_push(&ready, w->g);
    }
    if (ready.count)
        sched_ready_list(m, &ready);
    torture_point("waiters_wake_all"); /* W5 */
}

static struct wait *wait_of(struct wait_timer *timer)
{
    return (struct wait *)((char *)timer - offsetof(struct wait, deadline));
}

static bool deadline_due(struct wait_timer *timer)
{
    return wait_claim(wait_of(timer)); /* W2 */
}

static void deadline_run(struct m *m, struct wait_timer *timer, struct g_list *ready)
{
    (void)m;
    struct wait *wait = wait_of(timer);
    wait_parked(wait); /* W3 */
    wait->g->wake_result = -ETIMEDOUT;
    g_list_push(ready, wait->g);
}

void wait_init(struct wait *wait, struct g *g, base_lock *parked)
{
    *wait = (struct wait){.g = g, .parked = parked};
    atomic_store_relaxed(&g->claim, 0); /* W1 */
}

void wait_deadline_start(struct m *m, struct wait *wait, int64_t when)
{
    wait->deadline.due = deadline_due;
    wait->deadline.run = deadline_run;
    wait_timer_start(m, &wait->deadline, when);
}

void wait_deadline_stop(struct wait *wait)
{
    wait_timer_stop(&wait->deadline);
}
