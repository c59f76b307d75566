/* SPDX-License-Identifier: MIT */
/*
 * Timers.
 *
 * Design. Each P has a heap with four children to a node under a lock of its own: a goroutine puts
 * its timers into the heap of the P that it runs on, any M may take out what is due, and whoever
 * stops a timer locks the heap that it is in. The heap holds the instants, so that comparing
 * touches no timer; each timer knows its place, so that stopping one costs O(log n) and leaves
 * nothing behind. p->timer_next is the instant of the first one, for a look without the lock.
 *
 * Invariants
 *   T1. timer->heap is changed under the lock of that heap only, and while it names a heap the
 *       record is at heap->slots[timer->index].
 *   T2. What is in a heap is valid memory: a record is removed, or its due() has returned, before
 *       its storage goes.
 *   T3. timer->heap = NULL is the last access to a record for which due() said false. It is a
 *       release, so that wait_timer_stop(), which may look at it without the lock, knows that due()
 *       has returned.
 *   T4. Not more than DUE_BATCH timers are taken out in one go: a hundred thousand that are due at
 *       once must not keep the lock for milliseconds.
 *   T5. p->timer_next is written under the lock, and sched_timer_lowered() is called after it
 *       became lower. The store is sequentially consistent and so are the loads in
 *       timers_earliest(): a sleeper that has announced how long it will sleep and then asks for
 *       the earliest timer either sees the new one, or is seen by sched_timer_lowered().
 *
 * Rejected
 *   Pairing heap, links in the records: no array to grow, insertion in O(1); but the first removal
 *     after a million insertions walks a million records under the lock.
 *   Marking stopped timers and removing them when they come up: records lie on stacks and would
 *     have to stay (T2), and deadlines that are set and stopped a million times a second would fill
 *     the heap.
 *   Timer wheel: coarse instants, and nothing to say when the next one is due without a search.
 *
 * Corners
 *   A goroutine that sleeps parks under the heap's lock: nobody can find the timer due before it is
 *     off its stack.
 *   Timers that are left at the end of the runtime: timers_fini() takes them out while the stacks
 *     on which some of them lie are still there.
 */
#include "sched/timer.h"

#include <errno.h>
#include <stdlib.h>

#include "sched/trace_hooks.h"
#include "sched/waiter.h"

enum { ARITY = 4, DUE_BATCH = 64, FIRST_CAPACITY = 64 };

struct slot {
    int64_t when;
    struct wait_timer *timer;
};

struct timers {
    base_lock lock; /* rank TIMERS */
    uint32_t count; /* lock: lock, as all below */
    uint32_t capacity;
    struct slot *slots;
    struct p *p;
} __attribute__((aligned(BASE_CACHE_LINE)));

/* ---- The heap, under its lock ---- */

static void place(struct timers *ts, uint32_t i, struct slot s)
{
    ts->slots[i] = s;
    s.timer->index = i;
}

static void sift_up(struct timers *ts, uint32_t i, struct slot s)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / ARITY;
        if (ts->slots[parent].when <= s.when)
            break;
        place(ts, i, ts->slots[parent]);
        i = parent;
    }
    place(ts, i, s);
}

/* The child of i with the earliest instant; 0: none. */
static uint32_t first_child(const struct timers *ts, uint32_t i)
{
    uint64_t child = (uint64_t)i * ARITY + 1;
    if (child >= ts->count)
        return 0;
    uint32_t best = (uint32_t)child;
    for (uint64_t c = child + 1; c < child + ARITY && c < ts->count; c++)
        if (ts->slots[c].when < ts->slots[best].when)
            best = (uint32_t)c;
    return best;
}

static void sift_down(struct timers *ts, uint32_t i, struct slot s)
{
    uint32_t child;
    while ((child = first_child(ts, i)) != 0 && ts->slots[child].when < s.when) {
        place(ts, i, ts->slots[child]);
        i = child;
    }
    place(ts, i, s);
}

static void grow(struct timers *ts, uint32_t wanted)
{
    if (wanted <= ts->capacity)
        return;
    uint32_t capacity = ts->capacity ? ts->capacity : FIRST_CAPACITY;
    while (capacity < wanted)
        capacity *= 2;
    struct slot *slots = realloc(ts->slots, capacity * sizeof *slots);
    if (!slots)
        fatal("no memory for %u timers", capacity);
    ts->slots = slots;
    ts->capacity = capacity;
}

static void heap_insert(struct timers *ts, struct wait_timer *t)
{
    grow(ts, ts->count + 1);
    atomic_store_relaxed(&t->heap,
                         ts); /* under the lock; readers without it take it and look again */
    sift_up(ts, ts->count++, (struct slot){t->when, t});
}

