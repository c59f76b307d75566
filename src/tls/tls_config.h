/* SPDX-License-Identifier: MIT */
/* A configuration inside: OpenSSL's context with what weft's options ask for. */
#ifndef WEFT_TLS_TLS_CONFIG_H
#define WEFT_TLS_TLS_CONFIG_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "weft/tls.h"

/* A certificate for one name. */
struct tls_name {
    struct tls_name *next;
    SSL_CTX *context;
    char name[];
};

struct weft_tls_config {
    SSL_CTX *context;
    struct tls_name *names; /* constant while connections are made */
    unsigned char *alpn;    /* as it goes over the wire: lengths and names */
    unsigned alpn_size;
    bool insecure, verify_clients;
    uint32_t users; /* atomic: the owner, and the connections */
};

void tls_config_acquire(struct weft_tls_config *config);
void tls_config_release(struct weft_tls_config *config);

/* The first entry of OpenSSL's error queue of this thread in words, after `what` and a colon; what
 * was verified and why it was not accepted if that is it. The queue is emptied. ssl may be NULL. No
 * call of weft may stand between the failure and this. */
void tls_describe(const SSL *ssl, const char *what, char *text, size_t size);

#endif
