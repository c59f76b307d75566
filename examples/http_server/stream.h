/* SPDX-License-Identifier: MIT */
/* A client's connection, with or without TLS. Results are those of weft/net.h and weft/tls.h. */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include "server.h"

struct stream {
    weft_conn *conn;
    struct weft_tls *tls; /* NULL: none */
};

/* Takes conn over; secure: with TLS. On an error it is closed. */
int stream_open(struct stream *stream, weft_conn *conn, bool secure);
ssize_t stream_read(struct stream *stream, void *data, size_t size, int64_t deadline);

/* These write within the server's time-out for every 64 KiB. 0 or a negative errno value. */
int stream_write(struct stream *stream, const void *data, size_t size);
int stream_send_file(struct stream *stream, int file, int64_t size);

/* No more writes: the client reads the end. */
void stream_end(struct stream *stream);
void stream_close(struct stream *stream);

#endif
