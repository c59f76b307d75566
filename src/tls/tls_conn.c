/* SPDX-License-Identifier: MIT */
/*
 * TLS connections.
 *
 * Design. OpenSSL reads from and writes to memory. A goroutine lets it do one step (under `state`),
 * then moves bytes between that memory and the connection, which may wait (under the turn of the
 * direction, never under `state`). So readers and writers do not hinder each other, and no call of
 * OpenSSL is under way when a goroutine waits and goes on on another thread: its error queue
 * belongs to the thread.
 *
 * Invariants
 *   T1. `ssl`, `in` and `out` are used under `state`, and no call of weft that waits is made under
 *       it but for `state` itself.
 *   T2. Bytes leave `out` under the turn `writing`, and are all written before the turn is given
 *       up, or the connection cannot be written any more: records stay in order.
 *   T3. Whoever has put bytes into `out` without the turn sees them off: it takes the turn, or
 *       finds it taken, by somebody who looks at `out` after having given it up.
 *   T4. Turns are taken in the order reading, writing.
 *
 * Rejected
 *   A BIO that waits inside of OpenSSL's calls: the goroutine would change its thread in the middle
 *     of them, and other goroutines could not write while one reads.
 *   Buffers in the object: an idle connection would keep 32 KiB. On the stack they cost memory only
 *     while something is in them.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

#include "tls/tls_config.h"

enum { CHUNK = 16 * 1024 };

/* What a step of OpenSSL comes to, besides 0 and negative errno values. */
enum {
    STEP_MORE = 1,
    STEP_END = 2
}; /* it needs bytes of the peer; the peer has ended the stream */

struct weft_tls {
    weft_conn *conn;
    struct weft_tls_config *config;
    weft_mutex state;            /* a leaf */
    weft_mutex reading, writing; /* turns */
    SSL *ssl;                    /* lock: state */
    BIO *in, *out;               /* lock: state; they belong to ssl */
    bool established;            /* lock: state */
    int broken;                  /* lock: state; 0, or why nothing goes any more */
    int write_error;             /* lock: state; 0, or why nothing can be written any more */
    char text[256];              /* lock: state; written once */
    char alpn[256];              /* constant once established */
};

/* ---- Failures ---- */

/* Keeps the first failure in words. state is held. */
static void keep_text(struct weft_tls *tls, const char *what, int error)
{
    if (!tls->text[0])
        snprintf(tls->text, sizeof tls->text, "%s: %s", what, strerror(-error));
}

static int fail(struct weft_tls *tls, const char *what, int error)
{
    weft_mutex_lock(&tls->state);
    keep_text(tls, what, error);
    weft_mutex_unlock(&tls->state);
    return error;
}

/* After OpenSSL has failed, on its thread. state is held. */
static int fail_in_openssl(struct weft_tls *tls)
{
    char text[sizeof tls->text];
    int reason = ERR_GET_REASON(ERR_peek_error());
    bool rejected = reason == SSL_R_CERTIFICATE_VERIFY_FAILED ||
                    reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;

    tls->broken = rejected ? -EKEYREJECTED : -EPROTO;
    tls_describe(tls->ssl, "TLS", text, sizeof text);
    if (!tls->text[0])
        memcpy(tls->text, text, sizeof text);
    return tls->broken;
}

/* ---- Steps of OpenSSL: under state, on one thread, without waiting (T1) ---- */

