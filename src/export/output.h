/* SPDX-License-Identifier: MIT */
#ifndef WEFT_EXPORT_OUTPUT_H
#define WEFT_EXPORT_OUTPUT_H

/* A buffer in front of a weft_write_fn. The first failure sticks; later output is dropped. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <weft/reader.h>

struct export_output {
    weft_write_fn write;
    void *context;
    int status;
    size_t used;
    unsigned char buffer[16384];
};

static inline int export_flush(struct export_output *output)
{
    if (output->used && output->status == 0)
        output->status = output->write(output->context, output->buffer, output->used);
    output->used = 0;
    return output->status;
}

static inline void export_put(struct export_output *output, const void *data, size_t size)
{
    const unsigned char *from = data;
    while (size > 0) {
        if (output->used == sizeof output->buffer)
            export_flush(output);
        size_t room = sizeof output->buffer - output->used, n = size < room ? size : room;
        memcpy(output->buffer + output->used, from, n);
        output->used += n;
        from += n;
        size -= n;
    }
}

#endif