/* Takes slot i out; the record is not touched any more. */
static void heap_remove(struct timers *ts, uint32_t i)
{
    struct slot last = ts->slots[--ts->count];
    if (i == ts->count)
        return;
    if (i > 0 && last.when < ts->slots[(i - 1) / ARITY].when)
        sift_up(ts, i, last);
    else
        sift_down(ts, i, last);
}

/* T5. True if the first instant is earlier than before: sched_timer_lowered() must follow. */
static bool update_next(struct timers *ts)
{
    int64_t next = ts->count ? ts->slots[0].when : WEFT_NEVER;
    int64_t before = atomic_load_relaxed(&ts->p->timer_next);
    if (next < before)
        atomic_store_seqcst(&ts->p->timer_next, next); /* pairs with timers_earliest() */
    else if (next > before)
        atomic_store_relaxed(&ts->p->timer_next, next);
    return next < before;
}

/* ---- Start and stop ---- */

void wait_timer_start(struct m *m, struct wait_timer *timer, int64_t when)
{
    struct timers *ts = m->p->timers;
    timer->when = when;
    lock_acquire(&ts->lock);
    heap_insert(ts, timer);
    bool lowered = update_next(ts);
    lock_release(&ts->lock);
    if (lowered)
        sched_timer_lowered(when);
}

/* Locks the heap that the timer is in; NULL: it is in none. */
static struct timers *lock_heap_of(struct wait_timer *timer)
{
    struct timers *ts;
    while ((ts = atomic_load_acquire(&timer->heap))) { /* T3 */
        lock_acquire(&ts->lock);
        if (atomic_load_relaxed(&timer->heap) == ts)
            return ts;
        lock_release(&ts->lock); /* it was moved, or became due */
    }
    return NULL;
}

bool wait_timer_stop(struct wait_timer *timer)
{
    struct timers *ts = lock_heap_of(timer);
    if (!ts)
        return false;
    heap_remove(ts, timer->index);
    atomic_store_release(&timer->heap, NULL); /* T3 */
    update_next(ts);
    lock_release(&ts->lock);
    return true;
}

/* ---- Running ---- */

/* The instant after `now` at which a periodic timer that was due goes on: ticks that were missed
 * are left out. */
static int64_t next_tick(int64_t when, int64_t period, int64_t now)
{
    int64_t missed = (now - when) / period, step, next;
    if (__builtin_mul_overflow(missed + 1, period, &step) ||
        __builtin_add_overflow(when, step, &next))
        return WEFT_NEVER;
    return next;
}

/* Takes the first timer, which is due, out of the heap or moves it on. True: run() has to be
 * called. */
static bool take_first(struct timers *ts, int64_t now)
{
    struct wait_timer *t = ts->slots[0].timer;
    torture_point("timer_due");
    if (t->period > 0) {
        t->when = next_tick(t->when, t->period, now);
        sift_down(ts, 0, (struct slot){t->when, t});
        return t->due(t);
    }
    heap_remove(ts, 0);
    bool run = t->due(t);
    atomic_store_release(&t->heap, NULL); /* T3: pairs with lock_heap_of() */
    return run;
}

/* Takes what is due out, at most DUE_BATCH; returns how many need run(). *more: there is more. */
static unsigned take_due(struct timers *ts, int64_t now, struct wait_timer **due, bool *more)
{
    unsigned count = 0, taken = 0;
    lock_acquire(&ts->lock);
    while (ts->count && ts->slots[0].when <= now && taken++ < DUE_BATCH) {
        struct wait_timer *t = ts->slots[0].timer;
        if (take_first(ts, now))
            due[count++] = t;
    }
    *more = ts->count && ts->slots[0].when <= now;
    update_next(ts);
    lock_release(&ts->lock);
    return count;
}

void timers_run(struct m *m, struct p *p, int64_t now)
{
    bool more = atomic_load_relaxed(&p->timer_next) <= now;
    while (more) {
        struct wait_timer *due[DUE_BATCH];
        struct g_list ready = {0};
        unsigned count = take_due(p->timers, now, due, &more); /* T4 */
        for (unsigned i = 0; i < count; i++)
            due[i]->run(m, due[i], &ready);
        if (ready.count)
            sched_ready_here(m, &ready);
    }
}

/* ---- Sleeping ---- */

struct sleeper {
    struct wait_timer timer;
    struct g *g;
};

static bool sleeper_due(struct wait_timer *timer)
{
    (void)timer;
    return true; /* only the timer can wake it */
}

static void sleeper_run(struct m *m, struct wait_timer *timer, struct g_list *ready)
{
    (void)m;
    g_list_push(ready, ((struct sleeper *)timer)->g);
}

