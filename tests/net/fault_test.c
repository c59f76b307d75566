/* SPDX-License-Identifier: MIT */
/* What goes wrong with a server's clients, descriptors and process, the same on both example
 * servers: each goes on, and serves the next client. */
#include "net/http_client.h"
#include "net/kv_client.h"

#include <sys/un.h>

/* A server, and the requests that the faults need. */
struct subject {
    const char *name;
    struct server (*start)(rlim_t descriptors);
    int (*connect)(void);     /* to the server of most tests, in its other way */
    void (*ask)(int fd);      /* a short request, and its reply */
    const char *large, *half; /* a request with a large reply; a part of one */
    const char *short_request;
    size_t short_reply;        /* bytes of its reply */
    long (*connections)(void); /* how many there are, without that of the question */
};

static const struct subject *subject;
static struct server server;
static struct http http; /* that of http_server */

enum { LARGE_VALUE = 1000000 };

/* ---- kv_server ---- */

static struct server kv_start(rlim_t descriptors)
{
    return server_start_limited(NULL, descriptors);
}

static int kv_connect(void)
{
    return client(server);
}

static void kv_ask(int fd)
{
    ask(fd, "PING", "+PONG\r\n");
}

static long kv_connections(void)
{
    int fd = client(server);
    long n = info(fd, "connected_clients") - 1;
    close(fd);
    return n;
}

static void kv_prepare(void)
{
    char *value = malloc(LARGE_VALUE + 1), head[64];
    int fd = client(server);
    memset(value, 'v', LARGE_VALUE);
    value[LARGE_VALUE] = '\0';
    snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$%d\r\n", LARGE_VALUE);
    send_text(fd, head);
    send_text(fd, value);
    send_text(fd, "\r\n");
    expect(fd, "+OK\r\n");
    value[300] = '\0';
    send_text(fd, "SET some ");
    send_text(fd, value);
    send_text(fd, "\r\n");
    expect(fd, "+OK\r\n");
    free(value);
    close(fd);
}

static const struct subject kv_subject = {
    .name = "kv",
    .start = kv_start,
    .connect = kv_connect,
    .ask = kv_ask,
    .large = "GET big\r\nGET big\r\nGET big\r\n",
    .half = "*2\r\n$3\r\nGET\r\n$10\r\nnot a",
    .short_request = "GET some\r\n",
    .short_reply = 4 + 2 + 300 + 2,
    .connections = kv_connections,
};

/* ---- http_server ---- */

static struct server http_server_start(rlim_t descriptors)
{
    http = http_start_limited(NULL, descriptors);
    return http.server;
}

