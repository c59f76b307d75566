/* SPDX-License-Identifier: MIT */
/* Signals that programs subscribe to (weft/signal.h), and those which weft handles itself besides.
 */
#ifndef WEFT_SCHED_SIGNALS_H
#define WEFT_SCHED_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/*
 * A signal that weft handles itself while the runtime runs. A loan: for its time the program's
 * subscriptions install no handler of their own; weft's asks signals_take() instead. So handlers
 * never stand on top of each other, and either may go first.
 */
struct signal_loan {
    int number;
    struct sigaction action; /* of weft */
    struct sigaction before; /* what the program had, without its subscriptions */
};

/* Installs loan->action; loan->before is set. */
void signals_borrow(struct signal_loan *loan);

/* Puts back what was there, or the handler of the subscriptions, if loan->action is still in place.
 */
void signals_give_back(const struct signal_loan *loan);

/* Whether the program wants to have the signal, or to ignore it. Async-signal-safe. */
bool signals_wants(int number);

/* The same, and it is delivered. Async-signal-safe. */
bool signals_take(int number);

/* In the child of a fork: there are no subscriptions. */
void signals_forget(void);

#endif
