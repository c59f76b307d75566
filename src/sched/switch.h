/* SPDX-License-Identifier: MIT */
/*
 * The switch from one goroutine to another, in line: after a switch the processor predicts returns
 * from the calls of the other stack, so each function that is returned from on the way back to the
 * user costs a misprediction.
 */
#ifndef WEFT_SCHED_SWITCH_H
#define WEFT_SCHED_SWITCH_H

#include "sched/context.h"
#include "sched/schedule.h"

/* Leaves goroutine `from` for the goroutine `to`, or for the M's own context if `to` is NULL. */
static inline __attribute__((always_inline)) struct m *switch_from(struct m *m, struct g *from,
                                                                   struct g *to)
{
    void *fake = NULL;
    void **save = m->after == AFTER_FREE ? NULL : &fake;
    if (to) {
        context_announce_g(save, to);
        weft_context_switch(&from->saved, &to->saved);
    } else {
        m->g = NULL;
        context_announce(save, m->fiber, m->stack_low,
                         (size_t)((char *)m->stack_high - (char *)m->stack_low));
        weft_context_switch(&from->saved, &m->saved);
    }
    context_arrived(fake);
    m = m_self();
    sched_arrive(m);
    return m;
}

#endif