/* Over its Unix socket: who writes to a peer that is gone gets EPIPE at once, and SIGPIPE. */
static int http_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 60};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", http.unix_path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void http_ask(int fd)
{
    ask_http(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nping", 200);
}

static long http_connections(void)
{
    return http_stat(&http, "connections") - 1;
}

static const struct subject http_subject = {
    .name = "http",
    .start = http_server_start,
    .connect = http_connect,
    .ask = http_ask,
    .large = "GET /files/large.bin HTTP/1.1\r\nHost: x\r\n\r\n"
             "GET /stream?n=1000&size=65536 HTTP/1.1\r\nHost: x\r\n\r\n",
    .half = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nnot all",
    .short_request = GET_ROOT,
    .short_reply = 300, /* at least */
    .connections = http_connections,
};

static void http_prepare(void)
{
    static char large[3 * LARGE_VALUE];
    put_file("large.bin", large, sizeof large);
#ifdef HTTP_WITH_TLS
    certificates_make();
#endif
}

/* ---- Both ---- */

static int start_server(void **state)
{
    (void)state;
    if (subject == &http_subject)
        http_prepare();
    server = subject->start(0);
    if (subject == &kv_subject)
        kv_prepare();
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    server_stop(server);
    return 0;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void reset(int fd)
{
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

/* It lives, and all connections but these are gone. */
static void expect_well(long connections)
{
    long last = -1;
    int status, fd = client(server);
    assert_int_equal(waitpid(server.pid, &status, WNOHANG), 0);
    subject->ask(fd);
    close(fd);
    for (int tries = 0; tries < 3000; tries++) {
        last = subject->connections();
        if (last == connections)
            return;
        sleep_ms(10);
    }
    fail_msg("%ld connections stay, not %ld", last, connections);
}

/* ---- Descriptors ---- */

static void no_descriptors_are_left_to_accept_with(void **state)
{
    enum { COUNT = 60, LIMIT = 32 };
    struct http before = http;
    struct server poor = subject->start(LIMIT);
    int fds[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++)
        fds[i] = client(poor); /* the kernel takes them all, the server not */
    for (int i = 0; i < COUNT; i++) {
        subject->ask(fds[i]);
        close(fds[i]); /* makes room for one more */
    }
    int fd = client(poor);
    subject->ask(fd);
    close(fd);
    server_stop(poor);
    http = before;
}

/* ---- Connections ---- */

static void the_connection_is_reset_in_mid_reply(void **state)
{
    char byte;
    (void)state;
    for (int i = 0; i < 20; i++) {
        int fd = client(server);
        send_text(fd, subject->large);
        assert_int_equal(receive(fd, &byte, 1), 1);
        reset(fd);
    }
    expect_well(0);
}

/* In both ways to connect; some have read a part, some nothing, some have half closed before. */
static void writing_to_a_client_that_is_gone_does_not_kill(void **state)
{
    char bytes[2000];
    (void)state;
    for (int i = 0; i < 40; i++) {
        int fd = i % 2 ? client(server) : subject->connect();
        send_text(fd, subject->large);
        if (i % 3 == 1)
            receive(fd, bytes, sizeof bytes);
        if (i % 3 == 2)
            shutdown(fd, SHUT_RD);
        close(fd);
    }
    expect_well(0);
}

static void a_client_vanishes_in_mid_request(void **state)
{
    enum { COUNT = 40 };
    int fds[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        fds[i] = i % 2 ? client(server) : subject->connect();
        send_text(fds[i], subject->half);
    }
    expect_well(COUNT);
    for (int i = 0; i < COUNT; i++)
        i % 4 < 2 ? reset(fds[i]) : (void)close(fds[i]);
    expect_well(0);
}

/* A client with the smallest window that there is. */
static int narrow_client(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &one, sizeof one);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void a_client_reads_one_byte_at_a_time(void **state)
{
    int slow = client(server), narrow = narrow_client(), fast = client(server);
    char byte;
    (void)state;
    send_text(slow, subject->short_request);
    send_text(narrow, subject->large); /* the server has to wait for it */
    for (size_t i = 0; i < subject->short_reply; i++) {
        assert_int_equal(receive(slow, &byte, 1), 1);
        assert_int_equal(receive(narrow, &byte, 1), 1);
        if (i % 8 == 0) {
            subject->ask(fast);
            sleep_ms(2);
        }
    }
    expect_well(3);
    close(slow);
    close(narrow);
    close(fast);
    expect_well(0);
}

/* ---- The process ---- */

/* Asks on a connection of its own until it is told to stop. */
static pid_t start_asking(int stop)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int fd = client(server);
    char byte;
    while (recv(stop, &byte, 1, MSG_DONTWAIT) < 0)
        subject->ask(fd);
    close(fd);
    _exit(0);
}

static void the_server_is_stopped_and_continued(void **state)
{
    enum { CLIENTS = 3, ROUNDS = 3 };
    int stop[2], status, before = client(server);
    pid_t asking[CLIENTS];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, stop), 0);
    for (int i = 0; i < CLIENTS; i++)
        asking[i] = start_asking(stop[0]);
    for (int round = 0; round < ROUNDS; round++) {
        sleep_ms(30);
        kill(server.pid, SIGSTOP);
        int meanwhile = client(server); /* the kernel takes it */
        sleep_ms(100);
        kill(server.pid, SIGCONT);
        subject->ask(meanwhile);
        subject->ask(before);
        close(meanwhile);
    }
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(send(stop[1], "x", 1, 0), 1);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(waitpid(asking[i], &status, 0), asking[i]);
        assert_int_equal(status, 0);
    }
    close(stop[0]);
    close(stop[1]);
    close(before);
    expect_well(0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_descriptors_are_left_to_accept_with),
        cmocka_unit_test(the_connection_is_reset_in_mid_reply),
        cmocka_unit_test(writing_to_a_client_that_is_gone_does_not_kill),
        cmocka_unit_test(a_client_vanishes_in_mid_request),
        cmocka_unit_test(a_client_reads_one_byte_at_a_time),
        cmocka_unit_test(the_server_is_stopped_and_continued),
    };
    static const unsigned procs[] = {1, 4};
    int failed = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: %s kv|http [EMULATOR…] SERVER\n", argv[0]);
        return 2;
    }
    subject = strcmp(argv[1], "kv") == 0 ? &kv_subject : &http_subject;
    server_command = argv + 2;
    for (size_t i = 0; i < sizeof procs / sizeof *procs; i++) {
        server_procs = procs[i];
        failed += cmocka_run_group_tests(tests, start_server, stop_server);
    }
    return failed;
}
