/* SPDX-License-Identifier: MIT */
/* Batches of strings, stacks, CPU samples and clock data: trace-format.md 4.2. */
#include <string.h>

#include "reader/generation.h"
#include "wire/batch.h"

/* Where decoding stands in a batch of entries. */
struct entries {
    struct reader_generation *gen;
    const struct reader_batch *batch;
    const uint8_t *at, *end;
};

static struct entries entries_of(struct reader_generation *gen, const struct reader_batch *batch,
                                 unsigned skip)
{
    return (struct entries){gen, batch, batch->data + skip, batch->data + batch->size};
}

static uint64_t offset_of(const struct entries *in, const uint8_t *at)
{
    return in->batch->offset + (uint64_t)(at - in->batch->data);
}

#define FAIL(in, at, rule, ...)                                                                    \
    reader_fail((in)->gen->fault, rule, (in)->gen->number, offset_of(in, at), __VA_ARGS__)

static int fail_memory(const struct entries *in)
{
    return reader_fail_memory(in->gen->fault, in->gen->number, offset_of(in, in->at));
}

/* One number of an entry; what and rule say what it is should it be malformed or cut off. */
static int take(struct entries *in, uint64_t *value, const char *rule, const char *what)
{
    const uint8_t *next = wire_varint_decode(in->at, in->end, value);
    if (!next)
        return FAIL(in, in->at, rule, "bad number: %s", what);
    in->at = next;
    return 0;
}

static int take_all(struct entries *in, uint64_t *values, unsigned n, const char *rule,
                    const char *const *what)
{
    for (unsigned i = 0; i < n; i++) {
        int status = take(in, &values[i], rule, what[i]);
        if (status)
            return status;
    }
    return 0;
}

static int take_tag(struct entries *in, unsigned tag, const char *rule, const char *table)
{
    if (*in->at != tag)
        return FAIL(in, in->at, rule, "entry of a %s batch has tag %u, not %u", table, *in->at,
                    tag);
    in->at++;
    return 0;
}

static int take_string(struct entries *in)
{
    static const char *const what[] = {"string's id", "string's length"};
    const uint8_t *start = in->at;
    uint64_t values[2];
    int status = take_tag(in, WIRE_EV_STRING, "TAB-1", "strings");
    if (!status)
        status = take_all(in, values, 2, "TAB-2", what);
    if (status)
        return status;
    unsigned long long id = values[0], size = values[1];
    if (size > WIRE_STRING_MAX)
        return FAIL(in, start, "TAB-3", "string %llu has %llu bytes; the limit is %u", id, size,
                    WIRE_STRING_MAX);
    if ((uint64_t)(in->end - in->at) < size)
        return FAIL(in, start, "TAB-4", "string %llu of %llu bytes is cut off by its batch", id,
                    size);
    if (id == 0 || reader_idmap_find(&in->gen->string_of, id) != READER_ABSENT)
        return FAIL(in, start, "TAB-5", "string %llu is defined %s", id,
                    id ? "twice" : "though id 0 is the empty string");
    struct reader_string *string = READER_PUSH(&in->gen->strings);
    if (!string || !reader_idmap_add(&in->gen->string_of, id, in->gen->strings.count - 1))
        return fail_memory(in);
    *string = (struct reader_string){in->at, (uint32_t)size, READER_ABSENT};
    in->at += size;
    return 0;
}

int reader_table_strings(struct reader_generation *gen, const struct reader_batch *batch)
{
    struct entries in = entries_of(gen, batch, 1);
    int status = 0;
    while (!status && in.at < in.end)
        status = take_string(&in);
    return status;
}

static int take_frame(struct entries *in)
{
    static const char *const what[] = {"frame's pc", "frame's function", "frame's file",
                                       "frame's line"};
    struct reader_generation *gen = in->gen;
    const uint8_t *start = in->at;
    uint64_t values[4];
    int status = take_all(in, values, 4, "TAB-7", what);
    if (status)
        return status;
    uint32_t known = reader_map_find(&gen->pc_of, values[0]);
    if (known == READER_ABSENT) {
        known = gen->pcs.count;
        struct reader_pc *pc = READER_PUSH(&gen->pcs);
        if (!pc || !reader_map_add(&gen->pc_of, values[0], known))
            return fail_memory(in);
        *pc = (struct reader_pc){values[0], values[1], values[2], values[3], offset_of(in, start)};
    }
    uint32_t *frame = READER_PUSH(&gen->frames);
    if (!frame)
        return fail_memory(in);
    *frame = known;
    return 0;
}