static int step_result(struct weft_tls *tls, int n)
{
    if (n > 0)
        return 0;
    switch (SSL_get_error(tls->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        return STEP_MORE;
    case SSL_ERROR_ZERO_RETURN:
        return STEP_END;
    default:
        return fail_in_openssl(tls);
    }
}

static void keep_alpn(struct weft_tls *tls)
{
    const unsigned char *name;
    unsigned size;
    SSL_get0_alpn_selected(tls->ssl, &name, &size);
    if (size < sizeof tls->alpn && size > 0)
        memcpy(tls->alpn, name, size);
}

static int step_handshake(struct weft_tls *tls)
{
    weft_mutex_lock(&tls->state);
    int step = tls->broken;
    if (!step && !tls->established) {
        ERR_clear_error();
        step = step_result(tls, SSL_do_handshake(tls->ssl));
        tls->established = step == 0;
        if (tls->established)
            keep_alpn(tls);
    }
    weft_mutex_unlock(&tls->state);
    return step;
}

static int step_read(struct weft_tls *tls, void *data, size_t size, int *n)
{
    weft_mutex_lock(&tls->state);
    int step = tls->broken;
    if (!step) {
        ERR_clear_error();
        *n = SSL_read(tls->ssl, data, size < INT_MAX ? (int)size : INT_MAX);
        step = step_result(tls, *n);
    }
    weft_mutex_unlock(&tls->state);
    return step;
}

/* The memory takes everything. */
static int step_write(struct weft_tls *tls, const void *data, size_t size)
{
    weft_mutex_lock(&tls->state);
    int step = tls->broken ? tls->broken : tls->write_error;
    if (!step) {
        ERR_clear_error();
        step = step_result(tls, SSL_write(tls->ssl, data, (int)size));
    }
    weft_mutex_unlock(&tls->state);
    return step > 0 ? -EPROTO : step;
}

/* Our end of the stream; afterwards no more is written. */
static int step_shutdown(struct weft_tls *tls)
{
    weft_mutex_lock(&tls->state);
    int step = tls->broken ? tls->broken : tls->write_error;
    if (!step && tls->established) {
        (void)SSL_shutdown(tls->ssl);
        ERR_clear_error();
        tls->write_error = -EPIPE;
    }
    weft_mutex_unlock(&tls->state);
    return step;
}

static int step_fill(struct weft_tls *tls, const char *bytes, int size)
{
    weft_mutex_lock(&tls->state);
    int n = BIO_write(tls->in, bytes, size);
    ERR_clear_error();
    weft_mutex_unlock(&tls->state);
    return n == size ? 0 : -ENOMEM;
}

static int step_take(struct weft_tls *tls, char *bytes, int size)
{
    weft_mutex_lock(&tls->state);
    int n = BIO_read(tls->out, bytes, size);
    ERR_clear_error();
    weft_mutex_unlock(&tls->state);
    return n > 0 ? n : 0;
}

/* ---- Between OpenSSL's memory and the connection ---- */

/* Gets bytes of the peer. The turn `reading` is held. Not in line: see Rejected. */
static __attribute__((noinline)) int fill(struct weft_tls *tls, int64_t deadline)
{
    char bytes[CHUNK];
    ssize_t n = weft_conn_read_until(tls->conn, bytes, sizeof bytes, deadline);
    if (n == -ETIMEDOUT || n == -ECANCELED)
        return (int)n; /* it may be tried again */
    if (n < 0)
        return fail(tls, "read", (int)n);
    if (n > 0)
        return step_fill(tls, bytes, (int)n);
    return fail(tls, "the stream ended without the end of TLS", -ECONNABORTED);
}

/* Writes what is in `out`. The turn `writing` is held (T2). */
static __attribute__((noinline)) int send_out(struct weft_tls *tls, int64_t deadline)
{
    char bytes[CHUNK];
    int n;
    while ((n = step_take(tls, bytes, sizeof bytes)) > 0) {
        ssize_t written = weft_conn_write_until(tls->conn, bytes, (size_t)n, deadline);
        if (written >= 0)
            continue;
        weft_mutex_lock(&tls->state);
        tls->write_error = (int)written;
        keep_text(tls, "write", (int)written);
        (void)BIO_reset(tls->out);
        weft_mutex_unlock(&tls->state);
        return (int)written;
    }
    return 0;
}

static bool something_is_out(struct weft_tls *tls)
{
    weft_mutex_lock(&tls->state);
    bool some = BIO_ctrl_pending(tls->out) > 0;
    weft_mutex_unlock(&tls->state);
    return some;
}

/* T3. A failure is that of the next write. */
static void see_off(struct weft_tls *tls, int64_t deadline)
{
    while (something_is_out(tls) && weft_mutex_trylock(&tls->writing)) {
        (void)send_out(tls, deadline);
        weft_mutex_unlock(&tls->writing);
    }
}

static void end_writing(struct weft_tls *tls, int64_t deadline)
{
    weft_mutex_unlock(&tls->writing);
    see_off(tls, deadline);
}

/* ---- Operations ---- */

/* Both turns are held. What OpenSSL says to the peer of a failure is sent as well. */
static int shake_hands(struct weft_tls *tls, int64_t deadline)
{
    int step, error;
    do {
        step = step_handshake(tls);
        error = send_out(tls, deadline);
        if (step == STEP_MORE && !error)
            error = fill(tls, deadline);
    } while (step == STEP_MORE && !error);
    return step < 0 ? step : error;
}

int weft_tls_handshake_until(weft_tls *tls, int64_t deadline)
{
    int error = weft_mutex_lock_until(&tls->reading, deadline);
    if (error)
        return error;
    error = weft_mutex_lock_until(&tls->writing, deadline); /* T4 */
    if (!error) {
        error = shake_hands(tls, deadline);
        end_writing(tls, deadline);
    }
    weft_mutex_unlock(&tls->reading);
    return error;
}

int weft_tls_handshake(weft_tls *tls)
{
    return weft_tls_handshake_until(tls, WEFT_NEVER);
}

static int establish(struct weft_tls *tls, int64_t deadline)
{
    weft_mutex_lock(&tls->state);
    bool established = tls->established;
    weft_mutex_unlock(&tls->state);
    return established ? 0 : weft_tls_handshake_until(tls, deadline);
}

static ssize_t read_in_turn(struct weft_tls *tls, void *data, size_t size, int64_t deadline)
{
    for (;;) {
        int n = 0, step = step_read(tls, data, size, &n);
        see_off(tls, deadline);
        if (step != STEP_MORE)
            return step == STEP_END ? 0 : step ? step : n;
        int error = fill(tls, deadline);
        if (error)
            return error;
    }
}

ssize_t weft_tls_read_until(weft_tls *tls, void *data, size_t size, int64_t deadline)
{
    int error = size > 0 ? establish(tls, deadline) : 0;
    if (error || size == 0)
        return error;
    error = weft_mutex_lock_until(&tls->reading, deadline);
    if (error)
        return error;
    ssize_t n = read_in_turn(tls, data, size, deadline);
    weft_mutex_unlock(&tls->reading);
    return n;
}

ssize_t weft_tls_read(weft_tls *tls, void *data, size_t size)
{
    return weft_tls_read_until(tls, data, size, WEFT_NEVER);
}

static int write_in_turn(struct weft_tls *tls, const char *data, size_t size, int64_t deadline)
{
    for (size_t done = 0; done < size;) {
        size_t part = size - done < CHUNK ? size - done : CHUNK;
        int error = step_write(tls, data + done, part);
        if (!error)
            error = send_out(tls, deadline);
        if (error)
            return error;
        done += part;
    }
    return 0;
}

ssize_t weft_tls_write_until(weft_tls *tls, const void *data, size_t size, int64_t deadline)
{
    int error = establish(tls, deadline);
    if (error)
        return error;
    error = weft_mutex_lock_until(&tls->writing, deadline);
    if (error)
        return error;
    error = write_in_turn(tls, data, size, deadline);
    end_writing(tls, deadline);
    return error ? error : (ssize_t)size;
}

ssize_t weft_tls_write(weft_tls *tls, const void *data, size_t size)
{
    return weft_tls_write_until(tls, data, size, WEFT_NEVER);
}

int weft_tls_shutdown_write_until(weft_tls *tls, int64_t deadline)
{
    int error = establish(tls, deadline);
    if (error)
        return error;
    error = weft_mutex_lock_until(&tls->writing, deadline);
    if (error)
        return error;
    error = step_shutdown(tls);
    if (!error)
        error = send_out(tls, deadline);
    end_writing(tls, deadline);
    return error;
}

int weft_tls_shutdown_write(weft_tls *tls)
{
    return weft_tls_shutdown_write_until(tls, WEFT_NEVER);
}

/* ---- Life ---- */

static void tls_free(struct weft_tls *tls)
{
    SSL_free(tls->ssl);
    tls_config_release(tls->config);
    free(tls);
}

static int tls_new(struct weft_tls_config *config, weft_conn *conn, struct weft_tls **out)
{
    struct weft_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return -ENOMEM;
    tls->conn = conn;
    tls->config = config;
    tls_config_acquire(config);
    tls->ssl = SSL_new(config->context);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->in || !tls->out) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        tls_free(tls);
        return -ENOMEM;
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    *out = tls;
    return 0;
}

