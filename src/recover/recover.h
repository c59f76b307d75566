/* SPDX-License-Identifier: MIT */
/*
 * What the files of recover/ share: the flight file, and its generations as lists of batches.
 *
 * Memory that batches lie in (chunks as they were read, and blocks that are written here) belongs
 * to their generation. Nothing in the file is trusted: every offset, size and number is checked.
 */
#ifndef WEFT_RECOVER_RECOVER_H
#define WEFT_RECOVER_RECOVER_H

#include "wire/batch.h"
#include "wire/flight_layout.h"

#include <weft/recover.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trace_symbols;

/* ---- flight_file.c ---- */

typedef struct flight_file {
    int fd;
    wire_flight_head head;
    wire_flight_generation *generations; /* head.chunks of each */
    wire_flight_chunk *directory;
} flight_file;

/* Opens and checks it; explains failures in result. */
int flight_file_open(flight_file *file, const char *path, weft_recovery *result);
void flight_file_close(flight_file *file);
/* Reads a chunk; data has head.chunk_size bytes. */
int flight_file_chunk(const flight_file *file, size_t index, uint8_t *data);
/* The modules, as symbols; *symbols is NULL where there are none. 0 or a negative errno value. */
int flight_file_symbols(const flight_file *file, struct trace_symbols **symbols);

/* Sets result->message; returns status. */
int recover_say(weft_recovery *result, int status, const char *format, ...) WEFT_PRINTF(3, 4);

/* ---- flight_batches.c ---- */

/* In the order in which a generation is written out. */
typedef enum batch_class {
    BATCH_SYNC,
    BATCH_EVENTS,
    BATCH_OTHER, /* experiments, CPU samples */
    BATCH_STACKS,
    BATCH_STRINGS
} batch_class;

typedef struct recover_batch {
    uint8_t *bytes, *payload, *end; /* end: may be lowered, to a boundary of events */
    uint64_t m, time;
    batch_class class;
    uint64_t offset; /* in the trace */
    uint64_t kept;   /* offset of the last event in it that a reader has delivered */
} recover_batch;

typedef struct recover_generation {
    uint64_t number, state; /* enum wire_flight_state */
    unsigned format;
    recover_batch *batches;
    size_t count, room;
    void **blocks; /* owned memory */
    size_t block_count, block_room;
    uint8_t **tables[2]; /* chunks of stacks, of strings; they are among the blocks */
    size_t table_count[2];
} recover_generation;

/* Loads what the file has of a generation: sorted batches, table chunks. */
int generation_load(recover_generation *generation, const flight_file *file);
void generation_free(recover_generation *generation);
bool generation_has_events(const recover_generation *generation);
/* The lowest time of its event batches. */
uint64_t generation_time(const recover_generation *generation);

/* Zeroed memory that is freed with the generation; NULL: refused. */
void *generation_block(recover_generation *generation, size_t size);
/* Adds a batch, whose size is filled in here. 0 or -ENOMEM. */
int generation_add(recover_generation *generation, const recover_batch *batch);
/* Brings the batches into the order of writing, each once. */
void generation_sort(recover_generation *generation);
/* Cuts event batches behind what was kept. Returns the number of events that are gone. */
uint64_t generation_cut(recover_generation *generation);
uint64_t generation_events(const recover_generation *generation);

/* An event of a batch. */
typedef struct recover_event {
    uint8_t tag;
    uint64_t args[WIRE_TIMED_MAX_ARGS];
} recover_event;
/* Reads the event at `at`; returns its end, or NULL if there is none. */
const uint8_t *recover_event_read(const uint8_t *at, const uint8_t *end, recover_event *event);

/* Writes batches of no thread into a generation. */
typedef struct recover_writer {
    recover_generation *generation;
    uint8_t kind; /* first byte of each payload; 0: none */
    batch_class class;
    uint64_t time;
    recover_batch batch; /* bytes NULL: none is open; end: where the next byte goes */
    bool failed;         /* memory was refused */
} recover_writer;
void recover_writer_start(recover_writer *writer, recover_generation *generation, batch_class class,
                          uint8_t kind);
/* Room for size bytes (a few thousand) at batch.end, which the caller moves on. False: failed. */
bool recover_writer_reserve(recover_writer *writer, size_t size);
/* 0 or -ENOMEM. */
int recover_writer_finish(recover_writer *writer);

/* ---- flight_tables.c ---- */

/* Writes the tables that the tracer had not dumped yet. */
int recover_tables(recover_generation *generation, struct trace_symbols *symbols);

/* ---- flight_fill.c ---- */

/* Gives a generation whose clock data is missing one that follows from `before`. False: impossible.
 * generation->batches may be NULL for before: there is none. */
int recover_sync(recover_generation *generation, const recover_generation *before);
bool generation_has_sync(const recover_generation *generation);

/* The first generation of the trace, when it was not complete, gets the statuses of goroutines that
 * did nothing in it and act in `next`. */
int recover_statuses(recover_generation *generation, const recover_generation *next);

/* ---- recover_check.c ---- */

typedef struct recover_trace {
    recover_generation *generations; /* consecutive */
    size_t count;
    unsigned format;
    uint8_t *bytes;
    size_t size;
} recover_trace;

/* Puts the trace together in trace->bytes. 0 or -ENOMEM. */
int recover_assemble(recover_trace *trace);
/* Reads it, notes what was delivered in each batch; 1: valid; 0: *failed is the index of the
 * generation that is not, explained in result; or -ENOMEM. */
int recover_check(recover_trace *trace, size_t *failed, weft_recovery *result);

#endif
