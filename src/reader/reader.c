/* SPDX-License-Identifier: MIT */
/*
 * The reader itself: one generation after the other; in each, the event at the frontier that can
 * advance is applied to the ordering state, checked and stamped (ordering.md 1, 2.5, 3.5, 3.6).
 */
#include "reader/reader.h"

#include "reader/stable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIVE 1

typedef unsigned long long ull;

/* -------- errors -------- */

static inline uint64_t event_offset(const struct reader_cursor *cursor)
{
    return cursor->offset + reader_cursor_event(cursor)->at;
}

__attribute__((noinline)) static int fail_event(weft_reader *reader,
                                                const struct reader_cursor *cursor,
                                                const char *rule, const char *why)
{
    return reader_fail(
        &reader->fault, rule, reader->gen.number, event_offset(cursor), "%s on thread %lld: %s",
        wire_event_specs[reader_cursor_event(cursor)->tag].name, (long long)cursor->m, why);
}

__attribute__((noinline)) static int fail_stuck(weft_reader *reader)
{
    const struct reader_cursor *cursor = &reader->cursors.at[reader->frontier.at[0].cursor];
    char why[256], text[384];
    reader_order_explain(&reader->order, reader_cursor_event(cursor), why, sizeof why);
    snprintf(text, sizeof text, "no event can be next; this one, the earliest of %u threads, %s",
             reader->frontier.count, why);
    return fail_event(reader, cursor, "ORD-1", text);
}

/* -------- delivery -------- */

/* Stamps an event so that times strictly increase, and counts it as delivered. */
static int deliver(weft_reader *reader, weft_event *event)
{
    if (event->time <= reader->last)
        event->time = (int64_t)((uint64_t)reader->last + 1);
    reader->last = event->time;
    return LIVE;
}

static int deliver_sync(weft_reader *reader, weft_event *event, int64_t time, bool has_data)
{
    *event = (weft_event){.time = time,
                          .kind = WEFT_EVENT_SYNC,
                          .m = WEFT_ID_NONE,
                          .p = WEFT_ID_NONE,
                          .g = WEFT_ID_NONE,
                          .id = ++reader->syncs};
    reader->sync_has_data = has_data;
    reader->shown = reader->gen.number;
    return deliver(reader, event);
}

/* -------- generations -------- */

void reader_cursors_close(weft_reader *reader)
{
    if (reader->team)
        reader_team_rest(reader->team);
    for (uint32_t i = 0; i < reader->cursors.count; i++)
        reader_cursor_fini(&reader->cursors.at[i], &reader->gen);
    reader->cursors.count = 0;
}

/* What the lanes of a generation may take, in events. */
#define LANE_EVENTS ((uint32_t)1 << 15)

/* Events in a block: fewer where there are more streams. */
static uint32_t block_size(uint32_t streams)
{
    uint32_t size = LANE_EVENTS / READER_LANE_BLOCKS / streams;
    return size < 256 ? size : 256;
}

static int open_cursor(weft_reader *reader, const struct reader_stream *stream)
{
    struct reader_cursor cursor;
    uint32_t n = reader->gen.streams.count;
    struct reader_team *team = reader->team && block_size(n) >= 32 ? reader->team : NULL;
    enum reader_step step = reader_cursor_init(&cursor, &reader->gen, stream, team,
                                               team ? block_size(n) : READER_BLOCK);
    if (step == READER_STEP_EVENT) {
        struct reader_cursor *kept = READER_PUSH(&reader->cursors);
        if (kept) {
            *kept = cursor;
            kept->thread = stream->m == WEFT_ID_NONE ? 0 : READER_ABSENT;
            reader_frontier_push(&reader->frontier, reader_cursor_event(kept)->time,
                                 reader->cursors.count - 1);
            return 0;
        }
        step = READER_STEP_MEMORY;
    }
    int status = step == READER_STEP_END ? 0 : reader_cursor_fail(&cursor, &reader->gen, step);
    if (cursor.lane && cursor.lane->team)
        reader_team_rest(reader->team); /* it may be queued */
    reader_cursor_fini(&cursor, &reader->gen);
    return status;
}

