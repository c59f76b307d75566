/* SPDX-License-Identifier: MIT */
/* The inside of a channel, and one attempt at each operation: for chan.c and select.c. */
#ifndef WEFT_SCHED_CHAN_OPS_H
#define WEFT_SCHED_CHAN_OPS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sched/waiter.h"
#include "weft/chan.h"

struct weft_chan {
    base_lock lock; /* rank CHAN */
    uint32_t element_size;
    bool closed; /* lock: lock; never cleared */
    size_t capacity;
    size_t count; /* elements in the buffer; written under lock, atomic for weft_chan_len */
    size_t first; /* lock: lock; where the oldest element is */
    struct waiter_queue receivers, senders; /* lock: lock */
    char buffer[] __attribute__((aligned(16)));
};

/* chan_try_…: not ready, the lock is still held. */
enum { CHAN_MUST_WAIT = 1 };

/* The usual sizes are copied without a call. */
static inline void chan_copy(void *to, const void *from, size_t size)
{
    switch (size) {
    case 0:
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    default:
        memcpy(to, from, size);
    }
}

static inline void *chan_slot(struct weft_chan *c, size_t i)
{
    return c->buffer + i * c->element_size;
}

static inline void chan_put(struct weft_chan *c, const void *element)
{
    size_t last = c->first + c->count;
    if (last >= c->capacity)
        last -= c->capacity;
    chan_copy(chan_slot(c, last), element, c->element_size);
    atomic_store_relaxed(&c->count, c->count + 1);
}

/* Takes the oldest element of the buffer; element NULL: drops it. */
static inline void chan_get(struct weft_chan *c, void *element)
{
    if (element)
        chan_copy(element, chan_slot(c, c->first), c->element_size);
    if (++c->first == c->capacity)
        c->first = 0;
    atomic_store_relaxed(&c->count, c->count - 1);
}

/*
 * One attempt under the channel's lock. Return 0 or -EPIPE when the operation is complete, else
 * CHAN_MUST_WAIT. *partner: a goroutine that has to be woken with result 0 after the lock was
 * released, or NULL.
 */
static inline int chan_send_locked(struct weft_chan *c, const void *element,
                                   struct waiter **partner)
{
    *partner = NULL;
    if (unlikely(c->closed))
        return -EPIPE;
    if (c->receivers.head && (*partner = waiters_take(&c->receivers))) {
        if ((*partner)->element)
            chan_copy((*partner)->element, element, c->element_size);
        return 0;
    }
    if (c->count == c->capacity)
        return CHAN_MUST_WAIT;
    chan_put(c, element);
    return 0;
}

static inline int chan_recv_locked(struct weft_chan *c, void *element, struct waiter **partner)
{
    *partner = NULL;
    struct waiter *w = c->senders.head ? waiters_take(&c->senders) : NULL;
    if (c->count > 0) {
        chan_get(c, element);
        if (w) /* the buffer was full: the first sender's element takes the place */
            chan_put(c, w->element);
    } else if (w) {
        if (element)
            chan_copy(element, w->element, c->element_size);
    } else if (c->closed) {
        if (element)
            memset(element, 0, c->element_size);
        return -EPIPE;
    } else {
        return CHAN_MUST_WAIT;
    }
    *partner = w;
    return 0;
}

/* weft_chan_close() for those who are inside already; m may be NULL. */
void chan_close(struct m *m, struct weft_chan *c);

/* weft_chan_close() for those who are inside already; m may be NULL. */
void chan_close(struct m *m, struct weft_chan *c);

#endif
