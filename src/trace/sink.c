/* SPDX-License-Identifier: MIT */
#include "trace/sink.h"

#include "wire/batch.h"
#include "wire/events.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

int trace_sink_open(trace_sink *sink, const char *path)
{
    struct stat about;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    *sink = trace_sink_of_fd(fd);
    sink->owns_fd = true;
    sink->is_file = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    return 0;
}

trace_sink trace_sink_of_fd(int fd)
{
    return (trace_sink){.fd = fd};
}

trace_sink trace_sink_of_callback(weft_trace_write_fn write, void *context)
{
    return (trace_sink){.fd = -1, .write = write, .context = context};
}

void trace_sink_close(trace_sink *sink)
{
    if (sink->owns_fd)
        close(sink->fd);
    sink->owns_fd = false;
}

/* Waits until a descriptor that does not block takes data again. */
static int wait_writable(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    return poll(&poller, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

static int write_fd(trace_sink *sink, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(sink->fd, data, size);
        int error = n < 0 ? errno : 0;
        if (error == EAGAIN || error == EWOULDBLOCK)
            error = -wait_writable(sink->fd);
        if (error && error != EINTR)
            return -error;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
            sink->bytes += (uint64_t)n;
        }
    }
    return 0;
}

static int give(trace_sink *sink, const void *data, size_t size)
{
    if (sink->fd >= 0)
        return write_fd(sink, data, size);
    int rc = sink->write(sink->context, data, size);
    if (rc < 0)
        return rc;
    sink->bytes += size;
    return 0;
}

int trace_sink_header(trace_sink *sink, unsigned format)
{
    uint8_t header[WIRE_HEADER_SIZE];
    wire_header_encode(header, format);
    return give(sink, header, sizeof header);
}

int trace_sink_generation(trace_sink *sink, unsigned format, const trace_sealed *sealed)
{
    static const uint8_t end_mark = WIRE_EV_END_OF_GENERATION;
    int rc = 0;
    for (const trace_buffer *at = sealed->batches.first; at && rc == 0; at = at->next)
        rc = give(sink, at->data, trace_buffer_bytes(at));
    if (rc == 0 && format >= 26)
        rc = give(sink, &end_mark, 1);
    if (rc == 0)
        sink->whole = sink->bytes;
    return rc;
}

void trace_sink_cut(trace_sink *sink)
{
    if (sink->is_file && sink->bytes > sink->whole && ftruncate(sink->fd, (off_t)sink->whole) == 0)
        sink->bytes = sink->whole;
}
