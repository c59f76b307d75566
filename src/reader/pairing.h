/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_PAIRING_H
#define WEFT_READER_PAIRING_H

/*
 * Pairing heaps (M. Fredman, R. Sedgewick, D. Sleator, R. Tarjan, "The pairing heap", Algorithmica
 * 1, 1986) of the elements of one array, each element in one heap at most. A heap is the index of
 * its least element, READER_ABSENT if it is empty. Of equal keys the lower index is less.
 *
 * Adding takes constant time, taking one out the logarithm of the heap's size, on the average over
 * all that was done.
 */

#include "reader/map.h"
#include "reader/memory.h"

struct reader_pair {
    int64_t key;
    uint32_t child, next;
    uint32_t prev; /* left sibling; of the first child the parent; of a root undefined */
};

struct reader_pairing {
    READER_VEC(struct reader_pair) at;
    uint64_t melds; /* of two heaps, ever: what the work is made of */
};

/* Makes an element a heap of its own. */
static inline uint32_t reader_pairing_single(struct reader_pairing *pairing, uint32_t index,
                                             int64_t key)
{
    pairing->at.at[index] = (struct reader_pair){key, READER_ABSENT, READER_ABSENT, READER_ABSENT};
    return index;
}

/* Makes one heap of two. */
uint32_t reader_pairing_meld(struct reader_pairing *pairing, uint32_t a, uint32_t b);

/* Takes an element out of a heap. Returns what is left. */
uint32_t reader_pairing_remove(struct reader_pairing *pairing, uint32_t heap, uint32_t index);

#endif
