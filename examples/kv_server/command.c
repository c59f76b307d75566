/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <ctype.h>
#include <string.h>

#include "reply.h"
#include "server.h"

const struct command *const command_tables[] = {string_commands, key_commands, list_commands,
                                                server_commands, NULL};

bool slice_is(struct slice s, const char *word)
{
    size_t i = 0;
    for (; i < s.size && word[i]; i++)
        if (toupper((unsigned char)s.data[i]) != word[i])
            return false;
    return i == s.size && !word[i];
}

bool slice_integer(struct slice s, int64_t *value)
{
    bool negative = s.size > 0 && s.data[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + negative, sum = 0;

    if (s.size == negative || s.size > 20)
        return false;
    for (size_t i = negative; i < s.size; i++) {
        unsigned digit = (unsigned)(s.data[i] - '0');
        if (digit > 9 || sum > (limit - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = (int64_t)(negative ? 0 - sum : sum);
    return true;
}

void reply_wrong_type(struct session *s)
{
    reply_error(&s->out, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void reply_no_integer(struct session *s)
{
    reply_error(&s->out, "ERR value is not an integer or out of range");
}

void reply_syntax(struct session *s)
{
    reply_error(&s->out, "ERR syntax error");
}

bool instant_after(int64_t amount, int64_t unit, int64_t *instant)
{
    int64_t duration;
    return !__builtin_mul_overflow(amount, unit, &duration) &&
           !__builtin_add_overflow(weft_now(), duration, instant) && *instant != WEFT_NEVER;
}

static const struct command *find(struct slice name)
{
    for (const struct command *const *table = command_tables; *table; table++)
        for (const struct command *c = *table; c->name; c++)
            if (slice_is(name, c->name))
                return c;
    return NULL;
}

static bool arity_fits(const struct command *c, size_t count)
{
    return c->arity >= 0 ? count == (size_t)c->arity : count >= (size_t)-c->arity;
}

void command_run(struct session *s, const struct slice *args, size_t count)
{
    const struct command *c = find(args[0]);
    int shown = args[0].size < 64 ? (int)args[0].size : 64;

    __atomic_fetch_add(&server.commands, 1, __ATOMIC_RELAXED);
    if (!c)
        reply_error(&s->out, "ERR unknown command '%.*s'", shown, args[0].data);
    else if (!arity_fits(c, count))
        reply_error(&s->out, "ERR wrong number of arguments for '%.*s' command", shown,
                    args[0].data);
    else
        c->run(s, args, count);
}
