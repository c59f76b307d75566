/* SPDX-License-Identifier: MIT */
/* Replies, put into s->out, which the session writes; parts of long ones are written at once. */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "session.h"

/* A whole reply. HEAD requests get its head only. */
void reply(struct session *s, int status, const char *type, const void *body, size_t size);
/* One line of text. */
void reply_text(struct session *s, int status, const char *text);
/* A refusal; the connection ends if s->keep_alive says so. */
void reply_error(struct session *s, int status, const char *why);
/* The methods that the path knows. */
void reply_not_allowed(struct session *s, const char *methods);
/* "100 Continue", written at once. */
void reply_continue(struct session *s);

/* A reply whose size is not known before: in chunks, or to clients of HTTP/1.0 up to the end of the
 * connection. Each part is written at once. */
void reply_begin(struct session *s, int status, const char *type);
void reply_part(struct session *s, const void *data, size_t size);
void reply_end(struct session *s);

/* The head of a reply with size bytes, which the caller writes after session_flush(). False: none
 * are to follow. */
bool reply_head(struct session *s, int status, const char *type, int64_t size);

#endif
