/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_POOL_H
#define WEFT_READER_POOL_H

/*
 * Texts that outlive their generation: types of active tasks and open regions, and composed names.
 * Equal texts have one number, so that comparing texts is comparing numbers. A text with no holder
 * is dropped by reader_pool_sweep, which the reader calls between generations; until then its
 * number stays valid, so that events may carry it.
 */

#include "reader/memory.h"
#include "reader/map.h"

struct reader_pool_text {
    char *data; /* NULL in a free entry */
    uint32_t size;
    uint32_t holders;
    uint32_t next; /* text with the same hash, or free entry; READER_ABSENT at the end */
    uint32_t hash;
};

struct reader_pool {
    READER_VEC(struct reader_pool_text) texts;
    uint32_t *buckets;
    uint32_t mask, live, free;
    struct reader_budget *budget;
};

/* budget: NULL for no bound. */
bool reader_pool_init_within(struct reader_pool *pool, struct reader_budget *budget);
bool reader_pool_init(struct reader_pool *pool);
void reader_pool_fini(struct reader_pool *pool);

/* The number of a text, which is copied if it is new; READER_ABSENT when memory is exhausted. */
uint32_t reader_pool_add(struct reader_pool *pool, const void *data, size_t size);

static inline void reader_pool_hold(struct reader_pool *pool, uint32_t text)
{
    pool->texts.at[text].holders++;
}

static inline void reader_pool_release(struct reader_pool *pool, uint32_t text)
{
    pool->texts.at[text].holders--;
}

/* Drops the texts without a holder. */
void reader_pool_sweep(struct reader_pool *pool);

#endif
