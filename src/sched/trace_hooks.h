/* SPDX-License-Identifier: MIT */
/*
 * All calls of the scheduler into the tracer. Each hook carries out a change of state and, if
 * tracing is on, emits its event, both in one section (INV-6): the scheduler changes a G's status
 * nowhere else. The caller owns what changes (INV-4, INV-5) and is inside the runtime.
 *
 * In line: the branch that is taken when tracing is off. The rest is in trace_hooks.c.
 */
#ifndef WEFT_SCHED_TRACE_HOOKS_H
#define WEFT_SCHED_TRACE_HOOKS_H

#include "sched/sched.h"

/* Whether events may have to be emitted. It does not become true while the caller is inside the
 * runtime, as that takes a stopped world: one test serves a whole section. */
static inline bool hook_tracing(void)
{
#ifdef WEFT_WITHOUT_HOOKS /* a benchmark's build, to measure what this branch costs */
    return false;
#endif
    return unlikely(atomic_load_relaxed(&sched.tracing) != 0);
}

static inline void hook_set_status(struct g *g, enum g_status status)
{
    atomic_store_relaxed(&g->status, (uint32_t)status);
}

/* Out of the way of the code that runs while tracing is off: no registers saved for their sake. */
#define HOOK_COLD __attribute__((cold, visibility("hidden")))

HOOK_COLD void hook_go_start_traced(struct m *m);
HOOK_COLD void hook_go_start_at_once_traced(struct m *m);
HOOK_COLD void hook_go_block_traced(struct m *m, weft_trace_block_reason reason);
HOOK_COLD void hook_go_stop_traced(struct m *m, weft_trace_stop_reason reason);
HOOK_COLD void hook_go_unblock_traced(struct m *m, struct g *g);
HOOK_COLD void hook_go_create_traced(struct m *m, struct g *g, enum g_status status);
HOOK_COLD void hook_go_end_traced(struct m *m);
HOOK_COLD void hook_go_switch_traced(struct m *m, struct g *to, bool destroy);
HOOK_COLD void hook_proc_start_traced(struct m *m);
HOOK_COLD void hook_proc_stop_traced(struct m *m);

/* m->g runs now. */
static inline void hook_go_start(struct m *m)
{
    hook_set_status(m->g, G_RUNNING); /* INV-7: before the event, with nothing in between */
    if (hook_tracing())
        hook_go_start_traced(m);
}

static inline void hook_note_wait(struct g *g, weft_trace_block_reason reason)
{
    atomic_store_relaxed(&g->wait_reason, (uint8_t)reason);
    atomic_store_relaxed(&g->wait_since, atomic_load_relaxed(&sched.coarse_now));
}

/* The same right behind the hook with which another goroutine left m. */
static inline void hook_go_start_at_once(struct m *m)
{
    hook_set_status(m->g, G_RUNNING); /* INV-7 */
    if (hook_tracing())
        hook_go_start_at_once_traced(m);
}

/* m->g waits from now on. */
static inline void hook_go_block(struct m *m, weft_trace_block_reason reason)
{
    hook_note_wait(m->g, reason);
    if (hook_tracing())
        hook_go_block_traced(m, reason);
    else
        hook_set_status(m->g, G_WAITING);
}

/* The same when the caller has found that tracing is off. */
static inline void hook_set_waiting(struct g *g, weft_trace_block_reason reason)
{
    hook_note_wait(g, reason);
    hook_set_status(g, G_WAITING);
}

/* m->g goes back to a queue. */
static inline void hook_go_stop(struct m *m, weft_trace_stop_reason reason)
{
    if (hook_tracing())
        hook_go_stop_traced(m, reason);
    else
        hook_set_status(m->g, G_RUNNABLE);
}

/* g, which waits and is the caller's, becomes runnable. m: the caller's M, maybe without P or G. */
static inline void hook_go_unblock(struct m *m, struct g *g)
{
    if (hook_tracing())
        hook_go_unblock_traced(m, g);
    else
        hook_set_status(g, G_RUNNABLE);
}

/* g is new. */
static inline void hook_go_create(struct m *m, struct g *g)
{
    if (m && hook_tracing())
        hook_go_create_traced(m, g, G_RUNNABLE);
    else
        hook_set_status(g, G_RUNNABLE);
}

/* g is new and waits until somebody switches to it. */
static inline void hook_go_create_blocked(struct m *m, struct g *g)
{
    hook_note_wait(g, WEFT_TRACE_BLOCK_UNSPECIFIED);
    if (hook_tracing())
        hook_go_create_traced(m, g, G_WAITING);
    else
        hook_set_status(g, G_WAITING);
}

