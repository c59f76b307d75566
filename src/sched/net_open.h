/* SPDX-License-Identifier: MIT */
/* Opening sockets that are bound or connected at once. */
#ifndef WEFT_SCHED_NET_OPEN_H
#define WEFT_SCHED_NET_OPEN_H

#include <sys/socket.h>

#include "weft/socket.h"

/* bind() or connect(). */
typedef int net_name_fn(int fd, const struct sockaddr *address, socklen_t size);

/* A non-blocking socket of the type, named by name_it. The descriptor or a negative errno value.
 * Never in line, for errno (net_op.h). */
__attribute__((noinline)) int net_open(int type, const weft_peer *peer, net_name_fn *name_it);

static inline const struct sockaddr *peer_sockaddr(const weft_peer *peer)
{
    return (const struct sockaddr *)(const void *)peer->words;
}

#endif
