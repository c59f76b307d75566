/* SPDX-License-Identifier: MIT */
#include "reader/frontier.h"

#include <string.h>

/* -------- memory -------- */

#define LEAST_SHIFT 6

/* The least size of chunks, as a power of two, with which there are not more chunks than places in
 * one. */
static unsigned shift_for(uint32_t n)
{
    unsigned shift = LEAST_SHIFT;
    while ((uint64_t)1 << 2 * shift < n)
        shift++;
    return shift;
}

static size_t size_of(uint32_t capacity)
{
    return capacity * (sizeof(struct reader_frontier_entry) + 2 * sizeof(uint32_t)) +
           (capacity >> LEAST_SHIFT) * sizeof(struct reader_frontier_chunk);
}

/* All arrays are in one piece of memory, entries first. */
static bool make_room(struct reader_frontier *frontier, uint32_t capacity)
{
    void *at = reader_realloc(frontier->budget, frontier->at, size_of(frontier->capacity),
                              size_of(capacity));
    if (!at)
        return false;
    frontier->at = at;
    frontier->capacity = capacity;
    frontier->moved = (uint32_t *)(frontier->at + capacity);
    frontier->chunk_of = frontier->moved + capacity;
    frontier->chunks = (struct reader_frontier_chunk *)(frontier->chunk_of + capacity);
    return true;
}

bool reader_frontier_reset(struct reader_frontier *frontier, uint32_t n)
{
    frontier->count = frontier->moves = 0;
    frontier->shift = shift_for(n);
    uint32_t size = (uint32_t)1 << frontier->shift, chunks = n / size + 1;
    frontier->flat = chunks == 1;
    if (chunks * size > frontier->capacity && !make_room(frontier, chunks * size))
        return false;
    for (uint32_t i = 0; i < chunks; i++)
        frontier->chunks[i] = (struct reader_frontier_chunk){0, 0};
    return true;
}

void reader_frontier_fini(struct reader_frontier *frontier)
{
    reader_free(frontier->budget, frontier->at, size_of(frontier->capacity));
    *frontier = (struct reader_frontier){.budget = frontier->budget};
}

/* -------- the heap -------- */

#define INLINE static inline __attribute__((always_inline))

INLINE struct reader_frontier_entry *slot(const struct reader_frontier *frontier, uint32_t place,
                                          bool flat)
{
    return flat ? &frontier->at[place] : reader_frontier_at(frontier, place);
}

/* Writes an entry to a place, and lists that. */
INLINE void put(struct reader_frontier *frontier, uint32_t place,
                struct reader_frontier_entry entry, bool flat)
{
    struct reader_frontier_entry *at = slot(frontier, place, flat);
    if (!at->moved)
        frontier->moved[frontier->moves++] = place;
    entry.moved = true;
    if (flat)
        *at = entry;
    else
        reader_frontier_put(frontier, place, entry);
}

INLINE uint32_t sift_up(struct reader_frontier *frontier, uint32_t i, bool flat)
{
    const struct reader_frontier_entry entry = *slot(frontier, i, flat);
    for (uint32_t parent; i > 0; i = parent) {
        parent = (i - 1) / 2;
        const struct reader_frontier_entry *above = slot(frontier, parent, flat);
        if (above->time <= entry.time)
            break;
        put(frontier, i, *above, flat);
    }
    put(frontier, i, entry, flat);
    return i;
}

INLINE void sift_down(struct reader_frontier *frontier, uint32_t i, bool flat)
{
    const struct reader_frontier_entry entry = *slot(frontier, i, flat);
    uint32_t count = frontier->count, child;
    for (; (child = 2 * i + 1) < count; i = child) {
        const struct reader_frontier_entry *below = slot(frontier, child, flat);
        if (child + 1 < count) {
            const struct reader_frontier_entry *right = slot(frontier, child + 1, flat);
            child += right->time < below->time;
            below = right->time < below->time ? right : below;
        }
        if (below->time >= entry.time)
            break;
        put(frontier, i, *below, flat);
    }
    put(frontier, i, entry, flat);
}

INLINE void move(struct reader_frontier *frontier, uint32_t place, bool flat)
{
    if (sift_up(frontier, place, flat) == place)
        sift_down(frontier, place, flat);
}

void reader_frontier_move(struct reader_frontier *frontier, uint32_t place)
{
    if (frontier->flat)
        move(frontier, place, true);
    else
        move(frontier, place, false);
}

