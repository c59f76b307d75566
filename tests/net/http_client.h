/* SPDX-License-Identifier: MIT */
/* An http_server as a child process that listens in every way, and what is asked of it, by plain
 * sockets and by curl. */
#ifndef WEFT_TESTS_NET_HTTP_CLIENT_H
#define WEFT_TESTS_NET_HTTP_CLIENT_H

#include "net/server_child.h"

#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>

#ifdef HTTP_WITH_TLS
#include "net/certificates.h"
#endif

enum { URL_V4, URL_V6, URL_UNIX, URL_TLS, URLS };

struct http {
    struct server server; /* port: of IPv4 */
    char url[URLS][64];   /* "": it does not listen there */
    char trace[512];      /* "": there is none */
    char unix_path[64];
};

static inline const char *test_folder(void)
{
    const char *dir = getenv("WEFT_TRACE_DIR");
    return dir ? dir : "/tmp";
}

/* A file of the folder /files/ shows. */
static inline void put_file(const char *name, const void *data, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/files", test_folder());
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/files/%s", test_folder(), name);
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    assert_int_equal(fwrite(data, 1, size, to), size);
    fclose(to);
}

/* Where it says that it listens, line by line. */
static inline void http_read_places(struct http *http, FILE *said)
{
    char line[512];
    for (int i = 0; i < URLS; i++)
        http->url[i][0] = '\0';
#ifdef HTTP_WITH_TLS
    int places = URLS;
#else
    int places = URLS - 1;
#endif
    for (; places > 0 && fgets(line, sizeof line, said); places--) {
        int port = 0;
        if (sscanf(line, "listening on http://127.0.0.1:%d", &http->server.port) == 1)
            snprintf(http->url[URL_V4], 64, "http://127.0.0.1:%d", http->server.port);
        else if (sscanf(line, "listening on http://[::1]:%d", &port) == 1)
            snprintf(http->url[URL_V6], 64, "http://[::1]:%d", port);
        else if (sscanf(line, "listening on https://127.0.0.1:%d", &port) == 1)
            snprintf(http->url[URL_TLS], 64, "https://127.0.0.1:%d", port);
        else
            snprintf(http->url[URL_UNIX], 64, "http://localhost");
    }
    if (places > 0)
        fail_msg("the server did not say where it listens");
}

/* options: NULL-terminated, or NULL. descriptors: limit; 0: as it is. */
static inline struct http http_start_limited(const char *const *options, rlim_t descriptors)
{
    struct http http = {0};
    char unix_place[80], files[512];
    snprintf(http.unix_path, sizeof http.unix_path, "/tmp/weft-http-%d-%u.sock", (int)getpid(),
             servers_started);
    unlink(http.unix_path);
    snprintf(unix_place, sizeof unix_place, "unix:%s", http.unix_path);
    snprintf(files, sizeof files, "%s/files", test_folder());
    const char *all[48] = {"--listen", "127.0.0.1:0", "--listen", "[::1]:0",
                           "--listen", unix_place,    "--files",  files};
    size_t n = 8;
#ifdef HTTP_WITH_TLS
    const char *const tls[] = {"--listen",      "tls:127.0.0.1:0",
                               "--certificate", certificate_path("server.crt"),
                               "--key",         certificate_path("server.key")};
    for (size_t i = 0; i < sizeof tls / sizeof *tls; i++)
        all[n++] = tls[i];
#endif
    for (; options && *options && n < 47; options++)
        all[n++] = *options;
    snprintf(http.trace, sizeof http.trace, "%s/http-%u-p%u.trace", test_folder(),
             servers_started + 1, server_procs);
    FILE *said = server_spawn(&http.server, "http", all, descriptors);
    http_read_places(&http, said);
    fclose(said);
    return http;
}

static inline struct http http_start(const char *const *options)
{
    return http_start_limited(options, 0);
}

/* ---- curl ---- */

static char curl_output[4 * 1024 * 1024];
static size_t curl_size;

