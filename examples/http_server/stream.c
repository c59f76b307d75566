/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PART = 64 * 1024 };

static int64_t write_deadline(void)
{
    return weft_now() + server.write_timeout;
}

#ifdef HTTP_WITH_TLS

static int open_tls(struct stream *stream)
{
    int error = weft_tls_server(server.tls, stream->conn, &stream->tls);
    if (error) {
        weft_conn_close(stream->conn);
        return error;
    }
    WEFT_REGION("TLS handshake");
    error = weft_tls_handshake_until(stream->tls, weft_now() + server.read_timeout);
    if (error)
        weft_tls_close(stream->tls);
    return error;
}

static ssize_t read_tls(struct stream *stream, void *data, size_t size, int64_t deadline)
{
    return weft_tls_read_until(stream->tls, data, size, deadline);
}

static ssize_t write_tls(struct stream *stream, const void *data, size_t size)
{
    return weft_tls_write_until(stream->tls, data, size, write_deadline());
}

static void end_tls(struct stream *stream)
{
    (void)weft_tls_shutdown_write_until(stream->tls, write_deadline());
}

static void close_tls(struct stream *stream)
{
    weft_tls_close(stream->tls);
}

#else

/* There is no TLS: stream->tls is NULL. */
static int open_tls(struct stream *stream)
{
    weft_conn_close(stream->conn);
    return -EOPNOTSUPP;
}

static ssize_t read_tls(struct stream *stream, void *data, size_t size, int64_t deadline)
{
    (void)stream, (void)data, (void)size, (void)deadline;
    return -EOPNOTSUPP;
}

static ssize_t write_tls(struct stream *stream, const void *data, size_t size)
{
    (void)stream, (void)data, (void)size;
    return -EOPNOTSUPP;
}

static void end_tls(struct stream *stream)
{
    (void)stream;
}

static void close_tls(struct stream *stream)
{
    (void)stream;
}

#endif

int stream_open(struct stream *stream, weft_conn *conn, bool secure)
{
    *stream = (struct stream){.conn = conn};
    return secure ? open_tls(stream) : 0;
}

ssize_t stream_read(struct stream *stream, void *data, size_t size, int64_t deadline)
{
    if (stream->tls)
        return read_tls(stream, data, size, deadline);
    return weft_conn_read_until(stream->conn, data, size, deadline);
}

int stream_write(struct stream *stream, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        const char *at = (const char *)data + done;
        size_t part = size - done < PART ? size - done : PART;
        ssize_t n = stream->tls ? write_tls(stream, at, part)
                                : weft_conn_write_until(stream->conn, at, part, write_deadline());
        if (n < 0)
            return (int)n;
        done += part;
    }
    return 0;
}

/* TLS has to see the bytes. */
static int copy_file(struct stream *stream, int file, int64_t size)
{
    char *data = malloc(PART);
    int error = data ? 0 : -ENOMEM;
    for (int64_t done = 0; done < size && !error;) {
        ssize_t n = weft_file_pread(file, data, PART, done);
        error = n > 0 ? stream_write(stream, data, (size_t)n) : n < 0 ? (int)n : -EIO;
        done += n;
    }
    free(data);
    return error;
}

int stream_send_file(struct stream *stream, int file, int64_t size)
{
    if (stream->tls)
        return copy_file(stream, file, size);
    for (int64_t done = 0; done < size;) {
        size_t part = size - done < PART ? (size_t)(size - done) : PART;
        int64_t n = weft_conn_sendfile_until(stream->conn, file, done, part, write_deadline());
        if (n <= 0)
            return n < 0 ? (int)n : -EIO; /* the file has become shorter */
        done += n;
    }
    return 0;
}

void stream_end(struct stream *stream)
{
    if (stream->tls)
        end_tls(stream);
    (void)weft_conn_shutdown_write(stream->conn);
}

void stream_close(struct stream *stream)
{
    if (stream->tls)
        close_tls(stream);
    else
        weft_conn_close(stream->conn);
}
