/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_PARKING_H
#define WEFT_READER_PARKING_H

/*
 * Who waits for what, in generations of many threads: cursors whose event was found waiting are in
 * groups of those that wait for the same thing, and marked in the frontier so that they are passed
 * over. When that thing happens the earliest of the group is tried again. A trace in which a
 * hundred thousand threads wait is thus read in little more time than one in which none does.
 *
 * The outcome is that of trying all cursors in the frontier's order. (A switch of goroutines that
 * has been found waiting is not tried again when its own thread's bindings change. That rejects the
 * trace a few events later, if ever it does.)
 */

#include "reader/frontier.h"
#include "reader/order.h"
#include "reader/pairing.h"

/* Generations of fewer cursors are read without. */
#define READER_PARKING_LEAST 64

struct reader_parking {
    bool on;
    uint32_t parked;             /* how many are */
    struct reader_pairing nodes; /* by cursor */
    READER_VEC(uint32_t) groups; /* heaps, the earliest cursor first, or next free entry */
    uint32_t free;
    struct reader_map group_of;
};

/* A generation of n cursors begins. Returns false when memory is exhausted. */
bool reader_parking_begin(struct reader_parking *parking, uint32_t n, bool on);
void reader_parking_fini(struct reader_parking *parking);

/*
 * The event of the cursor at a place of the frontier was tried and waits: puts the cursor into its
 * group. Returns false when memory is exhausted.
 */
bool reader_parking_add(struct reader_parking *parking, struct reader_frontier *frontier,
                        uint32_t place, const struct reader_order *order,
                        const struct reader_wire_event *event);

/* An event was applied, out being the first public one: lets those try who may have waited for it.
 */
void reader_parking_wake(struct reader_parking *parking, struct reader_frontier *frontier,
                         const struct reader_order *order, const struct reader_wire_event *event,
                         const weft_event *out);

#endif
