/* SPDX-License-Identifier: MIT */
/* The scheduler's calls into the tracer; see trace_hooks.h. */
#include "sched/trace_hooks.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sched/proc.h"
#include "sched/user_annotations.h"

enum { TEXT_MAX = 1024 }; /* as much as a trace keeps of a text */

static weft_trace_context context_of(struct m *m)
{
    return (weft_trace_context){m->p ? &m->p->trace : NULL, m->g ? &m->g->trace : NULL};
}

static bool enter(struct m *m, weft_trace_section *s)
{
    return weft_trace_enter(sched.tracer, &m->trace, s);
}

/* Stacks begin at the public function through which the goroutine entered, so the runtime's own
 * frames are not in them. A goroutine that has not run yet has its entry function alone; one whose
 * lease was taken has none, since it may run. */
/* An attached thread's stack may be unmapped at any time: only the thread itself walks it. */
static bool bounds_of(const struct g *g, const struct g *on, const void **low, const void **high)
{
    const struct m *m = on->stack_low ? NULL : g->bound;
    if (unlikely(!on->stack_low) && (!m || m != m_self()))
        return false;
    *low = m ? m->stack_low : on->stack_low;
    *high = m ? m->stack_high : (const void *)on;
    return true;
}

/* One stack of those that g is on, from where it left user code or that stack. Nothing is certain
 * about a lender's words, for somebody else than the goroutine: they may be another use's. */
static unsigned walk_one(const struct g *g, const struct g *on, const struct g *place,
                         uintptr_t *pcs, unsigned max)
{
    const void *low, *high;
    uintptr_t pc = atomic_load_relaxed(&place->api_pc);
    if (pc == 0 || max == 0)
        return 0;
    pcs[0] = pc;
    const void *frame = atomic_load_relaxed(&place->api_frame);
    if (!frame || !bounds_of(g, on, &low, &high))
        return 1;
    unsigned depth = weft_trace_walk(frame, low, high, pcs + 1, max - 1);
    if (depth > 0)
        pcs[1]++; /* exact for the walk, whose leaf it is; here it is a return address again */
    return 1 + depth;
}

unsigned hook_walk(const struct g *g, uintptr_t *pcs, unsigned max)
{
    const struct g *place = g, *on = g_stack_of(g);
    unsigned depth = walk_one(g, on, g, pcs, max);
    while (unlikely(on != g) && depth > 0 && depth < max) {
        place = on;
        on = atomic_load_relaxed(&on->outer);
        unsigned more = on ? walk_one(g, on, place, pcs + depth, max - depth) : 0;
        if (more == 0)
            break;
        depth += more;
    }
    return depth;
}

static uint64_t own_stack(weft_trace_section *s, struct m *m)
{
    if (!m->g)
        return 0;
    uintptr_t pcs[WEFT_TRACE_MAX_FRAMES];
    return weft_trace_stack(s, pcs, hook_walk(m->g, pcs, WEFT_TRACE_MAX_FRAMES));
}

/* The label of m->g, if it was not written in this generation. */
static void write_label(weft_trace_section *s, struct m *m)
{
    struct g *g = m->g;
    if (likely(!g->label) || g->label_generation == s->generation)
        return;
    g->label_generation = s->generation;
    weft_trace_label(s, context_of(m), g->label->text, g->label->size);
}

void hook_go_start_traced(struct m *m)
{
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_go_start(&s, context_of(m));
    write_label(&s, m);
    weft_trace_leave(&s);
}

void hook_go_start_at_once_traced(struct m *m)
{
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_go_start_at_once(&s, context_of(m));
    write_label(&s, m);
    weft_trace_leave(&s);
}

void hook_go_block_traced(struct m *m, weft_trace_block_reason reason)
{
    weft_trace_section s;
    bool tracing = enter(m, &s);
    if (tracing)
        weft_trace_go_block(&s, context_of(m), reason, own_stack(&s, m));
    hook_set_status(m->g, G_WAITING);
    if (tracing)
        weft_trace_leave(&s);
}

void hook_go_stop_traced(struct m *m, weft_trace_stop_reason reason)
{
    weft_trace_section s;
    bool tracing = enter(m, &s);
    if (tracing)
        weft_trace_go_stop(&s, context_of(m), reason, own_stack(&s, m));
    hook_set_status(m->g, G_RUNNABLE);
    if (tracing)
        weft_trace_leave(&s);
}

