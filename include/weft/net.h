/* SPDX-License-Identifier: MIT */
/*
 * TCP over IPv4 and IPv6. Calls look blocking; a goroutine that waits gives its P to others.
 *
 * Addresses are text: "127.0.0.1:6379", "[::1]:6379", ":6379" (all interfaces, IPv6 and IPv4), port
 * 0: any free port. Numeric only: for names there is weft/resolve.h. Deadlines are instants of
 * weft_now(), WEFT_NEVER: none; they concern waiting calls, present and future, until changed. One
 * goroutine may read and another write a connection at the same time; several readers (or several
 * writers) take turns in no particular order; what one call writes stays together.
 *
 * Forms. `until` bounds that one call, too: -ETIMEDOUT after its deadline, or after that of the
 * connection if it comes first. The caller's context, if there is one, also ends a wait: -ECANCELED
 * or -ETIMEDOUT (weft/context.h, with the `_ctx` forms). What can be done at once is done, however
 * late it is. The connection remains as it is; of a write, part may have been written.
 *
 * Any goroutine may close. It must know that no other is about to begin an operation, as the object
 * is gone then. To stop goroutines that go on reading or accepting, set a deadline in the past and
 * let them close.
 */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <weft/config.h>

WEFT_BEGIN_DECLS

typedef struct weft_listener weft_listener;
typedef struct weft_conn weft_conn;

/* Listens (SO_REUSEADDR, backlog: the system's maximum). 0 and *out, or -EINVAL for an address that
 * cannot be read, or what the system says. */
WEFT_API int weft_tcp_listen(const char *address, weft_listener **out);

/* The next connection (TCP_NODELAY set). 0 and *out; -ECANCELED: the listener was closed;
 * -ETIMEDOUT; -EMFILE, … */
WEFT_API int weft_tcp_accept(weft_listener *listener, weft_conn **out);
WEFT_API int weft_tcp_accept_until(weft_listener *listener, weft_conn **out, int64_t deadline);

/* The port that is listened on. */
WEFT_API int weft_listener_port(const weft_listener *listener);
WEFT_API void weft_listener_set_deadline(weft_listener *listener, int64_t deadline);
/* Goroutines that wait in accept return -ECANCELED. Frees the listener when the last of them has.
 */
WEFT_API void weft_listener_close(weft_listener *listener);

/* Connects until the deadline. 0 and *out, -EINVAL (also for an address without a host),
 * -ETIMEDOUT, -ECONNREFUSED, … */
WEFT_API int weft_tcp_dial(const char *address, int64_t deadline, weft_conn **out);

/* Makes a connection of a socket, pipe or similar descriptor, which is set non-blocking and now
 * belongs to it. 0 and *out, or with the descriptor still the caller's: -EOPNOTSUPP for a file,
 * -EEXIST if it is a connection already, … */
WEFT_API int weft_conn_from_fd(int fd, weft_conn **out);

/* Reads at least one byte and at most size. The number read, 0 at the end of the stream,
 * -ETIMEDOUT, -ECANCELED (closed meanwhile), -ECONNRESET, … */
WEFT_API ssize_t weft_conn_read(weft_conn *conn, void *data, size_t size);
WEFT_API ssize_t weft_conn_read_until(weft_conn *conn, void *data, size_t size, int64_t deadline);

/* Writes everything. size, or a negative errno value: how much was written before is not known
 * then. Never SIGPIPE. */
WEFT_API ssize_t weft_conn_write(weft_conn *conn, const void *data, size_t size);
WEFT_API ssize_t weft_conn_write_until(weft_conn *conn, const void *data, size_t size,
                                       int64_t deadline);

/* Until when reads, or writes, wait, those under way included: an instant of weft_now(),
 * WEFT_NEVER: for ever, which is so at first. One in the past ends them at once. */
WEFT_API void weft_conn_set_read_deadline(weft_conn *conn, int64_t deadline);
WEFT_API void weft_conn_set_write_deadline(weft_conn *conn, int64_t deadline);

/* Half closes, of sockets; the other direction goes on. 0, -ENOTCONN (no peer any more), -ENOTSOCK
 * (a pipe). No more writes: the peer reads what was written, then the end of the stream; writes
 * here are -EPIPE. */
WEFT_API int weft_conn_shutdown_write(weft_conn *conn);
/* No more reads: those that wait, and later ones, get what has arrived, then the end of the stream.
 * The peer learns of it on Unix sockets (-EPIPE), not over TCP. */
WEFT_API int weft_conn_shutdown_read(weft_conn *conn);

/* Waiting calls return -ECANCELED. The object is freed when the last of them has. */
WEFT_API void weft_conn_close(weft_conn *conn);

/* The descriptor, for getsockopt and the like. */
WEFT_API int weft_conn_fd(const weft_conn *conn);

WEFT_END_DECLS

#endif
