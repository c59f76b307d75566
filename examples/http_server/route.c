/* SPDX-License-Identifier: MIT */
/* The paths of the server. */
#include "route.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reply.h"

enum {
    GET = 1u << HTTP_GET | 1u << HTTP_HEAD,
    POST = 1u << HTTP_POST,
    PUT = 1u << HTTP_PUT,
    MAX_PART = 64 * 1024
};

/* ---- Handlers ---- */

static void index_page(struct session *s)
{
    static const char page[] = "<!doctype html>\n<title>weft</title>\n<ul>\n"
                               "<li>POST or PUT /echo: the body comes back\n"
                               "<li>GET /stream?n=10&ms=100&size=20: n chunks, one every ms\n"
                               "<li>GET /sleep?ms=100: a slow reply\n"
                               "<li>PUT /note, GET /note: one note for all\n"
                               "<li>GET /stats: the server and its goroutines\n"
                               "<li>GET /files/NAME: a file\n</ul>\n";
    reply(s, 200, "text/html", page, sizeof page - 1);
}

/* As it came: in chunks, or whole. */
static void echo(struct session *s)
{
    const struct request *r = &s->request;
    const char *type = r->content_type[0] ? r->content_type : "application/octet-stream";
    if (!(r->parser.flags & F_CHUNKED)) {
        reply(s, 200, type, r->body.data, r->body.size);
        return;
    }
    reply_begin(s, 200, type);
    for (size_t done = 0; done < r->body.size && !s->error;) {
        size_t left = r->body.size - done, part = left < MAX_PART ? left : MAX_PART;
        reply_part(s, r->body.data + done, part);
        done += part;
    }
    reply_end(s);
}

static int pause_for(int64_t ms)
{
    WEFT_REGION("pause");
    return weft_sleep_until(weft_now() + ms * WEFT_MILLISECOND);
}

static void stream(struct session *s)
{
    char part[MAX_PART];
    int64_t n = request_number(&s->request, "n", 10, 1000000);
    int64_t ms = request_number(&s->request, "ms", 0, 60000);
    int64_t size = request_number(&s->request, "size", 20, sizeof part);
    int error = 0;

    if (s->request.parser.method == HTTP_HEAD)
        n = 0;
    reply_begin(s, 200, "text/plain");
    session_flush(s);
    for (int64_t i = 0; i < n && !s->error && !error; i++) {
        int length = snprintf(part, sizeof part, "line %" PRId64 "\n", i);
        memset(part + length, '.', sizeof part - (size_t)length);
        reply_part(s, part, (size_t)(size > length ? size : length));
        if (ms > 0)
            error = pause_for(ms);
    }
    if (error)
        s->keep_alive = false; /* without an end: the client sees that it was cut */
    else
        reply_end(s);
}

static void sleep_for_it(struct session *s)
{
    char text[64];
    int64_t ms = request_number(&s->request, "ms", 100, 60000);
    session_flush(s);
    if (pause_for(ms) != 0) {
        s->keep_alive = false;
        reply_error(s, 503, "the server ends");
        return;
    }
    snprintf(text, sizeof text, "slept for %" PRId64 " ms\n", ms);
    reply_text(s, 200, text);
}

static struct {
    weft_rwmutex lock;
    struct buffer text;
} note;

static void put_note(struct session *s)
{
    struct buffer text = {0};
    buffer_add(&text, s->request.body.data, s->request.body.size);
    weft_rwmutex_wrlock(&note.lock);
    struct buffer old = note.text;
    note.text = text;
    weft_rwmutex_wrunlock(&note.lock);
    buffer_free(&old);
    reply(s, 204, NULL, NULL, 0);
}

static void get_note(struct session *s)
{
    weft_rwmutex_rdlock(&note.lock);
    if (note.text.size > 0)
        reply(s, 200, "text/plain", note.text.data, note.text.size);
    else
        reply_error(s, 404, "there is no note");
    weft_rwmutex_rdunlock(&note.lock);
}

static uint64_t look(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void stats(struct session *s)
{
    char text[512];
    weft_stats all = {.size = sizeof all};
    weft_stats_get(&all);
    int n = snprintf(
        text, sizeof text,
        "{\"uptime_ms\": %" PRId64 ", \"connections\": %" PRIu64 ", \"active\": %" PRIu64
        ", \"accepted\": %" PRIu64 ", \"requests\": %" PRIu64 ", \"refused\": %" PRIu64
        ", \"goroutines\": %" PRIu64 ", \"waiting\": %" PRIu64 ", \"procs\": %" PRIu64
        ", \"threads\": %" PRIu64 ", \"revocations\": %" PRIu64 "}\n",
        (weft_now() - server.started) / WEFT_MILLISECOND, look(&server.connections),
        look(&server.active), look(&server.accepted), look(&server.requests), look(&server.failed),
        all.goroutines, all.waiting, all.procs, all.threads, all.revocations);
    reply(s, 200, "application/json", text, (size_t)n);
}

void route_fini(void)
{
    buffer_free(&note.text);
}

/* ---- Which one ---- */

struct route {
    const char *path; /* ends in '/': and what is below it */
    unsigned methods; /* bits by number */
    const char *name; /* of the region in the trace */
    void (*handle)(struct session *s);
};

static const struct route routes[] = {
    {"/", GET, "GET /", index_page},         {"/echo", POST | PUT, "POST /echo", echo},
    {"/stream", GET, "GET /stream", stream}, {"/sleep", GET, "GET /sleep", sleep_for_it},
    {"/note", GET, "GET /note", get_note},   {"/note", PUT, "PUT /note", put_note},
    {"/stats", GET, "GET /stats", stats},    {"/files/", GET, "GET /files/", route_file},
};
enum { ROUTES = sizeof routes / sizeof *routes };

static bool matches(const struct route *route, const struct request *r)
{
    size_t size = request_path_size(r), length = strlen(route->path);
    bool below = length > 1 && route->path[length - 1] == '/';
    return (below ? size > length : size == length) && memcmp(r->path, route->path, length) == 0;
}

static void add_method(char *list, size_t room, unsigned methods, enum http_method method)
{
    size_t size = strlen(list);
    if (methods & 1u << method)
        snprintf(list + size, room - size, "%s%s", size ? ", " : "", http_method_str(method));
}

static void refuse_method(struct session *s, unsigned known)
{
    static const enum http_method all[] = {HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT};
    char list[64] = "";
    if (!known) {
        reply_error(s, 404, "there is nothing at this path");
        return;
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        add_method(list, sizeof list, known, all[i]);
    reply_not_allowed(s, list);
}

void route(struct session *s)
{
    const struct request *r = &s->request;
    unsigned known = 0;
    for (const struct route *route = routes; route < routes + ROUTES; route++) {
        if (!matches(route, r))
            continue;
        known |= route->methods;
        if (r->parser.method < 32 && route->methods & 1u << r->parser.method) {
            WEFT_REGION(route->name);
            route->handle(s);
            return;
        }
    }
    refuse_method(s, known);
}
