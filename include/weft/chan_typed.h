/* SPDX-License-Identifier: MIT */
/*
 * Channels that know the type of their elements, for C; C++ has weft::channel in weft/weft.hpp. The
 * macros check the types when the program is compiled and then call weft/chan.h; there is nothing
 * to link and nothing at run time.
 *
 *     typedef WEFT_CHAN(struct request) request_chan;
 *
 *     request_chan requests;
 *     if (!WEFT_CHAN_NEW(&requests, 16))
 *         return -ENOMEM;
 *     WEFT_SEND(requests, ((struct request){.fd = fd}));
 *     struct request next;
 *     while (WEFT_RECV(requests, &next) == 0)
 *         …
 *
 * Values are converted between arithmetic types, as by an assignment; any other difference of types
 * is an error. What is received goes to exactly the element's type, or to NULL.
 */
#ifndef WEFT_CHAN_TYPED_H
#define WEFT_CHAN_TYPED_H

#include <weft/chan.h>

#ifndef __cplusplus

/* The type of a handle; `element` is never read. Two uses of the macro are two types: name it by a
 * typedef to pass handles around. Elements must not be arrays. */
#define WEFT_CHAN(type)                                                                            \
    union {                                                                                        \
        weft_chan *chan;                                                                           \
        type *element;                                                                             \
    }

/* Makes *ch a new channel. NULL: see weft_chan_new(). */
#define WEFT_CHAN_NEW(ch, capacity) ((ch)->chan = weft_chan_new(sizeof *(ch)->element, (capacity)))

/* As the functions of the same names, with a value, and with where to put one. */
#define WEFT_SEND(ch, value)     weft_chan_send((ch).chan, WEFT_CHAN_FROM_(ch, value))
#define WEFT_TRY_SEND(ch, value) weft_chan_try_send((ch).chan, WEFT_CHAN_FROM_(ch, value))
#define WEFT_SEND_UNTIL(ch, value, deadline)                                                       \
    weft_chan_send_until((ch).chan, WEFT_CHAN_FROM_(ch, value), (deadline))
#define WEFT_RECV(ch, to)     weft_chan_recv((ch).chan, WEFT_CHAN_TO_(ch, to))
#define WEFT_TRY_RECV(ch, to) weft_chan_try_recv((ch).chan, WEFT_CHAN_TO_(ch, to))
#define WEFT_RECV_UNTIL(ch, to, deadline)                                                          \
    weft_chan_recv_until((ch).chan, WEFT_CHAN_TO_(ch, to), (deadline))
#define WEFT_CLOSE(ch) weft_chan_close((ch).chan)

/* Cases for weft_select(). from: the address of a value of exactly the element's type. */
#define WEFT_CASE_SEND(ch, from)                                                                   \
    {                                                                                              \
        .chan = (ch).chan, .send = WEFT_CHAN_TO_(ch, from)                                         \
    }
#define WEFT_CASE_RECV(ch, to)                                                                     \
    {                                                                                              \
        .chan = (ch).chan, .recv = WEFT_CHAN_TO_(ch, to)                                           \
    }

/* A pointer to the element's type, or an error. */
#define WEFT_CHAN_TO_(ch, to) _Generic((to), __typeof__((ch).element) : (to), void * : (to))

/* The address of a copy of the value that has the element's type, or an error. */
#define WEFT_CHAN_FROM_(ch, value)                                                                 \
    ((void)sizeof(struct {                                                                         \
         _Static_assert(WEFT_CHAN_FITS_(value, *(ch).element),                                     \
                        "the value is not of the channel's type");                                 \
         char c;                                                                                   \
     }),                                                                                           \
     (__typeof__(*(ch).element)[1]){(value)})

/* The conditional turns arrays into pointers. */
#define WEFT_CHAN_FITS_(value, element)                                                            \
    (__builtin_types_compatible_p(__typeof__(1 ? (value) : (value)), __typeof__(element)) ||       \
     (WEFT_CHAN_IS_NUMBER_(value) && WEFT_CHAN_IS_NUMBER_(element)))

/* The compilers' classes of integers, enumerations, truth values and real numbers. */
#define WEFT_CHAN_IS_NUMBER_(value)                                                                \
    (__builtin_classify_type(value) < 5 || __builtin_classify_type(value) == 8)

#endif

#endif
