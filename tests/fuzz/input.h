/* SPDX-License-Identifier: MIT */
#ifndef WEFT_TESTS_FUZZ_INPUT_H
#define WEFT_TESTS_FUZZ_INPUT_H

/* A fuzz target's input as something that a reader reads, and an output that looks at each byte. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <weft/reader.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
    const uint8_t *data;
    size_t left;
};

/* A weft_read_fn; context is the input. */
static inline ptrdiff_t fuzz_read(void *context, void *data, size_t size)
{
    struct fuzz_input *in = context;
    if (size > in->left)
        size = in->left;
    if (size)
        memcpy(data, in->data, size);
    in->data += size;
    in->left -= size;
    return (ptrdiff_t)size;
}

/* A weft_write_fn; context is a uint64_t, the sum of what was written. */
static inline int fuzz_write(void *context, const void *data, size_t size)
{
    uint64_t *sum = context;
    for (size_t i = 0; i < size; i++)
        *sum = *sum * 31 + ((const uint8_t *)data)[i];
    return 0;
}

/* Looks at each byte of a text. */
static inline void fuzz_touch(weft_text text)
{
    static volatile uint64_t sink;
    uint64_t sum = 0;
    (void)fuzz_write(&sum, text.data, text.size);
    sink = sum;
    (void)sink;
}

#endif
