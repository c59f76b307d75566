/* SPDX-License-Identifier: MIT */
/* Goroutines that use CPU time in functions of their own, and what the samples of a trace say about
 * them. */
#ifndef WEFT_TESTS_PROFILE_BURN_H
#define WEFT_TESTS_PROFILE_BURN_H

#include "sched/on_runtime.h"

#include <weft/reader.h>

/* Compute for 2 ms of CPU time, `units` times. */
void burn_a(unsigned units);
void burn_b(unsigned units);

/* Calls itself `depth` times and computes at the bottom. */
void burn_deep(unsigned depth);

/* CPU time that the process has used so far, in ns. */
uint64_t burn_cpu_ns(void);

/* A file in $WEFT_TRACE_DIR; valid until the next call. */
const char *burn_path(const char *name);

/* A sample of a trace. */
typedef struct burn_sample {
    uint64_t m, p, g;
    bool a, b; /* burn_a, burn_b is in its stack */
    size_t depth;
} burn_sample;

/* Reads a trace to its end, which must be reached, and calls seen for each of its samples. Returns
 * their number. */
uint64_t burn_samples(const char *path, void (*seen)(void *arg, const burn_sample *sample),
                      void *arg);

#endif
