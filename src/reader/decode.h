/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_DECODE_H
#define WEFT_READER_DECODE_H

/*
 * Cursors: the timed events of one thread in one generation, decoded a block at a time, so that
 * decoding runs in a tight loop of its own and the ordering finds the next events in cache. The
 * blocks of a cursor and the state of decoding are its lane: a lane of several blocks may be filled
 * by another thread (team.h).
 *
 * Invariant: a cursor that is not at its end has a current event. An undecodable event behind a
 * decoded one is reported when the cursor steps onto it, not when its block is decoded.
 */

#include "reader/generation.h"
#include "wire/events.h"

struct reader_wire_event {
    int64_t time;                           /* ns */
    uint64_t args[WIRE_TIMED_MAX_ARGS + 1]; /* those that the event has not are undefined */
    uint32_t stack, resource_stack;         /* indices */
    uint32_t at;                            /* offset in the payload */
    uint8_t tag;
    bool missing; /* refers to a stack or string that does not exist */
};

/* Enough that a block costs little more than its events, few enough for many cursors in cache. */
#define READER_BLOCK 64

enum reader_step { READER_STEP_EVENT, READER_STEP_END, READER_STEP_BAD, READER_STEP_MEMORY };

/* Where decoding stands in the batches of a stream. */
struct reader_decoder {
    uint32_t batch;            /* index */
    const uint8_t *next, *end; /* what is not yet decoded of it */
    int64_t batch_time, time;  /* ns */
    const char *bad;           /* rule which the bytes at next break, or NULL */
};

struct reader_block {
    uint32_t count; /* of events; all of one batch */
    uint32_t batch;
    enum reader_step step; /* what comes of this block: EVENT, or why there is none */
};

#define READER_LANE_BLOCKS 8

struct reader_team;

struct reader_lane {
    struct reader_decoder decoder;
    struct reader_team *team; /* whose threads fill it; NULL: nobody but the cursor */
    uint32_t blocks, size;    /* blocks of ring that are used, events in each */
    uint32_t filled, taken;   /* blocks ever; see team.c */
    uint8_t state, waiting;
    struct reader_lane *next;
    struct reader_block ring[READER_LANE_BLOCKS];
    struct reader_wire_event events[];
};

struct reader_cursor {
    struct reader_wire_event *events; /* the block */
    uint32_t at, count;               /* current event, events decoded */
    uint32_t thread;                  /* index in the ordering state */
    uint64_t m;                       /* id of the thread */
    uint64_t offset;                  /* of the batch's payload, in the trace */
    struct reader_lane *lane;
};

/*
 * Goes to the first event of a stream; the decoder's bad tells the rule of a READER_STEP_BAD. With
 * a team the lane is filled ahead, in blocks of `block` events.
 */
enum reader_step reader_cursor_init(struct reader_cursor *cursor,
                                    const struct reader_generation *gen,
                                    const struct reader_stream *stream, struct reader_team *team,
                                    uint32_t block);
void reader_cursor_fini(struct reader_cursor *cursor, const struct reader_generation *gen);

/* Decodes the next block of a lane into ring[at]. */
void reader_lane_decode(struct reader_lane *lane, const struct reader_generation *gen, uint32_t at);

/* For reader_cursor_step: decodes the next block. */
enum reader_step reader_cursor_refill(struct reader_cursor *cursor,
                                      const struct reader_generation *gen);

/* Goes to the next event. */
static inline enum reader_step reader_cursor_step(struct reader_cursor *cursor,
                                                  const struct reader_generation *gen)
{
    if (++cursor->at < cursor->count)
        return READER_STEP_EVENT;
    return reader_cursor_refill(cursor, gen);
}

static inline struct reader_wire_event *reader_cursor_event(const struct reader_cursor *cursor)
{
    return &cursor->events[cursor->at];
}

/* Explains a READER_STEP_BAD or _MEMORY. Returns a negative errno value. */
int reader_cursor_fail(const struct reader_cursor *cursor, const struct reader_generation *gen,
                       enum reader_step step);

#endif
