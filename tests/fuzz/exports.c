/* SPDX-License-Identifier: MIT */
/* Any bytes as a trace: exporters, slices and the timeline neither crash nor hang. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <weft/export.h>
#include <weft/slice.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    const uint8_t *data;
    size_t size, at[8];
    unsigned used;
} input;

static input *current;

static ptrdiff_t read_input(void *context, void *data, size_t size)
{
    size_t *at = context;
    if (size > current->size - *at)
        size = current->size - *at;
    memcpy(data, current->data + *at, size);
    *at += size;
    return (ptrdiff_t)size;
}

static int open_input(void *context, weft_reader **reader)
{
    input *in = context;
    size_t *at = &in->at[in->used++ % 8];
    *at = 0;
    return weft_reader_open_callback(reader, read_input, at);
}

/* Touches what is written. */
static int write_sum(void *context, const void *data, size_t size)
{
    uint64_t *sum = context;
    for (size_t i = 0; i < size; i++)
        *sum = *sum * 31 + ((const uint8_t *)data)[i];
    return 0;
}

/* Slices of what can be read are traces; a trace merged with itself is itself. */
static void cut(input *in)
{
    weft_slice_info info;
    weft_reader_error error;
    void *twice[] = {in, in};
    uint64_t whole = 0, again = 0;
    int status = weft_slice(open_input, in, INT64_MIN, INT64_MAX, write_sum, &whole, &info, &error);
    if (status == 0 &&
        weft_merge(open_input, twice, 2, write_sum, &again, NULL, NULL, &error) == 0 &&
        whole != again)
        abort();
    if (status == 0) {
        int64_t middle = info.begin / 2 + info.end / 2;
        (void)!weft_slice(open_input, in, middle, middle + 1, write_sum, &again, NULL, &error);
        (void)!weft_slice_exact(open_input, in, middle, INT64_MAX, write_sum, &again, NULL, &error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const all[])(weft_reader *, weft_write_fn, void *) = {
        weft_export_perfetto, weft_export_chrome, weft_export_states};
    input in = {.data = data, .size = size};
    uint64_t sum = 0;
    current = &in;
    for (unsigned i = 0; i < 3; i++) {
        weft_reader *reader;
        if (open_input(&in, &reader) == 0)
            (void)!all[i](reader, write_sum, &sum);
        weft_reader_free(reader);
    }
    cut(&in);
    return 0;
}
