/* SPDX-License-Identifier: MIT */
/* Commands on strings. */
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "reply.h"

struct set_options {
    int64_t expires;
    bool if_absent, if_present, keep_expiry;
};

static bool parse_expiry(struct session *s, struct slice amount, int64_t unit, int64_t *expires)
{
    int64_t n;
    if (!slice_integer(amount, &n)) {
        reply_no_integer(s);
        return false;
    }
    if (n <= 0 || !instant_after(n, unit, expires)) {
        reply_error(&s->out, "ERR invalid expire time in 'set' command");
        return false;
    }
    return true;
}

/* False: the reply is an error. */
static bool parse_set(struct session *s, const struct slice *args, size_t count,
                      struct set_options *options)
{
    *options = (struct set_options){.expires = WEFT_NEVER};
    for (size_t i = 3; i < count; i++) {
        bool seconds = slice_is(args[i], "EX"), milliseconds = slice_is(args[i], "PX");
        if ((seconds || milliseconds) && i + 1 < count && options->expires == WEFT_NEVER &&
            !options->keep_expiry) {
            int64_t unit = seconds ? WEFT_SECOND : WEFT_MILLISECOND;
            if (!parse_expiry(s, args[++i], unit, &options->expires))
                return false;
        } else if (slice_is(args[i], "NX") && !options->if_present) {
            options->if_absent = true;
        } else if (slice_is(args[i], "XX") && !options->if_absent) {
            options->if_present = true;
        } else if (slice_is(args[i], "KEEPTTL") && options->expires == WEFT_NEVER) {
            options->keep_expiry = true;
        } else {
            reply_syntax(s);
            return false;
        }
    }
    return true;
}

static void set(struct session *s, const struct slice *args, size_t count)
{
    struct set_options options;
    if (!parse_set(s, args, count, &options))
        return;
    struct shard *shard = store_lock(args[1]);
    struct entry *entry = store_find(shard, args[1]);
    bool refused = entry ? options.if_absent : options.if_present;
    if (!refused) {
        int64_t expires = options.keep_expiry && entry ? entry->expires : options.expires;
        if (!entry)
            entry = store_make(shard, args[1]);
        entry_set_string(entry, args[2].data, args[2].size);
        entry->expires = expires;
    }
    store_unlock(shard);
    if (refused)
        reply_null(&s->out);
    else
        reply_status(&s->out, "OK");
}

static void get(struct session *s, const struct slice *args, size_t count)
{
    (void)count;
    struct shard *shard = store_lock(args[1]);
    const struct entry *entry = store_find(shard, args[1]);
    if (!entry)
        reply_null(&s->out);
    else if (entry->type != VALUE_STRING)
        reply_wrong_type(s);
    else
        reply_bulk(&s->out, entry->string.data, entry->string.size);
    store_unlock(shard);
}

static void mget(struct session *s, const struct slice *args, size_t count)
{
    uint64_t locked = store_lock_all(args + 1, count - 1, 1);
    reply_array(&s->out, count - 1);
    for (size_t i = 1; i < count; i++) {
        const struct entry *entry = store_find(store_shard(args[i]), args[i]);
        if (entry && entry->type == VALUE_STRING)
            reply_bulk(&s->out, entry->string.data, entry->string.size);
        else
            reply_null(&s->out);
    }
    store_unlock_all(locked);
}

static void mset(struct session *s, const struct slice *args, size_t count)
{
    if (count % 2 == 0) {
        reply_error(&s->out, "ERR wrong number of arguments for 'mset' command");
        return;
    }
    uint64_t locked = store_lock_all(args + 1, count - 1, 2);
    for (size_t i = 1; i < count; i += 2) {
        struct entry *entry = store_make(store_shard(args[i]), args[i]);
        entry_set_string(entry, args[i + 1].data, args[i + 1].size);
    }
    store_unlock_all(locked);
    reply_status(&s->out, "OK");
}

/* Replaces the number in an entry, keeping its expiry. */
static void store_number(struct entry *entry, int64_t value)
{
    char text[24];
    int64_t expires = entry->expires;
    int n = snprintf(text, sizeof text, "%" PRId64, value);
    entry_set_string(entry, text, (size_t)n);
    entry->expires = expires;
}

static void add(struct session *s, struct slice key, int64_t amount)
{
    int64_t value = 0;
    struct shard *shard = store_lock(key);
    struct entry *entry = store_find(shard, key);

    if (entry && entry->type != VALUE_STRING)
        reply_wrong_type(s);
    else if (entry && !slice_integer(entry->string, &value))
        reply_no_integer(s);
    else if (__builtin_add_overflow(value, amount, &value))
        reply_error(&s->out, "ERR increment or decrement would overflow");
    else {
        store_number(entry ? entry : store_make(shard, key), value);
        reply_integer(&s->out, value);
    }
    store_unlock(shard);
}

static void incr(struct session *s, const struct slice *args, size_t count)
{
    (void)count;
    add(s, args[1], 1);
}

static void decr(struct session *s, const struct slice *args, size_t count)
{
    (void)count;
    add(s, args[1], -1);
}

static void incrby(struct session *s, const struct slice *args, size_t count)
{
    int64_t amount;
    (void)count;
    if (slice_integer(args[2], &amount))
        add(s, args[1], amount);
    else
        reply_no_integer(s);
}

static void decrby(struct session *s, const struct slice *args, size_t count)
{
    int64_t amount;
    (void)count;
    if (slice_integer(args[2], &amount) && amount != INT64_MIN)
        add(s, args[1], -amount);
    else
        reply_no_integer(s);
}

const struct command string_commands[] = {
    {"GET", 2, get},       {"SET", -3, set},      {"MGET", -2, mget},
    {"MSET", -3, mset},    {"INCR", 2, incr},     {"DECR", 2, decr},
    {"INCRBY", 3, incrby}, {"DECRBY", 3, decrby}, {0},
};
