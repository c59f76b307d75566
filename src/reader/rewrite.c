/* SPDX-License-Identifier: MIT */
#include "reader/rewrite.h"

#include <errno.h>

/* Room that an entry of a table may need. */
#define ENTRY_MAX (1 + WIRE_VARINT_MAX * (2 + 4 * WIRE_FRAMES_MAX) + WIRE_STRING_MAX)

/* -------- batches -------- */

static void put(struct rewrite *rewrite, const void *data, size_t size)
{
    if (!rewrite->status && size)
        rewrite->status = rewrite->write(rewrite->context, data, size);
}

static void put_batch(struct rewrite *rewrite, uint64_t m, uint64_t time, const uint8_t *payload,
                      size_t size)
{
    uint8_t head[WIRE_BATCH_HEADER_MAX + WIRE_VARINT_MAX];
    uint8_t *end = wire_batch_start(head, rewrite->number, m, time);
    wire_varint_encode_padded(end - WIRE_VARINT_MAX, size);
    put(rewrite, head, (size_t)(end - head));
    put(rewrite, payload, size);
}

void rewrite_head(struct rewrite *rewrite, unsigned version)
{
    uint8_t header[WIRE_HEADER_SIZE];
    wire_header_encode(header, version);
    put(rewrite, header, sizeof header);
}

/* -------- tables -------- */

/* A batch of one table that is being filled; first is the tag that opens it. */
struct table {
    struct rewrite *rewrite;
    uint64_t time;
    uint8_t first, payload[REWRITE_PAYLOAD];
    uint8_t *at;
};

static void table_begin(struct table *table)
{
    table->payload[0] = table->first;
    table->at = table->payload + 1;
}

static void table_flush(struct table *table)
{
    if (table->at > table->payload + 1)
        put_batch(table->rewrite, WIRE_NO_ID, table->time, table->payload,
                  (size_t)(table->at - table->payload));
    table_begin(table);
}

/* Makes room for one entry. */
static void table_entry(struct table *table, uint8_t tag)
{
    if (table->at + ENTRY_MAX > table->payload + sizeof table->payload)
        table_flush(table);
    *table->at++ = tag;
}

static void table_number(struct table *table, uint64_t number)
{
    table->at = wire_varint_encode(table->at, number);
}

static void put_strings(struct table *table, const struct reader_generation *gen)
{
    for (uint32_t i = 1; i < gen->strings.count; i++) {
        const struct reader_string *string = &gen->strings.at[i];
        table_entry(table, WIRE_EV_STRING);
        table_number(table, i);
        table_number(table, string->size);
        if (string->size)
            memcpy(table->at, string->data, string->size);
        table->at += string->size;
    }
    table_flush(table);
}

static void put_stacks(struct table *table, const struct reader_generation *gen)
{
    for (uint32_t i = 1; i < gen->stacks.count; i++) {
        const struct reader_stack *stack = &gen->stacks.at[i];
        table_entry(table, WIRE_EV_STACK);
        table_number(table, i);
        table_number(table, stack->count);
        for (uint32_t k = 0; k < stack->count; k++) {
            const struct reader_pc *pc = &gen->pcs.at[gen->frames.at[stack->first + k]];
            table_number(table, pc->pc);
            table_number(table, pc->function);
            table_number(table, pc->file);
            table_number(table, pc->line);
        }
    }
    table_flush(table);
}

static void put_samples(struct table *table, const struct reader_generation *gen, int64_t from,
                        int64_t to)
{
    for (uint32_t i = 0; i < gen->samples.count; i++) {
        const struct reader_sample *sample = &gen->samples.at[i];
        if (sample->time < from || sample->time >= to)
            continue;
        uint32_t stack = reader_idmap_find(&gen->stack_of, sample->stack);
        table_entry(table, WIRE_EV_CPU_SAMPLE);
        table_number(table, sample->units);
        table_number(table, sample->m);
        table_number(table, sample->p);
        table_number(table, sample->g);
        table_number(table, stack == READER_ABSENT ? 0 : stack);
    }
    table_flush(table);
}

/*
 * The clocks as they were read, which may have been before the batch's time: the difference wraps,
 * as readers' sums do. (Clocks at the batch's time would have to be made up, and could be later
 * than those of the next generation, which are read when that begins, before the last events of
 * this one.)
 */
