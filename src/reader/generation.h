/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_GENERATION_H
#define WEFT_READER_GENERATION_H

/*
 * One generation in memory: its batches' bytes, its tables, and for each thread the list of its
 * event batches. gather.c fills it from the input, tables.c decodes the tables' batches. Everything
 * refers by index; bytes of strings are not copied out of their batch.
 */

#include "reader/memory.h"
#include "reader/fault.h"
#include "reader/map.h"
#include "reader/source.h"
#include "wire/events.h"

struct reader_batch {
    const uint8_t *data; /* payload; at least READER_SLACK readable bytes follow it */
    uint32_t size;
    uint32_t next;   /* next event batch of the same thread, or READER_ABSENT */
    uint64_t offset; /* of the payload, in the trace */
    uint64_t gen, m, time;
    uint8_t experiment;
    bool end; /* end mark: no other field counts */
};

/* Decoders may read this far behind a payload. */
#define READER_SLACK 16

/* A thread and its event batches in file order. */
struct reader_stream {
    uint64_t m;
    uint32_t first, last;
};

struct reader_string {
    const uint8_t *data;
    uint32_t size;
    uint32_t pool; /* its number in the reader's pool, or READER_ABSENT while not asked for */
};

/* Stack i has the frames first .. first + count - 1 of frames. */
struct reader_stack {
    uint32_t first, count;
};

/* What is known of a program counter: one record for each, the first definition counts. */
struct reader_pc {
    uint64_t pc, function, file, line; /* function and file are string ids until the end, */
    uint64_t offset;                   /* then indices; offset of the frame in the trace */
};

struct reader_sample {
    int64_t time; /* ns */
    uint64_t units, m, p, g, stack;
    uint64_t offset;
};

struct reader_clock {
    uint64_t units; /* batch time + dt */
    uint64_t mono, sec, nsec;
};

/* args[READER_NO_ARG] of an event is always 0, so that what refers to nothing needs no branch. */
#define READER_NO_ARG WIRE_TIMED_MAX_ARGS

/* Which arguments of an event refer to tables; READER_NO_ARG for none. */
struct reader_references {
    uint8_t stack;          /* of the context */
    uint8_t resource_stack; /* of what the event is about; may be the same */
    uint8_t strings[2];
};

struct reader_generation {
    struct reader_references references[WIRE_EVENT_LIMIT]; /* by tag */
    unsigned version;
    uint64_t number;
    bool numbered;     /* number is set */
    uint64_t offset;   /* of its first batch */
    uint64_t min_time; /* 0 while unset */
    double unit;       /* ns per unit of time */
    uint64_t frequency;
    struct reader_clock clock;
    bool has_frequency, has_clock;

    READER_VEC(struct reader_batch) batches;
    READER_VEC(struct reader_stream) streams; /* in order of first appearance */
    struct reader_map stream_of;              /* thread → stream */
    READER_VEC(struct reader_batch) experiments;

    READER_VEC(struct reader_string) strings; /* 0 is the empty string */
    struct reader_idmap string_of;
    READER_VEC(struct reader_stack) stacks; /* 0 is no stack */
    struct reader_idmap stack_of;
    READER_VEC(uint32_t) frames; /* indices of pcs */
    READER_VEC(struct reader_pc) pcs;
    struct reader_map pc_of;
    READER_VEC(struct reader_sample) samples; /* sorted by time when complete */

    struct reader_arena payloads;
    struct reader_budget *budget;
    struct reader_fault *fault;
};

/* What a reader accepts though it is wrong. */
enum reader_oddity {
    READER_ODD_UNFINISHED,   /* a generation without event batches at the end, dropped */
    READER_ODD_FREQUENCY,    /* frequency 0: times mean nothing */
    READER_ODD_SAMPLE_STACK, /* CPU sample with an unknown stack */
    READER_ODD_EXPERIMENT,   /* batches of an unknown experiment */
    READER_ODD_LIMIT,
};

/*
 * Reading batches. In versions below 26 the first batch of the next generation tells that one is
 * complete: it, or the error met in its place, is kept here until its turn.
 */
struct reader_gather {
    struct reader_source *source;
    unsigned version;
    bool has_spill, failed;
    uint64_t spill_start; /* of the spilled batch's first byte */
    struct reader_batch spill;
    uint8_t *spill_data;
    int error; /* status to report when failed */
    struct reader_fault *fault;
    weft_reader_warning *warnings; /* READER_ODD_LIMIT of them */
};

void reader_generation_init(struct reader_generation *gen, unsigned version,
                            struct reader_budget *budget, struct reader_fault *fault);
void reader_generation_fini(struct reader_generation *gen);

/* Reads the next generation. 1, 0 at the end of the trace, or a negative errno value, explained. */
int reader_gather_next(struct reader_gather *gather, struct reader_generation *gen);
void reader_gather_fini(struct reader_gather *gather);

/* Counts a warning, with the place of the first of its kind. */
void reader_warn(weft_reader_warning *warnings, enum reader_oddity oddity, uint64_t generation,
                 uint64_t offset);

/* Decode the batches of tables. 0 or a negative errno value, explained. */
int reader_table_strings(struct reader_generation *gen, const struct reader_batch *batch);
int reader_table_stacks(struct reader_generation *gen, const struct reader_batch *batch);
int reader_table_samples(struct reader_generation *gen, const struct reader_batch *batch);
int reader_table_clock(struct reader_generation *gen, const struct reader_batch *batch);
/* Forgets all entries, and makes those of id 0. */
int reader_table_reset(struct reader_generation *gen);
/* Resolves what refers between tables, once all are complete. */
int reader_table_finish(struct reader_generation *gen);

/* ns from units of time: truncated, and what does not fit becomes the least number. */
static inline int64_t reader_time(double unit, uint64_t units)
{
    double ns = (double)units * unit;
    return ns < 9223372036854775808.0 ? (int64_t)ns : INT64_MIN;
}

#endif
