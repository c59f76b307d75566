/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_MAP_H
#define WEFT_READER_MAP_H

/*
 * From 64-bit ids, which a trace may choose at will, to dense 32-bit indices.
 *
 * reader_map is a hash table with linear probing and deletion by moving back. reader_idmap adds a
 * plain array in front for the usual case of ids that count from 1; only outliers are hashed.
 */

#include <stdbool.h>
#include <stdint.h>

#define READER_ABSENT UINT32_MAX

struct reader_map_slot {
    uint64_t key;
    uint32_t value; /* READER_ABSENT in an empty slot */
};

struct reader_map {
    struct reader_map_slot *slots; /* NULL while empty, else mask + 1 of them */
    uint32_t mask, count;
};

static inline uint32_t reader_map_hash(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15ull;
    key ^= key >> 32;
    key *= 0xd6e8feb86659fd93ull;
    return (uint32_t)(key >> 32);
}

/* The index of key or READER_ABSENT. */
static inline uint32_t reader_map_find(const struct reader_map *map, uint64_t key)
{
    if (!map->slots)
        return READER_ABSENT;
    for (uint32_t i = reader_map_hash(key) & map->mask;; i = (i + 1) & map->mask)
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

static inline uint32_t reader_idmap_find(const struct reader_idmap *map, uint64_t id)
{
    if (id < map->limit)
        return map->direct[id];
    return map->others.count ? reader_map_find(&map->others, id) : READER_ABSENT;
}

/* Adds an id that is not there. Returns false when memory is exhausted. */
bool reader_idmap_add(struct reader_idmap *map, uint64_t id, uint32_t index);
void reader_idmap_clear(struct reader_idmap *map);
void reader_idmap_fini(struct reader_idmap *map);

#endif
