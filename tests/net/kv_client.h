/* SPDX-License-Identifier: MIT */
/* A kv_server as a child process, and what is asked of it. */
#ifndef WEFT_TESTS_NET_KV_CLIENT_H
#define WEFT_TESTS_NET_KV_CLIENT_H

#include "net/server_child.h"

/* options: NULL-terminated, or NULL. descriptors: limit for the process; 0: as it is. */
static inline struct server server_start_limited(const char *const *options, rlim_t descriptors)
{
    struct server server = {0};
    const char *all[24] = {"--port", "0"};
    for (size_t n = 2; options && *options && n < 23; options++)
        all[n++] = *options;
    FILE *said = server_spawn(&server, "kv", all, descriptors);
    if (fscanf(said, "listening on 127.0.0.1:%d", &server.port) != 1)
        fail_msg("the server did not say where it listens");
    fclose(said);
    return server;
}

static inline struct server server_start(const char *const *options)
{
    return server_start_limited(options, 0);
}

/* One command as an inline request, and its reply. */
static inline void ask(int fd, const char *command, const char *reply)
{
    send_text(fd, command);
    send_text(fd, "\r\n");
    expect(fd, reply);
}

/* The number behind "name:" in what INFO says. */
static inline long info(int fd, const char *name)
{
    char head[16] = {0}, text[4096], key[64];
    send_text(fd, "INFO\r\n");
    for (size_t i = 0; i == 0 || head[i - 1] != '\n'; i++)
        assert_int_equal(receive(fd, head + i, 1), 1);
    size_t size = (size_t)atol(head + 1) + 2;
    assert_true(size < sizeof text);
    assert_int_equal(receive(fd, text, size), size);
    text[size] = 0;
    snprintf(key, sizeof key, "\n%s:", name);
    const char *found = strstr(text, key);
    assert_non_null(found);
    return atol(found + strlen(key));
}

/* Waits until INFO says so. */
static inline void await_info(int fd, const char *name, long value)
{
    long last = -1;
    for (int tries = 0; tries < 3000; tries++) {
        last = info(fd, name);
        if (last == value)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    fail_msg("%s stays %ld, not %ld", name, last, value);
}

#endif