/* `to` becomes the current goroutine. */
static inline void hook_change_current(struct m *m, struct g *to)
{
    m->g = to;
    atomic_store_release(&to->m, m); /* pairs with each_g(): it reads the thread's id */
    hook_set_status(to, G_RUNNING);
}

/* m->g gives way to `to`, which waits and is the caller's; destroy: m->g is at its end. */
static inline void hook_go_switch(struct m *m, struct g *to, bool destroy)
{
    hook_note_wait(m->g, WEFT_TRACE_BLOCK_UNSPECIFIED);
    if (hook_tracing()) {
        hook_go_switch_traced(m, to, destroy);
        return;
    }
    hook_set_status(m->g, destroy ? G_DEAD : G_WAITING);
    hook_change_current(m, to);
}

/* g, which waits, is the caller's and never ran, is at its end. */
void hook_go_discard(struct m *m, struct g *g);

/* m->g is at its end. */
static inline void hook_go_end(struct m *m)
{
    if (hook_tracing())
        hook_go_end_traced(m);
    else
        hook_set_status(m->g, G_DEAD);
}

/* m has been given its P; m->g is NULL or in a system call. */
static inline void hook_proc_start(struct m *m)
{
    if (hook_tracing())
        hook_proc_start_traced(m);
}

/* m is about to give its P up; m->g is NULL. */
static inline void hook_proc_stop(struct m *m)
{
    if (hook_tracing())
        hook_proc_stop_traced(m);
}

/* The rare changes, not in line. */

/* m->g begins a blocking call and m gives its P up. */
void hook_syscall_enter(struct m *m);
/* m->g is back from a system call and m has got another P. */
void hook_syscall_exit(struct m *m);
/* m->g is back from a system call and there is no P: it becomes runnable. */
void hook_syscall_exit_queued(struct m *m);

/* g, the goroutine of the attached thread m, begins in a system call, as m->g; and ends in one. */
void hook_attach(struct m *m, struct g *g);
void hook_detach(struct m *m);

/* Why a lease is revoked; the texts of the log weft.lease (annotate.h). */
enum hook_lease { HOOK_LEASE_COMPUTING, HOOK_LEASE_BLOCKING, HOOK_LEASE_RECLAIMED };

/* The P of `victim`, an M that is held outside, is taken by the caller: the goroutine that runs
 * there is in a system call from now on. Detaches the P. */
void hook_take_p(struct m *m, struct m *victim, enum hook_lease why);

/* The caller's goroutine moves from its P, which dies, to `target`, which is the caller's. Attaches
 * it. */
void hook_change_p(struct m *m, struct p *target);

void hook_stw_begin(struct m *m, weft_trace_stw_reason reason);
void hook_stw_end(struct m *m);
void hook_procs_change(struct m *m, uint32_t procs);

/* ---- Annotations: what the user says about m->g. Each writes its event if tracing is on. ---- */

struct hook_text {
    const void *data;
    size_t size;
};

void hook_task_begin(struct m *m, uint64_t task, uint64_t parent, struct hook_text name);
void hook_task_end(struct m *m, uint64_t task);
void hook_region_begin(struct m *m, uint64_t task, struct hook_text name);
void hook_region_end(struct m *m, uint64_t task, struct hook_text name);
void hook_log(struct m *m, struct hook_text key, struct hook_text value);
void hook_label(struct m *m);

HOOK_COLD void hook_wait_traced(struct m *m, const char *kind, const void *object);
HOOK_COLD void hook_wait_text_traced(struct m *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The log weft.wait, right before m->g blocks on the object, also under that object's lock; nothing
 * if m is NULL, on a plain thread. The formats stand in annotate.h. */
static inline void hook_wait(struct m *m, const char *kind, const void *object)
{
    if (unlikely(atomic_load_relaxed(&sched.waits)) && m)
        hook_wait_traced(m, kind, object);
}

static inline void hook_wait_fd(struct m *m, int fd, bool writes)
{
    if (unlikely(atomic_load_relaxed(&sched.waits)) && m)
        hook_wait_text_traced(m, "fd %d %s", fd, writes ? "write" : "read");
}

static inline void hook_wait_timer(struct m *m, int64_t when)
{
    if (unlikely(atomic_load_relaxed(&sched.waits)) && m)
        hook_wait_text_traced(m, "timer %lld", (long long)when);
}

/* The stack of a goroutine that does not run, or of the caller's own: leaf first, into pcs. */
unsigned hook_walk(const struct g *g, uintptr_t *pcs, unsigned max);

#endif
