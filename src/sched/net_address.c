/* SPDX-License-Identifier: MIT */
#include "sched/net_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>

enum { MAX_HOST = INET6_ADDRSTRLEN + IF_NAMESIZE };

/* Decimal digits only, up to limit; -1 for anything else. */
static int64_t parse_number(const char *text, int64_t limit)
{
    int64_t value = 0;
    if (*text == '\0')
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        value = value * 10 + (*text - '0');
        if (value > limit)
            return -1;
    }
    return value;
}

static int parse_v4(const char *host, uint16_t port, struct net_address *out)
{
    out->sock.v4.sin_family = AF_INET;
    out->sock.v4.sin_port = htons(port);
    out->size = sizeof out->sock.v4;
    return inet_pton(AF_INET, host, &out->sock.v4.sin_addr) == 1 ? 0 : -EINVAL;
}

static int parse_zone(const char *zone, struct net_address *out)
{
    int64_t index = parse_number(zone, UINT32_MAX);
    if (index < 0)
        index = if_nametoindex(zone);
    if (index <= 0)
        return -EINVAL;
    out->sock.v6.sin6_scope_id = (uint32_t)index;
    return 0;
}

static int parse_v6(char *host, uint16_t port, struct net_address *out)
{
    out->sock.v6.sin6_family = AF_INET6;
    out->sock.v6.sin6_port = htons(port);
    out->size = sizeof out->sock.v6;
    char *zone = strchr(host, '%');
    if (zone) {
        *zone++ = '\0';
        if (parse_zone(zone, out) != 0)
            return -EINVAL;
    }
    return inet_pton(AF_INET6, host, &out->sock.v6.sin6_addr) == 1 ? 0 : -EINVAL;
}

static int parse_host(char *host, size_t length, uint16_t port, struct net_address *out)
{
    if (length == 0) {
        out->wildcard = true;
        return parse_v6((char[]){"::"}, port, out);
    }
    if (host[0] != '[')
        return parse_v4(host, port, out);
    if (host[length - 1] != ']')
        return -EINVAL;
    host[length - 1] = '\0';
    return parse_v6(host + 1, port, out);
}

int net_address_parse(const char *text, struct net_address *out)
{
    int saved = errno;
    char host[MAX_HOST];
    const char *colon = text ? strrchr(text, ':') : NULL;
    int64_t port = colon ? parse_number(colon + 1, UINT16_MAX) : -1;
    size_t length = colon ? (size_t)(colon - text) : 0;

    *out = (struct net_address){0};
    if (port < 0 || length >= sizeof host)
        return -EINVAL;
    memcpy(host, text, length);
    host[length] = '\0';
    int result = parse_host(host, length, (uint16_t)port, out);
    errno = saved;
    return result;
}

void net_address_to_v4(struct net_address *address)
{
    uint16_t port = address->sock.v6.sin6_port;
    address->sock = (__typeof__(address->sock)){0};
    address->sock.v4.sin_family = AF_INET;
    address->sock.v4.sin_port = port;
    address->size = sizeof address->sock.v4;
}

int net_address_port_of(int fd)
{
    int saved = errno, result = -EINVAL;
    struct net_address a = {.size = sizeof a.sock};

    if (getsockname(fd, &a.sock.any, &a.size) != 0)
        result = -errno;
    else if (a.sock.any.sa_family == AF_INET)
        result = ntohs(a.sock.v4.sin_port);
    else if (a.sock.any.sa_family == AF_INET6)
        result = ntohs(a.sock.v6.sin6_port);
    errno = saved;
    return result;
}

bool net_address_is_self(int fd)
{
    int saved = errno;
    bool same = false;
    struct net_address here = {.size = sizeof here.sock}, there = {.size = sizeof there.sock};

    if (getsockname(fd, &here.sock.any, &here.size) == 0 &&
        getpeername(fd, &there.sock.any, &there.size) == 0)
        same = here.size == there.size && memcmp(&here.sock, &there.sock, here.size) == 0;
    errno = saved;
    return same;
}
