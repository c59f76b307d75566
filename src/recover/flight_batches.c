/* SPDX-License-Identifier: MIT */
/*
 * Design. The batches of a generation lie in buffers, in no order. Within one thread they are in
 * order by their times, which strictly increase from batch to batch of a thread; so nothing else
 * has to be kept in the file. A batch may be there twice, as the tracer copies small ones behind
 * others and a process can die right then: twice the same bytes are taken once.
 *
 * The batch of an OPEN buffer has no size yet, or half of one: it reaches up to `at`.
 */
#include "recover/recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Memory ---- */

static bool grow(void **array, size_t *room, size_t count, size_t unit)
{
    if (count < *room)
        return true;
    size_t more = *room ? *room * 2 : 64;
    void *larger = realloc(*array, more * unit);
    if (!larger)
        return false;
    *array = larger;
    *room = more;
    return true;
}

void *generation_block(recover_generation *g, size_t size)
{
    void *array = g->blocks;
    bool grown = grow(&array, &g->block_room, g->block_count, sizeof *g->blocks);
    g->blocks = array;
    void *block = grown ? calloc(1, size) : NULL;
    if (block)
        g->blocks[g->block_count++] = block;
    return block;
}

int generation_add(recover_generation *g, const recover_batch *batch)
{
    void *array = g->batches;
    bool grown = grow(&array, &g->room, g->count, sizeof *g->batches);
    g->batches = array;
    if (!grown)
        return -ENOMEM;
    wire_batch_finish(batch->payload, batch->end);
    g->batches[g->count++] = *batch;
    return 0;
}

void generation_free(recover_generation *g)
{
    for (size_t i = 0; i < g->block_count; i++)
        free(g->blocks[i]);
    free(g->blocks);
    free(g->batches);
    free(g->tables[0]);
    free(g->tables[1]);
    *g = (recover_generation){.number = 0};
}

/* ---- Batches in a buffer ---- */

static batch_class classify(const recover_batch *batch, unsigned format)
{
    if (batch->bytes[0] != WIRE_EV_EVENT_BATCH)
        return BATCH_OTHER;
    switch (batch->payload[0]) {
    case WIRE_EV_STACKS:
        return BATCH_STACKS;
    case WIRE_EV_STRINGS:
        return BATCH_STRINGS;
    case WIRE_EV_CPU_SAMPLES:
        return BATCH_OTHER;
    default:
        return batch->payload[0] == (format >= 25 ? WIRE_EV_SYNC : WIRE_EV_FREQUENCY)
                   ? BATCH_SYNC
                   : BATCH_EVENTS;
    }
}

/* Reads the header at `at`, up to the payload. Returns false if there is none, or one of another
 * generation. */
static bool read_header(const recover_generation *g, uint8_t *at, const uint8_t *end,
                        recover_batch *batch, uint64_t *size)
{
    uint64_t number;
    *batch = (recover_batch){.bytes = at};
    if (at >= end || (*at != WIRE_EV_EVENT_BATCH && *at != WIRE_EV_EXPERIMENTAL_BATCH))
        return false;
    const uint8_t *next = at + (*at == WIRE_EV_EXPERIMENTAL_BATCH ? 2 : 1);
    if (next > end || !(next = wire_varint_decode(next, end, &number)) ||
        !(next = wire_varint_decode(next, end, &batch->m)) ||
        !(next = wire_varint_decode(next, end, &batch->time)) || end - next < WIRE_VARINT_MAX ||
        number != g->number)
        return false;
    batch->payload = at + (next - at) + WIRE_VARINT_MAX;
    return wire_varint_decode(next, end, size) == batch->payload;
}

/* Tables that were being dumped are taken from the table chunks, where everything is. */
static bool is_wanted(const recover_generation *g, const recover_batch *batch)
{
    if (batch->payload == batch->end)
        return false;
    if (batch->class == BATCH_STRINGS)
        return g->state == WIRE_FLIGHT_COMPLETE;
    if (batch->class == BATCH_STACKS)
        return g->state != WIRE_FLIGHT_WRITTEN;
    return true;
}

