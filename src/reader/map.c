/* SPDX-License-Identifier: MIT */
#include "reader/map.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t seed;

static void draw_seed(void)
{
    if (getentropy(&seed, sizeof seed) != 0)
        seed = 0x9e3779b97f4a7c15ull ^ (uint64_t)(uintptr_t)&seed; /* where it was loaded */
}

uint64_t reader_seed(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, draw_seed);
    return seed;
}

static void place(struct reader_map *map, uint64_t key, uint32_t value)
{
    uint32_t i = reader_map_home(map, key);
    while (map->slots[i].value != READER_ABSENT)
        i = (i + 1) & map->mask;
    map->slots[i] = (struct reader_map_slot){key, value};
}

static bool resize(struct reader_map *map, uint32_t size)
{
    struct reader_map_slot *old = map->slots;
    uint32_t old_size = old ? map->mask + 1 : 0;
    struct reader_map_slot *slots = reader_malloc(map->budget, (size_t)size * sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = 0; i < size; i++)
        slots[i].value = READER_ABSENT;
    map->slots = slots;
    map->mask = size - 1;
    map->shift = (unsigned)__builtin_clz(size) + 33;
    map->factor = reader_seed() | 1;
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i].value != READER_ABSENT)
            place(map, old[i].key, old[i].value);
    reader_free(map->budget, old, (size_t)old_size * sizeof *old);
    return true;
}

bool reader_map_add(struct reader_map *map, uint64_t key, uint32_t value)
{
    uint64_t size = map->slots ? (uint64_t)map->mask + 1 : 0;
    if ((uint64_t)map->count * 2 >= size) {
        if (size >= UINT32_C(1) << 31 || !resize(map, size ? (uint32_t)size * 2 : 32))
            return false;
    }
    place(map, key, value);
    map->count++;
    return true;
}

void reader_map_remove(struct reader_map *map, uint64_t key)
{
    if (reader_map_find(map, key) == READER_ABSENT)
        return;
    uint32_t hole = reader_map_home(map, key);
    while (map->slots[hole].value == READER_ABSENT || map->slots[hole].key != key)
        hole = (hole + 1) & map->mask;
    /* Whatever probed past the hole moves into it, so that no search ends early. */
    for (uint32_t i = (hole + 1) & map->mask; map->slots[i].value != READER_ABSENT;
         i = (i + 1) & map->mask) {
        uint32_t home = reader_map_home(map, map->slots[i].key);
        if (((i - home) & map->mask) >= ((i - hole) & map->mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole].value = READER_ABSENT;
    map->count--;
}

void reader_map_clear(struct reader_map *map)
{
    if (map->count == 0)
        return;
    for (uint32_t i = 0; i <= map->mask; i++)
        map->slots[i].value = READER_ABSENT;
    map->count = 0;
}

void reader_map_fini(struct reader_map *map)
{
    reader_free(map->budget, map->slots, ((size_t)map->mask + 1) * sizeof *map->slots);
    *map = (struct reader_map){.budget = map->budget};
}

/* The array may hold four times the ids that it has: what is sparser goes into the hash table. */
static bool direct_reaches(const struct reader_idmap *map, uint64_t id)
{
    return id < (uint64_t)map->count * 4 + 64 && id < UINT32_MAX / 2;
}

static bool extend(struct reader_idmap *map, uint64_t id)
{
    uint64_t limit = id + 1;
    if (limit > map->capacity) {
        uint64_t want = limit + limit / 2 + 64;
        uint32_t *direct = reader_realloc(map->others.budget, map->direct,
                                          map->capacity * sizeof *direct, want * sizeof *direct);
        if (!direct)
            return false;
        map->direct = direct;
        map->capacity = (uint32_t)want;
    }
    for (uint64_t i = map->limit; i < limit; i++)
        map->direct[i] = map->others.count ? reader_map_find(&map->others, i) : READER_ABSENT;
    map->limit = limit;
    return true;
}

uint32_t reader_idmap_find_other(const struct reader_idmap *map, uint64_t id)
{
    return map->others.count ? reader_map_find(&map->others, id) : READER_ABSENT;
}

bool reader_idmap_add(struct reader_idmap *map, uint64_t id, uint32_t index)
{
    if (id >= map->limit && direct_reaches(map, id) && !extend(map, id))
        return false;
    if (id < map->limit)
        map->direct[id] = index;
    else if (!reader_map_add(&map->others, id, index))
        return false;
    map->count++;
    return true;
}

void reader_idmap_clear(struct reader_idmap *map)
{
    map->limit = 0;
    map->count = 0;
    reader_map_clear(&map->others);
}

void reader_idmap_fini(struct reader_idmap *map)
{
    reader_free(map->others.budget, map->direct, map->capacity * sizeof *map->direct);
    reader_map_fini(&map->others);
    *map = (struct reader_idmap){.others = map->others};
}
