/* SPDX-License-Identifier: MIT */
/*
 * Gathers the batches of one generation: ordering.md 2.
 *
 * Corners
 *  - Version 26 and later: an end mark closes a generation, and one that is not closed is an error,
 *    but only if it has event batches.
 *  - Before: the first batch of generation n+1 closes n. It is kept as spill; an error in its place
 *    is reported only after n was delivered in full.
 */
#include <string.h>

#include "reader/generation.h"
#include "wire/batch.h"

static void find_references(struct reader_references *refs, unsigned id)
{
    const struct wire_event_spec *spec = &wire_event_specs[id];
    bool own = id == WIRE_EV_GO_STOP || id == WIRE_EV_GO_BLOCK || id == WIRE_EV_GO_SYSCALL_BEGIN ||
               id == WIRE_EV_GO_STATUS_STACK;
    unsigned strings = 0;
    *refs =
        (struct reader_references){READER_NO_ARG, READER_NO_ARG, {READER_NO_ARG, READER_NO_ARG}};
    for (unsigned i = 0; i < spec->argc && wire_event_is_timed(id); i++) {
        if (spec->args[i].kind == WIRE_ARG_STACK)
            refs->stack = (uint8_t)i;
        if (spec->args[i].kind == WIRE_ARG_NEW_STACK || (own && refs->stack == i))
            refs->resource_stack = (uint8_t)i;
        if (spec->args[i].kind == WIRE_ARG_STRING)
            refs->strings[strings++] = (uint8_t)i;
    }
}

static void bind_budget(struct reader_generation *gen, struct reader_budget *budget)
{
    gen->budget = budget;
    gen->batches.budget = gen->streams.budget = gen->experiments.budget = budget;
    gen->strings.budget = gen->stacks.budget = gen->frames.budget = budget;
    gen->pcs.budget = gen->samples.budget = budget;
    gen->stream_of.budget = gen->pc_of.budget = budget;
    gen->string_of.others.budget = gen->stack_of.others.budget = budget;
    gen->payloads.budget = budget;
}

void reader_generation_init(struct reader_generation *gen, unsigned version,
                            struct reader_budget *budget, struct reader_fault *fault)
{
    *gen = (struct reader_generation){.version = version, .fault = fault};
    bind_budget(gen, budget);
    for (unsigned id = 0; id < WIRE_EVENT_LIMIT; id++)
        find_references(&gen->references[id], id);
}

void reader_generation_fini(struct reader_generation *gen)
{
    READER_VEC_FINI(&gen->batches);
    READER_VEC_FINI(&gen->streams);
    READER_VEC_FINI(&gen->experiments);
    READER_VEC_FINI(&gen->strings);
    READER_VEC_FINI(&gen->stacks);
    READER_VEC_FINI(&gen->frames);
    READER_VEC_FINI(&gen->pcs);
    READER_VEC_FINI(&gen->samples);
    reader_map_fini(&gen->stream_of);
    reader_map_fini(&gen->pc_of);
    reader_idmap_fini(&gen->string_of);
    reader_idmap_fini(&gen->stack_of);
    reader_arena_fini(&gen->payloads);
}

void reader_gather_fini(struct reader_gather *gather)
{
    free(gather->spill_data);
    gather->spill_data = NULL;
}

void reader_warn(weft_reader_warning *warnings, enum reader_oddity oddity, uint64_t generation,
                 uint64_t offset)
{
    static const char *const texts[READER_ODD_LIMIT] = {
        [READER_ODD_UNFINISHED] = "the last generation is unfinished and was dropped",
        [READER_ODD_FREQUENCY] = "the clock's frequency is 0: times mean nothing",
        [READER_ODD_SAMPLE_STACK] = "CPU sample refers to a stack that does not exist",
        [READER_ODD_EXPERIMENT] = "batch of an unknown experiment",
    };
    weft_reader_warning *warning = &warnings[oddity];
    if (warning->count++ == 0)
        *warning = (weft_reader_warning){1, generation, offset, texts[oddity]};
}

