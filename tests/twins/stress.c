/* SPDX-License-Identifier: MIT */
/* Twin of TestTraceStress: all kinds of load, some of it from before the trace. Reading the trace
 * twice gives the same events in the same order. */
#include "twins/load.h"

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash ^= value;
    return hash * 0x100000001b3u;
}

static uint64_t hash_of_events(const char *path)
{
    weft_reader *reader = NULL;
    weft_event e;
    uint64_t hash = 0xcbf29ce484222325u;
    CHECK(weft_reader_open_path(&reader, path) == 0);
    int status;
    while ((status = weft_reader_next(reader, &e)) == 1) {
        const uint64_t fields[] = {(uint64_t)e.time, e.m,  e.p,  e.g,     e.kind, e.resource,
                                   e.from,           e.to, e.id, e.stack, e.wire};
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
            hash = mix(hash, fields[i]);
    }
    CHECK(status == 0);
    weft_reader_free(reader);
    return hash;
}

static void program(struct twin_run *run)
{
    struct load load;
    load_before(&load);
    twin_start(run);
    load_start(&load);
    for (int i = 0; i < 3; i++)
        load_play(&load);
    load_stop(&load);
    twin_stop(run);
    CHECK(hash_of_events(run->path) == hash_of_events(run->path));
}

int main(int argc, char **argv)
{
    static const struct twin twin = {"stress", program, NULL};
    return twin_main(&twin, argc, argv);
}
