/* SPDX-License-Identifier: MIT */
/* Settings in the environment. What is wrong with one is said on standard error. */
#ifndef WEFT_SCHED_ENVIRONMENT_H
#define WEFT_SCHED_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

/* The value, or NULL if it is not set or empty. */
const char *environment_text(const char *name);

/* A whole number; *out stays as it is if the variable is not set. False: not a number in range. */
bool environment_number(const char *name, unsigned long low, unsigned long high,
                        unsigned long *out);

/* A number of seconds, more than 0, with a fraction or without, in ns; else as above. */
bool environment_seconds(const char *name, uint64_t *ns);

/* A signal that a program can be sent, by name, with or without SIG, or by number; *out is 0 if the
 * variable is not set. False: it is none, or one that the runtime or the kernel needs. */
bool environment_signal(const char *name, int *out);

#endif
