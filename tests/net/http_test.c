/* SPDX-License-Identifier: MIT */
/* http_server as its clients see it: curl over every transport, the protocol's edges, limits, slow
 * clients, load, many idle connections, its end; and what its trace says. */
#include "net/http_client.h"

static struct http http; /* with default options, for most tests */

static void make_files(void)
{
    static char large[3000000];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 2654435761u >> 13);
    put_file("large.bin", large, sizeof large);
    put_file("a text.txt", "some text\n", 10);
    put_file(".hidden", "x", 1);
}

static int prepare(void **state)
{
    (void)state;
#ifdef HTTP_WITH_TLS
    certificates_make();
#endif
    make_files();
    return 0;
}

static int start_server(void **state)
{
    prepare(state);
    http = http_start(NULL);
    return 0;
}

/* The trace has a task for each request, with the parts of their work. */
static void expect_in_trace(const struct http *of, const char *pattern)
{
    char command[1024];
    const char *tool = getenv("WEFT_TOOL");
    if (!tool || !getenv("WEFT_TRACE_DIR"))
        return;
    snprintf(command, sizeof command, "%s events '%s' | grep -c '%s'", tool, of->trace, pattern);
    if (shell(command) != 0)
        fail_msg("no \"%s\" in %s", pattern, of->trace);
}

static int stop_server(void **state)
{
    (void)state;
    server_stop(http.server);
    expect_in_trace(&http, "task begins: request");
    expect_in_trace(&http, "region begins: read head");
    expect_in_trace(&http, "region begins: GET /sleep");
    expect_in_trace(&http, "region begins: send file");
    expect_in_trace(&http, "log: request .*GET /sleep");
    return 0;
}

/* ---- Routes, over every transport ---- */

static void ask_everything(int where)
{
    char path[512];
    assert_int_equal(curl(&http, where, "-i $URL/"), 0);
    expect_output("HTTP/1.1 200 OK");
    expect_output("Content-Type: text/html");
    assert_int_equal(curl(&http, where, "-I $URL/"), 0);
    expect_output("Content-Length:");
    assert_null(strstr(curl_output, "doctype"));
    assert_int_equal(curl(&http, where, "-d hello $URL/echo"), 0);
    assert_string_equal(curl_output, "hello");
    assert_int_equal(curl(&http, where, "-X PUT -H 'Content-Type: text/x' -i -d hi $URL/echo"), 0);
    expect_output("Content-Type: text/x");
    assert_int_equal(curl(&http, where, "-X PUT -d remember $URL/note"), 0);
    assert_int_equal(curl(&http, where, "$URL/note"), 0);
    assert_string_equal(curl_output, "remember");
    assert_int_equal(curl(&http, where, "\"$URL/sleep?ms=3\""), 0);
    assert_string_equal(curl_output, "slept for 3 ms\n");
    assert_int_equal(curl(&http, where, "\"$URL/stream?n=3&ms=1&size=8\""), 0);
    assert_string_equal(curl_output, "line 0\n.line 1\n.line 2\n.");
    assert_int_equal(curl(&http, where, "$URL/stats"), 0);
    expect_output("\"goroutines\": ");
    assert_int_equal(curl(&http, where, "$URL/files/a%%20text.txt"), 0);
    assert_string_equal(curl_output, "some text\n");
    snprintf(path, sizeof path, "%s/files/large.bin", test_folder());
    assert_int_equal(curl(&http, where, "$URL/files/large.bin | cmp - %s", path), 0);
}

static void every_route_over_ipv4(void **state)
{
    (void)state;
    ask_everything(URL_V4);
}

static void every_route_over_ipv6(void **state)
{
    (void)state;
    ask_everything(URL_V6);
}

static void every_route_over_a_unix_socket(void **state)
{
    (void)state;
    ask_everything(URL_UNIX);
}

#ifdef HTTP_WITH_TLS

static void every_route_over_tls(void **state)
{
    (void)state;
    ask_everything(URL_TLS);
    assert_int_equal(curl(&http, URL_TLS, "-o /dev/null -w '%%{http_version}' $URL/"), 0);
    assert_string_equal(curl_output, "1.1");
    assert_int_equal(curl(&http, URL_TLS, "--tls-max 1.2 $URL/sleep?ms=1"), 0);
    assert_string_equal(curl_output, "slept for 1 ms\n");
    assert_int_equal(curl(&http, URL_TLS, "--capath /nowhere --cacert %s $URL/",
                          certificate_path("stranger.crt")),
                     60);         /* curl: the certificate is not to be trusted */
    int fd = client(http.server); /* no TLS where there is none */
    send_text(fd, "\x16\x03\x01\x02\n\n");
    expect_status(fd, 400);
    close(fd);
}

