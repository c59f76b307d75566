/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_FRONTIER_H
#define WEFT_READER_FRONTIER_H

/*
 * The frontier: a binary min-heap of cursors by the time of their current event (ordering.md 3.5).
 * The order among equal times is part of the format's behaviour, so each step is as specified, and
 * the array is at any time, entry by entry, that of Go's reader.
 *
 * Design: the array is one of chunks, each a ring. An entry that moves from one place to another
 * shifts those of two chunks, and one entry of each ring between them: about the square root of the
 * shift in a plain array. Chunk 0 never turns, so the root and its children are at[0] to at[2];
 * where there is one chunk (flat), place i is at[i].
 *
 * What moved since the last sort is listed, so that sorting again takes time for those alone
 * (frontier_sort.c). Entries may be marked as waiting; each chunk counts those that are not.
 *
 * Invariants
 * 1. The entries at places that are not listed are sorted by time among each other. (An entry at
 *    the root that grows later but stays there is the earliest, listed or not.)
 * 2. chunk_of tells the chunk of each cursor, ready of a chunk how many of its entries do not wait.
 */

#include <stdbool.h>

#include "reader/memory.h"

struct reader_frontier_entry {
    int64_t time;
    uint32_t cursor;
    bool waits;
    bool moved; /* the place where this entry is has been listed */
};

struct reader_frontier_chunk {
    uint32_t start; /* where in its ring it begins; modulo its size */
    uint32_t ready;
};

struct reader_frontier {
    struct reader_frontier_entry *at;
    struct reader_frontier_chunk *chunks;
    uint32_t *moved;    /* places, moves of them */
    uint32_t *chunk_of; /* by cursor */
    uint32_t count, capacity, moves;
    unsigned shift; /* a chunk has 1 << shift places */
    bool flat;
    struct reader_budget *budget;
};

/* Makes room for the cursors 0 to n - 1 and empties it. Returns false when memory is exhausted. */
bool reader_frontier_reset(struct reader_frontier *frontier, uint32_t n);
void reader_frontier_fini(struct reader_frontier *frontier);

/* The entry at a place. */
static inline struct reader_frontier_entry *
reader_frontier_at(const struct reader_frontier *frontier, uint32_t place)
{
    uint32_t mask = ((uint32_t)1 << frontier->shift) - 1;
    uint32_t start = frontier->chunks[place >> frontier->shift].start;
    return &frontier->at[(place & ~mask) | ((place + start) & mask)];
}

/* Adds a cursor, not one that is in it; it does not wait. */
void reader_frontier_push(struct reader_frontier *frontier, int64_t time, uint32_t cursor);

/* For reader_frontier_rekey: restores the order around the entry at a place. */
void reader_frontier_move(struct reader_frontier *frontier, uint32_t place);

/* The entry at a place has another time now. */
static inline void reader_frontier_rekey(struct reader_frontier *frontier, uint32_t place,
                                         int64_t time)
{
    struct reader_frontier_entry *at = frontier->at;
    if (__builtin_expect(place == 0, 1)) {
        at[0].time = time;
        if ((frontier->count < 2 || at[1].time >= time) &&
            (frontier->count < 3 || at[2].time >= time))
            return; /* mostly */
    } else {
        reader_frontier_at(frontier, place)->time = time;
    }
    reader_frontier_move(frontier, place);
}

/* Removes the entry at a place; it does not wait. */
void reader_frontier_remove(struct reader_frontier *frontier, uint32_t place);

/* Sorts the entries by time, equal ones as Go's slices.SortFunc does: a heap with the same least.
 */
void reader_frontier_sort(struct reader_frontier *frontier);

/* The entry at a place waits now; that of a cursor does no longer. */
void reader_frontier_wait(struct reader_frontier *frontier, uint32_t place);
void reader_frontier_wake(struct reader_frontier *frontier, uint32_t cursor);

/* The first place behind the root whose entry does not wait, else 0 if the root's does not, else
 * READER_NOWHERE. */
uint32_t reader_frontier_ready(const struct reader_frontier *frontier);
#define READER_NOWHERE UINT32_MAX

/* -------- for sorting -------- */

/* Writes an entry to a place where another was. */
static inline void reader_frontier_put(struct reader_frontier *frontier, uint32_t place,
                                       struct reader_frontier_entry entry)
{
    uint32_t chunk = place >> frontier->shift, *of = &frontier->chunk_of[entry.cursor];
    *reader_frontier_at(frontier, place) = entry;
    frontier->chunks[*of].ready -= !entry.waits;
    frontier->chunks[chunk].ready += !entry.waits;
    *of = chunk;
}

/* Moves an entry to another place, and those from there on by one towards where it was. */
void reader_frontier_shift(struct reader_frontier *frontier, uint32_t from, uint32_t to);

#endif
