/* SPDX-License-Identifier: MIT */
/* Commands on lists. */
#include <stdlib.h>

#include "command.h"
#include "reply.h"

static void push(struct session *s, const struct slice *args, size_t count, bool left)
{
    struct shard *shard = store_lock(args[1]);
    struct entry *entry = store_find(shard, args[1]);

    if (!entry) {
        entry = store_make(shard, args[1]);
        entry_set_list(entry);
    }
    if (entry->type != VALUE_LIST) {
        reply_wrong_type(s);
    } else {
        for (size_t i = 2; i < count; i++)
            list_push(&entry->list, left, args[i]);
        reply_integer(&s->out, (int64_t)entry->list.count);
    }
    store_unlock(shard);
}

static void lpush(struct session *s, const struct slice *args, size_t count)
{
    push(s, args, count, true);
}

static void rpush(struct session *s, const struct slice *args, size_t count)
{
    push(s, args, count, false);
}

static void reply_popped(struct session *s, struct list *list, bool left)
{
    struct slice bytes = list_pop(list, left);
    reply_bulk(&s->out, bytes.data, bytes.size);
    free((char *)bytes.data);
}

/* Without a count: one element; with a count: an array of at most so many. */
static void pop_some(struct session *s, struct entry *entry, bool array, size_t wanted, bool left)
{
    size_t n = wanted < entry->list.count ? wanted : entry->list.count;
    if (array)
        reply_array(&s->out, n);
    while (n-- > 0)
        reply_popped(s, &entry->list, left);
}

static void pop(struct session *s, const struct slice *args, size_t count, bool left)
{
    int64_t wanted = 1;
    if (count > 3) {
        reply_syntax(s);
        return;
    }
    if (count == 3 && (!slice_integer(args[2], &wanted) || wanted < 0)) {
        reply_error(&s->out, "ERR value is out of range, must be positive");
        return;
    }
    struct shard *shard = store_lock(args[1]);
    struct entry *entry = store_find(shard, args[1]);
    if (!entry && count == 3) {
        reply_null_array(&s->out);
    } else if (!entry) {
        reply_null(&s->out);
    } else if (entry->type != VALUE_LIST) {
        reply_wrong_type(s);
    } else {
        pop_some(s, entry, count == 3, (size_t)wanted, left);
        if (entry->list.count == 0)
            store_remove(shard, args[1]);
    }
    store_unlock(shard);
}

static void lpop(struct session *s, const struct slice *args, size_t count)
{
    pop(s, args, count, true);
}

static void rpop(struct session *s, const struct slice *args, size_t count)
{
    pop(s, args, count, false);
}

static void llen(struct session *s, const struct slice *args, size_t count)
{
    (void)count;
    struct shard *shard = store_lock(args[1]);
    const struct entry *entry = store_find(shard, args[1]);
    if (entry && entry->type != VALUE_LIST)
        reply_wrong_type(s);
    else
        reply_integer(&s->out, entry ? (int64_t)entry->list.count : 0);
    store_unlock(shard);
}

/* Negative: counted from the end. */
static int64_t absolute(int64_t index, int64_t count)
{
    return index < 0 ? index + count : index;
}

static void reply_range(struct session *s, const struct list *list, int64_t first, int64_t last)
{
    int64_t count = (int64_t)list->count;
    first = absolute(first, count);
    last = absolute(last, count);
    if (first < 0)
        first = 0;
    if (last >= count)
        last = count - 1;
    reply_array(&s->out, last >= first ? (size_t)(last - first + 1) : 0);
    for (; first <= last; first++) {
        const struct slice *bytes = list_at(list, (size_t)first);
        reply_bulk(&s->out, bytes->data, bytes->size);
    }
}

static void lrange(struct session *s, const struct slice *args, size_t count)
{
    int64_t first, last;
    (void)count;
    if (!slice_integer(args[2], &first) || !slice_integer(args[3], &last)) {
        reply_no_integer(s);
        return;
    }
    struct shard *shard = store_lock(args[1]);
    const struct entry *entry = store_find(shard, args[1]);
    if (!entry)
        reply_array(&s->out, 0);
    else if (entry->type != VALUE_LIST)
        reply_wrong_type(s);
    else
        reply_range(s, &entry->list, first, last);
    store_unlock(shard);
}

const struct command list_commands[] = {
    {"LPUSH", -3, lpush},
    {"RPUSH", -3, rpush},
    {"LPOP", -2, lpop},
    {"RPOP", -2, rpop},
    {"LLEN", 2, llen},
    {"LRANGE", 4, lrange},
    {0},
};