/* The server is asked for by the name, and must have it in its certificate. */
static bool expect_name(SSL *ssl, const char *name)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
        return true;
    ERR_clear_error();
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

int weft_tls_client(weft_tls_config *config, weft_conn *conn, const char *server_name,
                    weft_tls **out)
{
    if (!server_name && !config->insecure)
        return -EINVAL;
    int error = tls_new(config, conn, out);
    if (error)
        return error;
    SSL *ssl = (*out)->ssl;
    SSL_set_connect_state(ssl);
    SSL_set_verify(ssl, config->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (!server_name || expect_name(ssl, server_name))
        return 0;
    ERR_clear_error();
    tls_free(*out);
    return -EINVAL;
}

int weft_tls_server(weft_tls_config *config, weft_conn *conn, weft_tls **out)
{
    int error = tls_new(config, conn, out);
    if (error)
        return error;
    int mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_set_accept_state((*out)->ssl);
    SSL_set_verify((*out)->ssl, config->verify_clients ? mode : SSL_VERIFY_NONE, NULL);
    return 0;
}

static int give_reason(char *why, size_t why_size, const char *text, int error)
{
    if (why && why_size > 0)
        snprintf(why, why_size, "%s", text[0] ? text : strerror(-error));
    return error;
}

int weft_tls_dial(weft_tls_config *config, const char *host, const char *port, int64_t deadline,
                  weft_tls **out, char *why, size_t why_size)
{
    weft_conn *conn;
    weft_tls *tls;

    int error = weft_tcp_dial_host(host, port, deadline, &conn);
    if (error)
        return give_reason(why, why_size, "", error);
    error = weft_tls_client(config, conn, host, &tls);
    if (error) {
        weft_conn_close(conn);
        return give_reason(why, why_size, "", error);
    }
    error = weft_tls_handshake_until(tls, deadline);
    if (error) {
        give_reason(why, why_size, tls->text, error);
        weft_tls_close(tls);
        return error;
    }
    *out = tls;
    return 0;
}

void weft_tls_close(weft_tls *tls)
{
    if (step_shutdown(tls) == 0)
        (void)send_out(tls, 1); /* what can be written at once */
    weft_conn_close(tls->conn);
    tls_free(tls);
}

/* ---- What it is ---- */

const char *weft_tls_error(const weft_tls *tls)
{
    return tls->text;
}

const char *weft_tls_alpn(const weft_tls *tls)
{
    return tls->alpn;
}

const char *weft_tls_server_name(const weft_tls *tls)
{
    const char *name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
    return name ? name : "";
}

const char *weft_tls_version(const weft_tls *tls)
{
    return SSL_get_version(tls->ssl);
}

weft_conn *weft_tls_conn(const weft_tls *tls)
{
    return tls->conn;
}
