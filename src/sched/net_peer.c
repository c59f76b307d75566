/* SPDX-License-Identifier: MIT */
/* Addresses of datagram and Unix sockets, and the sockets that they name. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "sched/net_address.h"
#include "sched/net_open.h"

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
