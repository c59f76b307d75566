/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: what runs next on an M, and what an M does that has nothing to run.
 *
 * Design. A goroutine that parks picks the next one from its own P's queue and switches straight to
 * it; only when there is none (or it is the turn of the global queue, of timers, …) it goes to the
 * M's own context, whose loop (sched_run) looks further: timers, global queue, poller, other Ps.
 * The context that a switch arrives in finishes the work of the one it came from (m->after): a
 * goroutine may be continued elsewhere as soon as it is published, so it is published, by the
 * release of a lock or by queueing it, only when its stack is no longer in use.
 *
 * Spinning. An M that looks for work on other Ps is counted in sched.spinning; whoever adds work
 * wakes an M only if that count is zero. The last spinner, after it has counted itself out, looks
 * through all queues once more: S1. adding work to the global queue: publish it, full fence, then
 * read spinning; giving up: count down, which is a full fence, then read the queues. One of the two
 * sees the other (model/wake.pml). A push to the ring is published by a release store only; a
 * wake-up that is missed on that path leaves the work with a P that runs, and sysmon wakes an M for
 * it.
 *
 * What the poller and timers make ready is taken by the M that found it. Waking another costs some
 * 25 µs of processor time on both sides, and the work is divided only 50 µs later; so it is left
 * alone while there is less than WAKE_WORTH to do, as told by how long goroutines have been running
 * on this P lately (pace). Where that is wrong, one of them turning out to compute, the monitor
 * finds the others at its next look. For the same reason an M does not spin while nobody else runs
 * who could make work, and spins less the more often it was in vain.
 */
#include "sched/schedule.h"

#include "base/clock.h"
#include "base/thread.h"
#include "sched/attach.h"
#include "sched/context.h"
#include "sched/goroutine.h"
#include "sched/idle.h"
#include "sched/lease.h"
#include "sched/machine.h"
#include "sched/proc.h"
#include "sched/switch.h"
#include "sched/sysmon.h"
#include "sched/timer.h"
#include "sched/trace_hooks.h"
#include "sched/virtual_time.h"

enum {
    FAIRNESS = 61,      /* every so many picks the global queue comes first */
    GLOBAL_BATCH = 128, /* taken from the global queue at once, at most */
    STEAL_ROUNDS = 4,
    SPIN_ROUNDS = 20, /* further looks before an M goes to sleep, with pauses between: 10 µs */
    SPIN_PAUSES = 16,
    SPIN_TRIAL = 16,         /* of so many looks that are in vain one is as long as the first */
    WAKE_WORTH = 500 * 1000, /* ns of polled work that are worth waking an M */
};

/* ---- Publishing what was left behind ---- */

static void global_put_many(struct g **gs, unsigned n)
{
    struct g_list list = {0};
    for (unsigned i = 0; i < n; i++)
        g_list_push(&list, gs[i]);
    sched_global_put_list(&list);
}

/* Puts g last on the P's ring. */
static void local_put(struct p *p, struct g *g)
{
    struct g *overflow[RUNQ_SIZE / 2 + 1];
    unsigned n;
    runq_push_owner(&p->runq, g, overflow, &n);
    if (n)
        global_put_many(overflow, n);
}

void sched_count_global(void)
{
    atomic_store_relaxed(&sched.global_count, sched.global.count + sched.bound.count);
}

void sched_global_append(struct g_list *list)
{
    if (!list->head)
        return;
    lock_acquire(&sched.lock);
    if (sched.global.tail)
        sched.global.tail->next = list->head;
    else
        sched.global.head = list->head;
    sched.global.tail = list->tail;
    sched.global.count += list->count;
    sched_count_global();
    lock_release(&sched.lock);
    *list = (struct g_list){0};
}

void sched_global_put_list(struct g_list *list)
{
    if (!list->head)
        return;
    sched_global_append(list);
    atomic_add_seqcst(&sched.spinning, 0); /* S1: the fence between the queue and the count */
    proc_wake_one();
}

void sched_global_put(struct g *g)
{
    struct g_list list = {0};
    g_list_push(&list, g);
    sched_global_put_list(&list);
}