static int reset(struct reader_generation *gen, uint64_t offset)
{
    gen->number = 0;
    gen->numbered = false;
    gen->offset = offset;
    gen->min_time = 0;
    gen->batches.count = gen->streams.count = gen->experiments.count = 0;
    reader_map_clear(&gen->stream_of);
    reader_arena_reset(&gen->payloads);
    return reader_table_reset(gen);
}

static int fail_read(struct reader_gather *gather, struct reader_generation *gen, const char *rule,
                     const char *what, enum reader_varint how)
{
    struct reader_source *source = gather->source;
    if (source->error)
        return reader_fail_input(gather->fault, source->error, gen->number, source->offset);
    return reader_fail(gather->fault, rule, gen->number, source->offset, "%s: %s", what,
                       how == READER_VARINT_OVERFLOW ? "number of more than 64 bits"
                                                     : "the trace is cut off");
}

static int read_fields(struct reader_gather *gather, struct reader_generation *gen,
                       struct reader_batch *batch)
{
    static const char *const rules[] = {"BAT-2", "BAT-3", "BAT-4", "BAT-5"};
    static const char *const whats[] = {"batch's generation", "batch's thread", "batch's time",
                                        "batch's size"};
    uint64_t fields[4];
    for (unsigned i = 0; i < 4; i++) {
        enum reader_varint how = reader_source_varint(gather->source, &fields[i]);
        if (how != READER_VARINT_OK)
            return fail_read(gather, gen, rules[i], whats[i], how);
    }
    if (fields[3] > WIRE_PAYLOAD_MAX)
        return reader_fail(gather->fault, "BAT-6", gen->number, gather->source->offset,
                           "batch of %llu bytes; the limit is %u", (unsigned long long)fields[3],
                           WIRE_PAYLOAD_MAX);
    batch->gen = fields[0];
    batch->m = fields[1];
    batch->time = fields[2];
    batch->size = (uint32_t)fields[3];
    return 0;
}

static int read_payload(struct reader_gather *gather, struct reader_generation *gen,
                        struct reader_batch *batch)
{
    struct reader_source *source = gather->source;
    batch->offset = source->offset;
    uint8_t *data = reader_arena_alloc(&gen->payloads, batch->size + READER_SLACK);
    if (!data)
        return reader_fail_memory(gather->fault, gen->number, source->offset);
    if (reader_source_take(source, data, batch->size) < batch->size)
        return fail_read(gather, gen, "BAT-7", "batch's payload", READER_VARINT_END);
    memset(data + batch->size, 0, READER_SLACK);
    batch->data = data;
    return 0;
}

/* Reads one batch. 1, 0 at a clean end of the trace, or a negative errno value, explained. */
static int read_batch(struct reader_gather *gather, struct reader_generation *gen,
                      struct reader_batch *batch)
{
    struct reader_source *source = gather->source;
    *batch = (struct reader_batch){.next = READER_ABSENT};
    int kind = reader_source_byte(source);
    if (kind < 0)
        return source->error ? fail_read(gather, gen, "IO", "", READER_VARINT_END) : 0;
    if (kind == WIRE_EV_END_OF_GENERATION) {
        batch->end = true;
        return 1;
    }
    if (kind != WIRE_EV_EVENT_BATCH && kind != WIRE_EV_EXPERIMENTAL_BATCH)
        return reader_fail(gather->fault, "BAT-1", gen->number, source->offset - 1,
                           "expected a batch, found byte %d", kind);
    if (kind == WIRE_EV_EXPERIMENTAL_BATCH) {
        int experiment = reader_source_byte(source);
        if (experiment < 0)
            return source->error ? fail_read(gather, gen, "IO", "", READER_VARINT_END) : 0;
        batch->experiment = (uint8_t)experiment;
    }
    int status = read_fields(gather, gen, batch);
    if (!status)
        status = read_payload(gather, gen, batch);
    return status ? status : 1;
}

