/* SPDX-License-Identifier: MIT */
/* Decoding of timed events: ordering.md 3.2 and 3.3. */
#include "reader/decode.h"

#include "wire/batch.h"

#define NOT_TIMED 0xff

/*
 * Numbers behind the delta time by tag. A clock snapshot decodes like a timed event and is rejected
 * when its turn comes.
 */
static const uint8_t numbers_of[256] = {
#define STRUCTURE(id, count)                             [id] = (id) == WIRE_EV_CLOCK_SNAPSHOT ? 3 : NOT_TIMED,
#define TIMED(id, count)                                 [id] = (count),
#define EXPERIMENT(id, count)                            [id] = (count),
#define WIRE_EVENT(id, symbol, name, since, shape, args) shape(id, WIRE_ARGC_##symbol)
#include "wire/events.def"
#undef STRUCTURE
#undef TIMED
#undef EXPERIMENT
    [0] = NOT_TIMED,
    [53 ... 127] = NOT_TIMED,
    [WIRE_EVENT_LIMIT... 255] = NOT_TIMED,
};

/*
 * Decodes the numbers of an event. Returns their end; NULL and cursor->bad if one is malformed.
 *
 * Rejected: all numbers from one 64-bit word without a branch on their lengths. It costs the same
 * for each event, about 35 cycles; the branches cost less, since most numbers have one byte and the
 * rest follow the kind of event (25 M events/s against 34 M).
 */
static inline const uint8_t *decode_numbers(struct reader_cursor *cursor, const uint8_t *at,
                                            const uint8_t *end, unsigned numbers, uint64_t *delta,
                                            struct reader_wire_event *event)
{
    at = wire_varint_decode(at, end, delta);
    if (__builtin_expect(!at, 0))
        cursor->bad = "DEC-3";
    for (unsigned i = 0; at && i < numbers; i++) {
        at = wire_varint_decode(at, end, &event->args[i]);
        if (__builtin_expect(!at, 0))
            cursor->bad = "DEC-4";
    }
    return at;
}

/*
 * Decodes one event and returns its end; NULL and cursor->bad if it is malformed. A running time of
 * 0 means "not started": the batch's time is then added, as Go's reader does.
 */
static inline const uint8_t *decode_event(struct reader_cursor *cursor, double unit,
                                          const uint8_t *at, const uint8_t *end,
                                          struct reader_wire_event *event)
{
    unsigned tag = *at++;
    unsigned numbers = numbers_of[tag];
    uint64_t delta;
    if (__builtin_expect(numbers == NOT_TIMED, 0)) {
        cursor->bad = tag >= WIRE_EVENT_LIMIT ? "DEC-1" : "DEC-2";
        return NULL;
    }
    at = decode_numbers(cursor, at, end, numbers, &delta, event);
    if (__builtin_expect(!at, 0))
        return NULL;
    int64_t base = cursor->time == 0 ? cursor->batch_time : cursor->time;
    cursor->time = (int64_t)((uint64_t)base + (uint64_t)reader_time(unit, delta));
    event->time = cursor->time;
    event->tag = (uint8_t)tag;
    return at;
}

/*
 * Resolves the stacks of an event and checks its strings. All references are looked up, whatever
 * the event has: no branch depends on its kind. Indices are below 2^31, READER_ABSENT is not.
 */
static inline void resolve(const struct reader_generation *gen, struct reader_wire_event *event)
{
    const struct reader_references *refs = &gen->references[event->tag];
    uint32_t stack = reader_idmap_find(&gen->stack_of, event->args[refs->stack]);
    uint32_t resource = reader_idmap_find(&gen->stack_of, event->args[refs->resource_stack]);
    uint32_t string_0 = reader_idmap_find(&gen->string_of, event->args[refs->strings[0]]);
    uint32_t string_1 = reader_idmap_find(&gen->string_of, event->args[refs->strings[1]]);
    event->stack = stack;
    event->resource_stack = resource;
    event->missing = (stack | resource | string_0 | string_1) >> 31;
}

