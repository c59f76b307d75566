/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_ANALYSIS_INTERN_H
#define WEFT_READER_ANALYSIS_INTERN_H

/*
 * Numbers for texts and stacks that hold across generations: equal texts, and stacks of equal
 * frames, have one number, counted from 0, which is the empty text and the empty stack.
 *
 * A trace names few of them many times. Each handle is therefore looked up by content once in a
 * generation, and found in an array from then on.
 */

#include "reader/map.h"
#include "reader/memory.h"
#include "reader/pool.h"
#include <weft/analysis.h>

/* What a handle of the current generation stands for: number + 1, or 0 while not known. */
struct analysis_cache {
    uint32_t *at;
    uint32_t capacity;
};

struct analysis_frame {
    uint64_t pc, line;
    uint32_t function, file; /* texts */
    uint32_t hash, next;
};

struct analysis_stack {
    uint32_t first, count; /* of stack_frames, innermost first */
    uint32_t hash, next;
};

/* Chains of records by hash; the records hold hash and next. */
struct analysis_chains {
    uint32_t *buckets;
    uint32_t mask; /* buckets - 1; 0 while there are none */
};

struct analysis_intern {
    const weft_reader *reader;
    /* For the reader's own handles (stable.c): asks its tables, and keeps all frames as they are.
     */
    bool exact;
    struct reader_pool texts;
    struct analysis_cache of_string, of_text; /* handles of the generation, of the reader's pool */
    struct analysis_cache of_stack, of_entry;
    READER_VEC(struct analysis_frame) frames;
    READER_VEC(struct analysis_stack) stacks;
    READER_VEC(uint32_t) stack_frames; /* indices of frames */
    READER_VEC(uint32_t) scratch;      /* frames of the stack that is being looked up */
    struct analysis_chains frame_chains, stack_chains;
};

/* Returns false when memory is exhausted; fini is needed then too. */
bool analysis_intern_init(struct analysis_intern *intern, const weft_reader *reader);
void analysis_intern_fini(struct analysis_intern *intern);

/* The generation of the reader has changed: handles mean something else now. */
void analysis_intern_forget(struct analysis_intern *intern);

/* Slow ways: handles that are new in the generation. READER_ABSENT when memory is exhausted. */
uint32_t analysis_intern_new_text(struct analysis_intern *intern, weft_string string);
uint32_t analysis_intern_new_stack(struct analysis_intern *intern, weft_stack stack);
uint32_t analysis_intern_new_entry(struct analysis_intern *intern, weft_stack stack);

#define ANALYSIS_POOL_BIT (UINT32_C(1) << 31)

/* Number of a text, or READER_ABSENT. */
static inline uint32_t analysis_intern_text(struct analysis_intern *intern, weft_string string)
{
    if (string < intern->of_string.capacity && intern->of_string.at[string])
        return intern->of_string.at[string] - 1;
    return string ? analysis_intern_new_text(intern, string) : 0;
}

/* Number of a stack, or READER_ABSENT. */
static inline uint32_t analysis_intern_stack(struct analysis_intern *intern, weft_stack stack)
{
    if (stack < intern->of_stack.capacity && intern->of_stack.at[stack])
        return intern->of_stack.at[stack] - 1;
    return stack ? analysis_intern_new_stack(intern, stack) : 0;
}

/* Text of the function of a stack's outermost frame, or READER_ABSENT. */
static inline uint32_t analysis_intern_entry(struct analysis_intern *intern, weft_stack stack)
{
    if (stack < intern->of_entry.capacity && intern->of_entry.at[stack])
        return intern->of_entry.at[stack] - 1;
    return stack ? analysis_intern_new_entry(intern, stack) : 0;
}

static inline weft_text analysis_intern_get(const struct analysis_intern *intern, uint32_t text)
{
    const struct reader_pool_text *of = &intern->texts.texts.at[text];
    return (weft_text){of->data, of->size};
}

size_t analysis_intern_depth(const struct analysis_intern *intern, uint32_t stack);
/* A frame of a stack: 0, or -ERANGE and an empty one. */
int analysis_intern_place(const struct analysis_intern *intern, uint32_t stack, size_t index,
                          weft_place *place);

#endif
