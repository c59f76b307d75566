/* SPDX-License-Identifier: MIT */
/*
 * include/weft/resolve.h: names to addresses.
 *
 * Design. A lookup is a record with two owners, the caller, which waits in its queue, and a
 * goroutine, which calls getaddrinfo() off the P. Whoever gives it up last frees it. The caller may
 * leave at any time: its deadline and context end the wait as any other (waiter.h).
 *
 * Invariants
 *   R1. The goroutine writes the result before it sets `done` under the lock, and the caller reads
 *       it after it has seen `done` there, or was woken after it.
 *   R2. Until the caller has given the record up it does not touch the caller's memory: host, port
 *       and addresses are the record's own.
 *
 * Corners
 *   The runtime ends while a lookup is under way. Its goroutine never comes back from the call into
 *     weft that follows; so a record whose caller has left is freed before that call.
 *   The goroutine has a stack of its own size: what the name service's modules need is not what the
 *     program chose for its goroutines.
 */
#define _GNU_SOURCE
#include "weft/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/goroutine.h"
#include "sched/net_op.h"
#include "sched/trace_hooks.h"
#include "sched/waiter.h"

enum { MAX_LOOKUPS = 64 };

static uint32_t under_way; /* atomic: calls of getaddrinfo() */

struct lookup {
    uint32_t owners;             /* atomic */
    base_lock lock;              /* rank CHAN */
    struct waiter_queue waiting; /* lock: lock; the caller */
    bool done;                   /* lock: lock */
    int error;                   /* R1: 0 or a negative errno value */
    size_t count;                /* R1 */
    weft_peer *peers;            /* R1 */
    char *port;                  /* behind host */
    char host[];
};

/* ---- The record ---- */

static struct lookup *lookup_new(const char *host, const char *port)
{
    size_t host_size = strlen(host) + 1, port_size = strlen(port) + 1;
    struct lookup *l = torture_refuse("lookup") ? NULL : malloc(sizeof *l + host_size + port_size);
    if (!l)
        return NULL;
    *l = (struct lookup){.owners = 2};
    lock_init(&l->lock, BASE_RANK_CHAN);
    l->port = l->host + host_size;
    memcpy(l->host, host, host_size);
    memcpy(l->port, port, port_size);
    return l;
}

/* Gives it up. */
static void lookup_drop(struct lookup *l)
{
    /* Acquire-release: what the other owner did comes before the end. */
    if (atomic_sub_acqrel(&l->owners, 1) > 1)
        return;
    free(l->peers);
    free(l);
}

/* ---- The system's part ---- */

static int error_of(int answer)
{
    switch (answer) {
    case 0:
        return 0;
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
        return -ENOENT;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SERVICE:
        return -EINVAL;
    case EAI_SYSTEM:
        return errno ? -errno : -EIO;
    default:
        return -EIO;
    }
}

SYS int sys_getaddrinfo(const char *host, const char *port, struct addrinfo **list)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    return error_of(getaddrinfo(host, port, &hints, list));
}

static bool is_known(const struct lookup *l, const weft_peer *peer)
{
    for (size_t i = 0; i < l->count; i++)
        if (weft_peer_equal(&l->peers[i], peer))
            return true;
    return false;
}

static int take_addresses(struct lookup *l, const struct addrinfo *list)
{
    size_t room = 0;
    for (const struct addrinfo *at = list; at; at = at->ai_next)
        room++;
    l->peers = calloc(room ? room : 1, sizeof *l->peers);
    if (!l->peers)
        return -ENOMEM;
    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        weft_peer peer = {.size = at->ai_addrlen};
        if ((at->ai_family != AF_INET && at->ai_family != AF_INET6) ||
            at->ai_addrlen > sizeof peer.words)
            continue;
        memcpy(peer.words, at->ai_addr, at->ai_addrlen);
        if (!is_known(l, &peer))
            l->peers[l->count++] = peer;
    }
    return l->count > 0 ? 0 : -ENOENT;
}

/* Outside. 1: nobody waits any more, and the record is gone. */
static int ask_system(void *arg)
{
    struct lookup *l = arg;
    struct addrinfo *list = NULL;

    l->error = sys_getaddrinfo(l->host, l->port, &list);
    if (!l->error) {
        l->error = take_addresses(l, list);
        freeaddrinfo(list);
    }
    atomic_sub_relaxed(&under_way, 1);
    /* Acquire: pairs with lookup_drop(). */
    if (atomic_load_acquire(&l->owners) > 1)
        return 0;
    lookup_drop(l);
    return 1;
}

