/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_INDEX_STATE_H
#define WEFT_READER_INDEX_STATE_H

/* The state of a reader between two generations, as bytes. */

#include "reader/reader.h"

struct reader_bytes {
    uint8_t *at;
    size_t size, capacity;
    bool failed; /* memory is exhausted: what was put is not all there */
};

void reader_bytes_put(struct reader_bytes *bytes, uint64_t number);
void reader_bytes_put_text(struct reader_bytes *bytes, const void *data, size_t size);
void reader_bytes_fini(struct reader_bytes *bytes);

/* Where taking stands. After a fault all numbers are 0. */
struct reader_taker {
    const uint8_t *at, *end;
    bool fault;
};

uint64_t reader_take(struct reader_taker *from);
/* A number of things of which each takes a byte or more. */
uint64_t reader_take_count(struct reader_taker *from);

/* What is known besides the ordering. */
struct reader_progress {
    int64_t last;
    uint64_t syncs, generations;
};

/* Appends the state before any event of the current generation is applied. */
void reader_state_put(struct reader_bytes *bytes, const struct reader_order *order,
                      const struct reader_progress *progress);

/*
 * Fills a state that is as reader_order_init leaves it. Returns 0, -EBADMSG or -ENOMEM; after a
 * failure it can only be released. gen is what order->gen is to be, with number 0.
 */
int reader_state_take(struct reader_order *order, struct reader_generation *gen,
                      struct reader_progress *progress, const uint8_t *data, size_t size);

#endif
