/* SPDX-License-Identifier: MIT */
/* Decoding of timed events: ordering.md 3.2 and 3.3. */
#include "reader/decode.h"

#include <string.h>

#include "reader/team.h"
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
 * Decodes the numbers of an event. Returns their end; NULL and decoder->bad if one is malformed.
 *
 * Rejected: all numbers from one 64-bit word without a branch on their lengths. It costs the same
 * for each event, about 35 cycles; the branches cost less, since most numbers have one byte and the
 * rest follow the kind of event (25 M events/s against 34 M).
 */
static inline const uint8_t *decode_numbers(struct reader_decoder *decoder, const uint8_t *at,
                                            const uint8_t *end, unsigned numbers, uint64_t *delta,
                                            struct reader_wire_event *event)
{
    at = wire_varint_decode(at, end, delta);
    if (__builtin_expect(!at, 0))
        decoder->bad = "DEC-3";
    for (unsigned i = 0; at && i < numbers; i++) {
        at = wire_varint_decode(at, end, &event->args[i]);
        if (__builtin_expect(!at, 0))
            decoder->bad = "DEC-4";
    }
    return at;
}

/*
 * Decodes one event and returns its end; NULL and decoder->bad if it is malformed. A running time
 * of 0 means "not started": the batch's time is then added, as Go's reader does.
 */
static inline const uint8_t *decode_event(struct reader_decoder *decoder, double unit,
                                          const uint8_t *at, const uint8_t *end,
                                          struct reader_wire_event *event)
{
    unsigned tag = *at++;
    unsigned numbers = numbers_of[tag];
    uint64_t delta;
    if (__builtin_expect(numbers == NOT_TIMED, 0)) {
        decoder->bad = tag >= WIRE_EVENT_LIMIT ? "DEC-1" : "DEC-2";
        return NULL;
    }
    at = decode_numbers(decoder, at, end, numbers, &delta, event);
    if (__builtin_expect(!at, 0))
        return NULL;
    int64_t base = decoder->time == 0 ? decoder->batch_time : decoder->time;
    decoder->time = (int64_t)((uint64_t)base + (uint64_t)reader_time(unit, delta));
    event->time = decoder->time;
    event->tag = (uint8_t)tag;
    return at;
}

/*
 * Resolves the stacks of an event and checks its strings. All references are looked up, whatever
 * the event has: no branch depends on its kind. Indices are below 2^31, READER_ABSENT is not. The
 * tables are copies on the stack, which the compiler knows that no store into an event changes.
 */
static inline void resolve(const struct reader_generation *gen, const struct reader_idmap *stacks,
                           const struct reader_idmap *strings, struct reader_wire_event *event)
{
    const struct reader_references *refs = &gen->references[event->tag];
    uint32_t stack = reader_idmap_find(stacks, event->args[refs->stack]);
    uint32_t resource = reader_idmap_find(stacks, event->args[refs->resource_stack]);
    uint32_t string_0 = reader_idmap_find(strings, event->args[refs->strings[0]]);
    uint32_t string_1 = reader_idmap_find(strings, event->args[refs->strings[1]]);
    event->stack = stack;
    event->resource_stack = resource;
    event->missing = (stack | resource | string_0 | string_1) >> 31;
}

/* Decodes up to `room` events of the decoder's batch; returns how many. */
static uint32_t decode_events(struct reader_decoder *decoder, const struct reader_generation *gen,
                              struct reader_wire_event *events, uint32_t room)
{
    const uint8_t *data = gen->batches.at[decoder->batch].data;
    const uint8_t *at = decoder->next, *end = decoder->end;
    struct reader_decoder state = *decoder;
    const struct reader_idmap stacks = gen->stack_of, strings = gen->string_of;
    const double unit = gen->unit;
    uint32_t count = 0;
    while (count < room && at < end) {
        struct reader_wire_event *event = &events[count];
        event->at = (uint32_t)(at - data);
        const uint8_t *next = decode_event(&state, unit, at, end, event);
        if (!next)
            break;
        resolve(gen, &stacks, &strings, event);
        at = next;
        count++;
    }
    *decoder = state;
    decoder->next = at;
    return count;
}

/* Asks for the line of an event that will be written and is in another processor's cache. */
static inline void claim(const struct reader_wire_event *event)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" ::"m"(*event)); /* what the builtin becomes only by an option */
#else
    __builtin_prefetch(event, 1);
#endif
}

#define STAGE 32u

/*
 * Like decode_events, for events that another processor has read and will read: their lines are
 * claimed first, some events are decoded into a stage of our own meanwhile, and then copied.
 * Writing field by field into lines that are elsewhere takes twice the time of all the rest on
 * machines with a long way between processors.
 */
static uint32_t decode_staged(struct reader_decoder *decoder, const struct reader_generation *gen,
                              struct reader_wire_event *events, uint32_t room)
{
    struct reader_wire_event stage[STAGE] = {0};
    uint32_t count = 0, n;
    do {
        uint32_t most = room - count < STAGE ? room - count : STAGE;
        for (uint32_t i = 0; i < most; i++)
            claim(&events[count + i]);
        n = decode_events(decoder, gen, stage, most);
        memcpy(events + count, stage, n * sizeof *stage);
        count += n;
    } while (n == STAGE && count < room);
    return count;
}