void hook_go_unblock_traced(struct m *m, struct g *g)
{
    weft_trace_section s;
    bool tracing = enter(m, &s);
    if (tracing)
        weft_trace_go_unblock(&s, context_of(m), &g->trace, own_stack(&s, m));
    hook_set_status(g, G_RUNNABLE);
    if (tracing)
        weft_trace_leave(&s);
}

void hook_go_create_traced(struct m *m, struct g *g, enum g_status status)
{
    weft_trace_section s;
    bool tracing = enter(m, &s);
    if (tracing)
        weft_trace_go_create(&s, context_of(m), &g->trace, (uintptr_t)g->fn, status == G_WAITING,
                             own_stack(&s, m));
    hook_set_status(g, status);
    if (tracing)
        weft_trace_leave(&s);
}

void hook_go_switch_traced(struct m *m, struct g *to, bool destroy)
{
    weft_trace_section s;
    bool tracing = enter(m, &s);
    if (tracing)
        weft_trace_go_switch(&s, context_of(m), &to->trace, destroy);
    hook_set_status(m->g, destroy ? G_DEAD : G_WAITING);
    hook_change_current(m, to);
    if (tracing) {
        write_label(&s, m);
        weft_trace_leave(&s);
    }
}

/* In the trace it runs for a moment, as a goroutine can end in no other way. */
void hook_go_discard(struct m *m, struct g *g)
{
    weft_trace_section s;
    bool tracing = enter(m, &s);
    if (tracing) {
        weft_trace_go_switch(&s, context_of(m), &g->trace, false);
        weft_trace_go_switch(&s, (weft_trace_context){&m->p->trace, &g->trace}, &m->g->trace, true);
    }
    hook_set_status(g, G_DEAD);
    if (tracing)
        weft_trace_leave(&s);
}

void hook_go_end_traced(struct m *m)
{
    weft_trace_section s;
    bool tracing = enter(m, &s);
    if (tracing)
        weft_trace_go_destroy(&s, context_of(m));
    hook_set_status(m->g, G_DEAD);
    if (tracing)
        weft_trace_leave(&s);
}

void hook_proc_start_traced(struct m *m)
{
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_proc_start(&s, context_of(m));
    weft_trace_leave(&s);
}

void hook_proc_stop_traced(struct m *m)
{
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_proc_stop(&s, context_of(m));
    weft_trace_leave(&s);
}

void hook_syscall_enter(struct m *m)
{
    weft_trace_section s;
    bool tracing = enter(m, &s);
    if (tracing)
        weft_trace_syscall_begin(&s, context_of(m), own_stack(&s, m));
    hook_set_status(m->g, G_SYSCALL);
    if (tracing) {
        weft_trace_proc_stop(&s, context_of(m));
        weft_trace_leave(&s);
    }
}

void hook_syscall_exit(struct m *m)
{
    hook_set_status(m->g, G_RUNNING); /* INV-7 */
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_context c = context_of(m);
    weft_trace_proc_start(&s, c);
    weft_trace_syscall_end_blocked(&s, c);
    weft_trace_go_start(&s, c);
    weft_trace_leave(&s);
}

void hook_syscall_exit_queued(struct m *m)
{
    weft_trace_section s;
    bool tracing = enter(m, &s);
    if (tracing)
        weft_trace_syscall_end_blocked(&s, context_of(m));
    hook_set_status(m->g, G_RUNNABLE);
    if (tracing)
        weft_trace_leave(&s);
}

void hook_attach(struct m *m, struct g *g)
{
    weft_trace_section s;
    bool tracing = enter(m, &s);
    if (tracing)
        weft_trace_go_create_syscall(&s, &g->trace);
    m->g = g;
    atomic_store_release(&g->m, m); /* pairs with each_g(): it reads the thread's id */
    hook_set_status(g, G_SYSCALL);
    if (tracing)
        weft_trace_leave(&s);
}

void hook_detach(struct m *m)
{
    struct g *g = m->g;
    weft_trace_section s;
    bool tracing = enter(m, &s);
    if (tracing)
        weft_trace_go_destroy_syscall(&s, &g->trace);
    hook_set_status(g, G_DEAD);
    atomic_store_relaxed(&g->m, NULL);
    m->g = NULL;
    if (tracing)
        weft_trace_leave(&s);
}

static void write_log(weft_trace_section *s, weft_trace_context c, uint64_t task, const char *key,
                      const char *value)
{
    weft_trace_log(s, c, task, key, strlen(key), value, strlen(value), 0);
}

