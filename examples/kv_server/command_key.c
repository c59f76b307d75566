/* SPDX-License-Identifier: MIT */
/* Commands on keys, whatever their value. */
#include "command.h"
#include "reply.h"

static void del(struct session *s, const struct slice *args, size_t count)
{
    int64_t removed = 0;
    for (size_t i = 1; i < count; i++) {
        struct shard *shard = store_lock(args[i]);
        removed += store_remove(shard, args[i]);
        store_unlock(shard);
    }
    reply_integer(&s->out, removed);
}

static void exists(struct session *s, const struct slice *args, size_t count)
{
    int64_t found = 0;
    for (size_t i = 1; i < count; i++) {
        struct shard *shard = store_lock(args[i]);
        found += store_find(shard, args[i]) != NULL;
        store_unlock(shard);
    }
    reply_integer(&s->out, found);
}

static void type(struct session *s, const struct slice *args, size_t count)
{
    (void)count;
    struct shard *shard = store_lock(args[1]);
    const struct entry *entry = store_find(shard, args[1]);
    reply_status(&s->out, !entry ? "none" : entry->type == VALUE_LIST ? "list" : "string");
    store_unlock(shard);
}

/* A time that is over removes the key. */
static void expire_in(struct session *s, const struct slice *args, int64_t unit)
{
    int64_t amount, expires;
    if (!slice_integer(args[2], &amount)) {
        reply_no_integer(s);
        return;
    }
    if (!instant_after(amount, unit, &expires)) {
        reply_error(&s->out, "ERR invalid expire time in '%s' command",
                    unit == WEFT_SECOND ? "expire" : "pexpire");
        return;
    }
    struct shard *shard = store_lock(args[1]);
    struct entry *entry = store_find(shard, args[1]);
    if (entry && amount <= 0)
        store_remove(shard, args[1]);
    else if (entry)
        entry->expires = expires;
    store_unlock(shard);
    reply_integer(&s->out, entry != NULL);
}

static void expire(struct session *s, const struct slice *args, size_t count)
{
    (void)count;
    expire_in(s, args, WEFT_SECOND);
}

static void pexpire(struct session *s, const struct slice *args, size_t count)
{
    (void)count;
    expire_in(s, args, WEFT_MILLISECOND);
}

static void persist(struct session *s, const struct slice *args, size_t count)
{
    (void)count;
    struct shard *shard = store_lock(args[1]);
    struct entry *entry = store_find(shard, args[1]);
    bool had = entry && entry->expires != WEFT_NEVER;
    if (had)
        entry->expires = WEFT_NEVER;
    store_unlock(shard);
    reply_integer(&s->out, had);
}

/* Rounded to the nearest unit; -1: stays, -2: no such key. */
static void time_left(struct session *s, struct slice key, int64_t unit)
{
    int64_t left = -2;
    struct shard *shard = store_lock(key);
    const struct entry *entry = store_find(shard, key);
    if (entry && entry->expires == WEFT_NEVER)
        left = -1;
    else if (entry)
        left = (entry->expires - weft_now() + unit / 2) / unit;
    store_unlock(shard);
    reply_integer(&s->out, entry && left < -1 ? 0 : left);
}

static void ttl(struct session *s, const struct slice *args, size_t count)
{
    (void)count;
    time_left(s, args[1], WEFT_SECOND);
}

static void pttl(struct session *s, const struct slice *args, size_t count)
{
    (void)count;
    time_left(s, args[1], WEFT_MILLISECOND);
}

const struct command key_commands[] = {
    {"DEL", -2, del},      {"EXISTS", -2, exists},  {"TYPE", 2, type},
    {"EXPIRE", 3, expire}, {"PEXPIRE", 3, pexpire}, {"PERSIST", 2, persist},
    {"TTL", 2, ttl},       {"PTTL", 2, pttl},       {0},
};
