/* SPDX-License-Identifier: MIT */
/*
 * In a signal handler, anywhere in user code, the runtime or a switch between stacks. What is read
 * was written by this very thread, but for the P, which the holder of a revoked lease takes away:
 * the sample has none then. Records of Gs and Ps stay readable while the runtime lives.
 *
 * The stack pointer tells on which stack the M is, since m->g changes a few instructions before it
 * does. Between the two the sample is that of the goroutine to come, without frames.
 */
#include "sched/cpu_running.h"

#include "sched/user_annotations.h"
#include "weft/annotate.h"

static struct m *m_of(weft_trace_m *trace)
{
    return (struct m *)(void *)((char *)trace - offsetof(struct m, trace));
}

void cpu_running(void *context, weft_trace_m *trace, const void *sp, weft_trace_running *out)
{
    struct m *m = m_of(trace);
    struct p *p = atomic_load_relaxed(&m->p);
    struct g *g = atomic_load_relaxed(&m->g);
    (void)context;
    if (p)
        out->p = p->id;
    if (!g)
        return;
    out->g = atomic_load_relaxed(&g->trace.id);
    atomic_store_relaxed(&weft_annotate_words.labels, 1); /* from now on they are remembered */
    const struct label *label = atomic_load_relaxed(&g->label);
    if (label) {
        out->label = label->text;
        out->label_size = label->size;
    }
    const struct g *on = g_stack_of(g);
    const char *at = sp, *low = on->stack_low, *high = (const char *)on;
    if (low && at >= low && at < high) {
        out->stack_low = low;
        out->stack_high = high;
    }
}