static int add_events(struct reader_generation *gen, const struct reader_batch *batch)
{
    uint32_t index = gen->batches.count;
    struct reader_batch *copy = READER_PUSH(&gen->batches);
    if (!copy)
        goto memory;
    *copy = *batch;
    uint32_t known = reader_map_find(&gen->stream_of, batch->m);
    if (known != READER_ABSENT) {
        struct reader_stream *stream = &gen->streams.at[known];
        gen->batches.at[stream->last].next = index;
        stream->last = index;
        return 0;
    }
    struct reader_stream *stream = READER_PUSH(&gen->streams);
    if (!stream || !reader_map_add(&gen->stream_of, batch->m, gen->streams.count - 1))
        goto memory;
    *stream = (struct reader_stream){batch->m, index, index};
    return 0;
memory:
    return reader_fail_memory(gen->fault, gen->number, batch->offset);
}

static int add_experiment(struct reader_gather *gather, struct reader_generation *gen,
                          const struct reader_batch *batch)
{
    struct reader_batch *copy = READER_PUSH(&gen->experiments);
    if (!copy)
        return reader_fail_memory(gen->fault, gen->number, batch->offset);
    *copy = *batch;
    if (batch->experiment != 1)
        reader_warn(gather->warnings, READER_ODD_EXPERIMENT, gen->number, batch->offset);
    return 0;
}

/* The first byte of an ordinary batch's payload tells what it is; 0 stands for an empty one. */
static unsigned first_byte(const struct reader_batch *batch)
{
    return batch->experiment == 0 && batch->size > 0 ? batch->data[0] : 0;
}

static bool ends_generation(const struct reader_batch *batch)
{
    return batch->end || first_byte(batch) == WIRE_EV_END_OF_GENERATION;
}

static int add_batch(struct reader_gather *gather, struct reader_generation *gen,
                     const struct reader_batch *batch)
{
    if (gen->min_time == 0 || batch->time < gen->min_time)
        gen->min_time = batch->time;
    if (batch->experiment != 0)
        return add_experiment(gather, gen, batch);
    switch (first_byte(batch)) {
    case WIRE_EV_STRINGS:
        return reader_table_strings(gen, batch);
    case WIRE_EV_STACKS:
        return reader_table_stacks(gen, batch);
    case WIRE_EV_CPU_SAMPLES:
        return reader_table_samples(gen, batch);
    case WIRE_EV_FREQUENCY:
        return gen->version < 25 ? reader_table_clock(gen, batch) : add_events(gen, batch);
    case WIRE_EV_SYNC:
        return gen->version >= 25 ? reader_table_clock(gen, batch) : add_events(gen, batch);
    default:
        return add_events(gen, batch);
    }
}

/* A batch, which begins at start, is of another generation than those before it. */
static int fail_other(struct reader_generation *gen, uint64_t other, uint64_t start,
                      const char *rule, const char *why)
{
    return reader_fail(gen->fault, rule, gen->number, start,
                       "batch of generation %llu in generation %llu: %s", (unsigned long long)other,
                       (unsigned long long)gen->number, why);
}

static int fail_mark(struct reader_generation *gen, uint64_t start)
{
    return reader_fail(gen->fault, "GEN-7", gen->number, start,
                       "end of a generation in a trace of version 1.%u", gen->version);
}

static int fail_zero(struct reader_generation *gen, uint64_t start)
{
    return reader_fail(gen->fault, "GEN-1", gen->number, start, "batch of generation 0");
}

/* Where the batch that is read next begins. */
static uint64_t next_start(const struct reader_gather *gather)
{
    return gather->has_spill ? gather->spill_start : gather->source->offset;
}

static void take_number(struct reader_generation *gen, const struct reader_batch *batch)
{
    if (gen->numbered)
        return;
    gen->numbered = true;
    gen->number = batch->gen;
}

/* The trace ended where a generation was expected, or in the midst of one. */
static int end_without_mark(struct reader_gather *gather, struct reader_generation *gen)
{
    if (gen->streams.count > 0)
        return reader_fail(gen->fault, "GEN-3", gen->number, gather->source->offset,
                           "the trace is cut off inside a generation");
    if (gen->numbered)
        reader_warn(gather->warnings, READER_ODD_UNFINISHED, gen->number, gen->offset);
    return 0;
}

