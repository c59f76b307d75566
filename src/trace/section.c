/* SPDX-License-Identifier: MIT */
/*
 * Design. A writer sets its M's flag, reads the generation, writes, and clears the flag. The
 * advancer stores the next generation and then waits until it has seen each flag clear once. Of the
 * two loads at least one sees the other's store: either the writer finds the new generation, or the
 * advancer finds the flag and waits. After that no M can write to the old generation again, and
 * everything else rests on this. The order between the writer's store and its load costs it
 * nothing: the advancer pays with fence_heavy() (base/fence.h).
 *
 * Invariants (numbers of the protocol).
 *  INV-8   One section uses one generation, nested ones included: the flag is the writer's own, so
 *          that it can see that it is nested, and the generation is read by the outermost only.
 *          Reading it again would put the events of one change into two generations if the switch
 *          came between.
 *  INV-15  generation != 0 implies that `enabled` is seen by everyone: it becomes 1 only with the
 *          world stopped, before the generation is published, and 0 only after the last section has
 *          closed. A stale 0 within a generation would drop an event silently; so would a nested
 *          section that finds 0 in an outer one that began in time.
 *  INV-16  A section belongs to one stream, but its writer need not be that thread: whoever owns an
 *          M that is held outside may open a section on it. Its flag and the writer's own are both
 *          set before the generation is read, as one change must not fall into two generations.
 *
 * Rejected. A counter of entries and exits instead of a flag: it says the same with a
 * read-modify-write more. A sequentially consistent store: some 20 cycles in every section for an
 * event that comes once a second.
 */
#include "base/fatal.h"
#include "base/fence.h"
#include "base/torture.h"
#include "trace/tracer.h"

static inline weft_trace_section open_section(weft_tracer *tracer, weft_trace_m *m, uint64_t n)
{
    m->generation = n;
    return (weft_trace_section){.tracer = tracer, .m = m, .generation = n};
}

bool weft_trace_enter_slow(weft_tracer *tracer, weft_trace_m *m, weft_trace_section *section)
{
    if (atomic_load_relaxed(&m->writing)) {
        m->nested++;
        *section = (weft_trace_section){.tracer = tracer, .m = m, .generation = m->generation};
        return true;
    }
    fence_store(&m->writing, 1);
    fence_light(); /* pairs with trace_switch() */
    uint64_t n = fence_load(&tracer->generation);
    if (unlikely(n == 0)) {
        fence_store(&m->writing, 0);
        return false;
    }
    torture_point("trace section open");
    *section = open_section(tracer, m, n);
    return true;
}

bool weft_trace_enter_pair(weft_tracer *tracer, weft_trace_m *self, weft_trace_section *own,
                           weft_trace_m *held, weft_trace_section *other)
{
    if (!atomic_load_relaxed(&tracer->hint.enabled))
        return false;
    invariant(self != held && !atomic_load_relaxed(&self->writing) &&
                  !atomic_load_relaxed(&held->writing),
              "trace: a pair of sections with one open already (threads %lu and %lu)",
              (unsigned long)self->tid, (unsigned long)held->tid);
    fence_store(&self->writing, 1);
    fence_store(&held->writing, 1);
    fence_light(); /* pairs with trace_switch() */
    uint64_t n = fence_load(&tracer->generation);
    if (unlikely(n == 0)) {
        fence_store(&held->writing, 0);
        fence_store(&self->writing, 0);
        return false;
    }
    torture_point("trace pair open");
    *own = open_section(tracer, self, n);
    *other = open_section(tracer, held, n);
    return true;
}

void weft_trace_leave(weft_trace_section *section)
{
    weft_trace_m *m = section->m;
    if (m->nested > 0) {
        m->nested--;
        return;
    }
    torture_point("trace section close");
    /* Release: the advancer's load of the flag then sees the buffers. */
    fence_store(&m->writing, 0);
}
