/* SPDX-License-Identifier: MIT */
/* A bit of everything: the load of the stress twins. */
#ifndef WEFT_TESTS_TWIN_LOAD_H
#define WEFT_TESTS_TWIN_LOAD_H

#include "twins/twin.h"

/* Goroutines that block at once and stay so: on a channel, in an annotated and in a plain read().
 */
void twin_load_block(void);

/* Ten Ps, a goroutine that yields all the time, memory, pipes, timers, TCP, blocking calls; then
 * lets all goroutines end, those of twin_load_block() too, and sets the number of Ps back. */
void twin_load_run(void);

#endif
