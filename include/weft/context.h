/* SPDX-License-Identifier: MIT */
/*
 * Contexts: what a piece of work is part of, and how all of it is told to stop.
 *
 * A context ends once, when it is cancelled, when its deadline has come, or when its parent ends;
 * all waits in it end then. It carries values for those who work in it. Contexts form a tree and
 * are made by any thread, with or without a runtime.
 *
 * The current context. Every goroutine and every thread works in one context or in none
 * (weft_context_enter). Each call that may wait and can report a failure looks at it: sends and
 * receives, weft_select, the `until` forms of weft/sync.h, weft_sleep_until, the network. If the
 * context ends before the wait does, it returns -ECANCELED or -ETIMEDOUT. A context ends waits, not
 * operations: what can be carried out at once is carried out. Calls without a result, as
 * weft_mutex_lock(), are not ended.
 *
 * The `_ctx` forms below do the same for one call.
 */
#ifndef WEFT_CONTEXT_H
#define WEFT_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <weft/chan.h>
#include <weft/config.h>
#include <weft/net.h>
#include <weft/resolve.h>
#include <weft/socket.h>
#include <weft/sync.h>
#include <weft/time.h>

WEFT_BEGIN_DECLS

typedef struct weft_context weft_context;

/*
 * A context below parent (NULL: a root). It ends with its parent at the latest; a deadline is an
 * instant of weft_now(), and its parent's if that comes first. NULL: memory is refused. The parent
 * may be freed before its children: that ends them.
 */
WEFT_API weft_context *weft_context_new(weft_context *parent);
WEFT_API weft_context *weft_context_with_deadline(weft_context *parent, int64_t deadline);
WEFT_API weft_context *weft_context_with_timeout(weft_context *parent, int64_t duration);

/* One with a value; keys are compared by their address, which should be that of something of the
 * caller's own. NULL is no key. */
WEFT_API weft_context *weft_context_with_value(weft_context *parent, const void *key, void *value);

/* One that has its parent's values, but neither its end nor its deadline: for what has to be done
 * after it. */
WEFT_API weft_context *weft_context_detached(weft_context *parent);

/* Ends the context and all below it. cause: a number that says why, for weft_context_cause(), by
 * convention a negative errno value; 0: -ECANCELED. Nothing happens if it has ended. */
WEFT_API void weft_context_cancel(weft_context *context, int cause);

/* Ends it and gives it up. Nobody may work in it any more, or come with it; its children remain
 * valid. NULL is ignored. */
WEFT_API void weft_context_free(weft_context *context);

/* 0, or how it ended: -ECANCELED or -ETIMEDOUT (its deadline or its parent's has come). */
WEFT_API int weft_context_error(const weft_context *context);
/* 0, or why: what was given to the first weft_context_cancel() of the context or of one above it;
 * -ETIMEDOUT. */
WEFT_API int weft_context_cause(const weft_context *context);
/* WEFT_NEVER: none. */
WEFT_API int64_t weft_context_deadline(const weft_context *context);
/* The value for that key of the context or of the next one above it that has one; NULL: none does.
 * context NULL: none does. */
WEFT_API void *weft_context_value(const weft_context *context, const void *key);

/* Waits for its end and returns what weft_context_error() says then. The caller's current context
 * does not matter. */
WEFT_API int weft_context_wait(weft_context *context);

/* A channel that is closed when the context ends, for weft_select. It belongs to the context. NULL:
 * memory is refused. Goroutines only. */
WEFT_API weft_chan *weft_context_done(weft_context *context);

/*
 * Calls fn(arg) on a goroutine of its own when the context ends, or at once if it has ended: to
 * close a connection, say, which has to end with it. If the runtime ends first it is not called.
 * NULL: memory is refused. The result is given up by weft_after_stop(), in any case and once; it
 * may outlive the context. weft_context_after() is for goroutines only.
 */
typedef struct weft_after weft_after;
WEFT_API weft_after *weft_context_after(weft_context *context, void (*fn)(void *arg), void *arg);

/* 1: fn will not be called; 0: it was, or is about to be. Does not wait for it. Any thread. */
WEFT_API int weft_after_stop(weft_after *after);

/* Makes it (NULL: none) the caller's current context and returns the one before. It must not be
 * freed meanwhile. A new goroutine begins without one, but for those of a scope (weft/scope.h). */
WEFT_API weft_context *weft_context_enter(weft_context *context);
WEFT_API weft_context *weft_context_current(void);

/* ---- One call in a context ---- */

/* `call` in the context; a function's body. */
#define WEFT_CONTEXT_CALL_(type, call)                                                             \
    weft_context *before = weft_context_enter(context);                                            \
    type result = (call);                                                                          \
    weft_context_enter(before);                                                                    \
    return result

static inline int weft_chan_send_ctx(weft_context *context, weft_chan *chan, const void *element)
{
    WEFT_CONTEXT_CALL_(int, weft_chan_send(chan, element));
}

static inline int weft_chan_recv_ctx(weft_context *context, weft_chan *chan, void *element)
{
    WEFT_CONTEXT_CALL_(int, weft_chan_recv(chan, element));
}

static inline int weft_select_ctx(weft_context *context, weft_select_case *cases, size_t n)
{
    WEFT_CONTEXT_CALL_(int, weft_select(cases, n, WEFT_NEVER));
}

static inline int weft_mutex_lock_ctx(weft_context *context, weft_mutex *mutex)
{
    WEFT_CONTEXT_CALL_(int, weft_mutex_lock_until(mutex, WEFT_NEVER));
}

