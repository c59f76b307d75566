/* SPDX-License-Identifier: MIT */
/*
 * A host made of threads that do random things, each of which a scheduler might do: run, yield,
 * block and wake Gs, switch between them, create and end them, enter system calls and lose their Ps
 * there, have them taken away in user code, change the number of Ps, come and go as threads,
 * annotate. Sections of different threads overlap freely.
 */
#ifndef WEFT_TESTS_TRACE_CROWD_H
#define WEFT_TESTS_TRACE_CROWD_H

#include <weft/trace.h>

#include <stdint.h>

typedef struct crowd crowd;

crowd *crowd_new(unsigned workers, unsigned procs, uint64_t seed);
weft_tracer *crowd_tracer(crowd *c);
void crowd_start(crowd *c);
/* The workers end; the tracer stays. */
void crowd_stop(crowd *c);
/* Steps that the workers have made. */
uint64_t crowd_steps(const crowd *c);
void crowd_free(crowd *c);

#endif
