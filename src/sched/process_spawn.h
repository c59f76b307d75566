/* SPDX-License-Identifier: MIT */
/* From options to a child that executes its program: the part of process.c that knows descriptors.
 */
#ifndef WEFT_SCHED_PROCESS_SPAWN_H
#define WEFT_SCHED_PROCESS_SPAWN_H

#include <sys/types.h>

#include "weft/process.h"

struct spawned {
    pid_t pid;
    int pidfd;   /* -1: the kernel has none */
    int pipe[3]; /* our ends, or -1 */
};

/* 0, or a negative errno value after options->message was written. Blocks until the child executes
 * its program or has failed to. */
int process_spawn(const char *const *argv, const weft_process_options *options,
                  struct spawned *out);

#endif
