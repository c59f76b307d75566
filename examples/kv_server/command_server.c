/* SPDX-License-Identifier: MIT */
/* Commands on the connection and the server. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "command.h"
#include "reply.h"
#include "server.h"

static void ping(struct session *s, const struct slice *args, size_t count)
{
    if (count == 1)
        reply_status(&s->out, "PONG");
    else if (count == 2)
        reply_bulk(&s->out, args[1].data, args[1].size);
    else
        reply_error(&s->out, "ERR wrong number of arguments for 'ping' command");
}

static void echo(struct session *s, const struct slice *args, size_t count)
{
    (void)count;
    reply_bulk(&s->out, args[1].data, args[1].size);
}

static void quit(struct session *s, const struct slice *args, size_t count)
{
    (void)args, (void)count;
    reply_status(&s->out, "OK");
    s->quit = true;
}

static void shutdown_server(struct session *s, const struct slice *args, size_t count)
{
    if (count > 2 || (count == 2 && !slice_is(args[1], "NOSAVE") && !slice_is(args[1], "SAVE"))) {
        reply_syntax(s);
        return;
    }
    s->quit = true;
    server_stop();
}

/* There is one data base, number 0. */
static void select_base(struct session *s, const struct slice *args, size_t count)
{
    int64_t number;
    (void)count;
    if (!slice_integer(args[1], &number))
        reply_no_integer(s);
    else if (number != 0)
        reply_error(&s->out, "ERR DB index is out of range");
    else
        reply_status(&s->out, "OK");
}

static void flush_all(struct session *s, const struct slice *args, size_t count)
{
    if (count > 2 || (count == 2 && !slice_is(args[1], "SYNC") && !slice_is(args[1], "ASYNC"))) {
        reply_syntax(s);
        return;
    }
    store_clear();
    reply_status(&s->out, "OK");
}

static void dbsize(struct session *s, const struct slice *args, size_t count)
{
    (void)args, (void)count;
    reply_integer(&s->out, (int64_t)store_count());
}

static void info(struct session *s, const struct slice *args, size_t count)
{
    char text[1024];
    weft_stats stats = {.size = sizeof stats};
    (void)args, (void)count;
    weft_stats_get(&stats);
    size_t keys = store_count();
    int n = snprintf(
        text, sizeof text,
        "# Server\r\nredis_version:7.0.0\r\nserver_name:weft kv_server\r\nprocess_id:%ld\r\n"
        "tcp_port:%d\r\nuptime_in_seconds:%" PRId64 "\r\n\r\n"
        "# Clients\r\nconnected_clients:%" PRIu64 "\r\n\r\n"
        "# Stats\r\ntotal_connections_received:%" PRIu64 "\r\ntotal_commands_processed:%" PRIu64
        "\r\n\r\n"
        "# Weft\r\ngoroutines:%" PRIu64 "\r\ngoroutines_created:%" PRIu64 "\r\nprocs:%" PRIu64
        "\r\nthreads:%" PRIu64 "\r\nrevocations:%" PRIu64 "\r\nworld_stops:%" PRIu64 "\r\n\r\n"
        "# Keyspace\r\n",
        (long)getpid(), server.port, (weft_now() - server.started) / WEFT_SECOND,
        __atomic_load_n(&server.clients, __ATOMIC_RELAXED),
        __atomic_load_n(&server.connections, __ATOMIC_RELAXED),
        __atomic_load_n(&server.commands, __ATOMIC_RELAXED), stats.goroutines, stats.created,
        stats.procs, stats.threads, stats.revocations, stats.world_stops);
    if (keys > 0)
        n += snprintf(text + n, sizeof text - (size_t)n, "db0:keys=%zu,expires=%zu,avg_ttl=0\r\n",
                      keys, store_count_expiring());
    reply_bulk(&s->out, text, (size_t)n);
}

/* A name of capitals, as clients expect it. */
static void reply_name(struct session *s, const char *name)
{
    char lower[32];
    size_t n = 0;
    for (; name[n] && n < sizeof lower; n++)
        lower[n] = (char)(name[n] | 0x20);
    reply_bulk(&s->out, lower, n);
}

/* What redis-benchmark and redis-cli ask for. */
static const char *const settings[][2] = {
    {"SAVE", ""}, {"APPENDONLY", "no"}, {"DATABASES", "1"}, {"MAXMEMORY", "0"}};

static void config_get(struct session *s, struct slice pattern)
{
    bool every = slice_is(pattern, "*");
    size_t known = sizeof settings / sizeof *settings, found = 0;

    for (size_t i = 0; i < known; i++)
        found += every || slice_is(pattern, settings[i][0]);
    reply_array(&s->out, 2 * found);
    for (size_t i = 0; i < known; i++) {
        if (every || slice_is(pattern, settings[i][0])) {
            reply_name(s, settings[i][0]);
            reply_text(&s->out, settings[i][1]);
        }
    }
}

static void config(struct session *s, const struct slice *args, size_t count)
{
    if (slice_is(args[1], "GET") && count == 3)
        config_get(s, args[2]);
    else if (slice_is(args[1], "RESETSTAT"))
        reply_status(&s->out, "OK");
    else if (slice_is(args[1], "SET"))
        reply_error(&s->out, "ERR the configuration is given on the command line only");
    else
        reply_syntax(s);
}

static void describe(struct session *s, const struct command *c)
{
    reply_array(&s->out, 6);
    reply_name(s, c->name);
    reply_integer(&s->out, c->arity);
    reply_array(&s->out, 0);
    for (int i = 0; i < 3; i++)
        reply_integer(&s->out, 0);
}

static size_t count_commands(void)
{
    size_t n = 0;
    for (const struct command *const *table = command_tables; *table; table++)
        for (const struct command *c = *table; c->name; c++)
            n++;
    return n;
}

static void command(struct session *s, const struct slice *args, size_t count)
{
    if (count > 1 && slice_is(args[1], "COUNT")) {
        reply_integer(&s->out, (int64_t)count_commands());
    } else if (count > 1) { /* DOCS, INFO …: nothing to tell */
        reply_array(&s->out, 0);
    } else {
        reply_array(&s->out, count_commands());
        for (const struct command *const *table = command_tables; *table; table++)
            for (const struct command *c = *table; c->name; c++)
                describe(s, c);
    }
}

const struct command server_commands[] = {
    {"PING", -1, ping},         {"ECHO", 2, echo},
    {"QUIT", -1, quit},         {"SHUTDOWN", -1, shutdown_server},
    {"SELECT", 2, select_base}, {"FLUSHALL", -1, flush_all},
    {"FLUSHDB", -1, flush_all}, {"DBSIZE", 1, dbsize},
    {"INFO", -1, info},         {"CONFIG", -2, config},
    {"COMMAND", -1, command},   {0},
};
