/* SPDX-License-Identifier: MIT */
#ifndef WEFT_TESTS_RANDOM_TRACE_H
#define WEFT_TESTS_RANDOM_TRACE_H

/* Traces of programs that nobody wrote: random, but valid, and with much waiting. */

#include "trace_text.h"

#define RANDOM_THREADS 600

/*
 * One generation of at least steps / 3 events and 200 CPU samples, the same for the same seed. The
 * clocks of its threads (at most RANDOM_THREADS) disagree, so that a reader must often wait; with a
 * tick of 1 ns hardly two events have the same time, with one of a million hardly any has its own.
 */
struct memory random_trace(uint64_t seed, unsigned threads, unsigned steps, uint64_t tick);

#endif
