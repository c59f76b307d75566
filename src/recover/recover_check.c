/* SPDX-License-Identifier: MIT */
/*
 * The trace is put together in memory and read by weft's own reader and strict validator before
 * anybody sees it. What was delivered in each batch is noted: if the reader stops somewhere, that
 * is exactly the part which can be ordered.
 */
#include "recover/recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Putting it together ---- */

static size_t batch_size(const recover_batch *batch)
{
    return (size_t)(batch->end - batch->bytes);
}

static size_t total_size(const recover_trace *trace)
{
    size_t size = WIRE_HEADER_SIZE + trace->count;
    for (size_t i = 0; i < trace->count; i++)
        for (size_t k = 0; k < trace->generations[i].count; k++)
            size += batch_size(&trace->generations[i].batches[k]);
    return size;
}

int recover_assemble(recover_trace *trace)
{
    uint8_t *bytes = realloc(trace->bytes, total_size(trace));
    if (!bytes)
        return -ENOMEM;
    trace->bytes = bytes;
    wire_header_encode(bytes, trace->format);
    uint8_t *at = bytes + WIRE_HEADER_SIZE;
    for (size_t i = 0; i < trace->count; i++) {
        recover_generation *g = &trace->generations[i];
        for (size_t k = 0; k < g->count; k++) {
            recover_batch *batch = &g->batches[k];
            batch->offset = (uint64_t)(at - bytes);
            batch->kept = 0;
            memcpy(at, batch->bytes, batch_size(batch));
            at += batch_size(batch);
        }
        if (trace->format >= 26)
            *at++ = WIRE_EV_END_OF_GENERATION;
    }
    trace->size = (size_t)(at - bytes);
    return 0;
}

/* ---- Reading it ---- */

typedef struct reading {
    const recover_trace *trace;
    size_t at;
} reading;

static ptrdiff_t read_bytes(void *context, void *data, size_t size)
{
    reading *r = context;
    size_t left = r->trace->size - r->at;
    size = size < left ? size : left;
    memcpy(data, r->trace->bytes + r->at, size);
    r->at += size;
    return (ptrdiff_t)size;
}

/* The batch around an offset of the trace, in generation g. */
static recover_batch *batch_around(const recover_generation *g, uint64_t offset)
{
    size_t low = 0, high = g->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (g->batches[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &g->batches[low - 1] : NULL;
}

static size_t index_of(const recover_trace *trace, uint64_t number)
{
    for (size_t i = 0; i < trace->count; i++)
        if (trace->generations[i].number == number)
            return i;
    return trace->count - 1;
}

static void note_delivered(const recover_trace *trace, const weft_reader *reader)
{
    uint64_t offset = weft_reader_event_offset(reader);
    const recover_generation *g =
        &trace->generations[index_of(trace, weft_reader_generation(reader))];
    recover_batch *batch = batch_around(g, offset);
    if (batch && offset < batch->offset + batch_size(batch) && batch->kept < offset)
        batch->kept = offset;
}

/* 1: valid; 0: not, and explained; or -ENOMEM. */
static int read_through(const recover_trace *trace, weft_reader *reader, weft_validator *validator,
                        weft_recovery *result)
{
    weft_event event;
    weft_complaint complaint;
    int status;
    while ((status = weft_reader_next(reader, &event)) == 1) {
        int opinion = weft_validator_event(validator, &event, &complaint);
        if (opinion < 0)
            return opinion;
        if (opinion)
            return recover_say(result, 0, "%s: %s", complaint.rule, complaint.message);
        if (event.kind != WEFT_EVENT_SYNC)
            note_delivered(trace, reader);
    }
    if (status == 0)
        return 1;
    const weft_reader_error *error = weft_reader_error_get(reader);
    return recover_say(result, status == -EBADMSG ? 0 : status, "%s: %s", error->rule,
                       error->message);
}

int recover_check(recover_trace *trace, size_t *failed, weft_recovery *result)
{
    reading r = {.trace = trace};
    weft_reader *reader;
    weft_validator *validator = NULL;
    int status = weft_reader_open_callback(&reader, read_bytes, &r);
    if (status == 0)
        status = weft_validator_new(&validator, reader);
    if (status == 0)
        status = read_through(trace, reader, validator, result);
    *failed = 0;
    if (status == 0) {
        const weft_reader_error *error = weft_reader_error_get(reader);
        *failed =
            index_of(trace, *error->rule ? error->generation : weft_reader_generation(reader));
    }
    weft_validator_free(validator);
    weft_reader_free(reader);
    return status;
}