#else

static void every_route_over_tls(void **state)
{
    (void)state;
    fprintf(stderr, "SKIPPED: built without TLS\n");
    skip();
}

#endif

static void what_is_not_there_is_said(void **state)
{
    static const char *const lost[] = {"/nothing",           "/files/none",       "/files/.hidden",
                                       "/files/../x",        "/files/a%2f..%2fx", "/files/%zz",
                                       "/files//etc/passwd", "/files/",           "/files/%00"};
    char request[256];
    int fd = client(http.server);
    (void)state;
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", lost[i]);
        ask_http(fd, request, 404);
    }
    close(fd);
    assert_int_equal(curl(&http, URL_V4, "-i $URL/echo"), 0);
    expect_output("405 Method Not Allowed");
    expect_output("Allow: POST, PUT");
    assert_int_equal(curl(&http, URL_V4, "-i -X DELETE $URL/note"), 0);
    expect_output("Allow: GET, HEAD, PUT");
}

/* ---- Connections ---- */

static void one_connection_serves_many_requests(void **state)
{
    (void)state;
    assert_int_equal(curl(&http, URL_V4, "-v $URL/sleep?ms=1 $URL/ -d x $URL/echo"), 0);
    expect_output("Re-using existing connection");
    long before = http_stat(&http, "accepted");
    int fd = client(http.server);
    for (int i = 0; i < 50; i++)
        ask_http(fd, GET_ROOT, 200);
    assert_int_equal(http_stat(&http, "accepted"), before + 2);
    close(fd);
}

static void a_connection_ends_when_the_client_says_so(void **state)
{
    static const char *const last[] = {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                                       "GET / HTTP/1.0\r\n\r\n"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        int fd = client(http.server);
        ask_http(fd, last[i], 200);
        expect_end(fd);
        close(fd);
    }
    int fd = client(http.server);
    ask_http(fd, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200);
    ask_http(fd, GET_ROOT, 200);
    close(fd);
}

static void requests_that_come_together_are_answered_in_order(void **state)
{
    enum { COUNT = 1000 };
    char *all = malloc(COUNT * 100), body[64], number[16];
    size_t size = 0;
    bool keep_alive;
    int fd = client(http.server);
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        int digits = snprintf(number, sizeof number, "%d", i);
        size += (size_t)sprintf(all + size,
                                "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
                                digits, number);
    }
    send_bytes(fd, all, size);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(read_reply(fd, body, sizeof body, &keep_alive), 200);
        snprintf(number, sizeof number, "%d", i);
        assert_string_equal(body, number);
    }
    free(all);
    close(fd);
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void a_request_that_comes_byte_by_byte_is_understood(void **state)
{
    static const char requests[] =
        "\r\nPOST http://host/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;extension\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n" GET_ROOT;
    int fd = client(http.server);
    (void)state;
    for (const char *p = requests; *p; p++) {
        send_bytes(fd, p, 1);
        if ((p - requests) % 16 == 0)
            sleep_ms(1);
    }
    char line[256];
    do
        read_line(fd, line, sizeof line);
    while (line[0]);
    expect(fd, "5\r\nabcde\r\n0\r\n\r\n");
    expect_status(fd, 200);
    close(fd);
}

static void bodies_in_chunks_come_back_in_chunks(void **state)
{
    char path[512];
    (void)state;
    snprintf(path, sizeof path, "%s/files/body.bin", test_folder());
    static char body[500000];
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i % 249);
    put_file("body.bin", body, sizeof body);
    for (int where = 0; where < URLS; where++)
        if (http.url[where][0])
            assert_int_equal(curl(&http, where,
                                  "-H 'Transfer-Encoding: chunked' --data-binary @%s $URL/echo | "
                                  "cmp - %s",
                                  path, path),
                             0);
    assert_int_equal(curl(&http, URL_V4,
                          "-o /dev/null -D - -H 'Transfer-Encoding: chunked' --data-binary @%s "
                          "$URL/echo",
                          path),
                     0);
    expect_output("Transfer-Encoding: chunked");
    assert_int_equal(curl(&http, URL_V4, "--http1.0 -i \"$URL/stream?n=2\""), 0);
    assert_null(strstr(curl_output, "chunked")); /* it knows none */
    expect_output("line 1");
}