static void open_batch(struct reader_decoder *decoder, const struct reader_generation *gen,
                       uint32_t index)
{
    const struct reader_batch *batch = &gen->batches.at[index];
    decoder->batch = index;
    decoder->next = batch->data;
    decoder->end = batch->data + batch->size;
    decoder->batch_time = reader_time(gen->unit, batch->time);
    decoder->time = 0;
}

void reader_lane_decode(struct reader_lane *lane, const struct reader_generation *gen, uint32_t at)
{
    struct reader_decoder *decoder = &lane->decoder;
    struct reader_block *block = &lane->ring[at];
    *block = (struct reader_block){.step = READER_STEP_END};
    while (decoder->next == decoder->end) {
        uint32_t next = gen->batches.at[decoder->batch].next;
        if (next == READER_ABSENT)
            return;
        open_batch(decoder, gen, next);
    }
    block->batch = decoder->batch;
    if (!decoder->bad)
        block->count = (lane->team ? decode_staged : decode_events)(
            decoder, gen, lane->events + (size_t)at * lane->size, lane->size);
    block->step = block->count ? READER_STEP_EVENT : READER_STEP_BAD;
}

/* Makes a block the cursor's own. */
static enum reader_step show(struct reader_cursor *cursor, const struct reader_generation *gen,
                             uint32_t at)
{
    const struct reader_block *block = &cursor->lane->ring[at];
    cursor->events = cursor->lane->events + (size_t)at * cursor->lane->size;
    cursor->at = 0;
    cursor->count = block->count;
    cursor->offset = gen->batches.at[block->batch].offset;
    return block->step;
}

enum reader_step reader_cursor_refill(struct reader_cursor *cursor,
                                      const struct reader_generation *gen)
{
    struct reader_lane *lane = cursor->lane;
    if (lane->team)
        return show(cursor, gen, reader_team_take(lane));
    reader_lane_decode(lane, gen, 0);
    return show(cursor, gen, 0);
}

/* A block no larger than the longest batch can fill, which is bounded by what was read. */
static uint32_t block_size(const struct reader_generation *gen, const struct reader_stream *stream,
                           uint32_t limit)
{
    uint32_t size = 0;
    for (uint32_t i = stream->first; i != READER_ABSENT && size < limit;
         i = gen->batches.at[i].next) {
        uint32_t events = gen->batches.at[i].size / 2 + 1;
        size = events > size ? events : size;
    }
    return size < limit ? size : limit;
}

static size_t lane_bytes(const struct reader_lane *lane)
{
    return sizeof *lane + (size_t)lane->blocks * lane->size * sizeof *lane->events;
}

enum reader_step reader_cursor_init(struct reader_cursor *cursor,
                                    const struct reader_generation *gen,
                                    const struct reader_stream *stream, struct reader_team *team,
                                    uint32_t block)
{
    struct reader_lane lane = {.team = team,
                               .blocks = team ? READER_LANE_BLOCKS : 1,
                               .size = block_size(gen, stream, block)};
    size_t bytes = lane_bytes(&lane);
    *cursor = (struct reader_cursor){.m = stream->m, .lane = reader_malloc(gen->budget, bytes)};
    if (!cursor->lane)
        return READER_STEP_MEMORY;
    memset(cursor->lane, 0, bytes);
    *cursor->lane = lane;
    open_batch(&cursor->lane->decoder, gen, stream->first);
    reader_lane_decode(cursor->lane, gen, 0);
    if (team)
        reader_team_add(cursor->lane);
    return show(cursor, gen, 0);
}

void reader_cursor_fini(struct reader_cursor *cursor, const struct reader_generation *gen)
{
    if (cursor->lane)
        reader_free(gen->budget, cursor->lane, lane_bytes(cursor->lane));
    cursor->lane = NULL;
}

int reader_cursor_fail(const struct reader_cursor *cursor, const struct reader_generation *gen,
                       enum reader_step step)
{
    if (step == READER_STEP_MEMORY)
        return reader_fail_memory(gen->fault, gen->number, gen->offset);
    const struct reader_decoder *decoder = &cursor->lane->decoder;
    const struct reader_batch *batch = &gen->batches.at[decoder->batch];
    uint64_t offset = batch->offset + (uint64_t)(decoder->next - batch->data);
    unsigned tag = *decoder->next;
    const char *name = tag < WIRE_EVENT_LIMIT ? wire_event_specs[tag].name : NULL;
    switch (decoder->bad[4]) {
    case '1':
        return reader_fail(gen->fault, decoder->bad, gen->number, offset,
                           "thread %lld: no event has tag %u", (long long)batch->m, tag);
    case '2':
        return reader_fail(gen->fault, decoder->bad, gen->number, offset,
                           "thread %lld: tag %u (%s) is not that of a timed event",
                           (long long)batch->m, tag, name ? name : "undefined");
    default:
        return reader_fail(gen->fault, decoder->bad, gen->number, offset,
                           "thread %lld: %s has a malformed or cut off %s", (long long)batch->m,
                           name ? name : "event",
                           decoder->bad[4] == '3' ? "delta time" : "argument");
    }
}
