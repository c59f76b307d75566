/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_STABLE_H
#define WEFT_READER_STABLE_H

/* Handles that hold across generations: numbers of an interner which belongs to the reader. */

#include "reader/analysis_intern.h"

/* NULL when memory is exhausted. */
struct analysis_intern *reader_stable_new(weft_reader *reader);
/* NULL accepted. */
void reader_stable_free(struct analysis_intern *stable);

/* Replaces the handles of an event that is about to be given out. Returns 0 or -ENOMEM. */
int reader_stable_event(struct analysis_intern *stable, weft_event *event);

/* Empty for a handle that is not valid; the second returns 0 or -ERANGE. */
weft_text reader_stable_string(const struct analysis_intern *stable, weft_string string);
int reader_stable_frame(const struct analysis_intern *stable, weft_stack stack, size_t index,
                        weft_frame *frame);

#endif