static int take_stack(struct entries *in)
{
    static const char *const what[] = {"stack's id", "stack's number of frames"};
    struct reader_generation *gen = in->gen;
    const uint8_t *start = in->at;
    uint64_t values[2];
    int status = take_tag(in, WIRE_EV_STACK, "TAB-6", "stacks");
    if (!status)
        status = take_all(in, values, 2, "TAB-7", what);
    if (status)
        return status;
    unsigned long long id = values[0], count = values[1];
    if (count > WIRE_FRAMES_MAX)
        return FAIL(in, start, "TAB-8", "stack %llu has %llu frames; the limit is %u", id, count,
                    WIRE_FRAMES_MAX);
    uint32_t first = gen->frames.count;
    for (uint64_t i = 0; i < count && !status; i++)
        status = take_frame(in);
    if (status)
        return status;
    if (id == 0 || reader_idmap_find(&gen->stack_of, id) != READER_ABSENT)
        return FAIL(in, start, "TAB-9", "stack %llu is defined %s", id,
                    id ? "twice" : "though id 0 is no stack");
    struct reader_stack *stack = READER_PUSH(&gen->stacks);
    if (!stack || !reader_idmap_add(&gen->stack_of, id, gen->stacks.count - 1))
        return fail_memory(in);
    *stack = (struct reader_stack){first, (uint32_t)count};
    return 0;
}

int reader_table_stacks(struct reader_generation *gen, const struct reader_batch *batch)
{
    struct entries in = entries_of(gen, batch, 1);
    int status = 0;
    while (!status && in.at < in.end)
        status = take_stack(&in);
    return status;
}

static int take_sample(struct entries *in)
{
    static const char *const what[] = {"sample's time", "sample's thread", "sample's proc",
                                       "sample's goroutine", "sample's stack"};
    const uint8_t *start = in->at;
    uint64_t values[5];
    int status = take_tag(in, WIRE_EV_CPU_SAMPLE, "TAB-10", "CPU samples");
    if (!status)
        status = take_all(in, values, 5, "TAB-11", what);
    if (status)
        return status;
    struct reader_sample *sample = READER_PUSH(&in->gen->samples);
    if (!sample)
        return fail_memory(in);
    *sample = (struct reader_sample){0,         values[0], values[1],           values[2],
                                     values[3], values[4], offset_of(in, start)};
    return 0;
}

int reader_table_samples(struct reader_generation *gen, const struct reader_batch *batch)
{
    struct entries in = entries_of(gen, batch, 1);
    int status = 0;
    while (!status && in.at < in.end)
        status = take_sample(&in);
    return status;
}

static int take_frequency(struct entries *in)
{
    const uint8_t *start = in->at++;
    uint64_t value;
    int status = take(in, &value, "TAB-15", "frequency");
    if (status)
        return status;
    if (in->gen->has_frequency)
        return FAIL(in, start, "TAB-13", "second frequency in a generation");
    in->gen->has_frequency = true;
    in->gen->frequency = value;
    in->gen->unit = 1.0 / ((double)value / 1e9);
    return 0;
}

static int take_clock(struct entries *in)
{
    static const char *const what[] = {"clock snapshot's delta", "clock snapshot's monotonic time",
                                       "clock snapshot's seconds", "clock snapshot's nanoseconds"};
    const uint8_t *start = in->at++;
    uint64_t values[4];
    int status = take_all(in, values, 4, "TAB-15", what);
    if (status)
        return status;
    if (in->gen->has_clock)
        return FAIL(in, start, "TAB-14", "second clock snapshot in a generation");
    in->gen->has_clock = true;
    in->gen->clock =
        (struct reader_clock){in->batch->time + values[0], values[1], values[2], values[3]};
    return 0;
}

