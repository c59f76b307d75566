/* SPDX-License-Identifier: MIT */
/* A client's connection and the goroutine that serves it. */
#ifndef HTTP_SESSION_H
#define HTTP_SESSION_H

#include <stdbool.h>

#include "request.h"
#include "stream.h"

struct session {
    weft_conn *accepted;
    bool secure;
    struct stream stream;
    struct request request;
    struct buffer in;  /* bytes of the client that no request has taken */
    struct buffer out; /* replies that were not written yet */
    bool keep_alive;   /* after this reply comes another request */
    int error;         /* of the connection: nothing can be written any more */
};

/* Serves conn, which it owns from now on, on a goroutine of the scope server.serving. 0 or a
 * negative errno value. */
int session_start(weft_conn *conn, bool secure);

/* Writes what is in s->out. */
void session_flush(struct session *s);

#endif
