/* SPDX-License-Identifier: MIT */
/* Where the server listens. */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include <stdbool.h>
#include <weft/weft.h>

/* Adds "127.0.0.1:80", "[::1]:80", "unix:/path", each with "tls:" before it for TLS. False: there
 * are too many. */
bool listen_add(const char *where);
/* Whether one of them needs a certificate. */
bool listen_needs_tls(void);

/* Listens everywhere and says so on standard output. 0, or after a message a negative errno value.
 */
int listen_open(void);
/* Accepts on goroutines of the scope until its context ends. */
int listen_start(weft_scope *scope);
void listen_close(void);

#endif