void sched_finish_switch(struct m *m)
{
    torture_point("arrive");
    enum after_switch after = m->after;
    void *arg = m->after_arg;
    m->after = AFTER_NOTHING;
    switch (after) {
    case AFTER_NOTHING:
        break;
    case AFTER_UNLOCK:
        lock_release(arg);
        break;
    case AFTER_GLOBAL_QUEUE:
        sched_global_put(arg);
        break;
    case AFTER_LOCAL_QUEUE:
        local_put(m->p, arg);
        break;
    case AFTER_FREE:
        goroutine_put(m, arg);
        break;
    }
}

/* ---- Switching ---- */

/* How a goroutine's start gets into the trace; constants, so that each place has its own test or
 * none. */
enum start { START_UNTRACED, START_BEHIND_ANOTHER, START_TRACED };

/* g, which the caller owns, becomes the M's current goroutine. */
static inline void make_current(struct m *m, struct g *g, bool inherits, enum start start)
{
    if (!inherits)
        atomic_store_relaxed(&m->p->tick, m->p->tick + 1);
    m->g = g;
    atomic_store_release(&g->m, m); /* pairs with each_g(): it reads the thread's id */
    torture_point("make_current");
    if (start == START_TRACED)
        hook_go_start(m);
    else if (start == START_BEHIND_ANOTHER)
        hook_go_start_at_once(m);
    else
        hook_set_status(g, G_RUNNING);
}

struct m *sched_leave(struct m *m, enum after_switch after, void *arg)
{
    if (unlikely(m->g->bound))
        return bound_leave(m, after, arg);
    m->after = after;
    m->after_arg = arg;
    return switch_from(m, m->g, NULL);
}

void sched_end_thread(struct m *m)
{
    m->after = AFTER_NOTHING;
    switch_from(m, m->g, NULL); /* also when it is bound to m */
    fatal("a goroutine was continued after the end of the runtime");
}

static bool timers_due(struct p *p)
{
    int64_t first = atomic_load_relaxed(&p->timer_next);
    return first != WEFT_NEVER && first <= timer_now_loose();
}

/* The next goroutine of the P's own queue, unless something else has its turn. */
static struct g *pick_local(struct p *p, bool *inherits)
{
    if (++p->picks % FAIRNESS == 0 && atomic_load_relaxed(&sched.global_count) > 0)
        return NULL;
    if (timers_due(p))
        return NULL;
    return runq_pop_owner(&p->runq, inherits, sched_alone());
}

/* After the hook that says why the current goroutine leaves. */
static inline __attribute__((always_inline)) struct m *
switch_away(struct m *m, enum after_switch after, void *arg, enum start start)
{
    struct g *from = m->g;
    if (unlikely(from->bound))
        return bound_leave(m, after, arg);
    bool inherits;
    struct g *next = pick_local(m->p, &inherits);
    m->after = after;
    m->after_arg = arg;
    if (next)
        make_current(m, next, inherits, start);
    return switch_from(m, from, next);
}

struct m *sched_switch_away(struct m *m, enum after_switch after, void *arg)
{
    return switch_away(m, after, arg, START_BEHIND_ANOTHER);
}

static void run_goroutine(struct m *m, struct g *g, bool inherits)
{
    void *fake = NULL;
    make_current(m, g, inherits, START_TRACED);
    context_announce_g(&fake, g);
    weft_context_switch(&m->saved, &g->saved);
    context_arrived(fake);
    sched_arrive(m);
}

/* ---- Park, ready, yield ---- */

/* The variants for tracing stand apart and are tail calls: while tracing is off, a park or a
 * wake-up pays for one test. */
static __attribute__((cold, noinline)) struct m *park_traced(struct m *m, base_lock *lock,
                                                             weft_trace_block_reason reason)
{
    hook_go_block(m, reason);
    torture_point("park: blocked, not off its stack");
    return switch_away(m, lock ? AFTER_UNLOCK : AFTER_NOTHING, lock, START_BEHIND_ANOTHER);
}

struct m *sched_park(struct m *m, base_lock *lock, weft_trace_block_reason reason)
{
    atomic_store_relaxed(&m->p->parks, m->p->parks + 1);
    if (hook_tracing())
        return park_traced(m, lock, reason);
    hook_set_waiting(m->g, reason);
    torture_point("park: blocked, not off its stack");
    return switch_away(m, lock ? AFTER_UNLOCK : AFTER_NOTHING, lock, START_UNTRACED);
}