static int gather_marked(struct reader_gather *gather, struct reader_generation *gen)
{
    for (;;) {
        struct reader_batch batch;
        uint64_t start = next_start(gather);
        int status = read_batch(gather, gen, &batch);
        if (status == 0)
            return end_without_mark(gather, gen);
        if (status < 0)
            return status;
        take_number(gen, &batch);
        if (ends_generation(&batch))
            return 1;
        if (batch.gen == 0)
            return fail_zero(gen, start);
        if (batch.gen != gen->number)
            return fail_other(gen, batch.gen, start, "GEN-2", "the end mark is missing");
        status = add_batch(gather, gen, &batch);
        if (status)
            return status;
    }
}

/* Keeps the first batch of the next generation, payload included. */
static int keep_spill(struct reader_gather *gather, struct reader_generation *gen,
                      const struct reader_batch *batch)
{
    if (!gather->spill_data)
        gather->spill_data = malloc(WIRE_PAYLOAD_MAX);
    if (!gather->spill_data)
        return reader_fail_memory(gen->fault, gen->number, batch->offset);
    memcpy(gather->spill_data, batch->data, batch->size);
    gather->spill = *batch;
    gather->has_spill = true;
    return 1;
}

static int take_spill(struct reader_gather *gather, struct reader_generation *gen,
                      struct reader_batch *batch)
{
    *batch = gather->spill;
    gather->has_spill = false;
    uint8_t *data = reader_arena_alloc(&gen->payloads, batch->size + READER_SLACK);
    if (!data)
        return reader_fail_memory(gen->fault, gen->number, batch->offset);
    memcpy(data, gather->spill_data, batch->size);
    memset(data + batch->size, 0, READER_SLACK);
    batch->data = data;
    return 1;
}

/* Like read_batch, but an error behind a generation waits until that was delivered. */
static int read_unmarked(struct reader_gather *gather, struct reader_generation *gen,
                         struct reader_batch *batch)
{
    if (gather->has_spill)
        return take_spill(gather, gen, batch);
    int status = read_batch(gather, gen, batch);
    if (status < 0 && gen->numbered) {
        gather->failed = true;
        gather->error = status;
        return 0;
    }
    return status;
}

static int gather_unmarked(struct reader_gather *gather, struct reader_generation *gen)
{
    for (;;) {
        struct reader_batch batch;
        uint64_t start = next_start(gather);
        int status = read_unmarked(gather, gen, &batch);
        if (status <= 0)
            return status < 0 ? status : 1;
        if (batch.end || batch.gen == 0)
            return fail_zero(gen, start);
        take_number(gen, &batch);
        if (batch.gen == gen->number + 1) {
            gather->spill_start = start;
            return keep_spill(gather, gen, &batch);
        }
        if (batch.gen != gen->number)
            return fail_other(gen, batch.gen, start, "GEN-6", "neither this one nor the next");
        if (ends_generation(&batch))
            return fail_mark(gen, start);
        status = add_batch(gather, gen, &batch);
        if (status)
            return status;
    }
}

/* Whether a version without end marks has come to its end: not before the first generation. */
static bool at_end(struct reader_gather *gather, const struct reader_generation *gen)
{
    return gather->version < 26 && gen->numbered && !gather->has_spill;
}

int reader_gather_next(struct reader_gather *gather, struct reader_generation *gen)
{
    if (gather->failed)
        return gather->error;
    if (at_end(gather, gen))
        return 0;
    int status = reset(gen, next_start(gather));
    if (status)
        return status;
    status = gather->version >= 26 ? gather_marked(gather, gen) : gather_unmarked(gather, gen);
    if (status <= 0)
        return status;
    status = reader_table_finish(gen);
    if (status)
        return status;
    if (gen->frequency == 0)
        reader_warn(gather->warnings, READER_ODD_FREQUENCY, gen->number, gen->offset);
    return 1;
}
