/* SPDX-License-Identifier: MIT */
/*
 * Design. A goroutine that waits for one thing only puts a struct waiter on its queue and parks
 * with the queue's lock: whoever takes it off under that lock owns the goroutine, and holding the
 * lock proves that it is off its stack. That is the usual case and costs no atomic instruction but
 * the lock's.
 *
 * If several can end the wait (the queues of a select; a queue and a limit, that is a deadline or a
 * context) the waiters share a struct wait, and its claim decides: a waker takes a waiter off its
 * own queue and then has to bring the claim from 0 to 1. The loser drops the waiter and tries the
 * next one of the queue; only the winner may copy an element and wake the goroutine. After waking,
 * the goroutine takes its other waiters off their queues and stops its limit.
 *
 * A plain thread waits in the same way: it has no stack to be off, so it releases wait->parked and
 * sleeps on the note in its struct wait. Its deadline is the time-out of that sleep: the thread
 * itself claims the wait then.
 *
 * sched_park() releases one lock only, and a select waits on many. It therefore releases all of
 * them but one, wait->parked, and parks with that one. Wakers on the other queues come in before
 * the goroutine is off its stack; they may take off, claim and copy at once, but before
 * sched_ready() they wait for wait->parked to be free (wait_parked).
 *
 * Invariants
 *   W1. claim is 0 before the first waiter is on a queue and before the limit starts. A waker sees
 *       a waiter only under its queue's lock, so it sees that 0 or a later value.
 *   W2. No waker touches the claim of a wait that is over. Its storage may be another wait's:
 *         waker: pops w of queue A under lock A, is delayed before the compare-and-swap
 *         other: claims, wakes g; g returns from its select and begins another wait: claim = 0
 *         waker: compare-and-swap succeeds, on the wrong wait.
 *       It cannot happen: before g leaves it takes lock A (waiters_remove, also when the waiter is
 *       not there any more), which the waker holds until it is through with the compare-and-swap.
 *       Likewise wait_limit_stop() and the locks of the timer heap and of the context, under which
 *       deadline_due() and the context's end claim.
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
 *   A waker may be on a thread without M (close, a plain thread): all of this works there too. What
 *     it makes ready goes to the global queue.
 *   The context's watch is begun before the first waiter is queued or after, as the caller likes:
 *     whoever claims waits for wait->parked (W3), which is held all the while.
 */
#include "sched/waiter.h"

#include <errno.h>

#include "base/thread.h"

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
        w->dropped = true;
    }
    return NULL;
}

void wait_parked_slow(struct wait *wait)
{
    lock_acquire(wait->parked); /* W3, W4 */
    lock_release(wait->parked);
}

/* The last thing before who waits is made ready. */
static void wait_end(struct waiter *w, int32_t result)
{
    w->result = result;
    if (w->wait) {
        w->wait->winner = w;
        wait_parked(w->wait);
    }
}

void wait_end_early(struct wait *wait, int32_t result, struct g_list *ready)
{
    wait_parked(wait); /* W3 */
    wait->result = result;
    if (wait->g)
        g_list_push(ready, wait->g);
    else
        base_note_post(&wait->note);
}

void waiter_wake(struct m *m, struct waiter *w, int32_t result)
{
    struct g *g = w->g;
    struct wait *wait = w->wait;
    wait_end(w, result);
    if (likely(g != NULL))
        sched_ready(m, g);
    else
        base_note_post(&wait->note);
    torture_point("waiter_wake"); /* W5 */
}

void waiter_wake_into(struct waiter *w, int32_t result, struct g_list *ready)
{
    struct g *g = w->g;
    struct wait *wait = w->wait;
    wait_end(w, result);
    if (g)
        g_list_push(ready, g);
    else
        base_note_post(&wait->note);
}

void waiters_wake_all(struct m *m, struct waiter *list, int32_t result)
{
    struct g_list ready = {0};
    while (list) {
        struct waiter *w = list;
        list = w->next;
        waiter_wake_into(w, result, &ready);
    }
    if (ready.count)
        sched_ready_list(m, &ready);
    torture_point("waiters_wake_all"); /* W5 */
}

/* ---- The limit ---- */

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
    wait_end_early(wait_of(timer), -ETIMEDOUT, ready);
}

void wait_init(struct wait *wait, struct g *g, base_lock *parked)
{
    *wait = (struct wait){.g = g, .parked = parked}; /* W1 */
}

int wait_limit_start(struct m *m, struct wait *wait, const struct limit *limit)
{
    wait->limit = limit;
    int error = limit->context ? context_ended(limit->context) : 0;
    if (!error && limit->deadline != WEFT_NEVER && limit->deadline <= timer_now())
        error = -ETIMEDOUT;
    if (!error && limit->context)
        error = context_watch(limit->context, &wait->watch);
    if (error || !m || limit->deadline == WEFT_NEVER)
        return error;
    wait->deadline.due = deadline_due;
    wait->deadline.run = deadline_run;
    wait_timer_start(m, &wait->deadline, limit->deadline);
    return 0;
}

void wait_limit_stop(struct wait *wait)
{
    if (wait->limit->context)
        context_unwatch(wait->limit->context, &wait->watch);
    if (wait->limit->deadline != WEFT_NEVER)
        wait_timer_stop(&wait->deadline);
}

/* ---- Waiting ---- */

/* What is left until the deadline, for base_note_wait(). */
static int64_t time_left(int64_t deadline)
{
    if (deadline == WEFT_NEVER)
        return -1;
    int64_t now = timer_now();
    return deadline > now ? deadline - now : 0;
}

static void sleep_on_note(struct wait *wait)
{
    lock_release(wait->parked);
    int64_t deadline = wait->limit ? wait->limit->deadline : WEFT_NEVER;
    if (deadline == WEFT_NEVER)
        base_threads_lost_check();
    while (base_note_wait(&wait->note, time_left(deadline)) != 0) {
        if (timer_now() < deadline)
            continue;
        if (wait_claim(wait)) {
            wait->result = -ETIMEDOUT;
            return;
        }
        deadline = WEFT_NEVER; /* somebody is about to post the note */
    }
}

struct m *wait_park(struct m *m, struct wait *wait, weft_trace_block_reason reason)
{
    if (m)
        return sched_park(m, wait->parked, reason);
    sleep_on_note(wait);
    return NULL;
}

__attribute__((noinline)) bool waiter_block_limited(struct m **m, base_lock *lock,
                                                    struct waiter_queue *q, struct waiter *w,
                                                    const struct limit *limit,
                                                    weft_trace_block_reason reason)
{
    struct wait wait;
    wait_init(&wait, waiting_g(*m), lock);
    w->wait = &wait;
    int error = wait_limit_start(*m, &wait, limit);
    if (!error) {
        *m = wait_park(*m, &wait, reason);
        wait_limit_stop(&wait);
        if (wait.winner)
            return true;
        error = wait.result;
        lock_acquire(lock); /* W2, even if it is not queued any more */
    }
    waiters_remove(q, w);
    w->result = error;
    return false;
}

int wait_for_limit(struct m **m, const struct limit *limit, weft_trace_block_reason reason)
{
    base_lock parked = BASE_LOCK_INIT(CHAN);
    struct wait wait;
    wait_init(&wait, waiting_g(*m), &parked);
    lock_acquire(&parked);
    int result = wait_limit_start(*m, &wait, limit);
    if (result) {
        lock_release(&parked);
        return result;
    }
    *m = wait_park(*m, &wait, reason);
    wait_limit_stop(&wait);
    return wait.result;
}
