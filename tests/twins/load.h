/* SPDX-License-Identifier: MIT */
/* The load of the stress twins: everything that a program can do to a scheduler, at once. */
#ifndef WEFT_TESTS_TWINS_LOAD_H
#define WEFT_TESTS_TWINS_LOAD_H

#include "twins/twin.h"

struct load {
    weft_chan *done; /* closed at the end */
    weft_chan *pulse;
    weft_mutex mutex;
    weft_cond cond;
    int pipe[2];
    weft_waitgroup group;
    uint64_t counter;
    int procs_before;
};

/* Goroutines that are blocked before the trace starts: on a channel, in a system call, in a timer.
 */
void load_before(struct load *load);

/* The rest: ten Ps, hogs, a spinner, timers, locks, selects, TCP. Returns while they are at it. */
void load_start(struct load *load);

/* Some milliseconds of what the caller itself does under that load: timers, TCP, channels. */
void load_play(struct load *load);

/* Lets all of them end, waits for them, sets the number of Ps back. */
void load_stop(struct load *load);

#endif
