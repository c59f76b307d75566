/* SPDX-License-Identifier: MIT */
/* A client's connection and the goroutine that serves it. */
#ifndef KV_SESSION_H
#define KV_SESSION_H

#include <stdbool.h>
#include <weft/weft.h>

#include "buffer.h"
#include "request.h"

struct session {
    weft_conn *conn;
    struct request request;
    struct buffer in, out;
    bool quit;            /* write what is in out, then close */
    struct session *next; /* lock: that of the list of all */
    struct session **link;
};

/* Serves conn, which it owns from now on, on a goroutine of its own. 0 or a negative errno value.
 */
int session_start(weft_conn *conn);

/* Ends all sessions as soon as they have answered what they have read, and waits for that. */
void sessions_end(void);

#endif
