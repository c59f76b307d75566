/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SHARDS = 64, FIRST_SLOTS = 16, SWEEP_SLOTS = 1024 };

struct shard {
    weft_mutex lock;
    struct entry **slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t count;
    size_t swept; /* where the sweep goes on */
} __attribute__((aligned(64)));

static struct shard shards[SHARDS];
static uint64_t seed;

/* Multiply and mix, eight bytes at a time, from a secret start: keys that collide cannot be chosen
 * from outside. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_of(struct slice key)
{
    uint64_t hash = seed ^ mix(key.size ^ 0x9e3779b97f4a7c15u, seed | 1);
    while (key.size > 0) {
        uint64_t word = 0;
        size_t n = key.size < 8 ? key.size : 8;
        memcpy(&word, key.data, n);
        hash = mix(hash ^ word, 0xa0761d6478bd642fu ^ seed);
        key.data += n;
        key.size -= n;
    }
    return mix(hash, 0xe7037ed1a0b428dbu);
}

static struct slice copy(const char *data, size_t size)
{
    char *bytes = must_alloc(size);
    if (size > 0)
        memcpy(bytes, data, size);
    return (struct slice){bytes, size};
}

/* ---- Lists ---- */

static void list_grow(struct list *list)
{
    size_t room = list->room ? 2 * list->room : 8;
    struct slice *ring = must_alloc(room * sizeof *ring);
    for (size_t i = 0; i < list->count; i++)
        ring[i] = *list_at(list, i);
    free(list->ring);
    *list = (struct list){.ring = ring, .count = list->count, .room = room};
}

void list_push(struct list *list, bool left, struct slice bytes)
{
    if (list->count == list->room)
        list_grow(list);
    if (left)
        list->first = (list->first - 1) & (list->room - 1);
    size_t at = left ? list->first : (list->first + list->count) & (list->room - 1);
    list->ring[at] = copy(bytes.data, bytes.size);
    list->count++;
}

struct slice list_pop(struct list *list, bool left)
{
    struct slice bytes = *list_at(list, left ? 0 : list->count - 1);
    if (left)
        list->first = (list->first + 1) & (list->room - 1);
    list->count--;
    return bytes;
}

/* ---- Entries ---- */

static void free_value(struct entry *entry)
{
    for (size_t i = 0; i < entry->list.count; i++)
        free((char *)list_at(&entry->list, i)->data);
    free(entry->list.ring);
    free((char *)entry->string.data);
    entry->list = (struct list){0};
    entry->string = (struct slice){0};
}

static void free_entry(struct entry *entry)
{
    free_value(entry);
    free((char *)entry->key.data);
    free(entry);
}

void entry_set_string(struct entry *entry, const char *data, size_t size)
{
    struct slice string = copy(data, size);
    free_value(entry);
    entry->type = VALUE_STRING;
    entry->string = string;
    entry->expires = WEFT_NEVER;
}

void entry_set_list(struct entry *entry)
{
    free_value(entry);
    entry->type = VALUE_LIST;
    entry->expires = WEFT_NEVER;
}

static bool is_expired(const struct entry *entry)
{
    return entry->expires != WEFT_NEVER && entry->expires <= weft_now();
}

/* ---- Shards ---- */

static unsigned shard_index(uint64_t hash)
{
    return hash >> 58;
}

struct shard *store_shard(struct slice key)
{
    return &shards[shard_index(hash_of(key))];
}

struct shard *store_lock(struct slice key)
{
    struct shard *shard = store_shard(key);
    weft_mutex_lock(&shard->lock);
    return shard;
}

void store_unlock(struct shard *shard)
{
    weft_mutex_unlock(&shard->lock);
}

uint64_t store_lock_all(const struct slice *keys, size_t count, size_t step)
{
    uint64_t wanted = 0;
    for (size_t i = 0; i < count; i += step)
        wanted |= UINT64_C(1) << shard_index(hash_of(keys[i]));
    for (unsigned i = 0; i < SHARDS;
         i++) /* always in this order: no two callers wait for each other */
        if (wanted >> i & 1)
            weft_mutex_lock(&shards[i].lock);
    return wanted;
}

void store_unlock_all(uint64_t locked)
{
    for (unsigned i = 0; i < SHARDS; i++)
        if (locked >> i & 1)
            weft_mutex_unlock(&shards[i].lock);
}