static void a_client_is_told_to_continue(void **state)
{
    int fd = client(http.server);
    (void)state;
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                  "Content-Length: 4\r\n\r\n");
    expect(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    send_text(fd, "body");
    expect_status(fd, 200);
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                  "Content-Length: 99999999\r\n\r\n");
    expect_status(fd, 413); /* before the body comes */
    expect_end(fd);
    close(fd);
}

/* ---- What is refused ---- */

static void malformed_requests_get_an_error_and_the_end(void **state)
{
    static const struct {
        const char *text;
        int status;
    } bad[] = {
        {"nonsense\r\n\r\n", 400},
        {"NONSENSE / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET\r\n\r\n", 400},
        {"GET / HTTP/9\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a\001b\r\n\r\n", 400},
        {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
         "Transfer-Encoding: chunked\r\n\r\n",
         400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "fffffffffffffffff\r\n",
         400},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int fd = client(http.server);
        ask_http(fd, GET_ROOT, 200);
        send_text(fd, bad[i].text);
        send_text(fd, GET_ROOT); /* not looked at any more */
        bool keep_alive;
        char body[256];
        int status = read_reply(fd, body, sizeof body, &keep_alive);
        if (status != bad[i].status)
            fail_msg("%s: %d, not %d: %s", bad[i].text, status, bad[i].status, body);
        assert_false(keep_alive);
        expect_end(fd);
        close(fd);
    }
}

