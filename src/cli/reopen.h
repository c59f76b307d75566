/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_REOPEN_H
#define WEFT_CLI_REOPEN_H

/*
 * A trace that is read more than once: the standard input, a pipe, or a packed file is unpacked
 * into a temporary file first.
 */

#include <stdio.h>

#include <weft/reader.h>

struct cli_source {
    const char *path; /* what messages name */
    FILE *copy;       /* of a stream, or NULL */
    char copy_path[32];
};

/* Checks the header, too. Returns 0, or 1 after saying why not. close is needed then too. */
int cli_source_open(struct cli_source *source, const char *path);
void cli_source_close(struct cli_source *source);

/* A weft_open_fn; context is the source. */
int cli_source_reader(void *context, weft_reader **reader);

#endif
