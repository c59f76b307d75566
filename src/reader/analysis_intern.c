/* SPDX-License-Identifier: MIT */
#include "reader/analysis_intern.h"

#include <errno.h>
#include <string.h>

#include "reader/reader.h"

static inline uint32_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
    return (uint32_t)(hash >> 32) ^ (uint32_t)hash;
}

/* -------- caches -------- */

/* Handles are indices of tables that fill up, so arrays a little longer than them suffice. */
static bool cache_set(struct analysis_cache *cache, uint32_t handle, uint32_t number)
{
    if (handle >= cache->capacity) {
        uint64_t want = (uint64_t)handle + handle / 2 + 256;
        uint32_t *at = realloc(cache->at, (size_t)want * sizeof *at);
        if (!at)
            return false;
        memset(at + cache->capacity, 0, (size_t)(want - cache->capacity) * sizeof *at);
        cache->at = at;
        cache->capacity = (uint32_t)want;
    }
    cache->at[handle] = number + 1;
    return true;
}

static void cache_clear(struct analysis_cache *cache)
{
    if (cache->capacity)
        memset(cache->at, 0, cache->capacity * sizeof *cache->at);
}

/* -------- chains -------- */

static bool chains_want_growth(const struct analysis_chains *chains, uint32_t count)
{
    return !chains->buckets || count > chains->mask;
}

/* Empties the chains and makes room for twice the count; the caller puts the records back. */
static bool chains_grow(struct analysis_chains *chains, uint32_t count)
{
    uint64_t size = 64;
    while (size <= count)
        size *= 2;
    uint32_t *buckets = realloc(chains->buckets, (size_t)size * sizeof *buckets);
    if (!buckets)
        return false;
    memset(buckets, 0xff, (size_t)size * sizeof *buckets);
    chains->buckets = buckets;
    chains->mask = (uint32_t)size - 1;
    return true;
}

#define CHAIN_PUT(chains, records, index)                                                          \
    do {                                                                                           \
        uint32_t *chain_bucket_ = &(chains)->buckets[(records)[index].hash & (chains)->mask];      \
        (records)[index].next = *chain_bucket_;                                                    \
        *chain_bucket_ = (index);                                                                  \
    } while (0)

/* -------- what a handle stands for in the generation -------- */

static weft_text string_of(const struct analysis_intern *intern, weft_string string)
{
    return intern->exact ? reader_table_string(intern->reader, string)
                         : weft_reader_string(intern->reader, string);
}

static size_t depth_of(const struct analysis_intern *intern, weft_stack stack)
{
    return intern->exact ? reader_table_depth(intern->reader, stack)
                         : weft_reader_stack_depth(intern->reader, stack);
}

static int frame_of(const struct analysis_intern *intern, weft_stack stack, size_t index,
                    weft_frame *frame)
{
    return intern->exact ? reader_table_frame(intern->reader, stack, index, frame)
                         : weft_reader_stack_frame(intern->reader, stack, index, frame);
}

/* -------- texts -------- */

static uint32_t text_cached(struct analysis_intern *intern, struct analysis_cache *cache,
                            uint32_t index, weft_string string)
{
    if (index < cache->capacity && cache->at[index])
        return cache->at[index] - 1;
    weft_text text = string_of(intern, string);
    uint32_t number = reader_pool_add(&intern->texts, text.data, text.size);
    if (number == READER_ABSENT || !cache_set(cache, index, number))
        return READER_ABSENT;
    return number;
}

uint32_t analysis_intern_new_text(struct analysis_intern *intern, weft_string string)
{
    if (string & ANALYSIS_POOL_BIT)
        return text_cached(intern, &intern->of_text, string & ~ANALYSIS_POOL_BIT, string);
    return text_cached(intern, &intern->of_string, string, string);
}

/* -------- stacks -------- */

static uint32_t frame_number(struct analysis_intern *intern, const weft_frame *from)
{
    struct analysis_frame frame = {.pc = from->pc,
                                   .line = from->line,
                                   .function = analysis_intern_text(intern, from->function),
                                   .file = analysis_intern_text(intern, from->file)};
    if (frame.function == READER_ABSENT || frame.file == READER_ABSENT)
        return READER_ABSENT;
    frame.hash =
        mix(mix(mix(mix(reader_seed(), frame.pc), frame.line), frame.function), frame.file);
    if (chains_want_growth(&intern->frame_chains, intern->frames.count)) {
        if (!chains_grow(&intern->frame_chains, intern->frames.count * 2))
            return READER_ABSENT;
        for (uint32_t i = 0; i < intern->frames.count; i++)
            CHAIN_PUT(&intern->frame_chains, intern->frames.at, i);
    }
    uint32_t i = intern->frame_chains.buckets[frame.hash & intern->frame_chains.mask];
    for (; i != READER_ABSENT; i = intern->frames.at[i].next) {
        const struct analysis_frame *other = &intern->frames.at[i];
        if (other->pc == frame.pc && other->line == frame.line &&
            other->function == frame.function && other->file == frame.file)
            return i;
    }
    struct analysis_frame *added = READER_PUSH(&intern->frames);
    if (!added)
        return READER_ABSENT;
    *added = frame;
    i = intern->frames.count - 1;
    CHAIN_PUT(&intern->frame_chains, intern->frames.at, i);
    return i;
}

/* A frame of which nothing is known; Go's tracer writes one for the stack of a dead end. */
static bool is_blank(const weft_frame *frame)
{
    return frame->pc == 0 && frame->function == 0 && frame->file == 0;
}

/* The hash of no frames, which stack 0 has. */
static uint32_t empty_hash(void)
{
    return (uint32_t)reader_seed();
}