static void what_is_too_large_is_refused_and_the_reply_arrives(void **state)
{
    static const char *const options[] = {"--max-head", "1000", "--max-body", "5000", NULL};
    struct http small = http_start(options);
    char filler[4001];
    (void)state;
    memset(filler, 'x', 4000);
    filler[4000] = 0;

    int fd = client(small.server);
    send_text(fd, "GET /");
    send_text(fd, filler);
    send_text(fd, filler);
    expect_status(fd, 431);
    send_text(fd, filler); /* does not reset the connection before the reply is read */
    expect_end(fd);
    close(fd);

    fd = client(small.server); /* announced */
    ask_http(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5001\r\n\r\n", 413);
    expect_end(fd);
    close(fd);

    fd = client(small.server); /* not announced */
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfa0\r\n");
    send_text(fd, filler);
    send_text(fd, "\r\nfa0\r\n");
    send_text(fd, filler);
    expect_status(fd, 413);
    expect_end(fd);
    close(fd);

    fd = client(small.server); /* what is on its way is let in, or a reset would eat the reply */
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n");
    for (int i = 0; i < 500; i++)
        send_text(fd, filler);
    expect_status(fd, 413);
    expect_end(fd);
    close(fd);

    fd = client(small.server); /* what fits is served */
    send_text(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n");
    send_text(fd, filler);
    expect_status(fd, 200);
    close(fd);
    server_stop(small.server);
}

/* ---- Slow clients ---- */

static const char *const impatient[] = {
    "--idle", "1000", "--read-timeout", "1000", "--write-timeout", "1000", NULL};

/* Sends a byte now and then, for ever; gives up when the server has. */
static void send_slowly(int fd, const char *text)
{
    for (size_t i = 0; text[i]; i++) {
        char reply;
        if (send(fd, text + i, 1, MSG_NOSIGNAL) < 0 ||
            recv(fd, &reply, 1, MSG_DONTWAIT | MSG_PEEK) >= 0)
            return;
        sleep_ms(20);
    }
    fail_msg("the server has taken all of \"%s\"", text);
}

static void slow_clients_are_dropped_and_others_served(void **state)
{
    struct http strict = http_start(impatient);
    char filler[301];
    (void)state;
    memset(filler, 'x', 300);
    filler[300] = 0;

    int head = client(strict.server), body = client(strict.server), idle = client(strict.server);
    send_text(head, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
    send_text(body, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    ask_http(idle, GET_ROOT, 200);
    int fast = client(strict.server);
    ask_http(fast, GET_ROOT, 200);
    send_slowly(head, filler); /* slow loris */
    expect_status(head, 408);
    expect_status(body, 408);
    expect_end(idle); /* without a word */
    close(fast);
    close(head);
    close(body);
    close(idle);
    body = client(strict.server);
    send_text(body, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    send_slowly(body, filler);
    expect_status(body, 408);
    close(body);
    await_stat(&strict, "connections", 1);
    server_stop(strict.server);
}

static void a_client_that_does_not_read_is_dropped(void **state)
{
    struct http strict = http_start(impatient);
    int deaf[2] = {client(strict.server), client(strict.server)};
    (void)state;
    send_text(deaf[0], "GET /stream?n=100000&size=65536 HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 20; i++)
        send_text(deaf[1], "GET /files/large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    await_stat(&strict, "connections", 1);
    close(deaf[0]);
    close(deaf[1]);
    server_stop(strict.server);
}

/* ---- Load ---- */

static void load_with_wrk(const struct http *loaded, int where, const char *path)
{
    char command[512];
    snprintf(command, sizeof command, "timeout 60 wrk -t 1 -c 16 -d 1s --timeout 30s '%s%s' 2>&1",
             loaded->url[where], path);
    assert_int_equal(shell(command), 0);
    expect_output("requests in");
    if (strstr(curl_output, "Socket errors") || strstr(curl_output, "Non-2xx") ||
        strstr(curl_output, " 0 requests"))
        fail_msg("%s", curl_output);
    const char *rate = strstr(curl_output, "Requests/sec:");
    fprintf(stderr, "%s%s: %.*s\n", where == URL_TLS ? "TLS, " : "", path, (int)strcspn(rate, "\n"),
            rate);
}

static void wrk_gets_its_replies(void **state)
{
    (void)state;
    if (!there_is("wrk", "wrk"))
        skip();
    struct http loaded = http_start(NULL);
    load_with_wrk(&loaded, URL_V4, "/");
    load_with_wrk(&loaded, URL_V4, "/sleep?ms=1");
    load_with_wrk(&loaded, URL_V6, "/files/a%20text.txt");
    if (loaded.url[URL_TLS][0])
        load_with_wrk(&loaded, URL_TLS, "/");
    server_stop(loaded.server);
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { IDLE = 1000 };
#else
enum { IDLE = 10000 };
#endif

/* The server inherits the limit. */
static bool raise_limit(void)
{
    struct rlimit limit = {IDLE + 200, IDLE + 200};
    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    if (old.rlim_cur >= limit.rlim_cur)
        return true;
    if (limit.rlim_max < old.rlim_max)
        limit.rlim_max = old.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return true;
    fprintf(stderr, "SKIPPED: %d descriptors are not allowed here\n", IDLE + 200);
    return false;
}

static void many_idle_connections_are_held(void **state)
{
    static int fds[IDLE];
    (void)state;
    if (!raise_limit())
        skip();
    struct http holder = http_start(NULL);
    for (int i = 0; i < IDLE; i++)
        fds[i] = client(holder.server);
    await_stat(&holder, "connections", IDLE + 1);
    assert_true(http_stat(&holder, "waiting") >= IDLE);
    for (int i = 0; i < IDLE; i += IDLE / 100) /* each is there */
        ask_http(fds[i], GET_ROOT, 200);
    for (int i = 0; i < IDLE / 2; i++)
        close(fds[i]);
    await_stat(&holder, "connections", IDLE - IDLE / 2 + 1);
    kill(holder.server.pid, SIGTERM); /* the others are idle: the server ends at once */
    server_await_end(holder.server);
    for (int i = IDLE / 2; i < IDLE; i++) {
        expect_end(fds[i]);
        close(fds[i]);
    }
    expect_in_trace(&holder, "task begins: request");
}

static void connections_above_the_limit_wait(void **state)
{
    static const char *const options[] = {"--max-connections", "2", NULL};
    struct http small = http_start(options);
    int first = client(small.server), second = client(small.server);
    (void)state;
    ask_http(first, GET_ROOT, 200);
    ask_http(second, GET_ROOT, 200);
    int third = client(small.server); /* the kernel takes it, the server not */
    send_text(third, GET_ROOT);
    sleep_ms(50);
    char byte;
    assert_int_equal(recv(third, &byte, 1, MSG_DONTWAIT), -1);
    close(first);
    expect_status(third, 200);
    close(second);
    close(third);
    server_stop(small.server);
}

/* ---- The end ---- */

/* Its trace says what the slow request waited for. */
static void expect_explanation(const struct http *of)
{
    char command[2048];
    const char *tool = getenv("WEFT_TOOL");
    if (!tool || !getenv("WEFT_TRACE_DIR"))
        return;
    snprintf(command, sizeof command,
             "task=$(%s tasks --list --min 900ms '%s' | sed -n 's/.* task \\([0-9]*\\) .*/\\1/p' | "
             "head -1); %s critical-path --task \"$task\" '%s'",
             tool, of->trace, tool, of->trace);
    assert_int_equal(shell(command), 0);
    expect_output("blocked, sleep");
    expect_output("pause_for");
}

static void requests_under_way_are_answered_at_the_end(void **state)
{
    struct http s = http_start(NULL);
    int idle = client(s.server), busy = client(s.server);
    (void)state;
    ask_http(idle, GET_ROOT, 200);
    send_text(busy, "GET /sleep?ms=1000 HTTP/1.1\r\nHost: x\r\n\r\n");
    await_stat(&s, "active", 2); /* and the question itself */
    kill(s.server.pid, SIGTERM);
    expect_end(idle);
    bool keep_alive;
    char body[64];
    assert_int_equal(read_reply(busy, body, sizeof body, &keep_alive), 200);
    assert_string_equal(body, "slept for 1000 ms\n");
    assert_false(keep_alive);
    expect_end(busy);
    close(idle);
    close(busy);
    server_await_end(s.server);
    assert_int_not_equal(access(s.unix_path, F_OK), 0);
    expect_explanation(&s);
}

static void the_grace_period_ends(void **state)
{
    static const char *const options[] = {"--grace", "100", NULL};
    struct http s = http_start(options);
    int busy = client(s.server), streaming = client(s.server), half = client(s.server);
    (void)state;
    send_text(busy, "GET /sleep?ms=60000 HTTP/1.1\r\nHost: x\r\n\r\n");
    send_text(streaming, "GET /stream?n=1000000&ms=50 HTTP/1.1\r\nHost: x\r\n\r\n");
    send_text(half, "GET / HTTP/1.1\r\nHo");
    await_stat(&s, "active", 4);
    kill(s.server.pid, SIGTERM);
    expect_status(busy, 503);
    expect_end(busy);
    server_await_end(s.server);
    char bytes[4096];
    while (receive(streaming, bytes, sizeof bytes) == sizeof bytes)
        ;
    expect_end(half);
    close(busy);
    close(streaming);
    close(half);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_over_ipv4),
        cmocka_unit_test(every_route_over_ipv6),
        cmocka_unit_test(every_route_over_a_unix_socket),
        cmocka_unit_test(every_route_over_tls),
        cmocka_unit_test(what_is_not_there_is_said),
        cmocka_unit_test(one_connection_serves_many_requests),
        cmocka_unit_test(a_connection_ends_when_the_client_says_so),
        cmocka_unit_test(requests_that_come_together_are_answered_in_order),
        cmocka_unit_test(a_request_that_comes_byte_by_byte_is_understood),
        cmocka_unit_test(bodies_in_chunks_come_back_in_chunks),
        cmocka_unit_test(a_client_is_told_to_continue),
        cmocka_unit_test(malformed_requests_get_an_error_and_the_end),
        cmocka_unit_test(what_is_too_large_is_refused_and_the_reply_arrives),
        cmocka_unit_test(slow_clients_are_dropped_and_others_served),
        cmocka_unit_test(a_client_that_does_not_read_is_dropped),
        cmocka_unit_test(connections_above_the_limit_wait),
        cmocka_unit_test(requests_under_way_are_answered_at_the_end),
        cmocka_unit_test(the_grace_period_ends),
    };
    const struct CMUnitTest large[] = {
        cmocka_unit_test(wrk_gets_its_replies),
        cmocka_unit_test(many_idle_connections_are_held),
    };
    static const unsigned procs[] = {1, 4};
    int failed = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: %s [EMULATOR…] HTTP_SERVER\n", argv[0]);
        return 2;
    }
    server_command = argv + 1;
    if (!there_is("curl", "curl"))
        return 77;
    for (size_t i = 0; i < sizeof procs / sizeof *procs; i++) {
        server_procs = procs[i];
        failed += cmocka_run_group_tests(tests, start_server, stop_server);
    }
    server_procs = 2;
    return failed + cmocka_run_group_tests(large, prepare, NULL);
}