/* g is runnable: next on the caller's P. */
static inline void enqueue_ready(struct m *m, struct g *g)
{
    torture_point("ready: runnable, not queued");
    if (unlikely(g->bound)) {
        bound_ready(g);
        return;
    }
    if (!m->p) {
        sched_global_put(g);
        return;
    }
    struct g *displaced = runq_next_swap_owner(&m->p->runq, g, sched_alone());
    if (displaced) {
        local_put(m->p, displaced);
        proc_wake_one();
    }
}

static __attribute__((cold, noinline)) void ready_traced(struct m *m, struct g *g)
{
    hook_go_unblock(m, g);
    enqueue_ready(m, g);
}

/* By a thread without M, as it is: take_global() or the attached thread makes it runnable. Such a
 * thread cannot be held, so it leaves Ps and Ms alone; the monitor wakes one. */
static void put_foreign(struct g *g)
{
    if (g->bound) {
        bound_ready_from_outside(g);
    } else {
        struct g_list list = {0};
        g_list_push(&list, g);
        sched_global_append(&list);
    }
    sysmon_wake();
}

void sched_ready(struct m *m, struct g *g)
{
    torture_point("ready: taken off its queue");
    if (unlikely(!m)) {
        put_foreign(g);
        return;
    }
    if (hook_tracing()) {
        ready_traced(m, g);
        return;
    }
    hook_set_status(g, G_RUNNABLE);
    enqueue_ready(m, g);
}

void sched_ready_list(struct m *m, struct g_list *list)
{
    struct g_list global = {0};
    struct g *g;
    while (!m && (g = g_list_pop(list)))
        put_foreign(g);
    while ((g = g_list_pop(list))) {
        hook_go_unblock(m, g);
        if (unlikely(g->bound)) {
            bound_ready(g);
        } else if (m->p) {
            local_put(m->p, g);
            proc_wake_one();
        } else {
            g_list_push(&global, g);
        }
    }
    sched_global_put_list(&global);
}

/* An interval of running on p ends, and the next one begins. */
static void pace_note(struct p *p, int64_t now)
{
    uint32_t picks = p->picks - p->pace_picks;
    if (picks)
        p->pace = (p->pace + (now - p->pace_since) / picks) / 2;
    sched_pace_restart(p, now);
}

void sched_pace_restart(struct p *p, int64_t now)
{
    p->pace_since = now;
    p->pace_picks = p->picks;
}

void sched_ready_here(struct m *m, struct g_list *list)
{
    int64_t work = list->count * m->p->pace;
    struct g *g;
    while ((g = g_list_pop(list))) {
        hook_go_unblock(m, g);
        if (unlikely(g->bound))
            bound_ready(g);
        else
            local_put(m->p, g);
    }
    if (work > WAKE_WORTH)
        proc_wake_one();
}

void sched_enqueue_new(struct m *m, struct g *g)
{
    if (!m || !m->p) {
        sched_global_put(g);
        return;
    }
    struct g *displaced = runq_next_swap_owner(&m->p->runq, g, sched_alone());
    if (displaced)
        local_put(m->p, displaced);
    proc_wake_one();
}

void sched_slice_over(struct p *p)
{
    struct g *next = runq_next_swap_owner(&p->runq, NULL, sched_alone());
    if (next)
        local_put(p, next);
}

struct m *sched_preempt(struct m *m)
{
    struct g *g = m->g;
    sched_slice_over(m->p);
    hook_go_stop(m, WEFT_TRACE_STOP_PREEMPTED);
    return sched_switch_away(m, AFTER_GLOBAL_QUEUE, g);
}

void weft_yield(void)
{
    struct m *m = rt_enter();
    if (!m)
        rt_not_a_goroutine("weft_yield");
    struct g *g = m->g;
    hook_go_stop(m, WEFT_TRACE_STOP_GOSCHED);
    m = sched_switch_away(m, AFTER_LOCAL_QUEUE, g);
    rt_exit(m);
}

/* ---- Looking for work ---- */

