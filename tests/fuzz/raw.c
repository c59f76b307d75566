/* SPDX-License-Identifier: MIT */
/* Any bytes as a trace and as raw text: what one direction accepts, the other takes back unchanged.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <weft/reader.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    uint8_t *data;
    size_t size, at, room;
} buffer;

static ptrdiff_t buffer_read(void *context, void *data, size_t size)
{
    buffer *b = context;
    if (size > b->size - b->at)
        size = b->size - b->at;
    if (size)
        memcpy(data, b->data + b->at, size);
    b->at += size;
    return (ptrdiff_t)size;
}

static int buffer_write(void *context, const void *data, size_t size)
{
    buffer *b = context;
    if (b->size + size > b->room) {
        b->room = 2 * (b->size + size);
        b->data = realloc(b->data, b->room);
        if (!b->data)
            abort();
    }
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
    return 0;
}

typedef int (*convert_fn)(weft_read_fn read, void *read_context, weft_write_fn write,
                          void *write_context, weft_reader_error *error);

/* there(x) = y, back(y) = z, there(z) = y again. The first step alone may refuse. */
static void round_trip(const uint8_t *data, size_t size, convert_fn there, convert_fn back)
{
    weft_reader_error error;
    buffer x = {(uint8_t *)data, size, 0, 0};
    buffer y = {0}, z = {0}, again = {0};
    if (there(buffer_read, &x, buffer_write, &y, &error) == 0) {
        if (back(buffer_read, &y, buffer_write, &z, &error) != 0 ||
            there(buffer_read, &z, buffer_write, &again, &error) != 0)
            abort();
        if (y.size != again.size || (y.size && memcmp(y.data, again.data, y.size) != 0))
            abort();
    }
    free(y.data);
    free(z.data);
    free(again.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    round_trip(data, size, weft_raw_print, weft_raw_assemble);
    round_trip(data, size, weft_raw_assemble, weft_raw_print);
    return 0;
}
