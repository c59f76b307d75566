/* SPDX-License-Identifier: MIT */
/* Operations on files without a thread for each: io_uring, where the kernel has it. */
#ifndef WEFT_SCHED_FILE_RING_H
#define WEFT_SCHED_FILE_RING_H

#include <stdbool.h>

#include "base/os_ring.h"

/* With the runtime's start: reads WEFT_FILES. 0, or a negative errno value after saying what is
 * wrong. */
int file_ring_start(void);

/* With its end, when no goroutine runs any more: what is in flight is awaited, as it uses
 * goroutines' memory. */
void file_ring_stop(void);

/* Carries out op (its cookie is set here) and parks the goroutine meanwhile: true and *result.
 * False: it has to be done another way, nothing has happened. Outside; frame, pc: where the public
 * function was called. */
bool file_ring_do(const void *frame, uintptr_t pc, os_ring_op *op, int32_t *result);

#endif
