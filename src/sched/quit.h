/* SPDX-License-Identifier: MIT */
/* SIGQUIT: all goroutines are printed, and the program goes on. */
#ifndef WEFT_SCHED_QUIT_H
#define WEFT_SCHED_QUIT_H

/* With the runtime's start (after the tracer has taken the signals that it was told to take) and
 * end. A program that ignores the signal goes on ignoring it. */
void quit_start(void);
void quit_stop(void);

/* The thread that helps (crash.c) was woken: prints, if that is what it was woken for. */
void quit_look(void);

/* Whether the program had a handler of its own, which ours calls. */
int quit_is_chained(void);

#endif
