/* SPDX-License-Identifier: MIT */
/* The AllocFree experiment: what a generation begins and ends with. */
#ifndef WEFT_TRACE_ALLOCFREE_H
#define WEFT_TRACE_ALLOCFREE_H

#include <weft/trace_host.h>

/* In the section that opens the generation: the layout of the heap; first, with the world stopped:
 * what exists. */
void trace_allocfree_open(weft_trace_section *section, weft_trace_context self, bool first);

/* On the drainer, when no section of n is open: the types. */
void trace_allocfree_dump(weft_tracer *tracer, uint64_t n);

#endif
