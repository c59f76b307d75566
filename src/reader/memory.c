/* SPDX-License-Identifier: MIT */
#include "reader/memory.h"

/* The first chunk holds one batch, so that a small trace costs little. */
#define FIRST_CHUNK ((size_t)96 << 10)
#define NEXT_CHUNK  ((size_t)1 << 20)

struct reader_chunk {
    struct reader_chunk *next;
    size_t size;
    unsigned char data[];
};

/* Counts size bytes, unless they would exceed the limit. */
static bool take(struct reader_budget *budget, size_t size)
{
    if (budget && budget->limit && size > budget->limit - budget->used) {
        budget->exceeded = true;
        return false;
    }
    if (budget)
        budget->used += size;
    return true;
}

static void give_back(struct reader_budget *budget, size_t size)
{
    if (budget)
        budget->used -= size;
}

void *reader_malloc(struct reader_budget *budget, size_t size)
{
    return reader_realloc(budget, NULL, 0, size);
}

void *reader_realloc(struct reader_budget *budget, void *old, size_t old_size, size_t size)
{
    if (!take(budget, size))
        return NULL;
    void *at = realloc(old, size ? size : 1);
    give_back(budget, at ? old_size : size);
    return at;
}

void reader_free(struct reader_budget *budget, void *at, size_t size)
{
    if (at)
        give_back(budget, size);
    free(at);
}

static struct reader_chunk *chunk_new(struct reader_budget *budget, size_t size)
{
    struct reader_chunk *chunk = reader_malloc(budget, sizeof *chunk + size);
    if (chunk) {
        chunk->next = NULL;
        chunk->size = size;
    }
    return chunk;
}

/* The next chunk with room for size bytes: a kept one if it is large enough, else a new one. */
static struct reader_chunk *chunk_after(struct reader_arena *arena, size_t size)
{
    struct reader_chunk **link = arena->current ? &arena->current->next : &arena->first;
    if (*link && (*link)->size >= size)
        return *link;
    size_t want = arena->first ? NEXT_CHUNK : FIRST_CHUNK;
    struct reader_chunk *chunk = chunk_new(arena->budget, want > size ? want : size);
    if (!chunk)
        return NULL;
    chunk->next = *link;
    *link = chunk;
    return chunk;
}

void *reader_arena_alloc(struct reader_arena *arena, size_t size)
{
    if (!arena->current || arena->current->size - arena->used < size) {
        struct reader_chunk *chunk = chunk_after(arena, size);
        if (!chunk)
            return NULL;
        arena->current = chunk;
        arena->used = 0;
    }
    void *at = arena->current->data + arena->used;
    arena->used += size;
    return at;
}

void reader_arena_reset(struct reader_arena *arena)
{
    arena->current = NULL;
    arena->used = 0;
}

void reader_arena_fini(struct reader_arena *arena)
{
    for (struct reader_chunk *chunk = arena->first, *next; chunk; chunk = next) {
        next = chunk->next;
        reader_free(arena->budget, chunk, sizeof *chunk + chunk->size);
    }
    *arena = (struct reader_arena){.budget = arena->budget};
}

void *reader_grow(struct reader_budget *budget, void *array, uint32_t *capacity, uint32_t count,
                  size_t element_size)
{
    uint64_t want = (uint64_t)count + count / 2 + 16;
    if (want > INT32_MAX || want > SIZE_MAX / element_size)
        return NULL;
    void *grown =
        reader_realloc(budget, array, *capacity * element_size, (size_t)want * element_size);
    if (grown)
        *capacity = (uint32_t)want;
    return grown;
}