static int open_cursors(weft_reader *reader)
{
    reader_cursors_close(reader);
    uint32_t n = reader->gen.streams.count;
    if (reader->team)
        reader_team_begin(reader->team, &reader->gen);
    if (!reader_frontier_reset(&reader->frontier, n))
        return reader_fail_memory(&reader->fault, reader->gen.number, reader->gen.offset);
    int status = 0;
    for (uint32_t i = 0; i < n && !status; i++)
        status = open_cursor(reader, &reader->gen.streams.at[i]);
    if (!status && !reader_parking_begin(&reader->parking, reader->cursors.count,
                                         reader->cursors.count >= reader->parking_least))
        status = reader_fail_memory(&reader->fault, reader->gen.number, reader->gen.offset);
    return status;
}

/* Whether the next event may be taken from the frontier without looking at anything else. */
static void set_plain(weft_reader *reader)
{
    reader->plain = reader->frontier.count > 0;
}

static void set_sample(weft_reader *reader, uint32_t sample)
{
    reader->sample = sample;
    reader->sample_time =
        sample < reader->gen.samples.count ? reader->gen.samples.at[sample].time : INT64_MAX;
}

/* Opens the next generation, or ends the trace; a sync is delivered in either case. */
__attribute__((noinline)) static int next_generation(weft_reader *reader, weft_event *event)
{
    reader->running = reader->plain = false;
    int status = reader_gather_next(&reader->gather, &reader->gen);
    if (status <= 0) {
        reader->next_status = status;
        return deliver_sync(reader, event, reader->last, false);
    }
    status = open_cursors(reader);
    if (status)
        return status;
    reader_order_set_generation(&reader->order, &reader->gen, reader->frontier.count > 0);
    set_sample(reader, 0);
    reader->running = true;
    set_plain(reader);
    reader->generations++;
    reader->offset = reader->gen.offset;
    return deliver_sync(reader, event, reader_time(reader->gen.unit, reader->gen.min_time), true);
}

/* -------- samples -------- */

__attribute__((noinline)) static int deliver_sample(weft_reader *reader, weft_event *event)
{
    const struct reader_sample *sample = &reader->gen.samples.at[reader->sample];
    set_sample(reader, reader->sample + 1);
    uint32_t stack = reader_idmap_find(&reader->gen.stack_of, sample->stack);
    if (stack == READER_ABSENT) {
        reader_warn(reader->warnings, READER_ODD_SAMPLE_STACK, reader->gen.number, sample->offset);
        stack = 0;
    }
    reader->offset = sample->offset;
    *event = (weft_event){.time = sample->time,
                          .kind = WEFT_EVENT_STACK_SAMPLE,
                          .m = sample->m,
                          .p = sample->p,
                          .g = sample->g ? sample->g : WEFT_ID_NONE,
                          .stack = stack,
                          .wire = WIRE_EV_CPU_SAMPLE};
    return deliver(reader, event);
}

/* -------- events -------- */

/* Why the ordering gave a negative errno value, which it returns. */
__attribute__((noinline)) static int explain(weft_reader *reader,
                                             const struct reader_cursor *cursor, int status)
{
    if (status == -ENOMEM)
        return reader_fail_memory(&reader->fault, reader->gen.number, event_offset(cursor));
    return fail_event(reader, cursor, reader->order.rule, reader->order.message);
}

/* Tries the event of a cursor: an outcome (order.h), or a negative errno value, explained. */
static inline int try_cursor(weft_reader *reader, struct reader_cursor *cursor, weft_event *event)
{
    struct reader_order *order = &reader->order;
    if (__builtin_expect(cursor->thread == READER_ABSENT, 0)) {
        cursor->thread = reader_order_thread(order, cursor->m, true);
        if (cursor->thread == READER_ABSENT)
            return reader_fail_memory(&reader->fault, reader->gen.number, event_offset(cursor));
    }
    int status = reader_order_try(order, cursor->thread, reader_cursor_event(cursor), event);
    return __builtin_expect(status < 0, 0) ? explain(reader, cursor, status) : status;
}

