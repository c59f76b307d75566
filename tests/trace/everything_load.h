/* SPDX-License-Identifier: MIT */
/* Goroutines and threads that do everything that the runtime can do and a trace can tell. */
#ifndef WEFT_TESTS_TRACE_EVERYTHING_LOAD_H
#define WEFT_TESTS_TRACE_EVERYTHING_LOAD_H

#include <stdint.h>

/* Both on a goroutine. Stop: waits until all have ended, and sets the number of Ps back. */
void everything_load_start(void);
void everything_load_stop(void);

/* Rounds that each kind has made, and the name of the kind; NULL: there are no more kinds. */
const char *everything_load_kind(unsigned kind, uint64_t *rounds);

#endif
