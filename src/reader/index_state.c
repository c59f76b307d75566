/* SPDX-License-Identifier: MIT */
/*
 * All numbers are unsigned LEB128. What comes back is checked as if anybody had written it: counts
 * against what is left, statuses and kinds against those that there are, ids against those that
 * were already given.
 */
#include "reader/index_state.h"

#include <errno.h>
#include <string.h>

#include "wire/batch.h"
#include "wire/varint.h"

/* -------- bytes -------- */

static bool make_room(struct reader_bytes *bytes, size_t size)
{
    if (bytes->failed || bytes->capacity - bytes->size >= size)
        return !bytes->failed;
    size_t capacity = (bytes->size + size) * 2;
    uint8_t *at = realloc(bytes->at, capacity);
    if (at) {
        bytes->at = at;
        bytes->capacity = capacity;
    }
    bytes->failed = !at;
    return at != NULL;
}

void reader_bytes_put(struct reader_bytes *bytes, uint64_t number)
{
    if (make_room(bytes, WIRE_VARINT_MAX))
        bytes->size = (size_t)(wire_varint_encode(bytes->at + bytes->size, number) - bytes->at);
}

void reader_bytes_put_text(struct reader_bytes *bytes, const void *data, size_t size)
{
    reader_bytes_put(bytes, size);
    if (!make_room(bytes, size))
        return;
    if (size)
        memcpy(bytes->at + bytes->size, data, size);
    bytes->size += size;
}

void reader_bytes_fini(struct reader_bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct reader_bytes){0};
}

uint64_t reader_take(struct reader_taker *from)
{
    uint64_t number = 0;
    const uint8_t *next =
        from->fault ? NULL : wire_varint_decode_slow(from->at, from->end, &number);
    from->fault = !next;
    if (next)
        from->at = next;
    return next ? number : 0;
}

uint64_t reader_take_count(struct reader_taker *from)
{
    uint64_t count = reader_take(from);
    if (count > (uint64_t)(from->end - from->at))
        from->fault = true;
    return from->fault ? 0 : count;
}

/* -------- putting -------- */

static void put_pooled(struct reader_bytes *bytes, const struct reader_order *order, uint32_t text)
{
    const struct reader_pool_text *of = &order->pool.texts.at[text];
    reader_bytes_put_text(bytes, of->data, of->size);
}

static void put_threads(struct reader_bytes *bytes, const struct reader_order *order)
{
    reader_bytes_put(bytes, order->threads.count - 1);
    for (uint32_t i = 1; i < order->threads.count; i++) {
        const struct reader_thread *thread = &order->threads.at[i];
        reader_bytes_put(bytes, thread->id);
        reader_bytes_put(bytes, thread->g + 1); /* 0: none */
        reader_bytes_put(bytes, thread->p + 1);
    }
}

static uint64_t chain_length(const struct reader_order *order, uint32_t first, bool regions)
{
    uint64_t count = 0;
    for (; first != READER_ABSENT; count++)
        first = regions ? order->regions.at[first].next : order->ranges.at[first].next;
    return count;
}

static void put_ranges(struct reader_bytes *bytes, const struct reader_order *order, uint32_t first)
{
    reader_bytes_put(bytes, chain_length(order, first, false));
    for (; first != READER_ABSENT; first = order->ranges.at[first].next) {
        reader_bytes_put(bytes, order->ranges.at[first].kind);
        reader_bytes_put(bytes, order->ranges.at[first].description);
    }
}

/* The innermost first. */
static void put_regions(struct reader_bytes *bytes, const struct reader_order *order,
                        uint32_t first)
{
    reader_bytes_put(bytes, chain_length(order, first, true));
    for (; first != READER_ABSENT; first = order->regions.at[first].next) {
        reader_bytes_put(bytes, order->regions.at[first].task);
        put_pooled(bytes, order, order->regions.at[first].text);
    }
}

static void put_resources(struct reader_bytes *bytes, const struct reader_order *order,
                          const struct reader_resources *resources)
{
    reader_bytes_put(bytes, resources->of.count);
    for (uint32_t i = 0; i < resources->at.count; i++) {
        const struct reader_resource *resource = &resources->at.at[i];
        if (!resource->live)
            continue;
        reader_bytes_put(bytes, resource->id);
        reader_bytes_put(bytes, resource->status);
        reader_bytes_put(bytes, resource->gen);
        reader_bytes_put(bytes, resource->seq);
        put_ranges(bytes, order, resource->ranges);
        put_regions(bytes, order, resource->regions);
    }
}

static void put_tasks(struct reader_bytes *bytes, const struct reader_order *order)
{
    const struct reader_map *map = &order->task_of;
    reader_bytes_put(bytes, map->count);
    for (uint64_t i = 0; map->count && i <= map->mask; i++) {
        if (map->slots[i].value == READER_ABSENT)
            continue;
        const struct reader_task *task = &order->tasks.at[map->slots[i].value];
        reader_bytes_put(bytes, map->slots[i].key);
        reader_bytes_put(bytes, task->parent);
        put_pooled(bytes, order, task->text);
    }
}

void reader_state_put(struct reader_bytes *bytes, const struct reader_order *order,
                      const struct reader_progress *progress)
{
    reader_bytes_put(bytes, (uint64_t)progress->last);
    reader_bytes_put(bytes, progress->syncs);
    reader_bytes_put(bytes, progress->generations);
    reader_bytes_put(bytes, order->started);
    reader_bytes_put(bytes, order->first_gen);
    reader_bytes_put(bytes, order->gc);
    reader_bytes_put(bytes, order->gc_seq);
    put_threads(bytes, order);
    put_resources(bytes, order, &order->procs);
    put_resources(bytes, order, &order->goroutines);
    put_tasks(bytes, order);
}

