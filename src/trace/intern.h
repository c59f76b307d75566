/* SPDX-License-Identifier: MIT */
/*
 * An append-only map from byte strings to ids, for one generation: stacks (raw program counters)
 * and strings.
 *
 * Any number of threads intern at once, without a lock but for one chunk of memory in 64 KiB of
 * entries; nothing is ever removed but all at once. Contract: intern in a section of the map's
 * generation, or as the advancer after the last such section has closed; iterate and reset as the
 * advancer only, then.
 */
#ifndef WEFT_TRACE_INTERN_H
#define WEFT_TRACE_INTERN_H

#include "base/hash.h"
#include "trace/arena.h"

#include <stdint.h>

#define TRACE_MAP_BUCKETS 4096

/* Never changed once it can be seen, but for its children. As in wire/flight_layout.h. */
typedef struct trace_map_entry {
    uint64_t hash;
    uint64_t id;                      /* 0: another thread was first; not in the map */
    struct trace_map_entry *child[4]; /* atomic: entries whose hash goes the same way up to here */
    uint32_t size;
    uint32_t mark; /* the generation's lower half, for readers of a flight file */
    uint64_t key[];
} trace_map_entry;

struct trace_map_chunk;

typedef struct trace_map {
    trace_arena *arena;
    uint64_t kind;                 /* of its chunks: WIRE_FLIGHT_… */
    uint64_t generation;           /* owner: drainer, before the generation is published */
    base_lock lock;                /* rank TRACE_TAB: growing */
    struct trace_map_chunk *first; /* lock; in the order of allocation */
    struct trace_map_chunk *last;  /* atomic, written under lock: the one that is filled */
    uint64_t base_id;              /* ids are above this one */
    uint64_t last_id;              /* atomic */
    trace_map_entry *bucket[TRACE_MAP_BUCKETS];
} trace_map;

void trace_map_init(trace_map *map, trace_arena *arena, uint64_t kind, uint64_t base_id);

/* Forgets every entry and gives the memory back. */
void trace_map_reset(trace_map *map);

/* The entry of key, made if it is new. NULL when memory is refused. size: at most 4096. */
const trace_map_entry *trace_map_intern(trace_map *map, uint64_t hash, const void *key,
                                        size_t size);

/* All entries in the order of their making; NULL at the end. Skips those that lost a race, and
 * after a crash (base/lock.h) those that were not completed. */
typedef struct trace_map_cursor {
    const trace_map *doubted; /* NULL: every entry is complete */
    struct trace_map_chunk *chunk;
    size_t offset;
} trace_map_cursor;
void trace_map_start(const trace_map *map, trace_map_cursor *cursor);
const trace_map_entry *trace_map_next(trace_map_cursor *cursor);

#endif
