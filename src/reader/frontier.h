/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_FRONTIER_H
#define WEFT_READER_FRONTIER_H

/*
 * The frontier: a binary min-heap of cursors by the time of their current event (ordering.md 3.5).
 * The order among equal times is part of the format's behaviour, so each step is as specified.
 */

#include <stdbool.h>

#include "reader/memory.h"

struct reader_frontier_entry {
    int64_t time;
    uint32_t cursor;
};

struct reader_frontier {
    struct reader_frontier_entry *at; /* capacity entries and as many for sorting */
    uint32_t count, capacity;
    struct reader_budget *budget;
};

/* Makes room for n entries and empties it. Returns false when memory is exhausted. */
bool reader_frontier_reset(struct reader_frontier *frontier, uint32_t n);
void reader_frontier_fini(struct reader_frontier *frontier);

void reader_frontier_push(struct reader_frontier *frontier, int64_t time, uint32_t cursor);

/* For reader_frontier_rekey: restores the order around the entry at index. */
void reader_frontier_move(struct reader_frontier *frontier, uint32_t index);

/* The entry at index has another time now. */
static inline void reader_frontier_rekey(struct reader_frontier *frontier, uint32_t index,
                                         int64_t time)
{
    struct reader_frontier_entry *at = frontier->at;
    at[index].time = time;
    /* Mostly the root, and mostly it stays there. */
    if (index == 0 && (frontier->count < 2 || at[1].time >= time) &&
        (frontier->count < 3 || at[2].time >= time))
        return;
    reader_frontier_move(frontier, index);
}

void reader_frontier_remove(struct reader_frontier *frontier, uint32_t index);

/* Sorts the entries by time, stably, which leaves a heap with the same root. */
void reader_frontier_sort(struct reader_frontier *frontier);

#endif