static inline int weft_rwmutex_rdlock_ctx(weft_context *context, weft_rwmutex *rw)
{
    WEFT_CONTEXT_CALL_(int, weft_rwmutex_rdlock_until(rw, WEFT_NEVER));
}

static inline int weft_rwmutex_wrlock_ctx(weft_context *context, weft_rwmutex *rw)
{
    WEFT_CONTEXT_CALL_(int, weft_rwmutex_wrlock_until(rw, WEFT_NEVER));
}

static inline int weft_sem_acquire_ctx(weft_context *context, weft_sem *sem, uint32_t units)
{
    WEFT_CONTEXT_CALL_(int, weft_sem_acquire_until(sem, units, WEFT_NEVER));
}

static inline int weft_waitgroup_wait_ctx(weft_context *context, weft_waitgroup *group)
{
    WEFT_CONTEXT_CALL_(int, weft_waitgroup_wait_until(group, WEFT_NEVER));
}

static inline int weft_cond_wait_ctx(weft_context *context, weft_cond *cond, weft_mutex *mutex)
{
    WEFT_CONTEXT_CALL_(int, weft_cond_wait_until(cond, mutex, WEFT_NEVER));
}

static inline int weft_sleep_until_ctx(weft_context *context, int64_t instant)
{
    WEFT_CONTEXT_CALL_(int, weft_sleep_until(instant));
}

static inline int weft_tcp_accept_ctx(weft_context *context, weft_listener *listener,
                                      weft_conn **out)
{
    WEFT_CONTEXT_CALL_(int, weft_tcp_accept(listener, out));
}

static inline int weft_tcp_dial_ctx(weft_context *context, const char *address, weft_conn **out)
{
    WEFT_CONTEXT_CALL_(int, weft_tcp_dial(address, WEFT_NEVER, out));
}

static inline ssize_t weft_conn_read_ctx(weft_context *context, weft_conn *conn, void *data,
                                         size_t size)
{
    WEFT_CONTEXT_CALL_(ssize_t, weft_conn_read(conn, data, size));
}

static inline ssize_t weft_conn_write_ctx(weft_context *context, weft_conn *conn, const void *data,
                                          size_t size)
{
    WEFT_CONTEXT_CALL_(ssize_t, weft_conn_write(conn, data, size));
}

static inline int weft_unix_accept_ctx(weft_context *context, weft_listener *listener,
                                       weft_conn **out)
{
    WEFT_CONTEXT_CALL_(int, weft_unix_accept(listener, out));
}

static inline int weft_unix_dial_ctx(weft_context *context, const char *path, weft_conn **out)
{
    WEFT_CONTEXT_CALL_(int, weft_unix_dial(path, WEFT_NEVER, out));
}

static inline ssize_t weft_conn_readv_ctx(weft_context *context, weft_conn *conn,
                                          const struct iovec *pieces, int count)
{
    WEFT_CONTEXT_CALL_(ssize_t, weft_conn_readv(conn, pieces, count));
}

static inline ssize_t weft_conn_writev_ctx(weft_context *context, weft_conn *conn,
                                           const struct iovec *pieces, int count)
{
    WEFT_CONTEXT_CALL_(ssize_t, weft_conn_writev(conn, pieces, count));
}

static inline int64_t weft_conn_sendfile_ctx(weft_context *context, weft_conn *conn, int file,
                                             int64_t offset, size_t size)
{
    WEFT_CONTEXT_CALL_(int64_t, weft_conn_sendfile(conn, file, offset, size));
}

static inline ssize_t weft_conn_send_fd_ctx(weft_context *context, weft_conn *conn,
                                            const void *data, size_t size, int fd)
{
    WEFT_CONTEXT_CALL_(ssize_t, weft_conn_send_fd(conn, data, size, fd));
}

static inline ssize_t weft_conn_recv_fd_ctx(weft_context *context, weft_conn *conn, void *data,
                                            size_t size, int *fd)
{
    WEFT_CONTEXT_CALL_(ssize_t, weft_conn_recv_fd(conn, data, size, fd));
}

static inline ssize_t weft_conn_sendto_ctx(weft_context *context, weft_conn *conn, const void *data,
                                           size_t size, const weft_peer *to)
{
    WEFT_CONTEXT_CALL_(ssize_t, weft_conn_sendto(conn, data, size, to));
}

static inline ssize_t weft_conn_recvfrom_ctx(weft_context *context, weft_conn *conn, void *data,
                                             size_t size, weft_peer *from)
{
    WEFT_CONTEXT_CALL_(ssize_t, weft_conn_recvfrom(conn, data, size, from));
}

static inline int weft_resolve_ctx(weft_context *context, const char *host, const char *port,
                                   weft_peer *out, size_t room)
{
    WEFT_CONTEXT_CALL_(int, weft_resolve(host, port, out, room));
}

static inline int weft_tcp_dial_peer_ctx(weft_context *context, const weft_peer *peer,
                                         weft_conn **out)
{
    WEFT_CONTEXT_CALL_(int, weft_tcp_dial_peer(peer, WEFT_NEVER, out));
}

static inline int weft_tcp_dial_host_ctx(weft_context *context, const char *host, const char *port,
                                         weft_conn **out)
{
    WEFT_CONTEXT_CALL_(int, weft_tcp_dial_host(host, port, WEFT_NEVER, out));
}

/* Any other call: fn(arg) in the context, and its result. */
static inline int weft_context_call(weft_context *context, int (*fn)(void *arg), void *arg)
{
    WEFT_CONTEXT_CALL_(int, fn(arg));
}

WEFT_END_DECLS

#endif