void reader_frontier_push(struct reader_frontier *frontier, int64_t time, uint32_t cursor)
{
    uint32_t place = frontier->count++, chunk = place >> frontier->shift;
    frontier->chunk_of[cursor] = chunk;
    frontier->chunks[chunk].ready++;
    frontier->moved[frontier->moves++] = place;
    *reader_frontier_at(frontier, place) =
        (struct reader_frontier_entry){time, cursor, false, true};
    sift_up(frontier, place, false);
}

/* Lets the entry rise to the root, whatever its time, and puts the last one in its stead. */
void reader_frontier_remove(struct reader_frontier *frontier, uint32_t place)
{
    frontier->chunks[place >> frontier->shift].ready--;
    for (; place > 0; place = (place - 1) / 2)
        put(frontier, place, *reader_frontier_at(frontier, (place - 1) / 2), false);
    if (--frontier->count == 0)
        return;
    put(frontier, 0, *reader_frontier_at(frontier, frontier->count), false);
    sift_down(frontier, 0, false);
}

/* -------- who waits -------- */

void reader_frontier_wait(struct reader_frontier *frontier, uint32_t place)
{
    reader_frontier_at(frontier, place)->waits = true;
    frontier->chunks[place >> frontier->shift].ready--;
}

void reader_frontier_wake(struct reader_frontier *frontier, uint32_t cursor)
{
    uint32_t chunk = frontier->chunk_of[cursor], place = chunk << frontier->shift;
    while (reader_frontier_at(frontier, place)->cursor != cursor)
        place++;
    reader_frontier_at(frontier, place)->waits = false;
    frontier->chunks[chunk].ready++;
}

uint32_t reader_frontier_ready(const struct reader_frontier *frontier)
{
    uint32_t size = (uint32_t)1 << frontier->shift;
    for (uint32_t first = 0; first < frontier->count; first += size) {
        if (frontier->chunks[first >> frontier->shift].ready == 0)
            continue;
        uint32_t end = frontier->count - first < size ? frontier->count : first + size;
        for (uint32_t place = first ? first : 1; place < end; place++)
            if (!reader_frontier_at(frontier, place)->waits)
                return place;
    }
    return frontier->count == 0 || frontier->at[0].waits ? READER_NOWHERE : 0;
}

/* -------- for sorting -------- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/*
 * In both directions there is a hole that wanders: over entries that lie in one piece, over the end
 * of a ring, into the next chunk. Where a whole chunk would move by one, only its ring turns.
 */
static void shift_back(struct reader_frontier *frontier, uint32_t hole, uint32_t to)
{
    uint32_t size = (uint32_t)1 << frontier->shift, mask = size - 1;
    while (hole < to) {
        struct reader_frontier_entry *at = reader_frontier_at(frontier, hole);
        uint32_t piece = mask - ((uint32_t)(at - frontier->at) & mask);
        piece = least(piece, least(to, hole | mask) - hole);
        if (piece > 0) {
            memmove(at, at + 1, piece * sizeof *at);
            hole += piece;
        } else if ((hole & mask) != mask) {
            *at = *reader_frontier_at(frontier, hole + 1);
            hole++;
        } else {
            reader_frontier_put(frontier, hole, *reader_frontier_at(frontier, hole + 1));
            bool whole = to - hole >= size;
            frontier->chunks[(hole + 1) >> frontier->shift].start += whole;
            hole += whole ? size : 1;
        }
    }
}

static void shift_on(struct reader_frontier *frontier, uint32_t hole, uint32_t to)
{
    uint32_t size = (uint32_t)1 << frontier->shift, mask = size - 1;
    while (hole > to) {
        struct reader_frontier_entry *at = reader_frontier_at(frontier, hole);
        uint32_t piece = (uint32_t)(at - frontier->at) & mask;
        piece = least(piece, least(hole - to, hole & mask));
        if (piece > 0) {
            memmove(at - piece + 1, at - piece, piece * sizeof *at);
            hole -= piece;
        } else if ((hole & mask) != 0) {
            *at = *reader_frontier_at(frontier, hole - 1);
            hole--;
        } else {
            reader_frontier_put(frontier, hole, *reader_frontier_at(frontier, hole - 1));
            bool whole = hole - to >= size && hole != size;
            frontier->chunks[(hole - 1) >> frontier->shift].start -= whole;
            hole -= whole ? size : 1;
        }
    }
}

void reader_frontier_shift(struct reader_frontier *frontier, uint32_t from, uint32_t to)
{
    const struct reader_frontier_entry entry = *reader_frontier_at(frontier, from);
    if (from < to)
        shift_back(frontier, from, to);
    else
        shift_on(frontier, from, to);
    reader_frontier_put(frontier, to, entry);
}
