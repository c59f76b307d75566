/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_REWRITE_H
#define WEFT_READER_REWRITE_H

/*
 * Writes generations anew out of those in memory: tables whole, with indices as ids, and events as
 * they are handed over, for each thread in order. The first failure sticks.
 */

#include "reader/generation.h"
#include "wire/batch.h"

#define REWRITE_PAYLOAD 32768

struct rewrite_stream {
    uint64_t m, base, last; /* units of time: of the batch; of the last event */
    uint32_t used;
    uint8_t *payload; /* REWRITE_PAYLOAD bytes */
};

struct rewrite {
    weft_write_fn write;
    void *context;
    int status;
    uint64_t number; /* of the generation */
    READER_VEC(struct rewrite_stream) streams;
    struct reader_map stream_of;
};

/* The header of the file, once. */
void rewrite_head(struct rewrite *rewrite, unsigned version);

/*
 * Begins a generation: its clock and tables, with times not before `least` (units), and of its CPU
 * samples those whose time (ns) is in [from, to).
 */
void rewrite_begin(struct rewrite *rewrite, const struct reader_generation *gen, uint64_t least,
                   int64_t from, int64_t to);

/* An event of a thread; strings and stacks are indices. */
void rewrite_event(struct rewrite *rewrite, uint64_t m, uint64_t units, unsigned tag,
                   const uint64_t *args);

/* Ends the generation. */
void rewrite_end(struct rewrite *rewrite, unsigned version);
void rewrite_fini(struct rewrite *rewrite);

#endif
