/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_FOLLOW_H
#define WEFT_CLI_FOLLOW_H

/*
 * A trace that is still being written: reading waits for more at the end of the file. It ends when
 * the writer is gone, or after a time without growth.
 */

#include <stdbool.h>
#include <sys/types.h>

#include <weft/reader.h>

struct cli_follow {
    int fd;
    pid_t writer;     /* the process that writes, or 0 if unknown */
    long patience_ms; /* without growth, before the file counts as ended; negative: for ever */
    bool is_file;     /* only files grow: what a pipe ends with is the end */
};

/* Opens path, "-" being the standard input. Returns 0 or a negative errno value. */
int cli_follow_open(struct cli_follow *follow, const char *path);
void cli_follow_close(struct cli_follow *follow);

/* A weft_read_fn; context is the follow. */
ptrdiff_t cli_follow_read(void *context, void *data, size_t size);

/*
 * The trace file that a process writes: the one that it has open, or what its environment says in
 * WEFT_TRACE. Returns 0 and the path in text, or a negative errno value: -ENOENT if there is none.
 */
int cli_follow_find(pid_t pid, char *text, size_t size);

#endif
