/* SPDX-License-Identifier: MIT */
#include "reader/pool.h"

#include <string.h>

/*
 * FNV-1a from a start that nobody knows; the multiplication spreads, the final shift brings the
 * high bits down.
 */
static uint32_t text_hash(const void *data, size_t size)
{
    const unsigned char *at = data;
    uint64_t hash = 0xcbf29ce484222325ull ^ reader_seed();
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 0x100000001b3ull;
    return (uint32_t)(hash ^ hash >> 32);
}

static bool set_buckets(struct reader_pool *pool, uint32_t size)
{
    uint32_t *buckets = reader_malloc(pool->budget, (size_t)size * sizeof *buckets);
    if (!buckets)
        return false;
    for (uint32_t i = 0; i < size; i++)
        buckets[i] = READER_ABSENT;
    if (pool->buckets)
        reader_free(pool->budget, pool->buckets, ((size_t)pool->mask + 1) * sizeof *buckets);
    pool->buckets = buckets;
    pool->mask = size - 1;
    for (uint32_t i = 0; i < pool->texts.count; i++) {
        struct reader_pool_text *text = &pool->texts.at[i];
        if (!text->data)
            continue;
        text->next = buckets[text->hash & pool->mask];
        buckets[text->hash & pool->mask] = i;
    }
    return true;
}

bool reader_pool_init_within(struct reader_pool *pool, struct reader_budget *budget)
{
    *pool = (struct reader_pool){.free = READER_ABSENT, .budget = budget};
    pool->texts.budget = budget;
    return set_buckets(pool, 64);
}

bool reader_pool_init(struct reader_pool *pool)
{
    return reader_pool_init_within(pool, NULL);
}

void reader_pool_fini(struct reader_pool *pool)
{
    for (uint32_t i = 0; i < pool->texts.count; i++)
        reader_free(pool->budget, pool->texts.at[i].data, (size_t)pool->texts.at[i].size + 1);
    READER_VEC_FINI(&pool->texts);
    reader_free(pool->budget, pool->buckets, ((size_t)pool->mask + 1) * sizeof *pool->buckets);
    pool->buckets = NULL;
}

static uint32_t find(const struct reader_pool *pool, const void *data, size_t size, uint32_t hash)
{
    uint32_t i = pool->buckets[hash & pool->mask];
    for (; i != READER_ABSENT; i = pool->texts.at[i].next) {
        const struct reader_pool_text *text = &pool->texts.at[i];
        if (text->hash == hash && text->size == size && memcmp(text->data, data, size) == 0)
            break;
    }
    return i;
}

static struct reader_pool_text *entry_new(struct reader_pool *pool)
{
    if (pool->free == READER_ABSENT)
        return READER_PUSH(&pool->texts);
    struct reader_pool_text *text = &pool->texts.at[pool->free];
    pool->free = text->next;
    return text;
}

uint32_t reader_pool_add(struct reader_pool *pool, const void *data, size_t size)
{
    uint32_t hash = text_hash(data, size);
    uint32_t found = find(pool, data, size, hash);
    if (found != READER_ABSENT)
        return found;
    if (pool->live > pool->mask && pool->mask < UINT32_MAX / 4 &&
        !set_buckets(pool, (pool->mask + 1) * 2))
        return READER_ABSENT;
    char *copy = reader_malloc(pool->budget, size + 1);
    struct reader_pool_text *text = copy ? entry_new(pool) : NULL;
    if (!text) {
        reader_free(pool->budget, copy, size + 1);
        return READER_ABSENT;
    }
    memcpy(copy, data, size);
    copy[size] = 0;
    uint32_t *bucket = &pool->buckets[hash & pool->mask];
    *text = (struct reader_pool_text){copy, (uint32_t)size, 0, *bucket, hash};
    *bucket = (uint32_t)(text - pool->texts.at);
    pool->live++;
    return *bucket;
}

static void drop(struct reader_pool *pool, uint32_t index)
{
    struct reader_pool_text *text = &pool->texts.at[index];
    uint32_t *link = &pool->buckets[text->hash & pool->mask];
    while (*link != index)
        link = &pool->texts.at[*link].next;
    *link = text->next;
    reader_free(pool->budget, text->data, (size_t)text->size + 1);
    text->data = NULL;
    text->next = pool->free;
    pool->free = index;
    pool->live--;
}

void reader_pool_sweep(struct reader_pool *pool)
{
    for (uint32_t i = 0; i < pool->texts.count; i++)
        if (pool->texts.at[i].data && pool->texts.at[i].holders == 0)
            drop(pool, i);
}
