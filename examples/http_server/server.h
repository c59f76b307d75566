/* SPDX-License-Identifier: MIT */
/* The server as a whole: options, counters, its end. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weft/weft.h>

#ifdef HTTP_WITH_TLS
#include <weft/tls.h>
#else
typedef struct weft_tls_config weft_tls_config;
#endif

struct server {
    /* constant while it runs */
    size_t max_head, max_body; /* bytes of a request's head and body */
    int64_t idle;              /* how long a connection may be without a request */
    int64_t read_timeout;      /* for the head of a request from its first byte on; for its body */
    int64_t write_timeout;     /* for each 64 KiB of a reply */
    int64_t grace;             /* how long requests may take that are under way at the end */
    const char *files;         /* folder of /files/; NULL: none */
    weft_tls_config *tls;      /* NULL: none */
    int64_t started;
    weft_context *accepting; /* ends first: no new connections, no new requests */
    weft_scope *serving;     /* the connections */
    /* atomic */
    uint64_t connections, active; /* now; requests under way */
    uint64_t accepted, requests, failed;
};
extern struct server server;

static inline bool server_is_ending(void)
{
    return weft_context_error(server.accepting) != 0;
}

static inline void count(uint64_t *counter, int64_t by)
{
    __atomic_fetch_add(counter, (uint64_t)by, __ATOMIC_RELAXED);
}

#endif
