/* SPDX-License-Identifier: MIT */
/* Generations: begin tracing, end a generation, end tracing. On the drainer only. */
#ifndef WEFT_TRACE_ADVANCE_H
#define WEFT_TRACE_ADVANCE_H

#include <weft/trace_host.h>

#include <stdbool.h>

/* Tracing begins. Returns 0 or what the host's attach said. Tracing is off. */
int trace_begin(weft_tracer *tracer);

/* Ends the current generation, gives it to every stream, and begins the next; stop: ends tracing
 * instead. */
void trace_advance(weft_tracer *tracer, bool stop);

#endif
