/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_ANALYSIS_IDS_H
#define WEFT_READER_ANALYSIS_IDS_H

/*
 * Indices of records for ids that come and go: the least free index is given out again, so that
 * arrays of records stay as long as the most ids alive at once. In front of the hash table stands a
 * small cache of answers, "absent" included, since traces name the same few ids again and again.
 */

#include "reader/map.h"
#include "reader/memory.h"

#define ANALYSIS_IDS_CACHE 1024

struct analysis_ids {
    struct reader_map of;
    READER_VEC(uint32_t) free;
    uint32_t used; /* indices given out at least once */
    struct {
        uint64_t id;
        uint32_t index;
    } cache[ANALYSIS_IDS_CACHE];
};

static inline void analysis_ids_init(struct analysis_ids *ids)
{
    ids->of = (struct reader_map){0};
    ids->free.at = NULL;
    ids->free.count = ids->free.capacity = ids->used = 0;
    for (unsigned i = 0; i < ANALYSIS_IDS_CACHE; i++) {
        ids->cache[i].id = i;
        ids->cache[i].index = READER_ABSENT;
    }
}

static inline void analysis_ids_fini(struct analysis_ids *ids)
{
    reader_map_fini(&ids->of);
    READER_VEC_FINI(&ids->free);
}

/* The index of an id, or READER_ABSENT. */
static inline uint32_t analysis_ids_find(struct analysis_ids *ids, uint64_t id)
{
    unsigned slot = id % ANALYSIS_IDS_CACHE;
    if (ids->cache[slot].id != id) {
        ids->cache[slot].id = id;
        ids->cache[slot].index = reader_map_find(&ids->of, id);
    }
    return ids->cache[slot].index;
}

/* Gives an id that has none an index. READER_ABSENT when memory is exhausted. */
static inline uint32_t analysis_ids_add(struct analysis_ids *ids, uint64_t id)
{
    uint32_t index = ids->free.count ? ids->free.at[ids->free.count - 1] : ids->used;
    if (!reader_map_add(&ids->of, id, index))
        return READER_ABSENT;
    if (ids->free.count)
        ids->free.count--;
    else
        ids->used++;
    ids->cache[id % ANALYSIS_IDS_CACHE].id = id;
    ids->cache[id % ANALYSIS_IDS_CACHE].index = index;
    return index;
}

/* Takes the index of an id back. False when memory is exhausted. */
static inline bool analysis_ids_remove(struct analysis_ids *ids, uint64_t id)
{
    uint32_t index = analysis_ids_find(ids, id);
    uint32_t *slot = index == READER_ABSENT ? NULL : READER_PUSH(&ids->free);
    if (!slot)
        return index == READER_ABSENT;
    *slot = index;
    reader_map_remove(&ids->of, id);
    ids->cache[id % ANALYSIS_IDS_CACHE].index = READER_ABSENT;
    return true;
}

#endif