/* Puts the frames of a stack into scratch, without blank ones at its outer end. */
static bool collect(struct analysis_intern *intern, weft_stack stack, uint32_t *hash)
{
    size_t depth = depth_of(intern, stack);
    weft_frame frame;
    while (!intern->exact && depth && frame_of(intern, stack, depth - 1, &frame) == 0 &&
           is_blank(&frame))
        depth--;
    intern->scratch.count = 0;
    *hash = empty_hash() + (uint32_t)depth;
    for (size_t i = 0; i < depth; i++) {
        if (frame_of(intern, stack, i, &frame) != 0)
            break;
        uint32_t number = frame_number(intern, &frame);
        uint32_t *slot = number == READER_ABSENT ? NULL : READER_PUSH(&intern->scratch);
        if (!slot)
            return false;
        *slot = number;
        *hash = mix(*hash, number);
    }
    return true;
}

static uint32_t find_stack(const struct analysis_intern *intern, uint32_t hash)
{
    uint32_t i = intern->stack_chains.buckets[hash & intern->stack_chains.mask];
    for (; i != READER_ABSENT; i = intern->stacks.at[i].next) {
        const struct analysis_stack *stack = &intern->stacks.at[i];
        if (stack->hash == hash && stack->count == intern->scratch.count &&
            (stack->count == 0 || memcmp(intern->stack_frames.at + stack->first, intern->scratch.at,
                                         stack->count * sizeof *intern->scratch.at) == 0))
            break;
    }
    return i;
}

static uint32_t add_stack(struct analysis_intern *intern, uint32_t hash)
{
    struct analysis_stack *stack = READER_PUSH(&intern->stacks);
    if (!stack)
        return READER_ABSENT;
    *stack = (struct analysis_stack){.first = intern->stack_frames.count,
                                     .count = intern->scratch.count,
                                     .hash = hash,
                                     .next = READER_ABSENT};
    for (uint32_t i = 0; i < intern->scratch.count; i++) {
        uint32_t *slot = READER_PUSH(&intern->stack_frames);
        if (!slot)
            return READER_ABSENT;
        *slot = intern->scratch.at[i];
    }
    if (chains_want_growth(&intern->stack_chains, intern->stacks.count)) {
        if (!chains_grow(&intern->stack_chains, intern->stacks.count * 2))
            return READER_ABSENT;
        for (uint32_t i = 0; i < intern->stacks.count; i++)
            CHAIN_PUT(&intern->stack_chains, intern->stacks.at, i);
    } else {
        CHAIN_PUT(&intern->stack_chains, intern->stacks.at, intern->stacks.count - 1);
    }
    return intern->stacks.count - 1;
}

uint32_t analysis_intern_new_stack(struct analysis_intern *intern, weft_stack stack)
{
    uint32_t hash;
    if (!collect(intern, stack, &hash))
        return READER_ABSENT;
    uint32_t number = find_stack(intern, hash);
    if (number == READER_ABSENT)
        number = add_stack(intern, hash);
    if (number == READER_ABSENT || !cache_set(&intern->of_stack, stack, number))
        return READER_ABSENT;
    return number;
}

uint32_t analysis_intern_new_entry(struct analysis_intern *intern, weft_stack stack)
{
    size_t depth = depth_of(intern, stack);
    weft_frame frame = {0, 0, 0, 0};
    if (depth && frame_of(intern, stack, depth - 1, &frame) != 0)
        return 0;
    uint32_t text = analysis_intern_text(intern, frame.function);
    if (text == READER_ABSENT || !cache_set(&intern->of_entry, stack, text))
        return READER_ABSENT;
    return text;
}

size_t analysis_intern_depth(const struct analysis_intern *intern, uint32_t stack)
{
    return stack < intern->stacks.count ? intern->stacks.at[stack].count : 0;
}

int analysis_intern_place(const struct analysis_intern *intern, uint32_t stack, size_t index,
                          weft_place *place)
{
    *place = (weft_place){0, 0, {"", 0}, {"", 0}};
    if (index >= analysis_intern_depth(intern, stack))
        return -ERANGE;
    uint32_t first = intern->stacks.at[stack].first;
    const struct analysis_frame *frame =
        &intern->frames.at[intern->stack_frames.at[first + (uint32_t)index]];
    *place = (weft_place){frame->pc, frame->line, analysis_intern_get(intern, frame->function),
                          analysis_intern_get(intern, frame->file)};
    return 0;
}

/* -------- life cycle -------- */

bool analysis_intern_init(struct analysis_intern *intern, const weft_reader *reader)
{
    *intern = (struct analysis_intern){.reader = reader};
    return reader_pool_init(&intern->texts) &&
           reader_pool_add(&intern->texts, "", 0) != READER_ABSENT &&
           add_stack(intern, empty_hash()) != READER_ABSENT;
}

void analysis_intern_forget(struct analysis_intern *intern)
{
    cache_clear(&intern->of_string);
    cache_clear(&intern->of_text);
    cache_clear(&intern->of_stack);
    cache_clear(&intern->of_entry);
}

void analysis_intern_fini(struct analysis_intern *intern)
{
    reader_pool_fini(&intern->texts);
    free(intern->of_string.at);
    free(intern->of_text.at);
    free(intern->of_stack.at);
    free(intern->of_entry.at);
    READER_VEC_FINI(&intern->frames);
    READER_VEC_FINI(&intern->stacks);
    READER_VEC_FINI(&intern->stack_frames);
    READER_VEC_FINI(&intern->scratch);
    free(intern->frame_chains.buckets);
    free(intern->stack_chains.buckets);
}
