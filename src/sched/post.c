/* SPDX-License-Identifier: MIT */
/*
 * Posting work from anywhere, signal handlers included.
 *
 * Design. A bounded ring without locks takes the work; the monitor is woken, which is one system
 * call that a signal handler may make; it wakes a goroutine of the runtime, which starts what is in
 * the ring as goroutines of its own. So everything that a goroutine's birth needs, locks, memory, a
 * P, is used where it may be.
 *
 * The ring is Dmitry Vyukov's bounded queue (1024cores.net): each slot carries a number that says
 * whose turn it is. A producer that was interrupted between its claim and its publication holds up
 * what was posted after it, until it goes on; its own wake-up then finds all of it.
 *
 * Invariant
 *   Q1. Producer: publishes, then wakes the monitor, which looks whether the goroutine waits.
 *       Goroutine: says that it waits, then looks for work once more. Publication and `waits` are
 *       sequentially consistent, so one of the two looks succeeds, and nothing stays behind.
 */
#include "sched/post.h"

#include <errno.h>

#include "sched/goroutine.h"
#include "sched/schedule.h"
#include "sched/sysmon.h"
#include "sched/trace_hooks.h"

enum { SLOTS = WEFT_POST_MAX };

_Static_assert((SLOTS & (SLOTS - 1)) == 0, "slots are chosen by a mask");

struct slot {
    uint64_t turn; /* atomic: position to be written; + 1: to be read */
    void (*fn)(void *);
    void *arg;
};

static struct {
    uint64_t head; /* atomic: next to be written */
    uint64_t tail; /* owner: the goroutine */
    struct slot slots[SLOTS];
    base_lock lock;   /* rank CHAN */
    struct g *waiter; /* lock: lock; the goroutine, if it waits */
    uint32_t waits;   /* atomic: the same for a look without the lock */
} ring = {.lock = BASE_LOCK_INIT(CHAN)};

/* ---- Any thread, any signal handler ---- */

static bool push(void (*fn)(void *), void *arg)
{
    uint64_t at = atomic_load_relaxed(&ring.head);
    for (;;) {
        struct slot *slot = &ring.slots[at % SLOTS];
        uint64_t turn = atomic_load_acquire(&slot->turn); /* pairs with pop() */
        if (turn == at) {
            if (!atomic_cas_relaxed(&ring.head, &at, at + 1))
                continue;
            slot->fn = fn;
            slot->arg = arg;
            atomic_store_seqcst(&slot->turn, at + 1); /* Q1: pairs with is_published() */
            return true;
        }
        if (turn < at)
            return false;
        at = atomic_load_relaxed(&ring.head);
    }
}

int weft_post(void (*fn)(void *arg), void *arg)
{
    if (!atomic_load_acquire(&sched.running)) /* pairs with start() */
        return -EPERM;
    if (!push(fn, arg))
        return -EAGAIN;
    sysmon_wake();
    return 0;
}

/* ---- The goroutine ---- */

static bool is_published(void)
{
    const struct slot *slot = &ring.slots[atomic_load_relaxed(&ring.tail) % SLOTS];
    return atomic_load_acquire(&slot->turn) ==
           atomic_load_relaxed(&ring.tail) + 1; /* with push() */
}

static bool pop(struct slot *out)
{
    struct slot *slot = &ring.slots[ring.tail % SLOTS];
    if (!is_published())
        return false;
    *out = (struct slot){.fn = slot->fn, .arg = slot->arg};
    atomic_store_release(&slot->turn, ring.tail + SLOTS); /* pairs with push() */
    atomic_store_relaxed(&ring.tail, ring.tail + 1);
    return true;
}

static struct m *wait_for_work(struct m *m)
{
    lock_acquire(&ring.lock);
    ring.waiter = m->g;
    atomic_store_seqcst(&ring.waits, 1); /* Q1 */
    if (!is_published())
        return sched_park(m, &ring.lock, WEFT_TRACE_BLOCK_SYSTEM);
    ring.waiter = NULL;
    atomic_store_relaxed(&ring.waits, 0);
    lock_release(&ring.lock);
    return m;
}

static void start_posted(void *arg)
{
    (void)arg;
    for (;;) {
        struct slot work;
        struct m *m = rt_enter();
        while (pop(&work))
            if (sched_spawn(m, sched.stack_size, work.fn, work.arg, false))
                fatal("no memory for a goroutine that was posted");
        rt_exit(wait_for_work(m));
    }
}

/* ---- The monitor ---- */

bool post_pending(void)
{
    return is_published() && atomic_load_seqcst(&ring.waits); /* Q1 */
}

void post_look(struct m *m)
{
    if (!post_pending())
        return;
    lock_acquire(&ring.lock);
    struct g *g = ring.waiter;
    ring.waiter = NULL;
    atomic_store_relaxed(&ring.waits, 0);
    lock_release(&ring.lock);
    if (g)
        sched_ready(m, g);
}

static void clear(void)
{
    for (uint64_t i = 0; i < SLOTS; i++)
        atomic_store_relaxed(&ring.slots[i].turn, i);
    ring.waiter = NULL;
    atomic_store_relaxed(&ring.waits, 0);
    atomic_store_relaxed(&ring.tail, 0);
    atomic_store_relaxed(&ring.head, 0);
}

int post_start(void)
{
    clear();
    ring.waiter = goroutine_new_waiting(start_posted);
    atomic_store_relaxed(&ring.waits, 1);
    return ring.waiter ? 0 : -ENOMEM;
}