static void decode_block(struct reader_cursor *cursor, const struct reader_generation *gen)
{
    const uint8_t *data = gen->batches.at[cursor->batch].data;
    const uint8_t *at = cursor->next, *end = cursor->end;
    uint32_t count = 0;
    while (count < cursor->size && at < end) {
        struct reader_wire_event *event = &cursor->events[count];
        event->at = (uint32_t)(at - data);
        const uint8_t *next = decode_event(cursor, gen->unit, at, end, event);
        if (!next)
            break;
        resolve(gen, event);
        at = next;
        count++;
    }
    cursor->next = at;
    cursor->count = count;
    cursor->at = 0;
}

static void open_batch(struct reader_cursor *cursor, const struct reader_generation *gen,
                       uint32_t index)
{
    const struct reader_batch *batch = &gen->batches.at[index];
    cursor->batch = index;
    cursor->m = batch->m;
    cursor->offset = batch->offset;
    cursor->next = batch->data;
    cursor->end = batch->data + batch->size;
    cursor->batch_time = reader_time(gen->unit, batch->time);
    cursor->time = 0;
}

enum reader_step reader_cursor_refill(struct reader_cursor *cursor,
                                      const struct reader_generation *gen)
{
    while (cursor->next == cursor->end) {
        uint32_t next = gen->batches.at[cursor->batch].next;
        if (next == READER_ABSENT)
            return READER_STEP_END;
        open_batch(cursor, gen, next);
    }
    if (!cursor->bad)
        decode_block(cursor, gen);
    else
        cursor->count = 0;
    return cursor->count ? READER_STEP_EVENT : READER_STEP_BAD;
}

/* A block no larger than the longest batch can fill, which is bounded by what was read. */
static uint32_t block_size(const struct reader_generation *gen, const struct reader_stream *stream)
{
    uint32_t size = 0;
    for (uint32_t i = stream->first; i != READER_ABSENT && size < READER_BLOCK;
         i = gen->batches.at[i].next) {
        uint32_t events = gen->batches.at[i].size / 2 + 1;
        size = events > size ? events : size;
    }
    return size < READER_BLOCK ? size : READER_BLOCK;
}

enum reader_step reader_cursor_init(struct reader_cursor *cursor,
                                    const struct reader_generation *gen,
                                    const struct reader_stream *stream)
{
    *cursor = (struct reader_cursor){.size = block_size(gen, stream)};
    cursor->events = calloc(cursor->size, sizeof *cursor->events);
    if (!cursor->events)
        return READER_STEP_MEMORY;
    open_batch(cursor, gen, stream->first);
    return reader_cursor_refill(cursor, gen);
}

void reader_cursor_fini(struct reader_cursor *cursor)
{
    free(cursor->events);
    cursor->events = NULL;
}

int reader_cursor_fail(const struct reader_cursor *cursor, const struct reader_generation *gen,
                       enum reader_step step)
{
    const struct reader_batch *batch = &gen->batches.at[cursor->batch];
    uint64_t offset = batch->offset + (uint64_t)(cursor->next - batch->data);
    if (step == READER_STEP_MEMORY)
        return reader_fail_memory(gen->fault, gen->number, offset);
    unsigned tag = *cursor->next;
    const char *name = tag < WIRE_EVENT_LIMIT ? wire_event_specs[tag].name : NULL;
    switch (cursor->bad[4]) {
    case '1':
        return reader_fail(gen->fault, cursor->bad, gen->number, offset,
                           "thread %lld: no event has tag %u", (long long)batch->m, tag);
    case '2':
        return reader_fail(gen->fault, cursor->bad, gen->number, offset,
                           "thread %lld: tag %u (%s) is not that of a timed event",
                           (long long)batch->m, tag, name ? name : "undefined");
    default:
        return reader_fail(gen->fault, cursor->bad, gen->number, offset,
                           "thread %lld: %s has a malformed or cut off %s", (long long)batch->m,
                           name ? name : "event",
                           cursor->bad[4] == '3' ? "delta time" : "argument");
    }
}
