/* SPDX-License-Identifier: MIT */
/*
 * Requests, parsed by http_parser from bytes as they come.
 *
 * The parser is given the same buffer until it has had the head, then until it has had the body; it
 * stops in between, so that a reply "100 Continue" or a refusal may come before the body does, and
 * it stops behind the request: what follows is the next one.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <http_parser.h>
#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"

enum request_state { REQUEST_MORE, REQUEST_HEAD, REQUEST_DONE, REQUEST_BAD };

struct request {
    http_parser parser;
    enum request_state state;
    bool has_head;
    size_t head_size;                /* bytes of the head so far */
    struct buffer target;            /* as it was sent; zero-terminated with the head */
    const char *path;                /* in target: "/path?query" */
    struct buffer field, value;      /* the header at hand */
    bool in_value;                   /* what comes next belongs to the value */
    bool has_host, expects_continue; /* headers that were seen */
    char content_type[128];          /* "": there is none */
    struct buffer body;
    int status;        /* REQUEST_BAD: what to reply */
    const char *error; /* REQUEST_BAD: why */
};

void request_init(struct request *r);
void request_fini(struct request *r);

/* Gives the parser bytes; returns how many it took. r->state says how far it is. At REQUEST_HEAD
 * the next call goes on with the body, or to REQUEST_DONE if there is none. */
size_t request_feed(struct request *r, const char *data, size_t size);

/* Whether a body follows the head. */
bool request_has_body(const struct request *r);

/* The length of the path without the query. */
size_t request_path_size(const struct request *r);
/* The number of the query's parameter `name`, in [0, limit], or the default. */
int64_t request_number(const struct request *r, const char *name, int64_t otherwise, int64_t limit);

#endif
