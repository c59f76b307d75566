/* SPDX-License-Identifier: MIT */
/*
 * Addresses as text: "127.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", ":80". Numbers only; nothing
 * is resolved but the name of the interface in a zone. No goroutine is needed: any thread.
 */
#ifndef WEFT_SCHED_NET_ADDRESS_H
#define WEFT_SCHED_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "weft/socket.h"

struct net_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } sock;
    socklen_t size;
    bool wildcard; /* no host was given; sock is then [::]:port */
};

/* 0, or -EINVAL for what is not such an address. */
int net_address_parse(const char *text, struct net_address *out);

/* Of an IPv4 or IPv6 socket; else -EINVAL. */
int net_address_from_peer(const weft_peer *peer, struct net_address *out);

/* 0.0.0.0 with the port of a wildcard, for systems without IPv6. */
void net_address_to_v4(struct net_address *address);

/* The port of a bound socket, or a negative errno value. */
int net_address_port_of(int fd);

/* True if both ends of a connected socket are the same: a dial of a free port in the range for
 * outgoing connections can hit itself. */
bool net_address_is_self(int fd);

#endif
