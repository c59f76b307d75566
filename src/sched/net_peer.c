/* SPDX-License-Identifier: MIT */
/* Addresses of datagram and Unix sockets, and the sockets that they name. */
#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "sched/net_address.h"
#include "sched/net_open.h"
#include "weft/resolve.h"

_Static_assert(sizeof(struct sockaddr_storage) <= sizeof((weft_peer *)0)->words, "any address");

int weft_peer_from_address(const char *address, weft_peer *out)
{
    struct net_address parsed;
    if (net_address_parse(address, &parsed) != 0 || parsed.wildcard)
        return -EINVAL;
    *out = (weft_peer){.size = parsed.size};
    memcpy(out->words, &parsed.sock, parsed.size);
    return 0;
}

/* An abstract name is not terminated, a path is. */
int weft_peer_from_path(const char *path, weft_peer *out)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = path ? strlen(path) : 0;
    bool abstract = length > 0 && path[0] == '@';

    if (length == 0)
        return -EINVAL;
    if (length >= sizeof name.sun_path)
        return -ENAMETOOLONG;
    memcpy(name.sun_path, path, length);
    if (abstract)
        name.sun_path[0] = '\0';
    *out = (weft_peer){0};
    out->size = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + length + !abstract);
    memcpy(out->words, &name, sizeof name);
    return 0;
}

int net_address_from_peer(const weft_peer *peer, struct net_address *out)
{
    *out = (struct net_address){.size = peer->size};
    if (peer->size > sizeof out->sock)
        return -EINVAL;
    memcpy(&out->sock, peer->words, peer->size);
    bool v4 = peer->size == sizeof out->sock.v4 && out->sock.any.sa_family == AF_INET;
    bool v6 = peer->size == sizeof out->sock.v6 && out->sock.any.sa_family == AF_INET6;
    return v4 || v6 ? 0 : -EINVAL;
}

static size_t internet_text(const struct net_address *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN], zone[16] = "";
    bool v6 = address->sock.any.sa_family == AF_INET6;
    const void *bytes =
        v6 ? (const void *)&address->sock.v6.sin6_addr : (const void *)&address->sock.v4.sin_addr;

    inet_ntop(address->sock.any.sa_family, bytes, host, sizeof host);
    if (v6 && address->sock.v6.sin6_scope_id)
        snprintf(zone, sizeof zone, "%%%u", address->sock.v6.sin6_scope_id);
    int n = snprintf(text, size, v6 ? "[%s%s]:%u" : "%s%s:%u", host, zone,
                     ntohs(v6 ? address->sock.v6.sin6_port : address->sock.v4.sin_port));
    return n > 0 ? (size_t)n : 0;
}

static size_t unix_text(const weft_peer *peer, char *text, size_t size)
{
    struct sockaddr_un name = {0};
    memcpy(&name, peer->words, peer->size < sizeof name ? peer->size : sizeof name);
    if (name.sun_family != AF_UNIX || peer->size <= offsetof(struct sockaddr_un, sun_path))
        return (size_t)snprintf(text, size, "%s", "");
    int length = (int)(peer->size - offsetof(struct sockaddr_un, sun_path));
    if (name.sun_path[0] == '\0')
        name.sun_path[0] = '@';
    int n = snprintf(text, size, "%.*s", length, name.sun_path);
    return n > 0 ? (size_t)n : 0;
}

size_t weft_peer_text(const weft_peer *peer, char *text, size_t size)
{
    struct net_address address;
    if (net_address_from_peer(peer, &address) == 0)
        return internet_text(&address, text, size);
    return unix_text(peer, text, size);
}

bool weft_peer_equal(const weft_peer *a, const weft_peer *b)
{
    return a->size == b->size && memcmp(a->words, b->words, a->size) == 0;
}

int net_open(int type, const weft_peer *peer, net_name_fn *name_it)
{
    int fd = socket(peer_sockaddr(peer)->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (name_it(fd, peer_sockaddr(peer), peer->size) != 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}
