/* SPDX-License-Identifier: MIT */
/*
 * The frame of a twin: a program of Go's tracer tests in C, run with different numbers of Ps, in
 * every format of the trace, once as it is and once with generations that advance without a pause.
 * Every trace is read back and validated.
 *
 *     NAME [--rounds N] [--procs N] [--format 22|23|25|26] [--way normal|advancing]
 *
 * Without arguments: all ways and 1, 2, 4 and 16 Ps, each with one of the formats in turn. An
 * argument fixes one of those; --rounds repeats what results. Traces are written to $WEFT_TRACE_DIR
 * (or the current folder).
 */
#ifndef WEFT_TESTS_TWINS_TWIN_H
#define WEFT_TESTS_TWINS_TWIN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weft/reader.h"
#include "weft/weft.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Functions whose names are looked for in stacks. A call that they end with must not become a jump.
 */
#define FRAME        __attribute__((noinline))
#define KEEP_FRAME() __asm__ __volatile__("")

struct twin_run {
    const char *name;
    unsigned procs, format;
    bool advancing;
    void *state;               /* the twin's own, from program to check */
    unsigned traces;           /* written so far in this run */
    weft_trace_stream *stream; /* of twin_start() */
    char path[4096];           /* of the latest trace */
    pthread_t advancer;
    uint32_t advance; /* atomic: the advancer goes on */
};

struct twin {
    const char *name;
    /* The main goroutine: calls twin_start() and twin_stop() at least once. */
    void (*program)(struct twin_run *run);
    /* Called for each event of each trace, and with NULL at its end; may be NULL. */
    void (*check)(struct twin_run *run, weft_reader *reader, const weft_event *event);
};

/* Starts a trace, and what makes generations advance. On a goroutine. */
void twin_start(struct twin_run *run);

/* Ends it and validates what was written. */
void twin_stop(struct twin_run *run);

int twin_main(const struct twin *twin, int argc, char **argv);

static inline void twin_go(void (*fn)(void *), void *arg)
{
    CHECK(weft_go(fn, arg) == 0);
}

/* The name of frame i of a stack; "" if there is none. Valid until the next call. */
const char *twin_frame(weft_reader *reader, weft_stack stack, size_t i);

/* A text of the trace as a C string. Valid until the next call. */
const char *twin_text(weft_reader *reader, weft_string string);

#endif
