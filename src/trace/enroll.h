/* SPDX-License-Identifier: MIT */
/* The Ms that may hold buffers: INV-1, an M with buffers is on the list. */
#ifndef WEFT_TRACE_ENROLL_H
#define WEFT_TRACE_ENROLL_H

#include <weft/trace_host.h>

#include <stdint.h>

/* Waits until no M is in a section of generation n, queueing the buffers of each M as it is seen
 * outside. By the drainer, after the generation was switched: afterwards nobody writes to n. */
void trace_ms_flush(weft_tracer *tracer, uint64_t n);

/* After fork(): no M is registered any more. */
void trace_ms_forget(weft_tracer *tracer);

#endif