/* Names the first reference of an event that leads nowhere: stacks first. */
__attribute__((noinline)) static int fail_reference(weft_reader *reader,
                                                    const struct reader_wire_event *from)
{
    const struct reader_generation *gen = &reader->gen;
    const struct reader_references *refs = &gen->references[from->tag];
    const uint8_t args[] = {refs->stack, refs->resource_stack, refs->strings[0], refs->strings[1]};
    unsigned i = 0;
    while (i < 3 && reader_idmap_find(i < 2 ? &gen->stack_of : &gen->string_of,
                                      from->args[args[i]]) != READER_ABSENT)
        i++;
    return reader_fail(&reader->fault, i < 2 ? "IDS-1" : "IDS-2", gen->number, reader->offset,
                       "%s refers to %s %llu, which does not exist",
                       wire_event_specs[from->tag].name, i < 2 ? "stack" : "string",
                       (ull)from->args[args[i]]);
}

/* The cursor at a place has no next event, or an undecodable one. */
__attribute__((noinline)) static int end_cursor(weft_reader *reader, uint32_t place,
                                                const struct reader_cursor *cursor,
                                                enum reader_step step)
{
    if (step != READER_STEP_END)
        return reader_cursor_fail(cursor, &reader->gen, step);
    reader_frontier_remove(&reader->frontier, place);
    reader->plain = reader->plain && reader->frontier.count > 0;
    return 0;
}

/*
 * The event of the entry at a place has advanced: goes to the next one of its cursor. An
 * undecodable next event comes first, then missing references of this one, as Go's reader reports
 * them.
 */
static inline __attribute__((always_inline)) int finish_event(weft_reader *reader, uint32_t place,
                                                              struct reader_cursor *cursor,
                                                              int outcome, weft_event *event)
{
    const struct reader_wire_event *from = reader_cursor_event(cursor);
    struct reader_wire_event bad;
    bool missing = from->missing;
    reader->offset = event_offset(cursor);
    if (__builtin_expect(missing, 0))
        bad = *from;

    enum reader_step step = reader_cursor_step(cursor, &reader->gen);
    if (__builtin_expect(step == READER_STEP_EVENT, 1)) {
        reader_frontier_rekey(&reader->frontier, place, reader_cursor_event(cursor)->time);
    } else {
        int status = end_cursor(reader, place, cursor, step);
        if (status)
            return status;
    }
    if (__builtin_expect(missing, 0))
        return fail_reference(reader, &bad);
    if (__builtin_expect(outcome == READER_ADVANCE_QUEUED, 0)) {
        reader->queue_at = 0;
        reader->plain = false;
    }
    return deliver(reader, event);
}

/* Not at the root: seldom. */
__attribute__((noinline)) static int finish_other(weft_reader *reader, uint32_t place,
                                                  struct reader_cursor *cursor, int outcome,
                                                  weft_event *event)
{
    return finish_event(reader, place, cursor, outcome, event);
}

/* Like try_cursor, and finishes an event that advances: 1, READER_WAIT, or a negative errno value.
 */
static inline int try_place(weft_reader *reader, uint32_t place, weft_event *event)
{
    struct reader_frontier *frontier = &reader->frontier;
    struct reader_cursor *cursor = &reader->cursors.at[reader_frontier_at(frontier, place)->cursor];
    int status = try_cursor(reader, cursor, event);
    return status > 0 ? finish_other(reader, place, cursor, status, event) : status;
}

/* The root waits: tries the other cursors in order of time, and what took its place at last. */
static int advance_other(weft_reader *reader, weft_event *event)
{
    struct reader_frontier *frontier = &reader->frontier;
    reader_frontier_sort(frontier);
    for (uint32_t i = 1; i <= frontier->count; i++) {
        int status = try_place(reader, i % frontier->count, event);
        if (status != READER_WAIT)
            return status;
    }
    return fail_stuck(reader);
}

/* The event at a place waits, in a generation of many threads: it is not tried before what it waits
 * for. */
static int park(weft_reader *reader, uint32_t place)
{
    struct reader_frontier *frontier = &reader->frontier;
    const struct reader_cursor *cursor =
        &reader->cursors.at[reader_frontier_at(frontier, place)->cursor];
    if (reader_parking_add(&reader->parking, frontier, place, &reader->order,
                           reader_cursor_event(cursor)))
        return READER_WAIT;
    return reader_fail_memory(&reader->fault, reader->gen.number, event_offset(cursor));
}

