/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_GZIP_H
#define WEFT_CLI_GZIP_H

/* A file that is written through gzip where the tool was built with zlib, and as it is elsewhere.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cli_sink {
    FILE *file;
    void *stream;     /* of zlib, or NULL */
    const char *path; /* to open with the first output, or NULL */
};

/* Opens path, "-" being the standard output. Returns 0 or a negative errno value. */
int cli_sink_open(struct cli_sink *sink, const char *path, bool compress);

/* The same, but the file is not touched before there is output. */
void cli_sink_later(struct cli_sink *sink, const char *path);

/* A weft_write_fn; context is the sink. */
int cli_sink_write(void *context, const void *data, size_t size);

/* Writes the rest and closes the file. Returns 0 or a negative errno value. */
int cli_sink_close(struct cli_sink *sink);

#endif
