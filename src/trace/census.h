/* SPDX-License-Identifier: MIT */
/*
 * The census of a generation: every G that is alive in it is described in it, also one that did
 * nothing. By the drainer; trace_census_take() while the generation is written,
 * trace_census_write() after its last section closed.
 */
#ifndef WEFT_TRACE_CENSUS_H
#define WEFT_TRACE_CENSUS_H

#include <weft/trace_host.h>

#include <stdint.h>

/* Makes every G ready for the generation after n, and notes what those look like that have no
 * status in n yet. */
void trace_census_take(weft_tracer *tracer, uint64_t n);

/* Writes the statuses of those that still have none. */
void trace_census_write(weft_tracer *tracer, uint64_t n);

/* Gives the memory of the notes back. */
void trace_census_free(weft_tracer *tracer);

#endif