static int add_batch(recover_generation *g, recover_batch *batch)
{
    batch->class = batch->payload < batch->end ? classify(batch, g->format) : BATCH_EVENTS;
    return is_wanted(g, batch) ? generation_add(g, batch) : 0;
}

static int add_open(recover_generation *g, uint8_t *at, uint8_t *end)
{
    recover_batch batch;
    uint64_t size;
    /* The size field need not hold a number. */
    if (!read_header(g, at, end, &batch, &size) && !batch.payload)
        return 0;
    batch.end = end;
    /* Of what is not events nobody promised that it consists of whole entries. */
    return batch.payload < end && classify(&batch, g->format) == BATCH_OTHER ? 0
                                                                             : add_batch(g, &batch);
}

static int add_whole(recover_generation *g, uint8_t *at, uint8_t *end)
{
    recover_batch batch;
    uint64_t size;
    int status = 0;
    while (status == 0 && read_header(g, at, end, &batch, &size) &&
           size <= (uint64_t)(end - batch.payload)) {
        batch.end = at = batch.payload + size;
        status = add_batch(g, &batch);
    }
    return status;
}

/* ---- Loading ---- */

static int add_buffer(recover_generation *g, const flight_file *file, size_t index, uint8_t *chunk)
{
    const wire_flight_buffer *buffer = (const void *)chunk;
    uint64_t address = file->head.address + index * file->head.chunk_size;
    uint64_t used = buffer->at - address;
    if (used < sizeof *buffer || used > file->head.chunk_size)
        return 0;
    uint8_t *data = chunk + sizeof *buffer, *end = chunk + used;
    return file->directory[index].kind == WIRE_FLIGHT_OPEN ? add_open(g, data, end)
                                                           : add_whole(g, data, end);
}

static int add_table(recover_generation *g, unsigned which, uint8_t *chunk)
{
    size_t count = g->table_count[which] + 1;
    uint8_t **larger = realloc(g->tables[which], count * sizeof *larger);
    if (!larger)
        return -ENOMEM;
    larger[count - 1] = chunk;
    g->tables[which] = larger;
    g->table_count[which] = count;
    return 0;
}

static int load_chunk(recover_generation *g, const flight_file *file, size_t index)
{
    uint64_t kind = file->directory[index].kind;
    if (kind == WIRE_FLIGHT_FREE || kind >= WIRE_FLIGHT_TYPES)
        return 0;
    uint8_t *chunk = generation_block(g, file->head.chunk_size);
    int status = chunk ? flight_file_chunk(file, index, chunk) : -ENOMEM;
    if (status < 0)
        return status;
    if (kind == WIRE_FLIGHT_STACKS || kind == WIRE_FLIGHT_STRINGS)
        return add_table(g, kind == WIRE_FLIGHT_STRINGS, chunk);
    return add_buffer(g, file, index, chunk);
}

int generation_load(recover_generation *g, const flight_file *file)
{
    int status = 0;
    g->format = file->head.format;
    for (size_t i = 0; status == 0 && i < file->head.chunks; i++)
        if (file->directory[i].generation == g->number)
            status = load_chunk(g, file, i);
    if (status == 0)
        generation_sort(g);
    return status;
}

/* ---- Order ---- */

static int by_place(const void *a, const void *b)
{
    const recover_batch *x = a, *y = b;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->m != y->m)
        return x->m < y->m ? -1 : 1;
    size_t xs = (size_t)(x->end - x->bytes), ys = (size_t)(y->end - y->bytes);
    return xs != ys ? (xs < ys ? -1 : 1) : memcmp(x->bytes, y->bytes, xs);
}

void generation_sort(recover_generation *g)
{
    if (!g->count)
        return;
    qsort(g->batches, g->count, sizeof *g->batches, by_place);
    size_t kept = 1;
    for (size_t i = 1; i < g->count; i++)
        if (by_place(&g->batches[kept - 1], &g->batches[i]) != 0)
            g->batches[kept++] = g->batches[i];
    g->count = kept;
}

