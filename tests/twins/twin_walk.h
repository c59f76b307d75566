/* SPDX-License-Identifier: MIT */
/* The events of a finished trace, one after the other. */
#ifndef WEFT_TESTS_TWIN_WALK_H
#define WEFT_TESTS_TWIN_WALK_H

#include "twins/twin.h"

typedef void (*twin_seen_fn)(void *arg, const weft_reader *reader, const weft_event *event);

/* Reads the trace to its end through the strict validator; a complaint ends the program. Returns
 * the number of events. seen may be NULL. */
uint64_t twin_walk(const char *path, twin_seen_fn seen, void *arg);

/* Reads it twice at the same time: every event must be the same, its texts and stacks included. */
void twin_walk_twice(const char *path);

bool twin_text_is(const weft_reader *reader, weft_string string, const char *text);

/* Whether the frame at that place of the stack is the function's. */
bool twin_frame_is(const weft_reader *reader, weft_stack stack, size_t index, const char *function);

/* A goroutine goes from one state to another. */
bool twin_goroutine_goes(const weft_event *event, weft_state from, weft_state to);

/* The function that a goroutine begins with, where the event creates one. */
bool twin_creates(const weft_reader *reader, const weft_event *event, const char *function);

#endif