/* ---- The goroutine ---- */

static void lookup_finish(struct lookup *l)
{
    struct m *m = rt_enter();
    lock_acquire(&l->lock);
    l->done = true;
    struct waiter *w = waiters_take(&l->waiting);
    lock_release(&l->lock);
    if (w)
        waiter_wake(m, w, 0);
    rt_exit(m);
}

static void look_up(void *arg)
{
    struct lookup *l = arg;
    if (weft_blocking(ask_system, l) != 0)
        return;
    lookup_finish(l);
    lookup_drop(l);
}

/* ---- The caller ---- */

IN_LINE int lookup_wait(uintptr_t pc, struct lookup *l, int64_t deadline)
{
    struct waiter self;
    int result = 0;
    struct m *m = enter_from(pc);
    if (!m)
        return -EPERM;
    lock_acquire(&l->lock);
    if (l->done) {
        lock_release(&l->lock);
        rt_exit(m);
        return 0;
    }
    struct limit limit = limit_until(m, deadline);
    waiter_init(&self, m->g, NULL, NULL);
    waiters_push(&l->waiting, &self);
    if (!waiter_block(&m, &l->lock, &l->waiting, &self, &limit, WEFT_TRACE_BLOCK_NETWORK)) {
        lock_release(&l->lock);
        result = self.result;
    }
    rt_exit(m);
    return result;
}

/* A place among the lookups under way. */
static int take_place(int64_t deadline)
{
    while (atomic_add_relaxed(&under_way, 1) >= MAX_LOOKUPS) {
        atomic_sub_relaxed(&under_way, 1);
        int64_t now = weft_now();
        if (now >= deadline)
            return -ETIMEDOUT;
        int64_t left = deadline - now;
        int error = weft_sleep_until(now + (left < WEFT_MILLISECOND ? left : WEFT_MILLISECOND));
        if (error)
            return error;
    }
    return 0;
}

static int lookup_start(struct lookup *l, int64_t deadline)
{
    int error = take_place(deadline);
    if (error)
        return error;
    error = weft_go_stack(STACK_DEFAULT, look_up, l);
    if (error)
        atomic_sub_relaxed(&under_way, 1);
    return error;
}

static int lookup_result(const struct lookup *l, weft_peer *out, size_t room)
{
    if (l->error)
        return l->error;
    memcpy(out, l->peers, (l->count < room ? l->count : room) * sizeof *out);
    return (int)l->count;
}

IN_LINE int look_up_at(uintptr_t pc, const char *host, const char *port, weft_peer *out,
                       size_t room, int64_t deadline)
{
    struct lookup *l = lookup_new(host, port);
    if (!l)
        return -ENOMEM;
    int error = lookup_start(l, deadline);
    if (error) {
        free(l);
        return error;
    }
    error = lookup_wait(pc, l, deadline);
    int result = error ? error : lookup_result(l, out, room);
    lookup_drop(l);
    return result;
}

/* Host and port as weft_peer_from_address() reads them: 1, or what it says. */
static int read_numbers(const char *host, const char *port, weft_peer *out)
{
    enum { ROOM = 128 };
    char text[ROOM];
    bool v6 = strchr(host, ':') != NULL;
    int n = snprintf(text, sizeof text, v6 ? "[%s]:%s" : "%s:%s", host, port);
    if (n >= ROOM)
        return -EINVAL;
    int error = weft_peer_from_address(text, out);
    return error ? error : 1;
}

IN_LINE int resolve_at(uintptr_t pc, const char *host, const char *port, weft_peer *out,
                       size_t room, int64_t deadline)
{
    weft_peer numeric;

    if (!weft_in_goroutine())
        return -EPERM;
    if (!host || !*host || !port || !*port)
        return -EINVAL;
    if (read_numbers(host, port, &numeric) != 1)
        return look_up_at(pc, host, port, out, room, deadline);
    if (room > 0)
        *out = numeric;
    return 1;
}

int weft_resolve(const char *host, const char *port, weft_peer *out, size_t room)
{
    return resolve_at(rt_here(), host, port, out, room, WEFT_NEVER);
}

int weft_resolve_until(const char *host, const char *port, weft_peer *out, size_t room,
                       int64_t deadline)
{
    return resolve_at(rt_here(), host, port, out, room, deadline);
}