/* Counts as made ready here and now what a thread without M has made ready. */
static void unblock_foreign(struct m *m, const struct g_list *taken)
{
    for (struct g *g = taken->head; g; g = g->next)
        if (unlikely(atomic_load_relaxed(&g->status) == G_WAITING))
            hook_go_unblock(m, g);
}

/* A goroutine of an attached thread; in turns with the global queue. sched.lock is held. */
static struct g *take_bound(void)
{
    static bool bound_was_last; /* lock: sched.lock */
    bound_was_last = sched.bound.head && (!bound_was_last || !sched.global.head);
    return bound_was_last ? g_list_pop(&sched.bound) : NULL;
}

/* Takes one goroutine from the global queue, and a fair share of the rest to the P's own. */
static struct g *take_global(struct m *m, unsigned most)
{
    if (atomic_load_relaxed(&sched.global_count) == 0)
        return NULL;
    struct g_list taken = {0};
    lock_acquire(&sched.lock);
    struct g *bound = take_bound();
    if (unlikely(bound)) {
        sched_count_global();
        lock_release(&sched.lock);
        return bound;
    }
    unsigned n = sched.global.count / atomic_load_relaxed(&sched.proc_count) + 1;
    if (n > most)
        n = most;
    for (struct g *g; n > 0 && (g = g_list_pop(&sched.global)); n--)
        g_list_push(&taken, g);
    sched_count_global();
    lock_release(&sched.lock);
    unblock_foreign(m, &taken);
    struct g *first = g_list_pop(&taken);
    for (struct g *g; (g = g_list_pop(&taken));)
        local_put(m->p, g);
    return first;
}

/* Asks the poller without waiting. */
static struct g *take_polled(struct m *m)
{
    if (!netpoll_used())
        return NULL;
    struct g_list ready = {0};
    int64_t now = (int64_t)base_clock_now_loose();
    atomic_store_relaxed(&sched.last_poll, now);
    pace_note(m->p, now);
    netpoll_wait(0, &ready);
    if (!ready.head)
        return NULL;
    sched_ready_here(m, &ready);
    bool inherits;
    return runq_pop_owner(&m->p->runq, &inherits, sched_alone());
}

static void run_due_timers(struct m *m)
{
    int64_t now = timer_now_loose();
    uint32_t n = atomic_load_relaxed(&sched.proc_count);
    for (uint32_t i = 0; i < n; i++) {
        struct p *p = sched.all_p[i];
        if (atomic_load_relaxed(&p->timer_next) <= now)
            timers_run(m, p, now);
    }
}

/* What timers of other Ps, idle ones or such that compute, make ready. */
static struct g *take_late(struct m *m)
{
    if (timers_earliest() > timer_now_loose())
        return NULL;
    run_due_timers(m);
    bool inherits;
    return runq_pop_owner(&m->p->runq, &inherits, sched_alone());
}

/* One pass over the other Ps, from a random one on. */
static struct g *steal_once(struct m *m, bool take_next)
{
    uint32_t n = atomic_load_relaxed(&sched.proc_count);
    uint32_t start = m_random(m) % n;
    for (uint32_t i = 0; i < n; i++) {
        struct p *victim = sched.all_p[(start + i) % n];
        if (victim == m->p)
            continue;
        struct g *g = runq_steal(&m->p->runq, &victim->runq, take_next);
        if (g) {
            atomic_store_relaxed(&m->p->steals, m->p->steals + 1);
            return g;
        }
    }
    return NULL;
}

static struct g *steal_work(struct m *m)
{
    for (int round = 0; round < STEAL_ROUNDS; round++) {
        struct g *g = steal_once(m, round == STEAL_ROUNDS - 1);
        if (g)
            return g;
    }
    return take_late(m);
}

static bool may_spin(struct m *m)
{
    if (m->spinning)
        return true;
    uint32_t busy =
        atomic_load_relaxed(&sched.proc_count) - atomic_load_relaxed(&sched.idle_p_count);
    if (busy < 2 || 2 * atomic_load_relaxed(&sched.spinning) >= busy)
        return false; /* nobody else runs who could make work */
    m->spinning = true;
    atomic_add_acqrel(&sched.spinning, 1); /* S1 */
    return true;
}

