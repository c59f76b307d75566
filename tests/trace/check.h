/* SPDX-License-Identifier: MIT */
/* A trace in memory: what a stream's callback received, and what the reader says about it. */
#ifndef WEFT_TESTS_TRACE_CHECK_H
#define WEFT_TESTS_TRACE_CHECK_H

#include <weft/reader.h>
#include <weft/trace.h>

#include <stddef.h>
#include <stdint.h>

typedef struct sink {
    uint8_t *data;
    size_t size, room;
    unsigned calls;
} sink;

/* A weft_trace_write_fn; context: a sink. */
int sink_write(void *context, const void *data, size_t size);
void sink_free(sink *s);
/* Writes it to $WEFT_TRACE_DIR/NAME.trace. */
void sink_save(const sink *s, const char *name);

/* Reads the trace with the reader and the strict validator. Returns NULL if it is valid, or a
 * complaint, which stays valid until the next call on this thread. seen: called for every event;
 * may be NULL. */
typedef void (*check_seen_fn)(void *arg, weft_reader *reader, const weft_event *event);
const char *check_sink(const sink *s, check_seen_fn seen, void *arg);

/* Fails the test with the complaint if the trace is not valid; keeps a copy under the name. */
void assert_valid(const sink *s, const char *name);

/* Generations in the trace, by counting Sync events. */
unsigned count_generations(const sink *s);

#endif
