/* SPDX-License-Identifier: MIT */
#ifndef WEFT_WIRE_PROFILE_PROTO_H
#define WEFT_WIRE_PROFILE_PROTO_H

/*
 * Encoder of pprof's profile.proto: the messages that weft's profiles are made of. It knows the
 * format only; what the numbers mean, and that strings are written in the order of their indices
 * with the empty one first, is the caller's concern. Messages may come in any order.
 * Source: github.com/google/pprof, proto/profile.proto.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message is put together here, since its length stands before it. */
struct wire_pprof_message {
    unsigned char *at;
    size_t size, room;
};

struct wire_pprof {
    /* Receives the bytes in order. Failures are its own to remember. */
    void (*write)(void *context, const void *data, size_t size);
    void *context;
    struct wire_pprof_message message, part;
    bool failed; /* no memory; messages are missing from then on */
};

/* A line of a location: the innermost of several functions inlined there comes first. */
struct wire_pprof_line {
    uint64_t function;
    uint64_t line;
};

/* A label of a sample: a text, or a number where `text` is 0. All are indices of strings but
 * `number`. */
struct wire_pprof_label {
    uint64_t key, text;
    uint64_t number;
};

void wire_pprof_start(struct wire_pprof *pprof,
                      void (*write)(void *context, const void *data, size_t size), void *context);
/* Frees what it holds. False: memory was refused and messages are missing. */
bool wire_pprof_end(struct wire_pprof *pprof);

/* type and unit: indices of strings. */
void wire_pprof_sample_type(struct wire_pprof *pprof, uint64_t type, uint64_t unit);
void wire_pprof_period(struct wire_pprof *pprof, uint64_t type, uint64_t unit, uint64_t period);
/* Unix time and length in nanoseconds; 0: not written. */
void wire_pprof_time(struct wire_pprof *pprof, uint64_t time, uint64_t duration);

/* Two values each, as weft's profiles have them. locations: ids, leaf first. */
void wire_pprof_sample(struct wire_pprof *pprof, const uint64_t *locations, size_t depth,
                       const uint64_t values[2], const struct wire_pprof_label *labels,
                       size_t label_count);
void wire_pprof_location(struct wire_pprof *pprof, uint64_t id, uint64_t address,
                         const struct wire_pprof_line *lines, size_t count);
void wire_pprof_function(struct wire_pprof *pprof, uint64_t id, uint64_t name, uint64_t file);
void wire_pprof_string(struct wire_pprof *pprof, const void *text, size_t size);

#endif
