/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_REOPEN_H
#define WEFT_CLI_REOPEN_H

/*
 * A file that is opened by name, or more than once: the standard input, a pipe, or a packed file is
 * unpacked into a temporary file first.
 */

#include <stdio.h>

#include <weft/reader.h>

struct cli_source {
    const char *path; /* what messages name */
    FILE *copy;       /* of a stream, or NULL */
    char copy_path[32];
};

/* Returns 0, or 1 after saying why not. close is needed then too. */
int cli_source_keep(struct cli_source *source, const char *path);
/* The same for a trace, whose header is checked. */
int cli_source_open(struct cli_source *source, const char *path);
/* Where it can be opened. */
const char *cli_source_path(const struct cli_source *source);
void cli_source_close(struct cli_source *source);

/* A weft_open_fn; context is the source. */
int cli_source_reader(void *context, weft_reader **reader);

#endif
