/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a flight file: recovery neither crashes nor hangs, and what it writes is a valid
 * trace. Flight files are large and mostly empty, so the input is one in which each run of zero
 * bytes is a zero byte and its length in two bytes, the lower first.
 */
#define _GNU_SOURCE /* memfd_create */
#include "input.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weft/recover.h>

/* The chunks of a flight file are 64 KiB each. */
enum { FILE_LIMIT = 2 << 20 };

static uint8_t file[FILE_LIMIT];

static size_t expand(const uint8_t *data, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < size && at < FILE_LIMIT; i++) {
        size_t run = 1;
        if (data[i] == 0 && i + 2 < size) {
            run = data[i + 1] | (size_t)data[i + 2] << 8;
            i += 2;
            if (run > FILE_LIMIT - at)
                run = FILE_LIMIT - at;
            memset(file + at, 0, run);
        } else {
            file[at] = data[i];
        }
        at += run;
    }
    return at;
}

struct trace {
    uint8_t *data;
    size_t size;
};

static int keep(void *context, const void *data, size_t size)
{
    struct trace *trace = context;
    if (!size)
        return 0;
    trace->data = realloc(trace->data, trace->size + size);
    if (!trace->data)
        abort();
    memcpy(trace->data + trace->size, data, size);
    trace->size += size;
    return 0;
}

static void check(const struct trace *trace)
{
    struct fuzz_input in = {trace->data, trace->size};
    weft_reader *reader;
    weft_validator *validator;
    weft_event event;
    int status = weft_reader_open_callback(&reader, fuzz_read, &in);
    if (status || weft_validator_new(&validator, reader) != 0)
        abort();
    while ((status = weft_reader_next(reader, &event)) == 1)
        if (weft_validator_event(validator, &event, NULL) != 0)
            abort();
    if (status)
        abort();
    weft_validator_free(validator);
    weft_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct trace trace = {NULL, 0};
    weft_recovery result = {.size = sizeof result};
    size = expand(data, size);
    int fd = memfd_create("flight", MFD_CLOEXEC);
    if (fd < 0 || write(fd, file, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int status = weft_recover(path, keep, &trace, &result);
    if (status == 0)
        check(&trace);
    else if (!result.message[0])
        abort();
    free(trace.data);
    close(fd);
    return 0;
}
