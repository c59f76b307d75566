/* SPDX-License-Identifier: MIT */
#include "trace/status.h"

void trace_marks_wipe(trace_marks marks)
{
    for (unsigned i = 0; i < 3; i++)
        atomic_store_relaxed(&marks.traced[i], 0);
    for (unsigned i = 0; i < 2; i++)
        atomic_store_relaxed(&marks.seq[i], 0);
}

#ifdef WEFT_FAULTS

unsigned trace_test_faults;

static void ready_with_faults(trace_marks marks, uint64_t n, bool stop)
{
    unsigned faults = atomic_load_relaxed(&trace_test_faults);
    uint64_t next = trace_next_generation(n);
    if (faults & (stop ? TRACE_FAULT_STOP : TRACE_FAULT_ADVANCE))
        return;
    if (!(faults & TRACE_FAULT_SEQ))
        atomic_store_relaxed(&marks.seq[next % 2], 0);
    if (!(faults & TRACE_FAULT_TRACED))
        atomic_store_relaxed(&marks.traced[next % 3], 0);
}

#endif

/*
 * A P that a shrink of the procs count left behind writes no status, and writing one is what makes
 * a live P ready for the next generation. Its slot of n+1 still holds the mark of n-2. If it comes
 * back in n+1 with that mark, its status is left out and its numbers go on from old ones; no reader
 * accepts that. Hence this call for every dead P at the end of every generation, at a stop too,
 * because the next trace goes on with n+1 (Go issue 65318).
 *
 * In the hold of the pass over the live Ps (INV-10): else a P could change sides in between and be
 * seen by neither.
 */
void trace_ready_dead_proc(weft_trace_p *p, uint64_t n, bool stop)
{
#ifdef WEFT_FAULTS
    ready_with_faults(trace_marks_p(p), n, stop);
#else
    (void)stop;
    trace_ready_next(trace_marks_p(p), n);
#endif
}
