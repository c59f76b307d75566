/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the state of a reader in an index: it is refused, or the reader goes on from it as
 * from any other. The first two bytes say how much of the input is the state; the rest is the trace
 * from there on, behind a header.
 */
#include "input.h"

#include <stdlib.h>

#include "reader/index_state.h"

/* What a state is put as must be taken as the same again. */
static void round_trip(const struct reader_order *order, const struct reader_progress *progress)
{
    struct reader_bytes once = {0}, twice = {0};
    struct reader_order again = {0};
    struct reader_generation gen = {0};
    struct reader_progress other;
    reader_state_put(&once, order, progress);
    if (once.failed || !reader_order_init(&again, NULL) ||
        reader_state_take(&again, &gen, &other, once.at, once.size) != 0)
        abort();
    reader_state_put(&twice, &again, &other);
    if (twice.size != once.size)
        abort(); /* tasks may come in another order */
    reader_order_fini(&again);
    reader_bytes_fini(&once);
    reader_bytes_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t header[16] = "go 1.26 trace\0\0";
    if (size < 2)
        return 0;
    size_t state_size = data[0] | (size_t)data[1] << 8;
    data += 2;
    size -= 2;
    state_size = state_size < size ? state_size : size;
    struct fuzz_input in = {header, sizeof header};
    weft_reader *reader;
    weft_event event;
    if (weft_reader_open_callback(&reader, fuzz_read, &in) != 0)
        abort();
    in = (struct fuzz_input){data + state_size, size - state_size};
    struct reader_order order = {0};
    struct reader_progress progress;
    if (!reader_order_init(&order, &reader->budget))
        abort();
    if (reader_state_take(&order, &reader->gen, &progress, data, state_size) == 0) {
        round_trip(&order, &progress);
        reader_order_fini(&reader->order);
        reader->order = order;
        reader->last = progress.last;
        reader_source_restart(&reader->source, 16);
        while (weft_reader_next(reader, &event) == 1)
            ;
    } else {
        reader_order_fini(&order);
    }
    weft_reader_free(reader);
    return 0;
}
