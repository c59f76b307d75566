/* SPDX-License-Identifier: MIT */
#include "trace/arena.h"

#include "base/fatal.h"
#include "base/pages.h"
#include "base/torture.h"

#include <stdint.h>

#ifdef WEFT_TORTURE
#define SLAB_CHUNKS 2
#else
#define SLAB_CHUNKS 16
#endif

struct trace_chunk {
    struct trace_chunk *next;
};

/* The header stands behind the chunks, which keeps those aligned to their size's pages. */
typedef struct trace_slab {
    struct trace_slab *next;
    uint8_t *chunks;
    unsigned used; /* chunks handed out at least once */
} trace_slab;

static size_t slab_size(void)
{
    return (size_t)SLAB_CHUNKS * TRACE_CHUNK_SIZE + base_page_size();
}

void trace_arena_init(trace_arena *arena)
{
    *arena = (trace_arena){.limit = SIZE_MAX};
    lock_init(&arena->lock, BASE_RANK_TRACE);
}

void trace_arena_use_flight(trace_arena *arena, trace_flight *flight)
{
    arena->flight = flight;
    trace_arena_limit(arena, atomic_load_relaxed(&arena->limit) * TRACE_CHUNK_SIZE);
}

void trace_arena_fini(trace_arena *arena)
{
    invariant(arena->taken == 0 || arena->leaks, "trace arena: %lu chunks leaked",
              (unsigned long)arena->taken);
    trace_slab *slab = arena->slabs;
    while (slab) {
        trace_slab *next = slab->next;
        base_pages_free(slab->chunks, slab_size());
        slab = next;
    }
    arena->slabs = NULL;
    arena->empty = NULL;
    if (arena->flight)
        arena->flight->carved = 0;
}

void trace_arena_trim(trace_arena *arena)
{
    lock_acquire(&arena->lock);
    bool idle = arena->taken == 0;
    lock_release(&arena->lock);
    if (idle)
        trace_arena_fini(arena);
}

void trace_arena_free(trace_arena *arena)
{
    trace_arena_fini(arena);
    if (arena->flight)
        trace_flight_close(arena->flight);
    arena->flight = NULL;
}

void trace_arena_limit(trace_arena *arena, size_t bytes)
{
    size_t chunks = bytes / TRACE_CHUNK_SIZE;
    if (arena->flight && chunks > arena->flight->count)
        chunks = arena->flight->count;
    atomic_store_relaxed(&arena->limit, chunks);
}

/* lock held. The next chunk that was never used, or NULL. */
static void *carve_locked(trace_arena *arena)
{
    trace_flight *flight = arena->flight;
    trace_slab *slab = arena->slabs;
    if (flight && flight->carved < flight->backed)
        return flight->chunks + flight->carved++ * TRACE_CHUNK_SIZE;
    if (slab && slab->used < SLAB_CHUNKS)
        return slab->chunks + (size_t)slab->used++ * TRACE_CHUNK_SIZE;
    return NULL;
}

/* lock held */
static void *take_locked(trace_arena *arena)
{
    struct trace_chunk *chunk = arena->empty;
    if (chunk)
        arena->empty = chunk->next;
    else
        chunk = carve_locked(arena);
    if (chunk)
        atomic_store_relaxed(&arena->taken, arena->taken + 1);
    return chunk;
}

/* Without the lock: the kernel may take its time. Several threads may grow the arena at once. */
static trace_slab *slab_new(void)
{
    if (torture_refuse("trace slab"))
        return NULL;
    uint8_t *pages = base_pages_alloc(slab_size());
    if (!pages)
        return NULL;
    trace_slab *slab = (trace_slab *)(void *)(pages + (size_t)SLAB_CHUNKS * TRACE_CHUNK_SIZE);
    *slab = (trace_slab){.chunks = pages};
    return slab;
}

/* lock held. In this order the list is whole after each store, should the holder of the lock crash
 * (base/lock.h); a chunk may be lost then, but is not given out twice. */
static void push_empty(trace_arena *arena, struct trace_chunk *chunk)
{
    chunk->next = arena->empty;
    compiler_barrier();
    arena->empty = chunk;
}

/* lock held. Chunks of the slab before that were never used go to the empty ones: only the newest
 * is carved. */
static void slab_add(trace_arena *arena, trace_slab *slab)
{
    trace_slab *old = arena->slabs;
    while (old && old->used < SLAB_CHUNKS) {
        struct trace_chunk *chunk = (void *)(old->chunks + (size_t)old->used++ * TRACE_CHUNK_SIZE);
        push_empty(arena, chunk);
    }
    slab->next = old;
    arena->slabs = slab;
}

static void *grow_by_slab(trace_arena *arena)
{
    trace_slab *slab = slab_new();
    if (!slab)
        return NULL;
    lock_acquire(&arena->lock);
    slab_add(arena, slab);
    void *chunk = take_locked(arena);
    lock_release(&arena->lock);
    return chunk;
}

/* The same in the file. `backed`: how many of its chunks had space on disk when there was none to
 * be taken. */
static void *grow_in_file(trace_arena *arena, size_t backed)
{
    trace_flight *flight = arena->flight;
    size_t more = backed + SLAB_CHUNKS < flight->count ? backed + SLAB_CHUNKS : flight->count;
    if (torture_refuse("trace slab") || trace_flight_back(flight, backed, more) < 0)
        return NULL;
    lock_acquire(&arena->lock);
    if (flight->backed < more)
        flight->backed = more;
    void *chunk = take_locked(arena);
    lock_release(&arena->lock);
    return chunk;
}

void *trace_arena_take(trace_arena *arena)
{
    lock_acquire(&arena->lock);
    void *chunk = NULL;
    bool below = arena->taken < atomic_load_relaxed(&arena->limit);
    if (below)
        chunk = take_locked(arena);
    size_t backed = arena->flight ? arena->flight->backed : 0;
    lock_release(&arena->lock);
    if (chunk || !below)
        return chunk;
    return arena->flight ? grow_in_file(arena, backed) : grow_by_slab(arena);
}

void trace_arena_put(trace_arena *arena, void *memory)
{
    struct trace_chunk *chunk = memory;
    trace_arena_mark(arena, chunk, WIRE_FLIGHT_FREE, 0);
    lock_acquire(&arena->lock);
    push_empty(arena, chunk);
    atomic_store_relaxed(&arena->taken, arena->taken - 1);
    lock_release(&arena->lock);
}

void trace_arena_forget(trace_arena *arena)
{
    size_t limit = atomic_load_relaxed(&arena->limit);
    if (arena->flight) /* the parent's */
        trace_flight_close(arena->flight);
    trace_arena_init(arena);
    arena->limit = limit;
}
