/* SPDX-License-Identifier: MIT */
/* Generations: begin tracing, end a generation, end tracing. On the drainer only. */
#ifndef WEFT_TRACE_ADVANCE_H
#define WEFT_TRACE_ADVANCE_H

#include "trace/sealed.h"

#include <weft/trace_host.h>

#include <stdbool.h>

/* Tracing begins. Returns 0 or what the host's attach said. Tracing is off. */
int trace_begin(weft_tracer *tracer);

/* Ends the current generation, gives it to every subscriber, and begins the next; stop: ends
 * tracing instead. Returns the generation with a reference, or NULL if it was lost. */
trace_sealed *trace_advance(weft_tracer *tracer, bool stop);

/* After a crash of the drainer. A generation that tells the time and next to nothing, with a
 * reference, for who has received none: no reader takes a trace without any. NULL when memory is
 * refused. */
trace_sealed *trace_empty_generation(weft_tracer *tracer);

#endif
