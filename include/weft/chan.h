/* SPDX-License-Identifier: MIT */
/*
 * Channels: typed by element size, unbuffered (a send meets a receive) or buffered, first in first
 * out.
 *
 * A NULL channel blocks for ever in send and recv, and is never ready in select. Deadlines are
 * instants of weft_now(); WEFT_NEVER: none. Any thread may call everything here: goroutines give
 * their P to others while they wait, plain threads sleep, and both stand in the same queues.
 *
 * A wait also ends with the caller's context, if there is one: -ECANCELED or -ETIMEDOUT
 * (weft/context.h).
 */
#ifndef WEFT_CHAN_H
#define WEFT_CHAN_H

#include <stddef.h>
#include <stdint.h>

#include <weft/config.h>

WEFT_BEGIN_DECLS

typedef struct weft_chan weft_chan;

/* A channel of `capacity` elements (0: unbuffered) of `element_size` bytes (0 … 65535). NULL when
 * memory is refused or the size is out of range. */
WEFT_API weft_chan *weft_chan_new(size_t element_size, size_t capacity);

/* Nobody may use the channel any more; freeing one with waiters stops the program. NULL is ignored.
 */
WEFT_API void weft_chan_free(weft_chan *chan);

/* Copies *element into the channel; blocks while it is full. 0, or -EPIPE: the channel is closed.
 */
WEFT_API int weft_chan_send(weft_chan *chan, const void *element);

/* Copies the next element to *element (NULL: discard); blocks while there is none. 0, or -EPIPE:
 * the channel is closed and drained (*element is zeroed). */
WEFT_API int weft_chan_recv(weft_chan *chan, void *element);

/* The same without blocking: -EAGAIN. */
WEFT_API int weft_chan_try_send(weft_chan *chan, const void *element);
WEFT_API int weft_chan_try_recv(weft_chan *chan, void *element);

/* The same until a deadline: -ETIMEDOUT. */
WEFT_API int weft_chan_send_until(weft_chan *chan, const void *element, int64_t deadline);
WEFT_API int weft_chan_recv_until(weft_chan *chan, void *element, int64_t deadline);

/* No more sends; waiting receivers and senders wake. Closing a closed or NULL channel stops the
 * program. */
WEFT_API void weft_chan_close(weft_chan *chan);

/* Elements in the buffer at this moment, and how many it has room for; both 0 for NULL. Any
 * thread. */
WEFT_API size_t weft_chan_len(const weft_chan *chan);
WEFT_API size_t weft_chan_cap(const weft_chan *chan);

/* One alternative of a select. */
typedef struct weft_select_case {
    weft_chan *chan;
    const void *send; /* not NULL: send this element */
    void *recv;       /* with send == NULL: receive to here (NULL: discard) */
    int result;       /* set for the chosen case: as weft_chan_send or weft_chan_recv return */
} weft_select_case;

/*
 * Waits until one of n cases can go on, carries it out and returns its index; several ready ones
 * are chosen from at random, fairly. deadline: WEFT_NEVER, an instant (-ETIMEDOUT), or 0: do not
 * wait (-EAGAIN). n = 0 and WEFT_NEVER blocks for ever. More than 8 cases need memory: -ENOMEM if
 * it is refused. The cases and what they point to must stay as they are until the call returns.
 */
WEFT_API int weft_select(weft_select_case *cases, size_t n, int64_t deadline);

WEFT_END_DECLS

#endif
