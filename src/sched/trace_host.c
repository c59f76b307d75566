/* SPDX-License-Identifier: MIT */
/*
 * The runtime as a host of the tracer: what weft/trace_host.h asks for, on top of the lease.
 *
 * The tracer's thread has an M and a system goroutine, which is in a system call as long as the
 * thread has no P. For the microseconds of a start, an advance or a stop it gets an idle P or, if
 * none is idle, takes one with the world stopped.
 */
#include "sched/trace_host.h"

#include <errno.h>

#include "base/thread.h"
#include "sched/context.h"
#include "sched/cpu_running.h"
#include "sched/crash.h"
#include "sched/goroutine.h"
#include "sched/lease.h"
#include "sched/machine.h"
#include "sched/proc.h"
#include "sched/trace_hooks.h"
#include "sched/world.h"
#include "weft/annotate.h"

enum { NEAR = 8, FAR = 20 }; /* goroutines that are on their way from memory */

static struct m *tracer_m;

static weft_trace_m *thread_start(void *context)
{
    (void)context;
    struct g *g = goroutine_new_system();
    struct m *m = g ? machine_new_service() : NULL;
    if (!m)
        return NULL;
    atomic_store_relaxed(&g->status, G_SYSCALL);
    atomic_store_relaxed(&g->m, m);
    m->g = g;
    tracer_m = m;
    return &m->trace;
}

static void thread_stop(void *context)
{
    (void)context;
    tracer_m = NULL;
}

static bool holds_world; /* false: whoever had it has crashed */

static void world_hold(void *context)
{
    (void)context;
    holds_world = world_lock_unless_crashed();
}

static void world_release(void *context)
{
    (void)context;
    if (holds_world)
        world_unlock();
}

static void host_world_stop(void *context)
{
    (void)context;
    world_stop(tracer_m);
}

static void host_world_start(void *context)
{
    (void)context;
    world_start(tracer_m);
}

/* The P whose loss disturbs least: one on its way to an M that sleeps still, one without a
 * goroutine, any. NULL: all Ms have crashed. World stopped. */
static struct p *choose_victim(void)
{
    struct p *best = NULL;
    int best_rank = -1;
    for (uint32_t i = 0; i < sched.proc_count; i++) {
        struct p *p = sched.all_p[i];
        if (!p->idle && crash_has_hit(p->m))
            continue;
        int rank = p->idle || p->m->p != p ? 2 : !p->m->g;
        if (rank > best_rank) {
            best = p;
            best_rank = rank;
        }
    }
    return best;
}

static bool take_any(struct m *m)
{
    world_stop(m);
    struct p *p = crash_is_inside() ? NULL : choose_victim();
    if (p) {
        world_seize(m, p);
        proc_attach(m, p);
    }
    world_start(m);
    return p != NULL;
}

static int attach(void *context, weft_trace_context *out)
{
    (void)context;
    struct m *m = tracer_m;
    if (crash_is_inside())
        return -EBUSY;
    fence_store(&m->in_runtime, 1); /* the world lock is ours: nobody holds this M */
    if (!proc_take_idle(m) && !take_any(m)) {
        lease_leave(m);
        return -EBUSY;
    }
    hook_syscall_exit(m);
    *out = (weft_trace_context){&m->p->trace, &m->g->trace};
    return 0;
}

static void detach(void *context)
{
    (void)context;
    struct m *m = tracer_m;
    hook_syscall_enter(m);
    proc_hand_off(proc_detach(m));
    lease_leave(m);
}

static uint32_t proc_count(void *context)
{
    (void)context;
    return atomic_load_relaxed(&sched.proc_count);
}

static void each_p(void *context, void (*fn)(void *, const weft_trace_p_view *), void *arg)
{
    (void)context;
    world_stop(tracer_m);
    for (uint32_t i = 0; i < sched.proc_count && !crash_is_inside(); i++) {
        struct p *p = sched.all_p[i];
        struct m *holder = p->m;
        if (holder == tracer_m || (holder && crash_has_hit(holder)))
            continue;
        weft_trace_p_view view = {.p = &p->trace};
        if (holder &&
            holder->p == p) { /* else idle, or in transit to an M that has not started it yet */
            view.m = &holder->trace;
            view.g = holder->g ? &holder->g->trace : NULL;
        }
        fn(arg, &view);
    }
    world_start(tracer_m);
}

static void each_dead_p(void *context, void (*fn)(void *, weft_trace_p *), void *arg)
{
    (void)context;
    for (uint32_t i = sched.proc_count; i < sched.proc_made; i++)
        fn(arg, &sched.all_p[i]->trace);
}

/* Asks for what the visits of goroutines to come will read. Each record and stack lies on pages of
 * its own, and to wait for one after the other is most of what a census costs. Which they are
 * nobody knows without waiting; but as a rule stacks lie side by side, and of equal depth. */
static void look_ahead(const struct g *g)
{
    uintptr_t stride = (uintptr_t)g->all_next - (uintptr_t)g, near = (uintptr_t)g + NEAR * stride;
    uintptr_t frame = (uintptr_t)atomic_load_relaxed(&g->api_frame) + NEAR * stride;
    __builtin_prefetch((const void *)((uintptr_t)g + FAR * stride)); /* the page, above all */
    for (size_t line = BASE_CACHE_LINE; line < sizeof *g; line += BASE_CACHE_LINE)
        __builtin_prefetch((const void *)(near + line));
    __builtin_prefetch((const void *)frame);
    __builtin_prefetch((const void *)(frame + BASE_CACHE_LINE));
}

static void each_g(void *context, bool stacks, void (*fn)(void *, const weft_trace_g_view *),
                   void *arg)
{
    (void)context;
    uintptr_t pcs[WEFT_TRACE_MAX_FRAMES];
    for (struct g *g = goroutines_first(); g; g = g->all_next) {
        look_ahead(g);
        weft_trace_g_view view = {.g = &g->trace, .id = atomic_load_relaxed(&g->trace.id)};
        view.status = atomic_load_relaxed(&g->status);
        struct m *m = atomic_load_acquire(&g->m); /* pairs with make_current() */
        /* It may be in any state, or nobody has described those that run: they are left out. */
        if ((m && crash_has_hit(m)) || (crash_is_inside() && view.status == G_RUNNING))
            view.status = G_DEAD;
        if (view.status == G_SYSCALL && m)
            view.m_tid = atomic_load_relaxed(&m->tid);
        if (stacks && view.status != G_DEAD && view.status != G_RUNNING) {
            context_guess_begin();
            view.pcs = pcs;
            view.depth = hook_walk(g, pcs, WEFT_TRACE_MAX_FRAMES);
            context_guess_end(pcs, view.depth * sizeof *pcs);
        }
        fn(arg, &view);
    }
}

int trace_host_init(void)
{
    const weft_trace_host host = {
        .size = sizeof host,
        .enabled = &sched.tracing,
        .user_enabled = &weft_annotate_words.tracing,
        .thread_start = thread_start,
        .thread_stop = thread_stop,
        .attach = attach,
        .detach = detach,
        .world_hold = world_hold,
        .world_release = world_release,
        .world_stop = host_world_stop,
        .world_start = host_world_start,
        .proc_count = proc_count,
        .each_p = each_p,
        .each_dead_p = each_dead_p,
        .each_g = each_g,
        .running = cpu_running,
    };
    return weft_tracer_new(&host, &sched.tracer);
}

void trace_host_fini(void)
{
    weft_tracer_free(sched.tracer);
    sched.tracer = NULL;
}
