/* SPDX-License-Identifier: MIT */
/*
 * Names of hosts: their addresses, and connections to them.
 *
 * Names are looked up by the system (getaddrinfo: /etc/hosts, DNS, whatever it is configured for),
 * which blocks its thread. That happens on a goroutine of its own, off the P; the caller waits
 * ("network" in traces, the lookup in "syscall"), and its deadline or context ends the wait at
 * once: the lookup then ends in the background, and its result is thrown away. At most 64 lookups
 * are under way in a process; who comes then asks every millisecond ("sleep").
 *
 * host: a name, or an address in numbers without brackets ("::1"), for which nothing is looked up.
 * port: a number, or the name of a service. IPv4 and IPv6 alike. Goroutines only (-EPERM).
 */
#ifndef WEFT_RESOLVE_H
#define WEFT_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include <weft/config.h>
#include <weft/net.h>
#include <weft/socket.h>

WEFT_BEGIN_DECLS

/*
 * The addresses of a host, best first, each once: as many as room. Returns how many there are
 * (more than room: the others are left out), or
 *   -EINVAL  an empty or missing host or port; no such port
 *   -ENOENT  there is no such name, or it has no address
 *   -EAGAIN  the name service does not answer; it may later
 *   -EIO     it failed
 *   -ETIMEDOUT, -ECANCELED, -ENOMEM, …
 */
WEFT_API int weft_resolve(const char *host, const char *port, weft_peer *out, size_t room);
WEFT_API int weft_resolve_until(const char *host, const char *port, weft_peer *out, size_t room,
                                int64_t deadline);

/* The address as text: "127.0.0.1:80", "[::1]:80", the path or "@name" of a Unix socket; cut to
 * size - 1 bytes. Returns its whole length, 0 if there is no address. Any thread. */
WEFT_API size_t weft_peer_text(const weft_peer *peer, char *text, size_t size);

/* Connects to an address until the deadline, as weft_tcp_dial(). */
WEFT_API int weft_tcp_dial_peer(const weft_peer *peer, int64_t deadline, weft_conn **out);

/*
 * Connects to a host until the deadline, at one of its addresses. They are tried in order, IPv6 and
 * IPv4 in turn; the next attempt begins when one has failed, or has taken 250 ms, and then they
 * race (RFC 8305): the first connection is taken, the others are closed. 0 and *out, or what
 * weft_resolve() or, of the first address, weft_tcp_dial() says.
 */
WEFT_API int weft_tcp_dial_host(const char *host, const char *port, int64_t deadline,
                                weft_conn **out);

WEFT_END_DECLS

#endif
