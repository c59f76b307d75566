/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server.h"

/* Ends the parse: what the server replies. */
static int refuse(struct request *r, int status, const char *error)
{
    r->state = REQUEST_BAD;
    r->status = status;
    r->error = error;
    return -1;
}

/* ---- What the parser calls ---- */

static struct request *of(http_parser *parser)
{
    return parser->data;
}

static int on_url(http_parser *parser, const char *data, size_t size)
{
    buffer_add(&of(parser)->target, data, size);
    return 0;
}

static bool is(const struct buffer *b, const char *word)
{
    return b->size == strlen(word) && strncasecmp(b->data, word, b->size) == 0;
}

/* The header that has been read whole. */
static void take_header(struct request *r)
{
    if (is(&r->field, "Host"))
        r->has_host = true;
    else if (is(&r->field, "Expect"))
        r->expects_continue = is(&r->value, "100-continue");
    else if (is(&r->field, "Content-Type") && r->value.size < sizeof r->content_type)
        memcpy(r->content_type, r->value.data, r->value.size);
    buffer_drop(&r->field, r->field.size);
    buffer_drop(&r->value, r->value.size);
    r->in_value = false;
}

static int on_field(http_parser *parser, const char *data, size_t size)
{
    struct request *r = of(parser);
    if (r->in_value)
        take_header(r);
    buffer_add(&r->field, data, size);
    return 0;
}

static int on_value(http_parser *parser, const char *data, size_t size)
{
    struct request *r = of(parser);
    r->in_value = true;
    buffer_add(&r->value, data, size);
    return 0;
}

/* "/path", or the same behind "http://host". NULL: neither. */
static const char *find_path(const char *target)
{
    const char *scheme = strstr(target, "://");
    if (*target != '/' && scheme)
        target = strchr(scheme + 3, '/');
    return target && *target == '/' ? target : NULL;
}

static int check_head(struct request *r)
{
    const http_parser *parser = &r->parser;
    if (parser->http_major != 1)
        return refuse(r, 505, "only HTTP/1.0 and HTTP/1.1 are spoken");
    if (parser->http_minor >= 1 && !r->has_host)
        return refuse(r, 400, "no Host header");
    if (!r->path)
        return refuse(r, 400, "the target is not a path");
    if (parser->flags & F_CONTENTLENGTH && parser->content_length > server.max_body)
        return refuse(r, 413, "the body is too large");
    return 0;
}

static int on_head(http_parser *parser)
{
    struct request *r = of(parser);
    if (r->in_value)
        take_header(r);
    buffer_add(&r->target, "", 1);
    r->path = find_path(r->target.data);
    r->has_head = true;
    parser->upgrade = 0; /* not offered */
    if (check_head(r) != 0)
        return -1; /* for the parser: stop */
    r->state = REQUEST_HEAD;
    http_parser_pause(parser, 1);
    return 0;
}

static int on_body(http_parser *parser, const char *data, size_t size)
{
    struct request *r = of(parser);
    if (size > server.max_body - r->body.size)
        return refuse(r, 413, "the body is too large");
    buffer_add(&r->body, data, size);
    return 0;
}

static int on_end(http_parser *parser)
{
    of(parser)->state = REQUEST_DONE;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings callbacks = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_end,
};

/* ---- Use ---- */

void request_init(struct request *r)
{
    *r = (struct request){0};
    http_parser_init(&r->parser, HTTP_REQUEST);
    r->parser.data = r;
}

void request_fini(struct request *r)
{
    buffer_free(&r->target);
    buffer_free(&r->field);
    buffer_free(&r->value);
    buffer_free(&r->body);
}

static void take_parsers_error(struct request *r)
{
    enum http_errno error = HTTP_PARSER_ERRNO(&r->parser);
    if (r->state == REQUEST_BAD || error == HPE_OK || error == HPE_PAUSED)
        return;
    if (error == HPE_HEADER_OVERFLOW)
        refuse(r, 431, "the head is too large");
    else
        refuse(r, 400, http_errno_description(error));
}

size_t request_feed(struct request *r, const char *data, size_t size)
{
    if (r->state == REQUEST_HEAD) {
        r->state = REQUEST_MORE;
        http_parser_pause(&r->parser, 0);
    } else if (!r->has_head && size > server.max_head - r->head_size) {
        size = server.max_head - r->head_size;
    }
    bool in_head = !r->has_head;
    size_t used = http_parser_execute(&r->parser, &callbacks, data, size);
    take_parsers_error(r);
    if (in_head)
        r->head_size += used;
    if (!r->has_head && r->state == REQUEST_MORE && r->head_size == server.max_head)
        refuse(r, 431, "the head is too large");
    return used;
}

bool request_has_body(const struct request *r)
{
    return r->parser.flags & F_CHUNKED ||
           (r->parser.flags & F_CONTENTLENGTH && r->parser.content_length > 0);
}

size_t request_path_size(const struct request *r)
{
    return strcspn(r->path, "?#");
}

/* What stands behind "name=" in the query; NULL: nothing does. */
static const char *find_parameter(const struct request *r, const char *name)
{
    size_t size = strlen(name);
    const char *at = strchr(r->path, '?');
    for (; at; at = strchr(at, '&')) {
        at++;
        if (strncmp(at, name, size) == 0 && at[size] == '=')
            return at + size + 1;
    }
    return NULL;
}

int64_t request_number(const struct request *r, const char *name, int64_t otherwise, int64_t limit)
{
    const char *text = find_parameter(r, name);
    char *end;
    if (!text || *text < '0' || *text > '9')
        return otherwise;
    int64_t value = strtoll(text, &end, 10);
    return (*end == '&' || *end == '\0') && value <= limit ? value : limit;
}
