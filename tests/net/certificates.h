/* SPDX-License-Identifier: MIT */
/* Certificates for tests, made on the spot, as PEM files of a folder: NAME.crt and NAME.key. */
#ifndef WEFT_TESTS_NET_CERTIFICATES_H
#define WEFT_TESTS_NET_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct identity {
    X509 *certificate;
    EVP_PKEY *key;
};

static char certificates_folder[512];

/* Where the files of this test are. */
static inline const char *certificate_path(const char *file)
{
    static char paths[8][700];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", certificates_folder, file);
    return path;
}

static inline FILE *certificate_file(const char *name, const char *ending)
{
    char file[128];
    snprintf(file, sizeof file, "%s.%s", name, ending);
    FILE *to = fopen(certificate_path(file), "w");
    if (!to)
        abort();
    return to;
}

static inline void identity_write(const struct identity *identity, const char *name)
{
    FILE *to = certificate_file(name, "crt");
    PEM_write_X509(to, identity->certificate);
    fclose(to);
    to = certificate_file(name, "key");
    PEM_write_PrivateKey(to, identity->key, NULL, NULL, 0, NULL, NULL);
    fclose(to);
}

static inline void identity_free(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

static inline void certificate_extend(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
    if (!extension || X509_add_ext(certificate, extension, -1) != 1)
        abort();
    X509_EXTENSION_free(extension);
}

static inline X509 *certificate_new(const char *subject, EVP_PKEY *key, long lifetime)
{
    static long serial = 1;
    X509 *certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate), lifetime);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)subject, -1, -1, 0);
    X509_set_pubkey(certificate, key);
    return certificate;
}

/*
 * An identity, in files as well. issuer NULL: it vouches for itself, and for others. names: as
 * "DNS:localhost,IP:127.0.0.1". lifetime: seconds from now, negative: it has ended.
 */
static inline struct identity identity_make(const char *name, const struct identity *issuer,
                                            const char *names, long lifetime)
{
    struct identity made = {.key = EVP_EC_gen("P-256")};
    if (!made.key)
        abort();
    made.certificate = certificate_new(name, made.key, lifetime);
    if (!issuer)
        certificate_extend(made.certificate, NID_basic_constraints, "critical,CA:TRUE");
    if (names)
        certificate_extend(made.certificate, NID_subject_alt_name, names);
    issuer = issuer ? issuer : &made;
    X509_set_issuer_name(made.certificate, X509_get_subject_name(issuer->certificate));
    if (X509_sign(made.certificate, issuer->key, EVP_sha256()) == 0)
        abort();
    identity_write(&made, name);
    return made;
}

/* In the folder of the test: root, server (this host), other (other.test), expired, stranger (its
 * own root), client. */
static inline void certificates_make(void)
{
    static const char here[] = "DNS:localhost,IP:127.0.0.1,IP:::1";
    const char *dir = getenv("WEFT_TRACE_DIR");
    snprintf(certificates_folder, sizeof certificates_folder, "%s/certificates",
             dir ? dir : "/tmp");
    mkdir(certificates_folder, 0700);
    struct identity root = identity_make("root", NULL, NULL, 86400);
    struct identity all[] = {
        identity_make("server", &root, here, 86400),
        identity_make("other", &root, "DNS:other.test", 86400),
        identity_make("expired", &root, here, -3600),
        identity_make("stranger", NULL, here, 86400),
        identity_make("client", &root, NULL, 86400),
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        identity_free(&all[i]);
    identity_free(&root);
}

#endif