/* On the stream of the held M its goroutine begins a system call; on the caller's the P is stolen
 * from it. An M without a goroutine just stops its P. */
void hook_take_p(struct m *m, struct m *victim, enum hook_lease why)
{
    static const char *const reasons[] = {"computing", "blocking", "reclaimed"};
    weft_trace_section own, other;
    bool tracing = hook_tracing() &&
                   weft_trace_enter_pair(sched.tracer, &m->trace, &own, &victim->trace, &other);
    struct p *p = victim->p;
    struct g *g = victim->g;
    if (tracing && g) {
        /* It runs on, and may be changing its task. */
        write_log(&other, context_of(victim), atomic_load_relaxed(&g->task), "weft.lease",
                  reasons[why]);
        weft_trace_syscall_begin(&other, context_of(victim), 0);
    } else if (tracing) {
        weft_trace_proc_stop(&other, context_of(victim));
    }
    if (g) {
        hook_set_status(g, G_SYSCALL);
        g_set_place(g, NULL, 0); /* it may run: its stack cannot be walked */
    }
    proc_detach(victim);
    if (tracing && g)
        weft_trace_proc_steal(&own, context_of(m),
                              m->g && atomic_load_relaxed(&m->g->status) == G_SYSCALL, &p->trace,
                              victim->trace.tid);
    if (tracing) {
        weft_trace_leave(&other);
        weft_trace_leave(&own);
    }
}

void hook_change_p(struct m *m, struct p *target)
{
    struct g *g = m->g;
    weft_trace_section s;
    bool tracing = enter(m, &s);
    if (tracing) {
        weft_trace_go_stop(&s, context_of(m), WEFT_TRACE_STOP_GOSCHED, own_stack(&s, m));
        weft_trace_proc_stop(&s, (weft_trace_context){&m->p->trace, NULL});
    }
    proc_detach(m);
    proc_attach(m, target);
    if (tracing) {
        weft_trace_proc_start(&s, (weft_trace_context){&target->trace, NULL});
        weft_trace_go_start(&s, (weft_trace_context){&target->trace, &g->trace});
        weft_trace_leave(&s);
    }
}

void hook_stw_begin(struct m *m, weft_trace_stw_reason reason)
{
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_stw_begin(&s, context_of(m), reason, own_stack(&s, m));
    weft_trace_leave(&s);
}

void hook_stw_end(struct m *m)
{
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_stw_end(&s, context_of(m));
    weft_trace_leave(&s);
}

void hook_procs_change(struct m *m, uint32_t procs)
{
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_procs_change(&s, context_of(m), procs, own_stack(&s, m));
    weft_trace_leave(&s);
}

/* ---- Annotations ---- */

void hook_task_begin(struct m *m, uint64_t task, uint64_t parent, struct hook_text name)
{
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_task_begin(&s, context_of(m), task, parent, name.data, name.size, own_stack(&s, m));
    weft_trace_leave(&s);
}

void hook_task_end(struct m *m, uint64_t task)
{
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_task_end(&s, context_of(m), task, own_stack(&s, m));
    weft_trace_leave(&s);
}

void hook_region_begin(struct m *m, uint64_t task, struct hook_text name)
{
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_region_begin(&s, context_of(m), task, name.data, name.size, own_stack(&s, m));
    weft_trace_leave(&s);
}

void hook_region_end(struct m *m, uint64_t task, struct hook_text name)
{
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_region_end(&s, context_of(m), task, name.data, name.size, own_stack(&s, m));
    weft_trace_leave(&s);
}

void hook_log(struct m *m, struct hook_text key, struct hook_text value)
{
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    weft_trace_log(&s, context_of(m), m->g->task, key.data, key.size, value.data, value.size,
                   own_stack(&s, m));
    weft_trace_leave(&s);
}

void hook_label(struct m *m)
{
    weft_trace_section s;
    m->g->label_generation = 0;
    if (!enter(m, &s))
        return;
    write_label(&s, m);
    weft_trace_leave(&s);
}

/* Without a stack: that of the GoBlock which follows is the same. */
void hook_wait_text_traced(struct m *m, const char *format, ...)
{
    char text[TEXT_MAX + 1];
    weft_trace_section s;
    if (!enter(m, &s))
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_log(&s, context_of(m), m->g->task, "weft.wait", text);
    weft_trace_leave(&s);
}

void hook_wait_traced(struct m *m, const char *kind, const void *object)
{
    hook_wait_text_traced(m, "%s 0x%lx", kind, (unsigned long)(uintptr_t)object);
}
