/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_MEMORY_H
#define WEFT_READER_MEMORY_H

/*
 * Memory that is freed all at once, and arrays that grow. An arena keeps its chunks when it is
 * reset, so that the generations of a trace reuse the same memory.
 *
 * A budget bounds what a reader allocates, whatever its input asks for: it is asked before each
 * allocation that depends on the input. Structures have a pointer to theirs; NULL is "no bound".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct reader_budget {
    size_t limit; /* bytes; 0: none */
    size_t used;
    bool exceeded; /* something was refused */
};

/* Like malloc and realloc (of old_size bytes), within a budget. NULL when it is refused. */
void *reader_malloc(struct reader_budget *budget, size_t size);
void *reader_realloc(struct reader_budget *budget, void *old, size_t old_size, size_t size);
/* Frees size bytes. NULL accepted. */
void reader_free(struct reader_budget *budget, void *at, size_t size);

struct reader_chunk;

struct reader_arena {
    struct reader_chunk *first, *current;
    size_t used; /* of current */
    struct reader_budget *budget;
};

/* size bytes without alignment, or NULL when memory is exhausted. */
void *reader_arena_alloc(struct reader_arena *arena, size_t size);
/* Forgets the content, keeps the memory. */
void reader_arena_reset(struct reader_arena *arena);
void reader_arena_fini(struct reader_arena *arena);

/*
 * Makes room for one element more in array (capacity elements of element_size bytes, count used).
 * Returns the array, moved perhaps, or NULL when memory, the budget or 32-bit indices are
 * exhausted; then the old array is untouched.
 */
void *reader_grow(struct reader_budget *budget, void *array, uint32_t *capacity, uint32_t count,
                  size_t element_size);

/* VEC(type): an array that grows; PUSH: the address of a new element, uninitialised, or NULL. */
#define READER_VEC(type)                                                                           \
    struct {                                                                                       \
        type *at;                                                                                  \
        uint32_t count, capacity;                                                                  \
        struct reader_budget *budget;                                                              \
    }

#define READER_PUSH(vec)                                                                           \
    ({                                                                                             \
        __typeof__((vec)->at) reader_push_at_ = (vec)->at;                                         \
        if ((vec)->count == (vec)->capacity)                                                       \
            reader_push_at_ = reader_grow((vec)->budget, (vec)->at, &(vec)->capacity,              \
                                          (vec)->count, sizeof *(vec)->at);                        \
        if (reader_push_at_) {                                                                     \
            (vec)->at = reader_push_at_;                                                           \
            reader_push_at_ += (vec)->count++;                                                     \
        }                                                                                          \
        reader_push_at_;                                                                           \
    })

#define READER_VEC_FINI(vec)                                                                       \
    do {                                                                                           \
        reader_free((vec)->budget, (vec)->at, (vec)->capacity * sizeof *(vec)->at);                \
        (vec)->at = NULL;                                                                          \
        (vec)->count = (vec)->capacity = 0;                                                        \
    } while (0)

#endif