struct m *timer_sleep_until(struct m *m, int64_t when, weft_trace_block_reason reason)
{
    struct sleeper self = {.timer = {.when = when, .due = sleeper_due, .run = sleeper_run},
                           .g = m->g};
    struct timers *ts = m->p->timers;
    lock_acquire(&ts->lock);
    heap_insert(ts, &self.timer);
    if (update_next(ts))
        sched_timer_lowered(when);
    return sched_park(m, &ts->lock, reason);
}

static int64_t after(int64_t duration)
{
    int64_t when;
    return __builtin_add_overflow(timer_now(), duration, &when) ? WEFT_NEVER : when;
}

int64_t weft_now(void)
{
    return timer_now();
}

void weft_sleep(int64_t duration)
{
    if (duration <= 0) {
        weft_yield();
        return;
    }
    struct m *m = rt_enter();
    int64_t when = after(duration);
    hook_wait_timer(m, when);
    if (m) {
        m = timer_sleep_until(m, when, WEFT_TRACE_BLOCK_SLEEP);
        rt_exit(m);
    } else {
        struct limit limit = {.deadline = when};
        wait_for_limit(&m, &limit, WEFT_TRACE_BLOCK_SLEEP);
    }
}

int weft_sleep_until(int64_t instant)
{
    struct m *m = rt_enter();
    struct limit limit = limit_until(m, instant);
    hook_wait_timer(m, limit.deadline);
    int error = wait_for_limit(&m, &limit, WEFT_TRACE_BLOCK_SLEEP);
    rt_exit_any(m);
    return error == -ETIMEDOUT && limit.deadline == instant ? 0 : error;
}

/* ---- A P's heap ---- */

int timers_init(struct p *p)
{
    struct timers *ts = aligned_alloc(BASE_CACHE_LINE, sizeof *ts);
    if (!ts)
        return -ENOMEM;
    *ts = (struct timers){.p = p};
    lock_init(&ts->lock, BASE_RANK_TIMERS);
    p->timers = ts;
    atomic_store_relaxed(&p->timer_next, WEFT_NEVER);
    return 0;
}

void timers_fini(struct p *p)
{
    struct timers *ts = p->timers;
    if (!ts)
        return;
    for (uint32_t i = 0; i < ts->count; i++) /* a weft_timer may be used again in another run */
        atomic_store_relaxed(&ts->slots[i].timer->heap, NULL);
    free(ts->slots);
    free(ts);
    p->timers = NULL;
}

static void lock_both(struct timers *a, struct timers *b)
{
    struct timers *low = a < b ? a : b;
    lock_acquire(&low->lock);
    lock_acquire_same(low == a ? &b->lock : &a->lock);
}

/* Puts every slot of `from` behind those of `to`. */
static void append(struct timers *to, struct timers *from)
{
    grow(to, to->count + from->count);
    for (uint32_t i = 0; i < from->count; i++) {
        atomic_store_release(&from->slots[i].timer->heap, to); /* T1: pairs with lock_heap_of() */
        place(to, to->count++, from->slots[i]);
    }
    from->count = 0;
}

static void make_heap(struct timers *ts)
{
    if (ts->count < 2)
        return;
    for (uint32_t i = (ts->count - 2) / ARITY + 1; i-- > 0;)
        sift_down(ts, i, ts->slots[i]);
}

void timers_move(struct p *from, struct p *to)
{
    if (from->timers->count == 0)
        return;
    lock_both(from->timers, to->timers);
    append(to->timers, from->timers);
    make_heap(to->timers);
    update_next(from->timers);
    update_next(to->timers);
    lock_release(&from->timers->lock);
    lock_release(&to->timers->lock);
}

int64_t timers_earliest(void)
{
    int64_t earliest = WEFT_NEVER;
    uint32_t count =
        atomic_load_acquire(&sched.proc_count); /* pairs with the resize: those Ps exist */
    for (uint32_t i = 0; i < count; i++) {
        int64_t next = atomic_load_seqcst(&sched.all_p[i]->timer_next); /* T5 */
        if (next < earliest)
            earliest = next;
    }
    return earliest;
}

uint64_t timers_count(void)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < sched.proc_made; i++) {
        struct timers *ts = sched.all_p[i]->timers;
        lock_acquire(&ts->lock);
        n += ts->count;
        lock_release(&ts->lock);
    }
    return n;
}

bool timers_valid(struct p *p)
{
    struct timers *ts = p->timers;
    int64_t next = ts->count ? ts->slots[0].when : WEFT_NEVER;
    if (atomic_load_relaxed(&p->timer_next) != next)
        return false;
    for (uint32_t i = 0; i < ts->count; i++) {
        const struct slot *s = &ts->slots[i];
        if (i > 0 && ts->slots[(i - 1) / ARITY].when > s->when)
            return false;
        if (s->timer->index != i || atomic_load_relaxed(&s->timer->heap) != ts)
            return false;
        if (atomic_load_relaxed(&s->timer->when) != s->when)
            return false;
    }
    return true;
}
