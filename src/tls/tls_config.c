/* SPDX-License-Identifier: MIT */
/* Configurations of TLS: files, protocols, names; OpenSSL's errors in words. */
#include "tls/tls_config.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Errors ---- */

void tls_describe(const SSL *ssl, const char *what, char *text, size_t size)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    long verified = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
    bool rejected = code && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    char number[48];

    if (code && ERR_SYSTEM_ERROR(code))
        reason = strerror(ERR_GET_REASON(code));
    if (!reason)
        snprintf(number, sizeof number, "error %lx of OpenSSL", code);
    if (size > 0)
        snprintf(text, size, "%s: %s%s%s", what, reason ? reason : number, rejected ? ": " : "",
                 rejected ? X509_verify_cert_error_string(verified) : "");
    ERR_clear_error();
}

struct why {
    char *text;
    size_t size;
};

static int complain(const struct why *why, const char *what)
{
    tls_describe(NULL, what, why->text, why->text ? why->size : 0);
    return -EINVAL;
}

static int complain_plainly(const struct why *why, const char *what)
{
    if (why->text && why->size > 0)
        snprintf(why->text, why->size, "%s", what);
    return -EINVAL;
}

/* ---- Contexts ---- */

static SSL_CTX *context_new(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    if (!context)
        return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"weft", 4);
    return context;
}

/* Of a file without a key OpenSSL says "unsupported". */
static int complain_about_key(const struct why *why, const char *file)
{
    if (ERR_GET_LIB(ERR_peek_error()) != ERR_LIB_OSSL_DECODER)
        return complain(why, file);
    if (why->text && why->size > 0)
        snprintf(why->text, why->size, "%s: no private key in it", file);
    ERR_clear_error();
    return -EINVAL;
}

static int load_certificate(SSL_CTX *context, const char *certificate, const char *key,
                            const struct why *why)
{
    if (!certificate)
        return key ? complain_plainly(why, "a key without a certificate") : 0;
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        return complain(why, certificate);
    key = key ? key : certificate;
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return complain_about_key(why, key);
    return 0;
}

static int load_roots(SSL_CTX *context, const char *file, const struct why *why)
{
    if (!file)
        return SSL_CTX_set_default_verify_paths(context) == 1 ? 0 : complain(why, "system's roots");
    return SSL_CTX_load_verify_file(context, file) == 1 ? 0 : complain(why, file);
}

/* ---- Protocols above TLS ---- */

/* "h2,http/1.1" as lengths and names. */
static int alpn_parse(struct weft_tls_config *config, const char *list, const struct why *why)
{
    size_t size = strlen(list) + 1;
    config->alpn = malloc(size);
    if (!config->alpn)
        return -ENOMEM;
    for (size_t at = 0; at < size;) {
        size_t length = strcspn(list + at, ",");
        if (length == 0 || length > 255)
            return complain_plainly(why, "alpn: a name must have 1 to 255 bytes");
        config->alpn[at] = (unsigned char)length;
        memcpy(config->alpn + at + 1, list + at, length);
        at += length + 1;
    }
    config->alpn_size = (unsigned)size;
    return 0;
}

static int alpn_choose(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                       const unsigned char *offered, unsigned size, void *arg)
{
    struct weft_tls_config *config = arg;
    unsigned char *chosen;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_size, config->alpn, config->alpn_size, offered, size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int alpn_set(struct weft_tls_config *config, const char *list, const struct why *why)
{
    if (!list)
        return 0;
    int error = alpn_parse(config, list, why);
    if (error)
        return error;
    if (SSL_CTX_set_alpn_protos(config->context, config->alpn, config->alpn_size) != 0)
        return complain(why, "alpn");
    SSL_CTX_set_alpn_select_cb(config->context, alpn_choose, config);
    return 0;
}

/* ---- Names ---- */

static int name_choose(SSL *ssl, int *alert, void *arg)
{
    struct weft_tls_config *config = arg;
    const char *wanted = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    for (struct tls_name *name = config->names; wanted && name; name = name->next) {
        if (strcasecmp(name->name, wanted) == 0) {
            SSL_set_SSL_CTX(ssl, name->context);
            break;
        }
    }
    return SSL_TLSEXT_ERR_OK;
}

static void name_free(struct tls_name *name)
{
    if (!name)
        return;
    SSL_CTX_free(name->context);
    free(name);
}

int weft_tls_config_add_name(weft_tls_config *config, const char *name, const char *certificate,
                             const char *key, char *why, size_t why_size)
{
    struct why reason = {why, why_size};
    if (!name || !*name || !certificate)
        return complain_plainly(&reason, "no name or no certificate");
    struct tls_name *entry = malloc(sizeof *entry + strlen(name) + 1);
    if (!entry)
        return -ENOMEM;
    strcpy(entry->name, name);
    entry->context = context_new();
    int error = entry->context ? load_certificate(entry->context, certificate, key, &reason)
                               : complain(&reason, "OpenSSL");
    if (error) {
        name_free(entry);
        return error;
    }
    SSL_CTX_set1_cert_store(entry->context, SSL_CTX_get_cert_store(config->context));
    if (config->alpn)
        SSL_CTX_set_alpn_select_cb(entry->context, alpn_choose, config);
    entry->next = config->names;
    config->names = entry;
    SSL_CTX_set_tlsext_servername_callback(config->context, name_choose);
    SSL_CTX_set_tlsext_servername_arg(config->context, config);
    return 0;
}

/* ---- The whole ---- */

static void config_destroy(struct weft_tls_config *config)
{
    for (struct tls_name *next, *name = config->names; name; name = next) {
        next = name->next;
        name_free(name);
    }
    SSL_CTX_free(config->context);
    free(config->alpn);
    free(config);
}

void tls_config_acquire(struct weft_tls_config *config)
{
    __atomic_fetch_add(&config->users, 1, __ATOMIC_RELAXED);
}

void tls_config_release(struct weft_tls_config *config)
{
    /* Acquire-release: whoever comes last sees what all have done with it. */
    if (__atomic_fetch_sub(&config->users, 1, __ATOMIC_ACQ_REL) == 1)
        config_destroy(config);
}

static int config_fill(struct weft_tls_config *config, const weft_tls_options *options,
                       const struct why *why)
{
    config->context = context_new();
    if (!config->context)
        return complain(why, "OpenSSL");
    config->insecure = options->insecure != 0;
    config->verify_clients = options->verify_clients != 0;
    int error = load_certificate(config->context, options->certificate, options->key, why);
    if (!error)
        error = load_roots(config->context, options->ca_file, why);
    return error ? error : alpn_set(config, options->alpn, why);
}

int weft_tls_config_new(const weft_tls_options *options, weft_tls_config **out, char *why,
                        size_t why_size)
{
    weft_tls_options known = {0};
    struct why reason = {why, why_size};

    if (options)
        memcpy(&known, options, options->size < sizeof known ? options->size : sizeof known);
    struct weft_tls_config *config = calloc(1, sizeof *config);
    if (!config)
        return -ENOMEM;
    config->users = 1;
    ERR_clear_error();
    int error = config_fill(config, &known, &reason);
    if (error) {
        config_destroy(config);
        return error;
    }
    *out = config;
    return 0;
}

void weft_tls_config_free(weft_tls_config *config)
{
    if (config)
        tls_config_release(config);
}
