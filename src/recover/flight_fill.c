/* SPDX-License-Identifier: MIT */
/*
 * What the tracer had not written yet and follows from what it had.
 *
 * Clock data. They open a generation, but other threads may get ahead of them. A generation without
 * them gets those of the one before, moved on by the time between the two; the first generation of
 * a trace has them, as nobody acts before.
 *
 * Statuses. A goroutine that did nothing in a generation is described at its end. When a process
 * died before that, and the goroutine acts in the next generation, its status there is the one that
 * it had before: it had no event in between. It matters in the first generation of the trace only,
 * because later ones know it from there. Such a status is never Running: whoever runs at the end of
 * a generation was described on its own stream before the next one began.
 */
#include "recover/recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Clock data ---- */

typedef struct clock_data {
    uint64_t time, mono, sec, nsec; /* time: in units, ns; 0: no snapshot */
} clock_data;

static bool read_sync(const recover_generation *g, clock_data *data)
{
    bool frequency = false, snapshot = g->format < 25;
    for (size_t i = 0; i < g->count && g->batches[i].class == BATCH_SYNC; i++) {
        const recover_batch *batch = &g->batches[i];
        const uint8_t *at = batch->payload + (g->format >= 25), *end = batch->end;
        uint64_t value[4];
        while (at && at < end) {
            unsigned count = *at == WIRE_EV_CLOCK_SNAPSHOT ? 4 : 1;
            frequency |= count == 1;
            snapshot |= count == 4;
            at++;
            for (unsigned k = 0; at && k < count; k++)
                at = wire_varint_decode(at, end, &value[k]);
            if (at && count == 4)
                *data = (clock_data){batch->time + value[0], value[1], value[2], value[3]};
        }
        if (!at)
            return false;
    }
    return frequency && snapshot;
}

bool generation_has_sync(const recover_generation *g)
{
    clock_data data;
    return read_sync(g, &data);
}

static void drop_sync(recover_generation *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->count; i++)
        if (g->batches[i].class != BATCH_SYNC)
            g->batches[kept++] = g->batches[i];
    g->count = kept;
}

#define NS_PER_SECOND UINT64_C(1000000000)

int recover_sync(recover_generation *g, const recover_generation *before)
{
    clock_data data = {0}, own;
    if (read_sync(g, &own))
        return 0;
    if (!before || !read_sync(before, &data))
        return -ENODATA;
    drop_sync(g);
    recover_writer writer;
    recover_writer_start(&writer, g, BATCH_SYNC, g->format >= 25 ? WIRE_EV_SYNC : 0);
    if (!recover_writer_reserve(&writer, 2 + 6 * WIRE_VARINT_MAX))
        return -ENOMEM;
    uint8_t *at = writer.batch.end;
    *at++ = WIRE_EV_FREQUENCY;
    at = wire_varint_encode(at, NS_PER_SECOND);
    if (g->format >= 25) {
        uint64_t now = writer.batch.time + 1;
        uint64_t passed = now > data.time ? now - data.time : 1;
        uint64_t nsec = data.nsec + passed;
        *at++ = WIRE_EV_CLOCK_SNAPSHOT;
        at = wire_varint_encode(at, 1);
        at = wire_varint_encode(at, data.mono + passed);
        at = wire_varint_encode(at, data.sec + nsec / NS_PER_SECOND);
        at = wire_varint_encode(at, nsec % NS_PER_SECOND);
    }
    writer.batch.end = at;
    int status = recover_writer_finish(&writer);
    generation_sort(g);
    return status;
}

/* ---- Statuses ---- */

/* A set of goroutines: open hash, 0 is none. */
typedef struct id_set {
    uint64_t *at;
    size_t size, used; /* size: a power of two */
} id_set;

static size_t id_slot(const id_set *set, uint64_t id)
{
    size_t i = (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (set->size - 1);
    while (set->at[i] && set->at[i] != id)
        i = (i + 1) & (set->size - 1);
    return i;
}

static bool id_set_grow(id_set *set)
{
    if (set->used * 2 < set->size)
        return true;
    id_set larger = {.size = set->size ? set->size * 2 : 1024, .used = set->used};
    larger.at = calloc(larger.size, sizeof *larger.at);
    if (!larger.at)
        return false;
    for (size_t i = 0; i < set->size; i++)
        if (set->at[i])
            larger.at[id_slot(&larger, set->at[i])] = set->at[i];
    free(set->at);
    *set = larger;
    return true;
}

/* 1: added; 0: was there, or is no id; or -ENOMEM. */
static int id_set_add(id_set *set, uint64_t id)
{
    if (!id_set_grow(set))
        return -ENOMEM;
    size_t i = id_slot(set, id);
    if (!id || set->at[i] == id)
        return 0;
    set->at[i] = id;
    set->used++;
    return 1;
}

static bool introduces(const recover_event *event)
{
    switch (event->tag) {
    case WIRE_EV_GO_STATUS:
    case WIRE_EV_GO_STATUS_STACK:
    case WIRE_EV_GO_CREATE:
    case WIRE_EV_GO_CREATE_BLOCKED:
    case WIRE_EV_GO_CREATE_SYSCALL:
        return true;
    default:
        return false;
    }
}

/* Calls fn for each event that introduces a goroutine. */
static int each_introduction(const recover_generation *g,
                             int (*fn)(void *context, const recover_batch *batch,
                                       const recover_event *event),
                             void *context)
{
    recover_event event;
    int status = 0;
    for (size_t i = 0; i < g->count && status == 0; i++) {
        const recover_batch *batch = &g->batches[i];
        if (batch->class != BATCH_EVENTS)
            continue;
        for (const uint8_t *at = batch->payload;
             status == 0 && (at = recover_event_read(at, batch->end, &event));)
            if (introduces(&event))
                status = fn(context, batch, &event);
    }
    return status;
}

typedef struct statuses {
    id_set known;
    recover_writer writer;
} statuses;

static int note_known(void *context, const recover_batch *batch, const recover_event *event)
{
    statuses *s = context;
    (void)batch;
    int status = id_set_add(&s->known, event->args[0]);
    return status < 0 ? status : 0;
}

static int write_missing(void *context, const recover_batch *batch, const recover_event *event)
{
    statuses *s = context;
    bool is_status = event->tag == WIRE_EV_GO_STATUS || event->tag == WIRE_EV_GO_STATUS_STACK;
    uint64_t m = event->args[1], status = event->args[2];
    int added = id_set_add(&s->known, event->args[0]);
    if (added <= 0 || !is_status || status == WIRE_G_RUNNING)
        return added < 0 ? added : 0;
    if (!recover_writer_reserve(&s->writer, WIRE_TIMED_EVENT_MAX))
        return -ENOMEM;
    uint8_t *at = s->writer.batch.end;
    *at++ = WIRE_EV_GO_STATUS;
    at = wire_varint_encode(at, 1);
    at = wire_varint_encode(at, event->args[0]);
    at = wire_varint_encode(at, status == WIRE_G_SYSCALL && m == WIRE_NO_ID ? batch->m : m);
    at = wire_varint_encode(at, status);
    s->writer.batch.end = at;
    return 0;
}

int recover_statuses(recover_generation *g, const recover_generation *next)
{
    statuses s = {.known.at = NULL};
    recover_writer_start(&s.writer, g, BATCH_EVENTS, 0);
    int status = each_introduction(g, note_known, &s);
    if (status == 0)
        status = each_introduction(next, write_missing, &s);
    int finished = recover_writer_finish(&s.writer);
    free(s.known.at);
    generation_sort(g);
    return status ? status : finished;
}
