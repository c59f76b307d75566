/* SPDX-License-Identifier: MIT */
/*
 * Design. A hash trie in the manner of Go's traceMap (runtime/tracemap.go), flattened at the top:
 * the low bits of the hash choose one of a few thousand roots, two further bits at each level one
 * of four children. An entry is at the same time a node. To insert is to compare-and-swap one null
 * pointer on the path; who loses goes on from the winner. With the roots the usual path is one or
 * two entries long, and there is nothing to resize however many come.
 *
 * Invariants.
 *  1. A pointer on a path, once set, never changes until the reset. A thread that has seen an entry
 *     can therefore go on from it without looking back. (Removal would break it: a thread could
 *     hang its entry onto one cut off.)
 *  2. An entry is complete before its pointer is stored (release), and read after it was loaded
 *     (acquire). Otherwise another M on a weakly ordered machine compares its key with the rubbish
 *     of a recycled chunk.
 *  3. The id is drawn before the entry can be seen. A loser that finds its own key wastes an id:
 *     gaps are legal.
 *
 * Rejected. A lock for each bucket: a descheduled holder would stop all writers. Bytes handed out
 * with fetch-and-add: an overshooting claim leaves the end of the used part unknown, which
 * iteration needs. Growing arrays: a resize moves entries, and the Ms' caches point at them.
 *
 * Corners. Equal hashes of different keys: the remaining hash bits become 0 and the entries form a
 * list through child[0]. Entries are laid out one behind the other in chunks, so iteration needs no
 * links and no stack.
 */
#include "trace/intern.h"

#include "base/fatal.h"

#include <string.h>

#define CHUNK_ROOM (TRACE_CHUNK_SIZE - sizeof(struct trace_map_chunk))

struct trace_map_chunk {
    struct trace_map_chunk *next; /* lock */
    uint64_t used;                /* atomic: bytes handed out */
    uint8_t data[];
};
_Static_assert(sizeof(struct trace_map_chunk) == sizeof(wire_flight_table) &&
                   sizeof(trace_map_entry) == sizeof(wire_flight_entry),
               "a table is found in a flight file");

void trace_map_init(trace_map *map, trace_arena *arena, uint64_t kind, uint64_t base_id)
{
    memset(map, 0, sizeof *map);
    map->arena = arena;
    map->kind = kind;
    map->base_id = map->last_id = base_id;
    lock_init(&map->lock, BASE_RANK_TRACE_TAB);
}

void trace_map_reset(trace_map *map)
{
    struct trace_map_chunk *chunk = map->first;
    if (chunk)
        memset(map->bucket, 0, sizeof map->bucket);
    while (chunk) {
        struct trace_map_chunk *next = chunk->next;
        trace_arena_put(map->arena, chunk);
        chunk = next;
    }
    map->first = map->last = NULL;
    map->last_id = map->base_id;
}

static bool grow(trace_map *map, struct trace_map_chunk *full)
{
    lock_acquire(&map->lock);
    bool done = map->last != full;
    if (!done) {
        struct trace_map_chunk *chunk = trace_arena_take(map->arena);
        if (chunk) {
            chunk->next = NULL;
            chunk->used = 0;
            trace_arena_mark(map->arena, chunk, map->kind, map->generation);
            if (full)
                full->next = chunk;
            else
                map->first = chunk;
            atomic_store_release(&map->last, chunk); /* pairs with claim(): the chunk's header */
            done = true;
        }
    }
    lock_release(&map->lock);
    return done;
}

/* Memory for one entry. */
static void *claim(trace_map *map, size_t size)
{
    for (;;) {
        struct trace_map_chunk *chunk = atomic_load_acquire(&map->last); /* pairs with grow() */
        if (chunk) {
            uint64_t used = atomic_load_relaxed(&chunk->used);
            while (used + size <= CHUNK_ROOM) {
                if (atomic_cas_relaxed(&chunk->used, &used, used + size))
                    return chunk->data + used;
            }
        }
        if (!grow(map, chunk))
            return NULL;
    }
}

static size_t entry_size(size_t key_size)
{
    return sizeof(trace_map_entry) + ((key_size + 7) & ~(size_t)7);
}

static trace_map_entry *entry_new(trace_map *map, uint64_t hash, const void *key, size_t size)
{
    trace_map_entry *entry = claim(map, entry_size(size));
    if (!entry)
        return NULL;
    memset(entry, 0, sizeof *entry);
    entry->hash = hash;
    entry->id = atomic_add_relaxed(&map->last_id, 1) + 1;
    entry->size = (uint32_t)size;
    entry->mark = (uint32_t)map->generation;
    memcpy(entry->key, key, size);
    return entry;
}

static bool entry_is(const trace_map_entry *entry, uint64_t hash, const void *key, size_t size)
{
    return entry->hash == hash && entry->size == size && memcmp(entry->key, key, size) == 0;
}

const trace_map_entry *trace_map_intern(trace_map *map, uint64_t hash, const void *key, size_t size)
{
    trace_map_entry **place = &map->bucket[hash % TRACE_MAP_BUCKETS];
    uint64_t path = hash / TRACE_MAP_BUCKETS;
    trace_map_entry *mine = NULL;
    for (;;) {
        trace_map_entry *found = atomic_load_acquire(place); /* pairs with the store below */
        if (!found) {
            if (!mine && !(mine = entry_new(map, hash, key, size)))
                return NULL;
            /* Acquire and release: pairs with itself and the load above; on failure `found` is
             * another's entry. */
            if (atomic_cas_acqrel(place, &found, mine))
                return mine;
        }
        if (entry_is(found, hash, key, size)) {
            if (mine)
                mine->id = 0;
            return found;
        }
        place = &found->child[path % 4];
        path /= 4;
    }
}

void trace_map_start(const trace_map *map, trace_map_cursor *cursor)
{
    *cursor = (trace_map_cursor){.chunk = map->first};
    if (base_locks_abandoned())
        cursor->doubted = map;
}

/* Whether this is an entry: what is linked was complete before, whatever became of its thread. */
static bool is_linked(const trace_map *map, const trace_map_entry *entry)
{
    trace_map_entry *const *place = &map->bucket[entry->hash % TRACE_MAP_BUCKETS];
    uint64_t path = entry->hash / TRACE_MAP_BUCKETS;
    const trace_map_entry *found;
    while ((found = atomic_load_acquire(place)) != entry && found) { /* pairs with intern() */
        place = &found->child[path % 4];
        path /= 4;
    }
    return found != NULL;
}

/* Memory that was claimed and not filled is passed word by word: its size is not known. */
static size_t size_at(const trace_map_cursor *cursor, const trace_map_entry *entry)
{
    return cursor->doubted && !is_linked(cursor->doubted, entry) ? sizeof(uint64_t)
                                                                 : entry_size(entry->size);
}

const trace_map_entry *trace_map_next(trace_map_cursor *cursor)
{
    while (cursor->chunk) {
        if (cursor->offset + sizeof(trace_map_entry) > cursor->chunk->used) {
            cursor->chunk = cursor->chunk->next;
            cursor->offset = 0;
            continue;
        }
        const trace_map_entry *entry = (const void *)(cursor->chunk->data + cursor->offset);
        size_t size = size_at(cursor, entry);
        cursor->offset += size;
        if (size > sizeof(uint64_t) && entry->id)
            return entry;
    }
    return NULL;
}
