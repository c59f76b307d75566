/* SPDX-License-Identifier: MIT */
/*
 * Where all memory of a running trace comes from: chunks of 64 KiB, for event buffers and tables
 * alike.
 *
 * One provider for everything, so that it can lie in a shared mapping of a file whole (flight.h),
 * and so that one number, the chunks taken, says what tracing costs and is bounded. Chunks are
 * carved from slabs of pages or from that file; nothing else is allocated while events are written.
 */
#ifndef WEFT_TRACE_ARENA_H
#define WEFT_TRACE_ARENA_H

#include "base/lock.h"
#include "trace/flight.h"

#include <stddef.h>

#define TRACE_CHUNK_SIZE 65536

struct trace_chunk;
struct trace_slab;

typedef struct trace_arena {
    base_lock lock;            /* rank TRACE: a leaf */
    struct trace_chunk *empty; /* lock: recycled, latest first */
    struct trace_slab *slabs;  /* lock: newest first; only the newest has chunks never used */
    size_t taken;              /* atomic, written under lock: chunks that are out */
    bool leaks;                /* a thread has crashed: it keeps what it had */
    size_t limit;              /* atomic: most chunks that may be out */
    trace_flight *flight;      /* NULL: the memory is not a file's; constant once tracing began */
} trace_arena;

void trace_arena_init(trace_arena *arena);

/* Takes all chunks from a file from now on. None has been taken yet. */
void trace_arena_use_flight(trace_arena *arena, trace_flight *flight);

/* Gives every slab back to the kernel; the file stays, as it is. No chunk is out. */
void trace_arena_fini(trace_arena *arena);

/* The same, if no chunk is out. Nobody takes one meanwhile; others may put theirs back. */
void trace_arena_trim(trace_arena *arena);

/* The same, and closes the file. */
void trace_arena_free(trace_arena *arena);

/* Bytes that may be out at once, rounded down to chunks. */
void trace_arena_limit(trace_arena *arena, size_t bytes);

/* A chunk with undefined contents; NULL at the limit or when the kernel refuses. Any thread, also
 * in a section. */
void *trace_arena_take(trace_arena *arena);
void trace_arena_put(trace_arena *arena, void *chunk);

/* Says what a chunk is, for those who read the file; without one there is nobody to tell. */
static inline void trace_arena_mark(trace_arena *arena, const void *chunk, uint64_t kind,
                                    uint64_t generation)
{
    if (arena->flight)
        trace_flight_mark(arena->flight, chunk, kind, generation);
}

/* Bytes that are out, at this moment. Any thread. */
static inline size_t trace_arena_used(const trace_arena *arena)
{
    return atomic_load_relaxed(&arena->taken) * TRACE_CHUNK_SIZE;
}

/* After fork(): another thread may have held the lock, so nothing inside can be trusted. Forgets it
 * all. */
void trace_arena_forget(trace_arena *arena);

#endif
