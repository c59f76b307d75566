/* SPDX-License-Identifier: MIT */
/*
 * Sockets beyond TCP streams: Unix sockets, datagrams, descriptors passed to other processes,
 * scattered reads and gathered writes, files sent as they are, options.
 *
 * All of these are connections and listeners of weft/net.h, whose rules hold here, too: waiting
 * calls end with deadlines (`until`: of one call), with the caller's context and with the close.
 * Reads and receives are read operations, writes and sends are write operations. What a goroutine
 * waits for here is "network" in traces.
 *
 * The path of a Unix socket is a path of the file system, or "@name": a name in Linux's abstract
 * namespace, which leaves no file behind.
 */
#ifndef WEFT_SOCKET_H
#define WEFT_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <weft/config.h>
#include <weft/net.h>

WEFT_BEGIN_DECLS

/* ---- Unix sockets ---- */

/* Listens for streams. An existing file is not replaced (-EADDRINUSE), and the file remains when
 * the listener is closed. 0 and *out; -EINVAL: the path is empty; -ENAMETOOLONG; … */
WEFT_API int weft_unix_listen(const char *path, weft_listener **out);

/* As weft_tcp_accept, for a listener of weft_unix_listen. */
WEFT_API int weft_unix_accept(weft_listener *listener, weft_conn **out);
WEFT_API int weft_unix_accept_until(weft_listener *listener, weft_conn **out, int64_t deadline);

/* Connects until the deadline. While the listener's queue is full it is asked again every
 * millisecond (the kernel gives no event for that; "sleep" in traces). 0 and *out, -ETIMEDOUT,
 * -ECANCELED, -ECONNREFUSED, -ENOENT, … */
WEFT_API int weft_unix_dial(const char *path, int64_t deadline, weft_conn **out);

/* Two connected ends: of a stream, or of datagrams. */
WEFT_API int weft_unix_pair(bool datagram, weft_conn *out[2]);

/*
 * Writes data with a copy of the descriptor fd, which remains the caller's, attached to its first
 * byte. Unix sockets only; size must not be 0 (-EINVAL). size, or as weft_conn_write.
 */
WEFT_API ssize_t weft_conn_send_fd(weft_conn *conn, const void *data, size_t size, int fd);
WEFT_API ssize_t weft_conn_send_fd_until(weft_conn *conn, const void *data, size_t size, int fd,
                                         int64_t deadline);

/* As weft_conn_read. *fd: the descriptor that came along (close-on-exec), now the caller's, or -1.
 */
WEFT_API ssize_t weft_conn_recv_fd(weft_conn *conn, void *data, size_t size, int *fd);
WEFT_API ssize_t weft_conn_recv_fd_until(weft_conn *conn, void *data, size_t size, int *fd,
                                         int64_t deadline);

/* ---- Datagrams ----
 *
 * weft_conn_read takes one datagram and cuts off what exceeds size (0: an empty one);
 * weft_conn_write sends one to the peer of a connected socket, none if size is 0.
 */

/* The address of a datagram socket. Contents are private. */
typedef struct weft_peer {
    uint32_t size; /* 0: none, as that of a Unix socket without a name */
    uint64_t words[16];
} weft_peer;

/* Of an address of weft/net.h with a host; of a path. 0, -EINVAL, -ENAMETOOLONG. Any thread. */
WEFT_API int weft_peer_from_address(const char *address, weft_peer *out);
WEFT_API int weft_peer_from_path(const char *path, weft_peer *out);

/* Whether both are the same address. Any thread. */
WEFT_API bool weft_peer_equal(const weft_peer *a, const weft_peer *b);

/* A UDP socket that is bound to an address (port 0: any), or connected to one: it sends there and
 * receives from there only. */
WEFT_API int weft_udp_bind(const char *address, weft_conn **out);
WEFT_API int weft_udp_connect(const char *address, weft_conn **out);
/* The same with Unix sockets. One that is connected has no name: it gets no answers. */
WEFT_API int weft_unix_datagram_bind(const char *path, weft_conn **out);
WEFT_API int weft_unix_datagram_connect(const char *path, weft_conn **out);

/* The port that a UDP or TCP socket is bound to, or a negative errno value. */
WEFT_API int weft_conn_port(const weft_conn *conn);

/* Sends one datagram. size, -EMSGSIZE, -ECONNREFUSED (what was sent before met no receiver), … */
WEFT_API ssize_t weft_conn_sendto(weft_conn *conn, const void *data, size_t size,
                                  const weft_peer *to);
WEFT_API ssize_t weft_conn_sendto_until(weft_conn *conn, const void *data, size_t size,
                                        const weft_peer *to, int64_t deadline);

/* Receives one; *from (may be NULL): its sender. Its size at most size, -ETIMEDOUT, … */
WEFT_API ssize_t weft_conn_recvfrom(weft_conn *conn, void *data, size_t size, weft_peer *from);
WEFT_API ssize_t weft_conn_recvfrom_until(weft_conn *conn, void *data, size_t size, weft_peer *from,
                                          int64_t deadline);

/* ---- Several pieces at once ---- */

/* As weft_conn_read, into several pieces (at most IOV_MAX; -EINVAL). */
WEFT_API ssize_t weft_conn_readv(weft_conn *conn, const struct iovec *pieces, int count);
WEFT_API ssize_t weft_conn_readv_until(weft_conn *conn, const struct iovec *pieces, int count,
                                       int64_t deadline);

/* Writes all pieces, in order, together. Their size, or as weft_conn_write. Of datagram sockets the
 * first 64 pieces that are not empty make one datagram, the next ones another. */
WEFT_API ssize_t weft_conn_writev(weft_conn *conn, const struct iovec *pieces, int count);
WEFT_API ssize_t weft_conn_writev_until(weft_conn *conn, const struct iovec *pieces, int count,
                                        int64_t deadline);

/* Writes size bytes of a file from offset on without copying them through the program. Fewer are
 * written if the file ends before. The number written, or a negative errno value: how much was
 * written before is not known then. Reading the file may occupy the thread; the P goes to others
 * when it does for long. */
WEFT_API int64_t weft_conn_sendfile(weft_conn *conn, int file, int64_t offset, size_t size);
WEFT_API int64_t weft_conn_sendfile_until(weft_conn *conn, int file, int64_t offset, size_t size,
                                          int64_t deadline);

/* ---- Options ----
 *
 * Of a TCP socket; 0, -EOPNOTSUPP (no TCP socket), -EINVAL, …
 */

/* Small writes are sent at once (the default of weft/net.h) or gathered. */
WEFT_API int weft_conn_set_nodelay(weft_conn *conn, bool on);

/* After idle seconds without traffic the peer is probed every interval seconds, and the connection
 * ends with -ETIMEDOUT after count probes without an answer. idle 0: no probes. */
WEFT_API int weft_conn_set_keepalive(weft_conn *conn, int idle, int interval, int count);

/* What happens to unsent data at the close: it is sent (seconds < 0, the default), or it is thrown
 * away and the peer gets -ECONNRESET (0). Positive values, which let the close wait, are -EINVAL.
 */
WEFT_API int weft_conn_set_linger(weft_conn *conn, int seconds);

WEFT_END_DECLS

#endif
