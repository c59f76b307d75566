/* SPDX-License-Identifier: MIT */
/* The server as a whole: options, counters, its end. */
#ifndef KV_SERVER_H
#define KV_SERVER_H

#include <stdint.h>

struct server {
    /* constant while it runs */
    size_t max_request;
    int64_t idle; /* a client that sends nothing for so long is dropped; 0: never */
    int port;
    int64_t started;
    /* atomic */
    uint64_t clients, connections, commands;
    uint32_t stopping;
};
extern struct server server;

/* Lets the server end: no new connections, the present ones close. Any goroutine;
 * async-signal-safe. */
void server_stop(void);

#endif
