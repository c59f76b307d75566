/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a compressed input of the tool: unpacking neither crashes nor hangs, and what comes
 * out of sound data does not depend on how much is asked for at a time.
 */
#define _GNU_SOURCE /* memfd_create */
#include "input.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/input.h"
#include "cli/progress.h"

/* What is unpacked of an input that would never end. */
enum { OUTPUT_LIMIT = 1 << 22 };

/* Of the tool: messages and progress are not wanted here. */
void cli_message(const char *format, ...)
{
    (void)format;
}

void cli_progress_count(size_t size)
{
    (void)size;
}

/* Unpacks data by pieces of at most so many bytes; returns how reading ended. */
static ptrdiff_t unpack(const uint8_t *data, size_t size, size_t piece, uint64_t *sum,
                        size_t *total)
{
    static uint8_t out[1 << 16];
    int status, fd = memfd_create("packed", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    struct cli_input *input =
        cli_input_new("packed", fd, true, cli_packing_of(data, size), data, 0, &status);
    *sum = *total = 0;
    if (!input)
        return status;
    ptrdiff_t n = 0;
    while (*total < OUTPUT_LIMIT && (n = cli_input_read(input, out, piece)) > 0) {
        (void)fuzz_write(sum, out, (size_t)n);
        *total += (size_t)n;
    }
    cli_input_free(input);
    return *total < OUTPUT_LIMIT ? n : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t all, pieces;
    size_t size_of_all, size_of_pieces;
    ptrdiff_t status = unpack(data, size, 1 << 16, &all, &size_of_all);
    if (status == 1)
        return 0; /* both stop somewhere */
    /* How much of damaged data is sound is the libraries' affair; libzstd finds more of the damage
     * when it has room for a whole frame. */
    ptrdiff_t other = unpack(data, size, 61, &pieces, &size_of_pieces);
    if (other != status && cli_packing_of(data, size) != CLI_ZSTD)
        abort();
    if (status == 0 && other == 0 && (size_of_pieces != size_of_all || pieces != all))
        abort();
    return 0;
}
