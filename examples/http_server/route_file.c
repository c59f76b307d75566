/* SPDX-License-Identifier: MIT */
/* GET /files/NAME: a file of the folder --files, sent as it is (sendfile). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "reply.h"
#include "route.h"

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html"},        {".txt", "text/plain"}, {".css", "text/css"},
        {".js", "text/javascript"},    {".png", "image/png"},  {".svg", "image/svg+xml"},
        {".json", "application/json"},
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that "%41" stands for; -1: it is no such thing, or the byte 0. */
static int decode_byte(const char *text, size_t size)
{
    int high = size >= 3 ? hex_digit(text[1]) : -1;
    int low = size >= 3 ? hex_digit(text[2]) : -1;
    return high >= 0 && low >= 0 && high + low > 0 ? high * 16 + low : -1;
}

/* The name in the file system. False: it is none, or too long. */
static bool decode(const char *text, size_t size, char *name, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        int c = text[i] == '%' ? decode_byte(text + i, size - i) : (unsigned char)text[i];
        if (c < 0 || n + 1 == room)
            return false;
        i += text[i] == '%' ? 2 : 0;
        name[n++] = (char)c;
    }
    name[n] = '\0';
    return true;
}

/* Nothing above the folder, nothing hidden: no part of the name begins with a dot. */
static bool is_below(const char *name)
{
    return name[0] != '.' && name[0] != '/' && !strstr(name, "/.");
}

static int status_of(int error)
{
    switch (error) {
    case -ENOENT:
    case -ENOTDIR:
    case -ELOOP:
        return 404;
    case -EACCES:
        return 403;
    default:
        return 503;
    }
}

/* A regular file. The descriptor or a negative errno value. */
static int open_file(const char *name, int64_t *size)
{
    char path[PATH_MAX];
    struct stat status;
    if (snprintf(path, sizeof path, "%s/%s", server.files, name) >= (int)sizeof path)
        return -ENOENT;
    int fd = weft_file_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return fd;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)weft_file_close(fd);
        return -ENOENT;
    }
    *size = status.st_size;
    return fd;
}

static void send_file(struct session *s, int fd, const char *name, int64_t size)
{
    bool follows = reply_head(s, 200, type_of(name), size);
    session_flush(s);
    if (!follows || s->error)
        return;
    WEFT_REGION("send file");
    s->error = stream_send_file(&s->stream, fd, size);
}

void route_file(struct session *s)
{
    static const char folder[] = "/files/";
    const struct request *r = &s->request;
    char name[1024];
    int64_t size;

    if (!server.files ||
        !decode(r->path + sizeof folder - 1, request_path_size(r) - (sizeof folder - 1), name,
                sizeof name) ||
        !is_below(name)) {
        reply_error(s, 404, "there is no such file");
        return;
    }
    int fd = open_file(name, &size);
    if (fd < 0) {
        reply_error(s, status_of(fd), "the file cannot be opened");
        return;
    }
    send_file(s, fd, name, size);
    (void)weft_file_close(fd);
}