/* Counts the M out; it has found work, so that another one may have to look for more. */
static void stop_spinning_with_work(struct m *m)
{
    m->spinning = false;
    if (atomic_sub_acqrel(&sched.spinning, 1) == 1) /* S1 */
        proc_wake_one();
}

static struct g *look_near(struct m *m, bool *inherits)
{
    struct p *p = m->p;
    *inherits = false;
    struct g *g;
    if (p->picks % FAIRNESS == 0 && (g = take_global(m, 1))) {
        p->picks++;
        return g;
    }
    if (timers_due(p))
        timers_run(m, p, timer_now_loose());
    if ((g = runq_pop_owner(&p->runq, inherits, sched_alone())))
        return g;
    if ((g = take_global(m, GLOBAL_BATCH)))
        return g;
    return take_polled(m);
}

/* How often an M looks before it sleeps: the less the longer that has been in vain, but now and
 * then as often as ever, to see whether it would pay again. */
static unsigned spin_rounds(struct m *m)
{
    unsigned in_vain = m->spun_in_vain++;
    if (in_vain % SPIN_TRIAL == 0)
        return SPIN_ROUNDS;
    return in_vain < 5 ? SPIN_ROUNDS >> in_vain : 1;
}

/* Looks everywhere. NULL: nothing found; m->p may be gone then (the M was held meanwhile). */
static struct g *find_work(struct m *m, bool *inherits)
{
    struct g *g = look_near(m, inherits);
    if (g)
        return g;
    *inherits = false;
    if (!may_spin(m))
        return take_late(m);
    unsigned rounds = spin_rounds(m);
    for (unsigned i = 0; i < rounds; i++) {
        if ((g = steal_work(m)) || (g = take_global(m, GLOBAL_BATCH))) {
            m->spun_in_vain = 0;
            return g;
        }
        lease_checkpoint(m);
        if (!m->p)
            return NULL;
        for (int pause = 0; pause < SPIN_PAUSES; pause++)
            cpu_relax();
    }
    return NULL;
}

static bool any_queue_has_work(void)
{
    if (atomic_load_relaxed(&sched.global_count) > 0)
        return true;
    uint32_t n = atomic_load_relaxed(&sched.proc_count);
    for (uint32_t i = 0; i < n; i++)
        if (!runq_empty(&sched.all_p[i]->runq))
            return true;
    return false;
}

/* ---- Going idle ---- */

/* Gives the P up, unless there is something on the global queue after all. */
static bool release_p(struct m *m)
{
    lock_acquire(&sched.lock);
    if (sched.global_count > 0) {
        lock_release(&sched.lock);
        return false;
    }
    hook_proc_stop(m);
    struct p *p = proc_detach(m);
    proc_put_idle_locked(p);
    lock_release(&sched.lock);
    torture_point("release_p: idle");
    return true;
}

/* Counts a spinner out, which may have been the last one: it looks once more, and takes a P if
 * there is work (S1). */
static void give_up_spinning(struct m *m)
{
    if (!m->spinning)
        return;
    m->spinning = false;
    atomic_sub_seqcst(&sched.spinning, 1); /* S1: pairs with proc_wake_one() */
    if (!any_queue_has_work() || !proc_take_idle(m))
        return;
    hook_proc_start(m);
    m->spinning = true;
    atomic_add_acqrel(&sched.spinning, 1);
}

static void lost_p(struct m *m)
{
    if (m->spinning) {
        m->spinning = false;
        atomic_sub_acqrel(&sched.spinning, 1);
    }
}

void sched_run(struct m *m)
{
    sched_accept_p(m);
    while (!(atomic_load_acquire(&m->attention) & M_ENDING)) { /* pairs with the end in runtime.c */
        lease_checkpoint(m);
        if (!m->p) {
            lost_p(m);
            sched_idle(m);
            continue;
        }
        bool inherits;
        struct g *g = find_work(m, &inherits);
        if (g) {
            if (m->spinning)
                stop_spinning_with_work(m);
            if (unlikely(g->bound))
                bound_hand_over(m, g);
            else
                run_goroutine(m, g, inherits);
        } else if (m->p && release_p(m)) {
            give_up_spinning(
                m); /* with work in sight it has a P again, else the loop goes to sleep */
        }
    }
}
