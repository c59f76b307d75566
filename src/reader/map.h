/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_MAP_H
#define WEFT_READER_MAP_H

/*
 * From 64-bit ids, which a trace may choose at will, to dense 32-bit indices.
 *
 * reader_map is a hash table with linear probing and deletion by moving back. reader_idmap adds a
 * plain array in front for the usual case of ids that count from 1; only outliers are hashed.
 *
 * The hash is a multiplication by a number that is drawn when the process starts: nobody can choose
 * ids of which a table makes one long row.
 */

#include "reader/memory.h"

#define READER_ABSENT UINT32_MAX

struct reader_map_slot {
    uint64_t key;
    uint32_t value; /* READER_ABSENT in an empty slot */
};

struct reader_map {
    struct reader_map_slot *slots; /* NULL while empty, else mask + 1 of them */
    uint32_t mask, count;
    unsigned shift; /* 64 - log2(mask + 1) */
    uint64_t factor;
    struct reader_budget *budget;
};

/* A number that nobody could know before, the same for the whole process. */
uint64_t reader_seed(void);

/*
 * Where the search for a key begins. Multiplicative hashing: Knuth, volume 3, 6.4; with a random
 * odd factor: M. Dietzfelbinger and others, Journal of Algorithms 25, 1997.
 */
static inline uint32_t reader_map_home(const struct reader_map *map, uint64_t key)
{
    return (uint32_t)((key * map->factor) >> map->shift);
}

/* The index of key or READER_ABSENT. */
static inline uint32_t reader_map_find(const struct reader_map *map, uint64_t key)
{
    if (!map->slots)
        return READER_ABSENT;
    for (uint32_t i = reader_map_home(map, key);; i = (i + 1) & map->mask)
        if (map->slots[i].value == READER_ABSENT || map->slots[i].key == key)
            return map->slots[i].value;
}

/* Adds a key that is not there. Returns false when memory is exhausted. */
bool reader_map_add(struct reader_map *map, uint64_t key, uint32_t value);
/* Removes a key if it is there. */
void reader_map_remove(struct reader_map *map, uint64_t key);
/* Removes all, keeps the memory. */
void reader_map_clear(struct reader_map *map);
void reader_map_fini(struct reader_map *map);

struct reader_idmap {
    uint32_t *direct; /* indices of the ids below limit */
    uint64_t limit;
    uint32_t capacity; /* of direct */
    uint32_t count;    /* keys in both parts */
    struct reader_map others;
};

/* For reader_idmap_find: an id beyond the array. */
uint32_t reader_idmap_find_other(const struct reader_idmap *map, uint64_t id);

static inline uint32_t reader_idmap_find(const struct reader_idmap *map, uint64_t id)
{
    return __builtin_expect(id < map->limit, 1) ? map->direct[id]
                                                : reader_idmap_find_other(map, id);
}

/* Adds an id that is not there. Returns false when memory is exhausted. */
bool reader_idmap_add(struct reader_idmap *map, uint64_t id, uint32_t index);
void reader_idmap_clear(struct reader_idmap *map);
void reader_idmap_fini(struct reader_idmap *map);

#endif