/* The link that points to the entry of a key, or the one at the end of its chain. */
static struct entry **find_link(struct shard *shard, struct slice key, uint64_t hash)
{
    struct entry **link = &shard->slots[hash & (shard->slot_count - 1)];
    while (*link && ((*link)->hash != hash || (*link)->key.size != key.size ||
                     memcmp((*link)->key.data, key.data, key.size) != 0))
        link = &(*link)->next;
    return link;
}

static void unlink_entry(struct shard *shard, struct entry **link)
{
    struct entry *entry = *link;
    *link = entry->next;
    shard->count--;
    free_entry(entry);
}

struct entry *store_find(struct shard *shard, struct slice key)
{
    if (shard->count == 0)
        return NULL;
    struct entry **link = find_link(shard, key, hash_of(key));
    if (*link && is_expired(*link))
        unlink_entry(shard, link);
    else if (*link)
        return *link;
    return NULL;
}

bool store_remove(struct shard *shard, struct slice key)
{
    if (!store_find(shard, key))
        return false;
    unlink_entry(shard, find_link(shard, key, hash_of(key)));
    return true;
}

static void grow(struct shard *shard)
{
    size_t slot_count = shard->slot_count ? 2 * shard->slot_count : FIRST_SLOTS;
    struct entry **slots = must_alloc(slot_count * sizeof(struct entry *));
    memset(slots, 0, slot_count * sizeof(struct entry *));
    for (size_t i = 0; i < shard->slot_count; i++) {
        struct entry *next;
        for (struct entry *entry = shard->slots[i]; entry; entry = next) {
            struct entry **slot = &slots[entry->hash & (slot_count - 1)];
            next = entry->next;
            entry->next = *slot;
            *slot = entry;
        }
    }
    free(shard->slots);
    shard->slots = slots;
    shard->slot_count = slot_count;
}

struct entry *store_make(struct shard *shard, struct slice key)
{
    struct entry *entry = store_find(shard, key);
    if (entry)
        return entry;
    if (shard->count == shard->slot_count)
        grow(shard);
    entry = must_alloc(sizeof *entry);
    *entry = (struct entry){
        .hash = hash_of(key), .key = copy(key.data, key.size), .expires = WEFT_NEVER};
    *find_link(shard, key, entry->hash) = entry;
    shard->count++;
    return entry;
}

/* ---- The whole ---- */

void store_init(void)
{
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint64_t)weft_now() * 0x9e3779b97f4a7c15u;
}

static void clear_shard(struct shard *shard)
{
    for (size_t i = 0; i < shard->slot_count; i++)
        while (shard->slots[i])
            unlink_entry(shard, &shard->slots[i]);
    free(shard->slots);
    shard->slots = NULL;
    shard->slot_count = 0;
}

void store_clear(void)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        weft_mutex_lock(&shards[i].lock);
        clear_shard(&shards[i]);
        weft_mutex_unlock(&shards[i].lock);
    }
}

void store_fini(void)
{
    for (unsigned i = 0; i < SHARDS; i++)
        clear_shard(&shards[i]);
}

size_t store_count(void)
{
    size_t count = 0;
    for (unsigned i = 0; i < SHARDS; i++) {
        weft_mutex_lock(&shards[i].lock);
        count += shards[i].count;
        weft_mutex_unlock(&shards[i].lock);
    }
    return count;
}

size_t store_count_expiring(void)
{
    size_t count = 0;
    for (unsigned i = 0; i < SHARDS; i++) {
        weft_mutex_lock(&shards[i].lock);
        for (size_t slot = 0; slot < shards[i].slot_count; slot++)
            for (struct entry *entry = shards[i].slots[slot]; entry; entry = entry->next)
                count += entry->expires != WEFT_NEVER;
        weft_mutex_unlock(&shards[i].lock);
    }
    return count;
}

static void sweep_slot(struct shard *shard, size_t slot)
{
    struct entry **link = &shard->slots[slot];
    while (*link)
        if (is_expired(*link))
            unlink_entry(shard, link);
        else
            link = &(*link)->next;
}

void store_sweep(void)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *shard = &shards[i];
        weft_mutex_lock(&shard->lock);
        for (size_t n = 0; n < SWEEP_SLOTS && n < shard->slot_count; n++)
            sweep_slot(shard, shard->swept++ & (shard->slot_count - 1));
        weft_mutex_unlock(&shard->lock);
    }
}
