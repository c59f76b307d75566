/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_HOLDERS_H
#define WEFT_READER_HOLDERS_H

/*
 * Which threads a proc is bound to, the lowest id first. Only a status that says that a proc in a
 * system call is abandoned asks for that, so it is made when the first one does, and kept up from
 * then on. In a sound trace it is one thread at most; in others it may be all of them.
 */

#include "reader/pairing.h"

struct reader_order;

struct reader_holders {
    bool on;
    struct reader_pairing threads; /* by their index */
    READER_VEC(uint32_t) of;       /* by the proc's index: the heap of its threads */
};

void reader_holders_init(struct reader_holders *holders, struct reader_budget *budget);
void reader_holders_fini(struct reader_holders *holders);

/*
 * The thread with the lowest id to which the proc of a record is bound, READER_ABSENT if there is
 * none. Returns false when memory is exhausted.
 */
bool reader_holders_first(struct reader_order *order, uint32_t proc, uint32_t *thread);

/* Where it is on: a proc was bound to a thread that had none; a thread that has one loses it now.
 */
void reader_holders_bind(struct reader_order *order, uint32_t thread);
void reader_holders_unbind(struct reader_order *order, uint32_t thread);

#endif