static void put_clock(struct table *table, const struct reader_generation *gen)
{
    const struct reader_clock *clock = &gen->clock;
    if (gen->version >= 25) {
        *table->at++ = WIRE_EV_FREQUENCY;
        table_number(table, gen->frequency);
        *table->at++ = WIRE_EV_CLOCK_SNAPSHOT;
        table_number(table, clock->units - table->time);
        table_number(table, clock->mono);
        table_number(table, clock->sec);
        table_number(table, clock->nsec);
    } else {
        table_number(table, gen->frequency); /* the tag that opens the batch is the entry's */
    }
    table_flush(table);
}

static void put_experiments(struct rewrite *rewrite, const struct reader_generation *gen,
                            uint64_t time)
{
    for (uint32_t i = 0; i < gen->experiments.count; i++) {
        const struct reader_batch *batch = &gen->experiments.at[i];
        uint8_t head[WIRE_BATCH_HEADER_MAX + WIRE_VARINT_MAX];
        uint8_t *end =
            wire_batch_start_experimental(head, batch->experiment, rewrite->number, batch->m, time);
        wire_varint_encode_padded(end - WIRE_VARINT_MAX, batch->size);
        put(rewrite, head, (size_t)(end - head));
        put(rewrite, batch->data, batch->size);
    }
}

void rewrite_begin(struct rewrite *rewrite, const struct reader_generation *gen, uint64_t least,
                   int64_t from, int64_t to)
{
    struct table *table = malloc(sizeof *table);
    rewrite->number = gen->number;
    if (!table) {
        rewrite->status = -ENOMEM;
        return;
    }
    table->rewrite = rewrite;
    table->time = least > gen->min_time ? least : gen->min_time;
    table->first = gen->version >= 25 ? WIRE_EV_SYNC : WIRE_EV_FREQUENCY;
    table_begin(table);
    put_clock(table, gen);
    table->first = WIRE_EV_STRINGS;
    table_begin(table);
    put_strings(table, gen);
    table->first = WIRE_EV_STACKS;
    table_begin(table);
    put_stacks(table, gen);
    table->first = WIRE_EV_CPU_SAMPLES;
    table_begin(table);
    put_samples(table, gen, from, to);
    put_experiments(rewrite, gen, table->time);
    free(table);
}

/* -------- events -------- */

static struct rewrite_stream *stream_get(struct rewrite *rewrite, uint64_t m)
{
    uint32_t index = reader_map_find(&rewrite->stream_of, m);
    if (index != READER_ABSENT)
        return &rewrite->streams.at[index];
    if (!reader_map_add(&rewrite->stream_of, m, rewrite->streams.count))
        return NULL;
    struct rewrite_stream *stream = READER_PUSH(&rewrite->streams);
    if (stream)
        *stream = (struct rewrite_stream){.m = m, .payload = malloc(REWRITE_PAYLOAD)};
    return stream && stream->payload ? stream : NULL;
}

static void stream_flush(struct rewrite *rewrite, struct rewrite_stream *stream)
{
    if (stream->used)
        put_batch(rewrite, stream->m, stream->base, stream->payload, stream->used);
    stream->used = 0;
}

void rewrite_event(struct rewrite *rewrite, uint64_t m, uint64_t units, unsigned tag,
                   const uint64_t *args)
{
    struct rewrite_stream *stream = stream_get(rewrite, m);
    if (!stream) {
        rewrite->status = -ENOMEM;
        return;
    }
    if (units < stream->last ||
        stream->used + WIRE_TIMED_EVENT_MAX + WIRE_VARINT_MAX > REWRITE_PAYLOAD)
        stream_flush(rewrite, stream);
    if (!stream->used)
        stream->base = stream->last = units;
    uint8_t *at = stream->payload + stream->used;
    *at++ = (uint8_t)tag;
    at = wire_varint_encode(at, units - stream->last);
    for (unsigned i = 0; i < wire_event_specs[tag].argc; i++)
        at = wire_varint_encode(at, args[i]);
    stream->used = (uint32_t)(at - stream->payload);
    stream->last = units;
}

void rewrite_end(struct rewrite *rewrite, unsigned version)
{
    static const uint8_t mark = WIRE_EV_END_OF_GENERATION;
    for (uint32_t i = 0; i < rewrite->streams.count; i++) {
        stream_flush(rewrite, &rewrite->streams.at[i]);
        rewrite->streams.at[i].last = 0;
    }
    if (version >= 26)
        put(rewrite, &mark, 1);
}

void rewrite_fini(struct rewrite *rewrite)
{
    for (uint32_t i = 0; i < rewrite->streams.count; i++)
        free(rewrite->streams.at[i].payload);
    READER_VEC_FINI(&rewrite->streams);
    reader_map_fini(&rewrite->stream_of);
}