int reader_table_clock(struct reader_generation *gen, const struct reader_batch *batch)
{
    /* Below version 25 the first byte is an entry's tag, from then on the batch's own. */
    struct entries in = entries_of(gen, batch, gen->version >= 25);
    int status = 0;
    while (!status && in.at < in.end) {
        if (*in.at == WIRE_EV_FREQUENCY)
            status = take_frequency(&in);
        else if (*in.at == WIRE_EV_CLOCK_SNAPSHOT && gen->version >= 25)
            status = take_clock(&in);
        else
            status = FAIL(&in, in.at, "TAB-12", "entry of a clock batch has tag %u", *in.at);
    }
    return status;
}

int reader_table_reset(struct reader_generation *gen)
{
    gen->strings.count = gen->stacks.count = gen->frames.count = 0;
    gen->pcs.count = gen->samples.count = 0;
    reader_idmap_clear(&gen->string_of);
    reader_idmap_clear(&gen->stack_of);
    reader_map_clear(&gen->pc_of);
    gen->has_frequency = gen->has_clock = false;
    struct reader_string *string = READER_PUSH(&gen->strings);
    struct reader_stack *stack = READER_PUSH(&gen->stacks);
    if (!string || !stack || !reader_idmap_add(&gen->string_of, 0, 0) ||
        !reader_idmap_add(&gen->stack_of, 0, 0))
        return reader_fail_memory(gen->fault, gen->number, gen->offset);
    *string = (struct reader_string){(const uint8_t *)"", 0, READER_ABSENT};
    *stack = (struct reader_stack){0, 0};
    return 0;
}

/* Replaces the string ids of a pc's record by indices. */
static int resolve_pc(struct reader_generation *gen, struct reader_pc *pc)
{
    uint32_t function = reader_idmap_find(&gen->string_of, pc->function);
    uint32_t file = reader_idmap_find(&gen->string_of, pc->file);
    if (function == READER_ABSENT || file == READER_ABSENT)
        return reader_fail(
            gen->fault, "TAB-16", gen->number, pc->offset,
            "frame with pc 0x%llx names %s string %llu, which does not exist",
            (unsigned long long)pc->pc, function == READER_ABSENT ? "function" : "file",
            (unsigned long long)(function == READER_ABSENT ? pc->function : pc->file));
    pc->function = function;
    pc->file = file;
    return 0;
}

/* Sorts from into to, or in place, stably: merges runs of doubling length. */
static struct reader_sample *merge_sort(struct reader_sample *from, struct reader_sample *to,
                                        size_t n)
{
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t low = 0; low < n; low += 2 * run) {
            size_t mid = low + run < n ? low + run : n;
            size_t high = mid + run < n ? mid + run : n;
            for (size_t i = low, j = mid, k = low; k < high; k++)
                to[k] =
                    j >= high || (i < mid && from[i].time <= from[j].time) ? from[i++] : from[j++];
        }
        struct reader_sample *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

static bool samples_sorted(const struct reader_sample *at, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (at[i].time < at[i - 1].time)
            return false;
    return true;
}

static int sort_samples(struct reader_generation *gen)
{
    size_t n = gen->samples.count;
    for (size_t i = 0; i < n; i++)
        gen->samples.at[i].time = reader_time(gen->unit, gen->samples.at[i].units);
    if (samples_sorted(gen->samples.at, n))
        return 0;
    struct reader_sample *other = reader_malloc(gen->budget, n * sizeof *other);
    if (!other)
        return reader_fail_memory(gen->fault, gen->number, gen->offset);
    struct reader_sample *sorted = merge_sort(gen->samples.at, other, n);
    if (sorted != gen->samples.at)
        memcpy(gen->samples.at, sorted, n * sizeof *sorted);
    reader_free(gen->budget, other, n * sizeof *other);
    return 0;
}

int reader_table_finish(struct reader_generation *gen)
{
    if (!gen->has_frequency)
        return reader_fail(gen->fault, "GEN-4", gen->number, gen->offset,
                           "generation without a frequency");
    if (gen->version >= 25 && !gen->has_clock)
        return reader_fail(gen->fault, "GEN-5", gen->number, gen->offset,
                           "generation without a clock snapshot");
    for (uint32_t i = 0; i < gen->pcs.count; i++) {
        int status = resolve_pc(gen, &gen->pcs.at[i]);
        if (status)
            return status;
    }
    return sort_samples(gen);
}
