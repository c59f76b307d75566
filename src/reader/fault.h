/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_FAULT_H
#define WEFT_READER_FAULT_H

/* Why reading ended, filled in where the fault is found. */

#include <stdint.h>

#include <weft/reader.h>

struct reader_budget;

struct reader_fault {
    weft_reader_error error;            /* message points to text */
    const struct reader_budget *budget; /* of the reader; NULL if there is none */
    char text[512];
};

/* Fills in everything; returns -EBADMSG. */
int reader_fail(struct reader_fault *fault, const char *rule, uint64_t generation, uint64_t offset,
                const char *format, ...) WEFT_PRINTF(5, 6);

/* Messages quote texts of the trace: replaces the control characters, so that they stay one line.
 */
void reader_make_printable(char *text);

/* Out of memory, or of what the budget allows; returns -ENOMEM. */
int reader_fail_memory(struct reader_fault *fault, uint64_t generation, uint64_t offset);

/* Reading the input failed with a negative errno value, which it returns. */
int reader_fail_input(struct reader_fault *fault, int error, uint64_t generation, uint64_t offset);

#endif
