/* SPDX-License-Identifier: MIT */
/*
 * The census of a generation: every G that is alive in it is described in it, also one that did
 * nothing. By the drainer; trace_census_take() while the generation is written,
 * trace_census_write() after its last section closed.
 */
#ifndef WEFT_TRACE_CENSUS_H
#define WEFT_TRACE_CENSUS_H

#include "trace/tracer.h"

/* Gs with an index below this have a stamp. */
#define TRACE_STAMPS ((size_t)1 << 22)

/* Before a trace begins. */
void trace_census_prepare(weft_tracer *tracer);

/* The status of g is written in n, by its owner. */
static inline void trace_census_stamp(weft_tracer *tracer, const weft_trace_g *g, uint64_t n)
{
    if (tracer->stamps && g->index < TRACE_STAMPS)
        atomic_store_relaxed(&tracer->stamps[2 * (size_t)g->index + n % 2], n);
}

/* Makes every G ready for the generation after n, and notes what those look like that have no
 * status in n yet. */
void trace_census_take(weft_tracer *tracer, uint64_t n);

/* Writes the statuses of those that still have none. */
void trace_census_write(weft_tracer *tracer, uint64_t n);

/* Gives the memory of the notes back, or of the stamps; no trace is on. */
void trace_census_free(weft_tracer *tracer);
void trace_census_free_stamps(weft_tracer *tracer);

#endif
