/* SPDX-License-Identifier: MIT */
/*
 * The data: a hash map from keys to strings or lists, cut into shards, each behind a weft mutex.
 *
 * A key with an expiry is gone from that instant on: lookups do not see it, and a goroutine that
 * calls store_sweep() frees what nobody looks up.
 */
#ifndef KV_STORE_H
#define KV_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <weft/weft.h>

#include "buffer.h"

enum value_type { VALUE_STRING, VALUE_LIST };

/* A ring of strings. */
struct list {
    struct slice *ring;
    size_t first, count, room; /* room: 0 or a power of two */
};

struct entry {
    struct entry *next;
    uint64_t hash;
    struct slice key;
    int64_t expires; /* instant of weft_now(); WEFT_NEVER: stays */
    enum value_type type;
    struct slice string;
    struct list list;
};

struct shard;

void store_init(void);
void store_fini(void);

/* Locks the shard of a key; everything below needs that. */
struct shard *store_lock(struct slice key);
void store_unlock(struct shard *shard);

/* Locks the shards of several keys (every step-th of keys), each once. Returns what unlocks them.
 */
uint64_t store_lock_all(const struct slice *keys, size_t count, size_t step);
void store_unlock_all(uint64_t locked);
/* The shard of a key, locked by store_lock_all(). */
struct shard *store_shard(struct slice key);

/* NULL: there is none. */
struct entry *store_find(struct shard *shard, struct slice key);
/* The entry, made if need be: an empty string. */
struct entry *store_make(struct shard *shard, struct slice key);
/* False: there was none. */
bool store_remove(struct shard *shard, struct slice key);

/* The entry becomes this string, without expiry. The bytes are copied. */
void entry_set_string(struct entry *entry, const char *data, size_t size);
/* The entry, new or emptied, becomes a list. */
void entry_set_list(struct entry *entry);

void list_push(struct list *list, bool left, struct slice bytes);
/* The list is not empty; the bytes are the caller's, to free(). */
struct slice list_pop(struct list *list, bool left);
static inline const struct slice *list_at(const struct list *list, size_t i)
{
    return &list->ring[(list->first + i) & (list->room - 1)];
}

/* ---- The whole store; these lock by themselves ---- */

size_t store_count(void);
/* How many of them have an expiry. */
size_t store_count_expiring(void);
void store_clear(void);
/* Frees expired entries in a part of the store; the whole is covered in some rounds. */
void store_sweep(void);

#endif
