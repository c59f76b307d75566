/* SPDX-License-Identifier: MIT */
/*
 * WEFT_DEBUG=stacks: how much of their stacks goroutines touch, by the function that they begin
 * with.
 *
 * A stack is fresh, all zero, when a goroutine begins: it comes so from the kernel, and is made so
 * again when it is given back. So the lowest word that is not zero is as deep as it went; the
 * kernel is asked for the pages that were never touched (mincore). That costs some microseconds and
 * page faults for each goroutine, which is why it must be asked for.
 */
#ifndef WEFT_SCHED_STACK_REPORT_H
#define WEFT_SCHED_STACK_REPORT_H

struct g;

/* A stack has been left for good: notes how far it was used, and cleans it. */
void stack_report_note(struct g *g);

/* Prints the functions, those that went deepest first, goroutines that are still there included,
 * and forgets them. On a plain thread. */
void stack_report_print(void);

#endif