/* What a command of the shell prints to standard output; its exit status. */
static inline int shell(const char *command)
{
    FILE *from = popen(command, "r");
    assert_non_null(from);
    curl_size = fread(curl_output, 1, sizeof curl_output - 1, from);
    curl_output[curl_size] = '\0';
    int status = pclose(from);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* curl's exit status; the output is in curl_output. format: its further arguments, for the shell;
 * $URL stands for where that server listens. */
static inline int curl(const struct http *http, int where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline int curl(const struct http *http, int where, const char *format, ...)
{
    char command[4096], local[100] = "", trusted[800] = "";
    va_list args;
    if (where == URL_UNIX)
        snprintf(local, sizeof local, "--unix-socket %s", http->unix_path);
#ifdef HTTP_WITH_TLS
    snprintf(trusted, sizeof trusted, "--cacert %s", certificate_path("root.crt"));
#endif
    int n = snprintf(command, sizeof command, "URL=%s; curl -sS -m 60 %s %s ", http->url[where],
                     local, trusted);
    va_start(args, format);
    n += vsnprintf(command + n, sizeof command - (size_t)n, format, args);
    va_end(args);
    snprintf(command + n, sizeof command - (size_t)n, " 2>&1");
    return shell(command);
}

static inline bool there_is(const char *tool, const char *package)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null", tool);
    if (shell(command) == 0)
        return true;
    fprintf(stderr, "SKIPPED: no %s (Debian: %s)\n", tool, package);
    return false;
}

static inline void expect_output(const char *text)
{
    if (!strstr(curl_output, text))
        fail_msg("expected \"%s\" in \"%.2000s\"", text, curl_output);
}

/* ---- Plain sockets ---- */

/* The next line, without its end. */
static inline void read_line(int fd, char *line, size_t room)
{
    size_t n = 0;
    while (n + 1 < room && receive(fd, line + n, 1) == 1 && line[n] != '\n')
        n++;
    line[n > 0 && line[n - 1] == '\r' ? n - 1 : n] = '\0';
}

/* Reads a reply with Content-Length; *keep_alive: another may follow. Returns its status; body may
 * be NULL. */
static inline int read_reply(int fd, char *body, size_t room, bool *keep_alive)
{
    char line[512];
    size_t size = 0;
    int status = -1;
    read_line(fd, line, sizeof line);
    sscanf(line, "HTTP/1.1 %d", &status);
    *keep_alive = true;
    for (read_line(fd, line, sizeof line); line[0]; read_line(fd, line, sizeof line)) {
        sscanf(line, "Content-Length: %zu", &size);
        if (strcmp(line, "Connection: close") == 0)
            *keep_alive = false;
    }
    char *bytes = malloc(size + 1);
    size_t got = receive(fd, bytes, size);
    bytes[got] = '\0';
    if (body)
        snprintf(body, room, "%s", bytes);
    free(bytes);
    return got == size ? status : -1;
}

static inline void expect_status(int fd, int status)
{
    bool keep_alive;
    char body[512];
    int got = read_reply(fd, body, sizeof body, &keep_alive);
    if (got != status)
        fail_msg("expected status %d, got %d: %s", status, got, body);
}

/* Sends a request and expects the status of its reply. */
static inline void ask_http(int fd, const char *request, int status)
{
    send_text(fd, request);
    expect_status(fd, status);
}

#define GET_ROOT "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

/* A number of /stats. */
static inline long http_stat(const struct http *http, const char *name)
{
    char body[2048], key[64];
    bool keep_alive;
    int fd = client(http->server);
    send_text(fd, "GET /stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_int_equal(read_reply(fd, body, sizeof body, &keep_alive), 200);
    close(fd);
    snprintf(key, sizeof key, "\"%s\": ", name);
    const char *at = strstr(body, key);
    assert_non_null(at);
    return atol(at + strlen(key));
}

/* Waits until /stats says so; the connection of the question is one of them. */
static inline void await_stat(const struct http *http, const char *name, long value)
{
    long last = -1;
    for (int tries = 0; tries < 3000; tries++) {
        last = http_stat(http, name);
        if (last == value)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    fail_msg("%s stays %ld, not %ld", name, last, value);
}

#endif
