/* SPDX-License-Identifier: MIT */
/*
 * The arena in a file (wire/flight_layout.h): what lets `weft recover` make a trace from it after
 * the process has been killed.
 *
 * All of it is on slow paths: a buffer that is taken or full, the steps of a generation's end. On
 * the event path nothing is stored for its sake.
 */
#ifndef WEFT_TRACE_FLIGHT_H
#define WEFT_TRACE_FLIGHT_H

#include "base/file.h"
#include "wire/flight_layout.h"

#include <stdbool.h>

struct trace_modules;

typedef struct trace_flight {
    base_shared_file file;
    wire_flight_head *head;
    wire_flight_generation *generations;
    wire_flight_chunk *directory;
    uint8_t *chunks;
    size_t count;                      /* of chunks */
    size_t carved;                     /* lock: arena; chunks that were used since all were free */
    size_t backed;                     /* lock: arena; chunks that have space on disk */
    bool closed;                       /* atomic; tracing is off, and the file stays as it is */
    unsigned long long loads, unloads; /* owner: drainer; the loader's counters at the last list */
} trace_flight;

/* Makes the file; bytes: of all that it is going to hold. Returns 0 or a negative errno value. */
int trace_flight_open(trace_flight **flight, const char *path, size_t bytes);
/* Unmaps it; the file keeps what it shows. */
void trace_flight_close(trace_flight *flight);

/* Space on disk for the chunks from index `from` up to `to`. Returns 0 or a negative errno value.
 * Any thread. */
int trace_flight_back(const trace_flight *flight, size_t from, size_t to);

/* Tracing begins: what the file showed before is gone. */
void trace_flight_begin(trace_flight *flight, unsigned format);
/* Tracing has ended, with everything whole: what is freed from now on stays to be seen. */
void trace_flight_end(trace_flight *flight);

/* Any thread. What a chunk is from now on; a chunk that changes its kind is FREE in between. */
void trace_flight_mark(trace_flight *flight, const void *chunk, uint64_t kind, uint64_t generation);

/* A generation begins, before it is published. */
void trace_flight_open_generation(trace_flight *flight, uint64_t n);
/* It has come further; from LOST it goes to NONE only. */
void trace_flight_advance(trace_flight *flight, uint64_t n, uint64_t state);

/* The objects that the loader has mapped. By the drainer. */
void trace_flight_list_modules(trace_flight *flight, const struct trace_modules *modules);

#endif