/* -------- taking: 0, -EBADMSG or -ENOMEM -------- */

static int take_threads(struct reader_taker *from, struct reader_order *order)
{
    for (uint64_t n = reader_take_count(from); n > 0; n--) {
        uint64_t id = reader_take(from);
        if (from->fault || id == WEFT_ID_NONE ||
            reader_order_thread(order, id, false) != READER_ABSENT)
            return -EBADMSG;
        uint32_t index = reader_order_thread(order, id, true);
        if (index == READER_ABSENT)
            return -ENOMEM;
        order->threads.at[index].g = reader_take(from) - 1;
        order->threads.at[index].p = reader_take(from) - 1;
    }
    return from->fault ? -EBADMSG : 0;
}

/* A text in the pool, held; READER_ABSENT and *status if there is none. */
static uint32_t take_pooled(struct reader_taker *from, struct reader_order *order, int *status)
{
    uint64_t size = reader_take_count(from);
    *status = from->fault || size > WIRE_STRING_MAX ? -EBADMSG : 0;
    if (*status)
        return READER_ABSENT;
    uint32_t text = reader_pool_add(&order->pool, from->at, size);
    from->at += size;
    if (text == READER_ABSENT)
        *status = -ENOMEM;
    else
        reader_pool_hold(&order->pool, text);
    return text;
}

static int take_ranges(struct reader_taker *from, struct reader_order *order,
                       struct reader_resource *on)
{
    for (uint64_t n = reader_take_count(from); n > 0; n--) {
        uint64_t kind = reader_take(from), description = reader_take(from);
        if (from->fault ||
            (kind != WIRE_EV_STW_BEGIN && kind != WIRE_EV_GC_SWEEP_BEGIN &&
             kind != WIRE_EV_GC_MARK_ASSIST_BEGIN) ||
            reader_range_is_known(order, on, (unsigned)kind, description))
            return -EBADMSG;
        if (!reader_range_add(order, on, (unsigned)kind, description))
            return -ENOMEM;
    }
    return from->fault ? -EBADMSG : 0;
}

static int take_regions(struct reader_taker *from, struct reader_order *order, uint32_t *first)
{
    for (uint64_t n = reader_take_count(from); n > 0; n--) {
        int status;
        uint64_t task = reader_take(from);
        uint32_t text = take_pooled(from, order, &status);
        if (status)
            return status;
        struct reader_region *region = READER_PUSH(&order->regions);
        if (!region)
            return -ENOMEM;
        *region = (struct reader_region){task, text, READER_ABSENT};
        if (*first == READER_ABSENT)
            *first = order->regions.count - 1;
        else
            region[-1].next = order->regions.count - 1;
    }
    return from->fault ? -EBADMSG : 0;
}

static int take_resource(struct reader_taker *from, struct reader_order *order,
                         struct reader_resources *resources, unsigned status_limit)
{
    uint64_t id = reader_take(from), status = reader_take(from);
    if (from->fault || status >= status_limit || reader_resource_get(resources, id))
        return -EBADMSG;
    uint64_t gen = reader_take(from), seq = reader_take(from);
    struct reader_resource *resource = reader_resource_add(order, resources, id, (unsigned)status);
    if (!resource)
        return -ENOMEM;
    resource->gen = gen;
    resource->seq = seq;
    int failed = take_ranges(from, order, resource);
    return failed ? failed : take_regions(from, order, &resource->regions);
}

static int take_resources(struct reader_taker *from, struct reader_order *order,
                          struct reader_resources *resources, unsigned status_limit)
{
    int status = 0;
    for (uint64_t n = reader_take_count(from); n > 0 && !status; n--)
        status = take_resource(from, order, resources, status_limit);
    return status ? status : from->fault ? -EBADMSG : 0;
}

static int take_tasks(struct reader_taker *from, struct reader_order *order)
{
    int status = 0;
    for (uint64_t n = reader_take_count(from); n > 0 && !status; n--) {
        uint64_t id = reader_take(from), parent = reader_take(from);
        uint32_t text = take_pooled(from, order, &status);
        if (!status && reader_map_find(&order->task_of, id) != READER_ABSENT)
            status = -EBADMSG;
        struct reader_task *task = status ? NULL : READER_PUSH(&order->tasks);
        if (task)
            *task = (struct reader_task){parent, text, READER_ABSENT};
        if (!status && (!task || !reader_map_add(&order->task_of, id, order->tasks.count - 1)))
            status = -ENOMEM;
    }
    return status ? status : from->fault ? -EBADMSG : 0;
}

int reader_state_take(struct reader_order *order, struct reader_generation *gen,
                      struct reader_progress *progress, const uint8_t *data, size_t size)
{
    struct reader_taker from = {data, data + size, false};
    order->gen = gen;
    progress->last = (int64_t)reader_take(&from);
    progress->syncs = reader_take(&from);
    progress->generations = reader_take(&from);
    order->started = reader_take(&from) != 0;
    order->first_gen = reader_take(&from);
    uint64_t gc = reader_take(&from);
    order->gc = gc <= READER_GC_RUNNING ? (enum reader_gc_state)gc : READER_GC_UNDETERMINED;
    order->gc_seq = reader_take(&from);
    int status = gc > READER_GC_RUNNING ? -EBADMSG : take_threads(&from, order);
    if (!status)
        status = take_resources(&from, order, &order->procs, WIRE_P_STATUS_LIMIT);
    if (!status)
        status = take_resources(&from, order, &order->goroutines, WIRE_G_STATUS_LIMIT);
    if (!status)
        status = take_tasks(&from, order);
    return status ? status : from.at == from.end ? 0 : -EBADMSG;
}
