/* SPDX-License-Identifier: MIT */
/* Any bytes as a trace: the reader and the validator neither crash nor hang, whatever they are
 * asked. */
#include "input.h"

#include <stdlib.h>

static void touch_stack(const weft_reader *reader, weft_stack stack)
{
    size_t depth = weft_reader_stack_depth(reader, stack);
    for (size_t i = 0; i < depth; i++) {
        weft_frame frame;
        if (weft_reader_stack_frame(reader, stack, i, &frame) != 0)
            abort();
        fuzz_touch(weft_reader_string(reader, frame.function));
        fuzz_touch(weft_reader_string(reader, frame.file));
    }
}

static void touch_event(const weft_reader *reader, const weft_event *event)
{
    touch_stack(reader, event->stack);
    touch_stack(reader, event->resource_stack);
    fuzz_touch(weft_reader_string(reader, event->name));
    fuzz_touch(weft_reader_string(reader, event->message));
    for (size_t i = 0; i < event->argc; i++)
        weft_event_arg_name(event, i);
    if (event->kind == WEFT_EVENT_SYNC) {
        weft_sync sync;
        weft_reader_sync(reader, &sync);
        for (size_t i = 0; i < sync.batches; i++) {
            weft_batch batch;
            if (weft_reader_batch(reader, i, &batch) != 0)
                abort();
            fuzz_touch((weft_text){batch.data, batch.size});
        }
    }
}

/* Two threads, little memory, stable handles: the size of the input decides. */
static void configure(weft_reader *reader, size_t size)
{
    weft_reader_options options = {.size = sizeof options};
    options.threads = size % 8 == 3 ? 2 : 1;
    options.max_memory = size % 8 == 5 ? 300000 : 0;
    options.stable_handles = size % 8 == 6;
    if (weft_reader_configure(reader, &options) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    weft_reader *reader = NULL;
    weft_validator *validator = NULL;
    weft_event event;
    int status = weft_reader_open_callback(&reader, fuzz_read, &in);
    if (status == 0)
        configure(reader, size);
    if (status == 0 && weft_validator_new(&validator, reader) != 0)
        abort();
    int64_t last = INT64_MIN;
    while (status >= 0 && (status = weft_reader_next(reader, &event)) == 1) {
        if (event.time <= last && last != INT64_MIN)
            abort();
        last = event.time;
        touch_event(reader, &event);
        weft_complaint complaint;
        if (weft_validator_event(validator, &event, &complaint) < 0)
            abort();
    }
    if (status < 0 && reader) {
        const weft_reader_error *error = weft_reader_error_get(reader);
        if (!error->message[0] || !error->rule[0] || error->offset > size)
            abort();
    }
    weft_validator_free(validator);
    weft_reader_free(reader);
    return 0;
}