/* ---- Events ---- */

const uint8_t *recover_event_read(const uint8_t *at, const uint8_t *end, recover_event *event)
{
    uint64_t delta;
    if (at >= end || !wire_event_is_timed(*at))
        return NULL;
    event->tag = *at++;
    const struct wire_event_spec *spec = &wire_event_specs[event->tag];
    at = wire_varint_decode(at, end, &delta);
    for (unsigned i = 0; at && i < spec->argc && i < WIRE_TIMED_MAX_ARGS; i++)
        at = wire_varint_decode(at, end, &event->args[i]);
    return at;
}

bool generation_has_events(const recover_generation *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->batches[i].class == BATCH_EVENTS)
            return true;
    return false;
}

uint64_t generation_time(const recover_generation *g)
{
    uint64_t time = UINT64_MAX;
    for (size_t i = 0; i < g->count; i++)
        if (g->batches[i].class == BATCH_EVENTS && g->batches[i].time < time)
            time = g->batches[i].time;
    return time;
}

static uint64_t count_events(const uint8_t *at, const uint8_t *end)
{
    recover_event event;
    uint64_t count = 0;
    while ((at = recover_event_read(at, end, &event)))
        count++;
    return count;
}

uint64_t generation_events(const recover_generation *g)
{
    uint64_t count = 0;
    for (size_t i = 0; i < g->count; i++)
        if (g->batches[i].class == BATCH_EVENTS)
            count += count_events(g->batches[i].payload, g->batches[i].end);
    return count;
}

/* Behind the last event that was delivered; the payload's beginning if none was. */
static uint8_t *end_of_kept(const recover_batch *batch)
{
    recover_event event;
    if (!batch->kept)
        return batch->payload;
    uint8_t *last = batch->bytes + (batch->kept - batch->offset);
    const uint8_t *end = recover_event_read(last, batch->end, &event);
    return end ? last + (end - last) : batch->payload;
}

uint64_t generation_cut(recover_generation *g)
{
    uint64_t before = generation_events(g);
    size_t kept = 0;
    for (size_t i = 0; i < g->count; i++) {
        recover_batch batch = g->batches[i];
        if (batch.class == BATCH_EVENTS) {
            batch.end = end_of_kept(&batch);
            wire_batch_finish(batch.payload, batch.end);
        }
        if (batch.end > batch.payload)
            g->batches[kept++] = batch;
    }
    g->count = kept;
    return before - generation_events(g);
}

/* ---- Writing ---- */

void recover_writer_start(recover_writer *writer, recover_generation *generation, batch_class class,
                          uint8_t kind)
{
    uint64_t time = generation_time(generation);
    *writer =
        (recover_writer){.generation = generation, .kind = kind, .class = class, .time = time};
}

bool recover_writer_reserve(recover_writer *writer, size_t size)
{
    recover_batch *batch = &writer->batch;
    if (batch->bytes && (size_t)(batch->end - batch->bytes) + size <= WIRE_BATCH_MAX)
        return true;
    if (recover_writer_finish(writer) < 0)
        return false;
    batch->bytes = generation_block(writer->generation, WIRE_BATCH_MAX);
    writer->failed = !batch->bytes;
    if (writer->failed)
        return false;
    batch->class = writer->class;
    batch->m = WIRE_NO_ID;
    batch->time = writer->time++; /* no two are the same */
    batch->payload =
        wire_batch_start(batch->bytes, writer->generation->number, batch->m, batch->time);
    batch->end = batch->payload;
    if (writer->kind)
        *batch->end++ = writer->kind;
    return true;
}

int recover_writer_finish(recover_writer *writer)
{
    if (writer->batch.bytes && generation_add(writer->generation, &writer->batch) < 0)
        writer->failed = true;
    writer->batch = (recover_batch){.bytes = NULL};
    return writer->failed ? -ENOMEM : 0;
}
