/* SPDX-License-Identifier: MIT */
/*
 * http_server: HTTP/1.1 over TCP and Unix sockets, with or without TLS, one goroutine a connection.
 *
 *     WEFT_TRACE=http.trace build/examples/http_server --files docs &
 *     curl http://127.0.0.1:8080/sleep?ms=50
 *     kill %1
 *     weft tasks http.trace                       each request, and what it waited for
 *     weft critical-path --task ID http.trace     step by step
 *
 * The end, on SIGTERM or SIGINT. Two contexts say what still goes on. `accepting` is cancelled
 * first: accept loops end, and so do connections that wait for a request. Requests that have begun
 * work in the context of the scope `serving`, whose end waits for them; when the grace period is
 * over it is cancelled as well, and their waits end.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "listen.h"
#include "route.h"
#include "server.h"

struct server server = {
    .max_head = 8 * 1024,
    .max_body = 1024 * 1024,
    .idle = 60 * WEFT_SECOND,
    .read_timeout = 10 * WEFT_SECOND,
    .write_timeout = 10 * WEFT_SECOND,
    .grace = 5 * WEFT_SECOND,
};

static long max_connections; /* 0: any number */
static const char *certificate, *key;

static int complain(const char *what, int error)
{
    fprintf(stderr, "http_server: %s: %s\n", what, strerror(-error));
    return 1;
}

/* ---- The end ---- */

/* SIGTERM and SIGINT are blocked in all threads and read from a descriptor. */
static int signals = -1;

/* Before the runtime makes threads, which inherit the mask. */
static int block_signals(void)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGINT);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    return signals >= 0 ? 0 : -errno;
}

static int await_signal(void)
{
    struct signalfd_siginfo info;
    weft_conn *conn;
    int error = weft_conn_from_fd(signals, &conn);
    if (error)
        return complain("no way to stop", error);
    weft_conn_read(conn, &info, sizeof info);
    weft_conn_close(conn);
    return 0;
}

static weft_context *work; /* above that of server.serving */

static int end_work_after_grace(void *arg)
{
    (void)arg;
    if (weft_sleep_until(weft_now() + server.grace) == 0)
        weft_context_cancel(work, -ETIMEDOUT);
    return 0;
}

static void end_connections(void)
{
    weft_scope *clock = weft_scope_new(NULL, 0);
    if (!clock || weft_scope_go(clock, end_work_after_grace, NULL) != 0)
        weft_context_cancel(work, 0);
    (void)weft_scope_end(server.serving);
    if (clock) {
        weft_context_cancel(weft_scope_context(clock), 0);
        (void)weft_scope_end(clock);
    }
}

/* ---- The server ---- */

static int make_scopes(weft_scope **accepting)
{
    server.accepting = weft_context_new(NULL);
    work = weft_context_new(NULL);
    if (!server.accepting || !work)
        return -ENOMEM;
    *accepting = weft_scope_new(server.accepting, 0);
    server.serving = weft_scope_new(work, (uint32_t)max_connections);
    return *accepting && server.serving ? 0 : -ENOMEM;
}

static int serve(void *arg)
{
    weft_scope *accepting;
    (void)arg;

    server.started = weft_now();
    int error = make_scopes(&accepting);
    if (error)
        return complain("start", error);
    error = listen_open();
    if (!error)
        error = listen_start(accepting);
    int status = error ? 1 : await_signal();
    weft_context_cancel(server.accepting, 0);
    if (weft_scope_end(accepting) != 0)
        status = 1;
    listen_close();
    end_connections();
    weft_context_free(server.accepting);
    weft_context_free(work);
    return status;
}

/* ---- Options ---- */

static int usage(int status)
{
    fputs("usage: http_server [OPTION VALUE]…\n"
          "  --listen WHERE         127.0.0.1:8080, [::1]:0, unix:/path, tls:ADDRESS; up to 8\n"
          "  --files FOLDER         what /files/ shows\n"
          "  --certificate, --key FILE   of TLS, PEM\n"
          "  --max-head, --max-body BYTES   of a request (8192, 1048576)\n"
          "  --max-connections N    others wait (0: any number)\n"
          "  --idle, --read-timeout, --write-timeout, --grace MS   (60000, 10000, 10000, 5000)\n"
          "Prints \"listening on URL\" for each WHERE when it is ready.\n",
          status ? stderr : stdout);
    return status;
}

/* A number in [low, high], or -1. */
static long number(const char *text, long low, long high)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    return end != text && !*end && errno == 0 && n >= low && n <= high ? n : -1;
}

static bool parse_size(const char *text, size_t *size)
{
    long n = number(text, 16, 1L << 30);
    *size = (size_t)n;
    return n >= 0;
}

static bool parse_ms(const char *text, int64_t *duration)
{
    long n = number(text, 1, 1000000000);
    *duration = n * WEFT_MILLISECOND;
    return n >= 0;
}

static bool parse_option(const char *name, const char *value)
{
    static const struct {
        const char *name;
        int64_t *duration;
    } durations[] = {{"--idle", &server.idle},
                     {"--read-timeout", &server.read_timeout},
                     {"--write-timeout", &server.write_timeout},
                     {"--grace", &server.grace}};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++)
        if (strcmp(name, durations[i].name) == 0)
            return parse_ms(value, durations[i].duration);
    if (strcmp(name, "--listen") == 0)
        return listen_add(value);
    if (strcmp(name, "--files") == 0)
        return (server.files = value) != NULL;
    if (strcmp(name, "--certificate") == 0)
        return (certificate = value) != NULL;
    if (strcmp(name, "--key") == 0)
        return (key = value) != NULL;
    if (strcmp(name, "--max-head") == 0)
        return parse_size(value, &server.max_head);
    if (strcmp(name, "--max-body") == 0)
        return parse_size(value, &server.max_body);
    if (strcmp(name, "--max-connections") == 0)
        return (max_connections = number(value, 0, 1L << 30)) >= 0;
    return false;
}

/* ---- TLS ---- */

#ifdef HTTP_WITH_TLS

static int make_tls(void)
{
    char why[512] = "";
    weft_tls_options options = {
        .size = sizeof options, .certificate = certificate, .key = key, .alpn = "http/1.1"};
    if (!listen_needs_tls())
        return 0;
    if (!certificate) {
        fputs("http_server: TLS needs --certificate\n", stderr);
        return 1;
    }
    if (weft_tls_config_new(&options, &server.tls, why, sizeof why) == 0)
        return 0;
    fprintf(stderr, "http_server: %s\n", why);
    return 1;
}

static void free_tls(void)
{
    weft_tls_config_free(server.tls);
}

#else

static int make_tls(void)
{
    if (!listen_needs_tls())
        return 0;
    fputs("http_server: it was built without TLS\n", stderr);
    return 1;
}

static void free_tls(void) {}

#endif

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(0);
    bool anywhere = false;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !parse_option(argv[i], argv[i + 1]))
            return usage(2);
        anywhere = anywhere || strcmp(argv[i], "--listen") == 0;
    }
    if (!anywhere)
        listen_add("127.0.0.1:8080");
    int error = block_signals();
    if (error)
        return complain("signalfd", error);
    if (make_tls() != 0)
        return 1;
    int status = weft_run(NULL, serve, NULL);
    route_fini();
    free_tls();
    return status < 0 ? 1 : status;
}
