/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_TEAM_H
#define WEFT_READER_TEAM_H

/*
 * Threads that decode ahead of the ordering. Each lane is a ring of blocks: one of the threads
 * fills it, the thread of the reader takes from it. Which thread fills a lane changes from time to
 * time, but it is one at a time, and it may be the reader's own.
 */

#include "reader/decode.h"

struct reader_team;

/* Starts n threads. Returns NULL when there is no memory or no thread. */
struct reader_team *reader_team_new(unsigned n);
/* Ends the threads. NULL accepted; no lane may be in use. */
void reader_team_free(struct reader_team *team);

/* For the thread of the reader. */

/* The generation whose lanes are filled from now on; nobody fills any. */
void reader_team_begin(struct reader_team *team, const struct reader_generation *gen);
/* Lets the team fill a lane whose first block is decoded, and shown. */
void reader_team_add(struct reader_lane *lane);
/* Gives the shown block back; returns the number of the next in the ring, decoded. */
uint32_t reader_team_take(struct reader_lane *lane);
/* Takes all lanes out of the queue, and waits until nobody fills one any more. */
void reader_team_rest(struct reader_team *team);

#endif
