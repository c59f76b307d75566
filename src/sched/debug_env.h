/* SPDX-License-Identifier: MIT */
/* WEFT_DEBUG=WORD,…: what the runtime tells about itself on standard error. */
#ifndef WEFT_SCHED_DEBUG_ENV_H
#define WEFT_SCHED_DEBUG_ENV_H

#include <stdbool.h>
#include <stdint.h>

/* Written before the runtime starts. */
struct debug_env {
    bool leaks;          /* leaks: the goroutines that still wait at the end of weft_run() */
    bool stacks;         /* stacks: how much of their stacks goroutines touch */
    int64_t sched_every; /* sched=MS: a line of figures so often, in nanoseconds; 0: never */
};
extern struct debug_env debug_env __attribute__((visibility("hidden")));

/* Returns 0, or -EINVAL after saying which word is wrong. */
int debug_env_read(void);

#endif
