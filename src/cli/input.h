/* SPDX-License-Identifier: MIT */
#ifndef WEFT_CLI_INPUT_H
#define WEFT_CLI_INPUT_H

/* Compressed inputs: gzip and zstd, where the tool was built with zlib and libzstd. */

#include <stdbool.h>

#include <weft/reader.h>

/* A weft_read_fn that decompresses, and what it needs. */
struct cli_input;

enum cli_packing { CLI_PLAIN, CLI_GZIP, CLI_ZSTD };

/* How a file that begins with these bytes is packed. */
enum cli_packing cli_packing_of(const unsigned char *start, size_t size);

/*
 * An input that unpacks what is read from fd, after the bytes of start (at most 4), which were read
 * already. name is for messages and must stay. fd is closed with it if owned is set, and in any
 * case on failure. Returns NULL with a negative errno value in *status: -ENOTSUP where the tool was
 * built without the library.
 */
struct cli_input *cli_input_new(const char *name, int fd, bool owned, enum cli_packing packing,
                                const unsigned char *start, size_t size, int *status);
/* The input of a path, "-" being the standard input. NULL after saying why not. */
struct cli_input *cli_input_open(const char *path);
ptrdiff_t cli_input_read(void *input, void *data, size_t size);
void cli_input_free(void *input);

#endif
