/* SPDX-License-Identifier: MIT */
/*
 * TLS 1.2 and 1.3 over weft's connections, through OpenSSL. A part of its own: the library
 * weft-tls, on top of weft.
 *
 * A configuration says who one is and whom one trusts; any number of connections share it, as
 * clients and as servers. A TLS connection is laid over a weft_conn, which belongs to it from then
 * on. Waits are waits for that connection ("network" in traces), so that they end with its
 * deadlines, with those of the `until` forms, and with the caller's context (weft/context.h). One
 * goroutine may read and another write at the same time; several readers, and several writers, take
 * turns. OpenSSL itself never waits, and never sees a goroutine change its thread.
 *
 * Goroutines that use it need a stack of 64 KiB or more.
 *
 * Results. Besides what weft/net.h says:
 *   -EKEYREJECTED  the peer's certificate was not accepted here
 *   -EPROTO        the peer does not accept ours, or does not speak TLS as it should
 *   -ECONNABORTED  the stream ended without TLS' own end: what was read may have been cut
 * weft_tls_error() says in words what it was. A write that ends early (-ETIMEDOUT, -ECANCELED) may
 * have written a part of a record: later writes then fail with the same result. A read may be
 * tried again.
 */
#ifndef WEFT_TLS_H
#define WEFT_TLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <weft/config.h>
#include <weft/context.h>
#include <weft/net.h>

WEFT_BEGIN_DECLS

typedef struct weft_tls_config weft_tls_config;
typedef struct weft_tls weft_tls;

/* Files are in PEM format. */
typedef struct weft_tls_options {
    size_t size;             /* sizeof(weft_tls_options) */
    const char *certificate; /* file: one's own certificate and those between it and the root; a
                                server needs one */
    const char *key;         /* file; NULL: it is in that of the certificate */
    const char *ca_file;     /* file: the roots that are trusted; NULL: the system's */
    const char *alpn;        /* protocols above TLS, the preferred first: "h2,http/1.1"; NULL: none.
                                A server refuses clients that offer others only */
    unsigned insecure;       /* clients; 1: any certificate of the server is accepted, so anybody on
                                the way may read and change everything */
    unsigned
        verify_clients; /* servers; 1: clients must have a certificate that a root vouches for */
} weft_tls_options;

/* ---- Configurations: any thread ---- */

/* options NULL: a client that trusts the system's roots. 0 and *out, -EINVAL (what is wrong, as
 * text, in why, which may be NULL), -ENOMEM. */
WEFT_API int weft_tls_config_new(const weft_tls_options *options, weft_tls_config **out, char *why,
                                 size_t why_size);

/* A server shows this certificate to clients that ask for the host `name` (SNI), the one of the
 * options to all others. Before the configuration is used. Results as above. */
WEFT_API int weft_tls_config_add_name(weft_tls_config *config, const char *name,
                                      const char *certificate, const char *key, char *why,
                                      size_t why_size);

/* Connections that use it remain valid. NULL is ignored. */
WEFT_API void weft_tls_config_free(weft_tls_config *config);

/* ---- Connections: goroutines ---- */

/* Lays TLS over conn. server_name: the host that the client means, which is asked for (SNI) and
 * must be in the server's certificate; an address in numbers may be in there as well. NULL: with
 * `insecure` only (-EINVAL). Sends nothing yet. 0 and *out, or with conn still the caller's:
 * -EINVAL, -ENOMEM. */
WEFT_API int weft_tls_client(weft_tls_config *config, weft_conn *conn, const char *server_name,
                             weft_tls **out);
WEFT_API int weft_tls_server(weft_tls_config *config, weft_conn *conn, weft_tls **out);

/* weft_tls_client() on a connection of weft_tcp_dial_host(), and the handshake. why: as above. */
WEFT_API int weft_tls_dial(weft_tls_config *config, const char *host, const char *port,
                           int64_t deadline, weft_tls **out, char *why, size_t why_size);

/* Both ends agree on keys, and see whom they have before them. Reads and writes do it when it has
 * not been done. 0, -EKEYREJECTED, -EPROTO, … */
WEFT_API int weft_tls_handshake(weft_tls *tls) WEFT_MUST_USE;
WEFT_API int weft_tls_handshake_until(weft_tls *tls, int64_t deadline) WEFT_MUST_USE;

/* As weft_conn_read(); 0: the peer has ended the stream. */
WEFT_API ssize_t weft_tls_read(weft_tls *tls, void *data, size_t size);
WEFT_API ssize_t weft_tls_read_until(weft_tls *tls, void *data, size_t size, int64_t deadline);

/* As weft_conn_write(). */
WEFT_API ssize_t weft_tls_write(weft_tls *tls, const void *data, size_t size);
WEFT_API ssize_t weft_tls_write_until(weft_tls *tls, const void *data, size_t size,
                                      int64_t deadline);

/* Half close: the peer reads the end of the stream, and knows that nothing was cut. Later writes
 * are -EPIPE. */
WEFT_API int weft_tls_shutdown_write(weft_tls *tls);
WEFT_API int weft_tls_shutdown_write_until(weft_tls *tls, int64_t deadline);

/* Tells the peer of the end if that can be done at once, closes the connection and frees the
 * object, which nobody may use any more, nor be using. */
WEFT_API void weft_tls_close(weft_tls *tls);

/* ---- What it is: after the handshake, any thread ---- */

/* In words, why the first operation failed; "" if none has. Lives as long as the object. */
WEFT_API const char *weft_tls_error(const weft_tls *tls);
/* The protocol above TLS that both agreed on; "": none. */
WEFT_API const char *weft_tls_alpn(const weft_tls *tls);
/* The host that the client means; "": it did not say. */
WEFT_API const char *weft_tls_server_name(const weft_tls *tls);
/* "TLSv1.3" */
WEFT_API const char *weft_tls_version(const weft_tls *tls);
/* The connection below, for its deadlines and options. */
WEFT_API weft_conn *weft_tls_conn(const weft_tls *tls);

/* ---- One call in a context ---- */

static inline int weft_tls_handshake_ctx(weft_context *context, weft_tls *tls)
{
    WEFT_CONTEXT_CALL_(int, weft_tls_handshake(tls));
}

static inline ssize_t weft_tls_read_ctx(weft_context *context, weft_tls *tls, void *data,
                                        size_t size)
{
    WEFT_CONTEXT_CALL_(ssize_t, weft_tls_read(tls, data, size));
}

static inline ssize_t weft_tls_write_ctx(weft_context *context, weft_tls *tls, const void *data,
                                         size_t size)
{
    WEFT_CONTEXT_CALL_(ssize_t, weft_tls_write(tls, data, size));
}

static inline int weft_tls_shutdown_write_ctx(weft_context *context, weft_tls *tls)
{
    WEFT_CONTEXT_CALL_(int, weft_tls_shutdown_write(tls));
}

WEFT_END_DECLS

#endif
