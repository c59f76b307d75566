/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_PARKING_H
#define WEFT_READER_PARKING_H

/*
 * Where cursors wait in generations of many threads: out of the frontier, in groups of those that
 * wait for the same thing. When that thing happens the earliest of the group goes back. A trace in
 * which a hundred thousand threads wait is thus read in the time of one in which none does.
 *
 * The outcome is that of trying all cursors in order of time, as ordering.md 3.5 has it; only the
 * order among equal times differs, which is unspecified for so many threads. (A switch of
 * goroutines that has been found waiting is not tried again when its own thread's bindings change.
 * That rejects the trace a few events later, if ever it does.)
 */

#include "reader/frontier.h"
#include "reader/order.h"

/* Generations of fewer cursors are read without. */
#define READER_PARKING_LEAST 64

struct reader_parked {
    int64_t time;
    uint32_t child, next; /* pairing heap of a group */
    bool parked;
};

struct reader_parking {
    bool on;
    bool timed; /* the times of who is parked matter: there are samples */
    uint32_t parked;
    READER_VEC(struct reader_parked) nodes; /* by cursor */
    READER_VEC(uint32_t) roots;             /* the earliest of each group, or next free entry */
    uint32_t free;
    struct reader_map group_of;
    struct reader_frontier times; /* of those who are or were parked */
};

/* A generation of n cursors begins. Returns false when memory is exhausted. */
bool reader_parking_begin(struct reader_parking *parking, uint32_t n, bool on, bool timed);
void reader_parking_fini(struct reader_parking *parking);

/*
 * The event of the cursor at the root of the frontier waits: moves the cursor into its group.
 * Returns false when memory is exhausted.
 */
bool reader_parking_add(struct reader_parking *parking, struct reader_frontier *frontier,
                        const struct reader_order *order, const struct reader_wire_event *event);

/* An event was applied, out being the first public one: brings back who may have waited for it. */
void reader_parking_wake(struct reader_parking *parking, struct reader_frontier *frontier,
                         const struct reader_order *order, const struct reader_wire_event *event,
                         const weft_event *out);

/* Time of the earliest who is parked; INT64_MAX if there is none. Only if timed. */
int64_t reader_parking_time(struct reader_parking *parking);

/* The earliest cursor that is parked; there is one. Slow. */
uint32_t reader_parking_first(const struct reader_parking *parking);

#endif