/* Like try_place, in a generation of many threads. */
static int try_parking(weft_reader *reader, uint32_t place, weft_event *event)
{
    struct reader_frontier *frontier = &reader->frontier;
    struct reader_cursor *cursor = &reader->cursors.at[reader_frontier_at(frontier, place)->cursor];
    int status = try_cursor(reader, cursor, event);
    if (status <= 0)
        return status < 0 ? status : park(reader, place);
    reader_parking_wake(&reader->parking, frontier, &reader->order, reader_cursor_event(cursor),
                        event);
    return finish_other(reader, place, cursor, status, event);
}

/* Like advance_other, in a generation of many threads. */
static int advance_ready(weft_reader *reader, weft_event *event)
{
    reader_frontier_sort(&reader->frontier);
    for (uint32_t place; (place = reader_frontier_ready(&reader->frontier)) != READER_NOWHERE;) {
        int status = try_parking(reader, place, event);
        if (status != READER_WAIT)
            return status;
    }
    return fail_stuck(reader);
}

/* Somebody is parked, perhaps at the root. */
__attribute__((noinline)) static int advance_parking(weft_reader *reader, weft_event *event)
{
    int status = READER_WAIT;
    if (!reader->frontier.at[0].waits)
        status = try_parking(reader, 0, event);
    return status == READER_WAIT ? advance_ready(reader, event) : status;
}

/* The event at the root was tried and waits. */
__attribute__((noinline)) static int advance_past(weft_reader *reader, weft_event *event)
{
    if (!reader->parking.on)
        return advance_other(reader, event);
    int status = park(reader, 0);
    return status == READER_WAIT ? advance_ready(reader, event) : status;
}

/* Nobody is parked. */
static inline int advance(weft_reader *reader, weft_event *event)
{
    struct reader_cursor *cursor = &reader->cursors.at[reader->frontier.at[0].cursor];
    int status = try_cursor(reader, cursor, event);
    if (__builtin_expect(status > 0, 1))
        return finish_event(reader, 0, cursor, status, event);
    return status < 0 ? status : advance_past(reader, event);
}

static int next_queued(weft_reader *reader, weft_event *event)
{
    *event = reader->order.queue[reader->queue_at++];
    if (reader->queue_at == reader->order.queued) {
        reader->order.queued = 0;
        set_plain(reader);
    }
    return deliver(reader, event);
}

/* What is not plain: ends, queued events, samples behind all others, generations. */
__attribute__((noinline)) static int next_other(weft_reader *reader, weft_event *event)
{
    if (reader->status != LIVE)
        return reader->status;
    reader->status = reader->next_status;
    if (reader->status != LIVE)
        return reader->status;
    if (reader->order.queued)
        return next_queued(reader, event);
    if (reader->running && reader->sample < reader->gen.samples.count)
        return deliver_sample(reader, event);
    return next_generation(reader, event);
}

/* From now on the reader returns what it returns now. */
__attribute__((noinline)) static int stop(weft_reader *reader, int status)
{
    reader->plain = false;
    return reader->status = reader->next_status = status;
}

__attribute__((noinline)) static int make_stable(weft_reader *reader, weft_event *event)
{
    if (reader_stable_event(reader->stable, event) == 0)
        return LIVE;
    return reader_fail_memory(&reader->fault, reader->gen.number, reader->offset);
}

int weft_reader_next(weft_reader *reader, weft_event *event)
{
    int status;
    if (__builtin_expect(!reader->plain, 0))
        status = next_other(reader, event);
    else if (__builtin_expect(reader->sample_time < reader->frontier.at[0].time, 0))
        status = deliver_sample(reader, event);
    else if (__builtin_expect(reader->parking.parked, 0))
        status = advance_parking(reader, event);
    else
        status = advance(reader, event);
    if (__builtin_expect(reader->stable != NULL, 0) && status == LIVE)
        status = make_stable(reader, event);
    return __builtin_expect(status < 0, 0) ? stop(reader, status) : status;
}
