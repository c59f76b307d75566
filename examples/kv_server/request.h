/* SPDX-License-Identifier: MIT */
/*
 * Requests of the Redis protocol: arrays of bulk strings, and inline commands (a line of words,
 * quoted if need be).
 *
 * The parser is given the same bytes again with more behind them until the request is whole, and
 * goes on where it stopped: a request that comes byte by byte costs no more than one that comes at
 * once. Sizes that are announced reserve nothing.
 */
#ifndef KV_REQUEST_H
#define KV_REQUEST_H

#include <stdint.h>

#include "buffer.h"

struct request {
    size_t limit;       /* bytes of the largest request */
    size_t used;        /* bytes that are parsed; REQUEST_DONE: its length */
    size_t searched;    /* bytes without a line end behind `used` */
    int64_t args_left;  /* -1: the first line is yet to come */
    int64_t bulk_size;  /* -1: the line with the size of an argument is yet to come */
    size_t *offsets;    /* begin and end of each argument */
    size_t count, room; /* arguments */
    struct slice *args; /* REQUEST_DONE: what the offsets name */
    char error[96];     /* REQUEST_BAD */
};

enum request_state { REQUEST_MORE, REQUEST_DONE, REQUEST_BAD };

void request_init(struct request *r, size_t limit);
void request_fini(struct request *r);

/* data: from the first byte of the request on. Quoted words of an inline command are unquoted in
 * place. */
enum request_state request_parse(struct request *r, char *data, size_t size);

/* After REQUEST_DONE: ready for the next one. */
void request_next(struct request *r);

/* How many bytes more there must be at least until the request is whole, as far as is known. */
size_t request_wants(const struct request *r, size_t size);

#endif
