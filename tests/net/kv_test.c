/* SPDX-License-Identifier: MIT */
/* kv_server as its clients see it: replies, the protocol's edges, clients that misbehave, its end.
 */
#include "net/kv_client.h"

static struct server server; /* with default options, for most tests */

static int start_server(void **state)
{
    (void)state;
    server = server_start(NULL);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    server_stop(server);
    return 0;
}

/* ---- Commands ---- */

static const char *const dialogue[][2] = {
    {"FLUSHALL", "+OK\r\n"},
    {"PING", "+PONG\r\n"},
    {"ping hello", "$5\r\nhello\r\n"},
    {"PING a b", "-ERR wrong number of arguments for 'ping' command\r\n"},
    {"ECHO \"a b\\x41\\n\"", "$5\r\na bA\n\r\n"},
    {"ECHO 'it\\'s'", "$4\r\nit's\r\n"},
    {"ECHO \"\"", "$0\r\n\r\n"},
    {"ECHO", "-ERR wrong number of arguments for 'ECHO' command\r\n"},
    {"NONSENSE x", "-ERR unknown command 'NONSENSE'\r\n"},
    {"GET a", "$-1\r\n"},
    {"SET a 1", "+OK\r\n"},
    {"GET a", "$1\r\n1\r\n"},
    {"SET a 2 NX", "$-1\r\n"},
    {"SET a 3 XX", "+OK\r\n"},
    {"SET b 3 XX", "$-1\r\n"},
    {"SET b 3 NX", "+OK\r\n"},
    {"SET b 3 NX XX", "-ERR syntax error\r\n"},
    {"SET b 3 EX", "-ERR syntax error\r\n"},
    {"SET b 3 EX 0", "-ERR invalid expire time in 'set' command\r\n"},
    {"SET b 3 EX -1", "-ERR invalid expire time in 'set' command\r\n"},
    {"SET b 3 EX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n"},
    {"SET b 3 PX x", "-ERR value is not an integer or out of range\r\n"},
    {"SET b 3 EX 10 PX 10", "-ERR syntax error\r\n"},
    {"MGET a b c", "*3\r\n$1\r\n3\r\n$1\r\n3\r\n$-1\r\n"},
    {"EXISTS a b c a", ":3\r\n"},
    {"DEL a b c", ":2\r\n"},
    {"DBSIZE", ":0\r\n"},
    {"INCR n", ":1\r\n"},
    {"INCR n", ":2\r\n"},
    {"DECR n", ":1\r\n"},
    {"INCRBY n 41", ":42\r\n"},
    {"DECRBY n 43", ":-1\r\n"},
    {"INCRBY n x", "-ERR value is not an integer or out of range\r\n"},
    {"SET n 9223372036854775807", "+OK\r\n"},
    {"INCR n", "-ERR increment or decrement would overflow\r\n"},
    {"SET n -9223372036854775808", "+OK\r\n"},
    {"DECR n", "-ERR increment or decrement would overflow\r\n"},
    {"SET n 9223372036854775808", "+OK\r\n"},
    {"INCR n", "-ERR value is not an integer or out of range\r\n"},
    {"SET n ' 1'", "+OK\r\n"},
    {"INCR n", "-ERR value is not an integer or out of range\r\n"},
    {"MSET x 1 y 2 x 3", "+OK\r\n"},
    {"MGET x y", "*2\r\n$1\r\n3\r\n$1\r\n2\r\n"},
    {"MSET x 1 y", "-ERR wrong number of arguments for 'mset' command\r\n"},
    {"TTL x", ":-1\r\n"},
    {"TTL none", ":-2\r\n"},
    {"EXPIRE x 100", ":1\r\n"},
    {"TTL x", ":100\r\n"},
    {"PERSIST x", ":1\r\n"},
    {"PERSIST x", ":0\r\n"},
    {"TTL x", ":-1\r\n"},
    {"EXPIRE none 100", ":0\r\n"},
    {"EXPIRE x soon", "-ERR value is not an integer or out of range\r\n"},
    {"SET x 1 EX 100", "+OK\r\n"},
    {"SET x 2 KEEPTTL", "+OK\r\n"},
    {"TTL x", ":100\r\n"},
    {"INCR x", ":3\r\n"},
    {"TTL x", ":100\r\n"},
    {"SET x 2", "+OK\r\n"},
    {"TTL x", ":-1\r\n"},
    {"EXPIRE x -1", ":1\r\n"},
    {"EXISTS x", ":0\r\n"},
    {"TYPE y", "+string\r\n"},
    {"RPUSH l a b c", ":3\r\n"},
    {"LPUSH l z y", ":5\r\n"},
    {"TYPE l", "+list\r\n"},
    {"LLEN l", ":5\r\n"},
    {"LRANGE l 0 -1", "*5\r\n$1\r\ny\r\n$1\r\nz\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"},
    {"LRANGE l -2 100", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"},
    {"LRANGE l 3 1", "*0\r\n"},
    {"LRANGE l -100 0", "*1\r\n$1\r\ny\r\n"},
    {"LRANGE l 0 x", "-ERR value is not an integer or out of range\r\n"},
    {"LPOP l", "$1\r\ny\r\n"},
    {"RPOP l", "$1\r\nc\r\n"},
    {"LPOP l 0", "*0\r\n"},
    {"LPOP l 2", "*2\r\n$1\r\nz\r\n$1\r\na\r\n"},
    {"LPOP l -1", "-ERR value is out of range, must be positive\r\n"},
    {"RPOP l 9", "*1\r\n$1\r\nb\r\n"},
    {"RPOP l", "$-1\r\n"},
    {"RPOP l 1", "*-1\r\n"},
    {"EXISTS l", ":0\r\n"},
    {"LLEN l", ":0\r\n"},
    {"LRANGE l 0 -1", "*0\r\n"},
    {"GET y", "$1\r\n2\r\n"},
    {"LPUSH y 1", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"},
    {"LPOP y", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"},
    {"LLEN y", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"},
    {"RPUSH l 1", ":1\r\n"},
    {"GET l", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"},
    {"INCR l", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"},
    {"MGET l", "*1\r\n$-1\r\n"},
    {"SET l 1", "+OK\r\n"},
    {"GET l", "$1\r\n1\r\n"},
    {"SELECT 0", "+OK\r\n"},
    {"SELECT 1", "-ERR DB index is out of range\r\n"},
    {"CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"},
    {"CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n"},
    {"CONFIG GET nothing", "*0\r\n"},
    {"CONFIG SET save 1", "-ERR the configuration is given on the command line only\r\n"},
    {"CONFIG", "-ERR wrong number of arguments for 'CONFIG' command\r\n"},
    {"COMMAND DOCS", "*0\r\n"},
    {"FLUSHALL", "+OK\r\n"},
    {"DBSIZE", ":0\r\n"},
    {"QUIT", "+OK\r\n"},
};

static void every_command_replies_as_documented(void **state)
{
    int fd = client(server);
    (void)state;
    for (size_t i = 0; i < sizeof dialogue / sizeof *dialogue; i++) {
        send_text(fd, dialogue[i][0]);
        send_text(fd, "\r\n");
        expect(fd, dialogue[i][1]);
    }
    expect_end(fd);
    close(fd);
}

static void list_of_commands_is_well_formed(void **state)
{
    char text[16];
    int fd = client(server);
    (void)state;
    send_text(fd, "COMMAND COUNT\r\nCOMMAND\r\n");
    size_t n = 0;
    while (n == 0 || text[n - 1] != '\n')
        assert_int_equal(receive(fd, text + n++, 1), 1);
    int count = atoi(text + 1);
    assert_true(count > 20);
    snprintf(text, sizeof text, "*%d\r\n*6\r\n", count);
    expect(fd, text);
    close(fd);
}

/* ---- The protocol ---- */

static void binary_values_pass_unchanged(void **state)
{
    static const char request[] = "*3\r\n$3\r\nSET\r\n$4\r\n\0\r\n\xff\r\n$6\r\n\r\n\0$*1\r\n"
                                  "*2\r\n$3\r\nGET\r\n$4\r\n\0\r\n\xff\r\n";
    static const char reply[] = "+OK\r\n$6\r\n\r\n\0$*1\r\n";
    char got[sizeof reply - 1];
    int fd = client(server);
    (void)state;
    send_bytes(fd, request, sizeof request - 1);
    assert_int_equal(receive(fd, got, sizeof got), sizeof got);
    assert_memory_equal(got, reply, sizeof got);
    close(fd);
}

static void many_requests_at_once_are_answered_in_order(void **state)
{
    enum { COUNT = 20000 };
    int fd = client(server);
    char *requests = malloc(COUNT * 32), reply[32];
    size_t size = 0;
    (void)state;
    ask(fd, "DEL pipelined", ":0\r\n");
    for (int i = 0; i < COUNT; i++)
        size += (size_t)sprintf(requests + size, "%s",
                                i % 2 ? "INCR pipelined\r\n"
                                      : "*2\r\n$4\r\nINCR\r\n$9\r\npipelined\r\n");
    pid_t writer = fork(); /* the server stops reading while nobody takes its replies */
    if (writer == 0) {
        send_bytes(fd, requests, size);
        _exit(0);
    }
    for (int i = 1; i <= COUNT; i++) {
        snprintf(reply, sizeof reply, ":%d\r\n", i);
        expect(fd, reply);
    }
    waitpid(writer, NULL, 0);
    free(requests);
    close(fd);
}

static void request_that_comes_byte_by_byte_is_understood(void **state)
{
    static const char requests[] = "*3\r\n$3\r\nSET\r\n$2\r\nbb\r\n$5\r\nvalue\r\nGET bb\r\n\r\n"
                                   "*0\r\n*-1\r\n*2\r\n$3\r\nGET\r\n$2\r\nbb\r\n";
    int fd = client(server);
    (void)state;
    for (const char *p = requests; *p; p++) {
        send_bytes(fd, p, 1);
        if ((p - requests) % 4 == 0)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    expect(fd, "+OK\r\n$5\r\nvalue\r\n$5\r\nvalue\r\n");
    close(fd);
}

static void large_values_pass_unchanged(void **state)
{
    enum { SIZE = 5 * 1024 * 1024 };
    char *value = malloc(SIZE), *got = malloc(SIZE), head[64];
    int fd = client(server);
    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        value[i] = (char)(i * 2654435761u >> 11);
    snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$%d\r\n", SIZE);
    send_text(fd, head);
    send_bytes(fd, value, SIZE);
    send_text(fd, "\r\n");
    expect(fd, "+OK\r\n");
    send_text(fd, "GET large\r\n");
    snprintf(head, sizeof head, "$%d\r\n", SIZE);
    expect(fd, head);
    assert_int_equal(receive(fd, got, SIZE), SIZE);
    assert_memory_equal(value, got, SIZE);
    expect(fd, "\r\n");
    ask(fd, "DEL large", ":1\r\n");
    free(value);
    free(got);
    close(fd);
}

#define PROTOCOL_ERROR "-ERR Protocol error: "

static void bad_input_gets_an_error_and_the_end(void **state)
{
    static const char *const bad[][2] = {
        {"*x\r\n", "invalid multibulk length"},
        {"*\r\n", "invalid multibulk length"},
        {"*1x\r\n", "invalid multibulk length"},
        {"*1\n", "invalid multibulk length"},
        {"*99999999\r\n", "invalid multibulk length"},
        {"*9223372036854775808\r\n", "invalid multibulk length"},
        {"*0000000000000000000000000000000000000000000000001\r\n", "too big mbulk count string"},
        {"*1\r\n:1\r\n", "expected '$', got ':'"},
        {"*1\r\n\r\n", "expected '$', got ' '"},
        {"*1\r\n$x\r\n", "invalid bulk length"},
        {"*1\r\n$-1\r\n", "invalid bulk length"},
        {"*1\r\n$999999999999\r\n", "invalid bulk length"},
        {"*1\r\n$0000000000000000000000000000000000000000004\r\n", "too big bulk count string"},
        {"*1\r\n$4\r\nPINGxx", "expected a line end after the bulk string"},
        {"ECHO \"open\r\n", "unbalanced quotes in request"},
        {"ECHO 'open\r\n", "unbalanced quotes in request"},
        {"ECHO \"a\"b\r\n", "unbalanced quotes in request"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char reply[128];
        int fd = client(server);
        ask(fd, "PING", "+PONG\r\n");
        send_text(fd, bad[i][0]);
        send_text(fd, "PING\r\n"); /* not looked at any more */
        snprintf(reply, sizeof reply, PROTOCOL_ERROR "%s\r\n", bad[i][1]);
        expect(fd, reply);
        expect_end(fd);
        close(fd);
    }
}

static void requests_before_bad_input_are_answered(void **state)
{
    int fd = client(server);
    (void)state;
    send_text(fd, "PING\r\nPING\r\n*1\r\n!\r\n");
    expect(fd, "+PONG\r\n+PONG\r\n" PROTOCOL_ERROR "expected '$', got '!'\r\n");
    expect_end(fd);
    close(fd);
}

static void oversized_requests_are_refused(void **state)
{
    static const char *const options[] = {"--max-request", "1000", NULL};
    struct server small = server_start(options);
    char filler[4001];
    (void)state;
    memset(filler, 'x', 4000);
    filler[4000] = 0;

    int fd = client(small); /* one argument that is too large: refused before it comes */
    send_text(fd, "*2\r\n$4\r\nECHO\r\n$1001\r\n");
    expect(fd, PROTOCOL_ERROR "invalid bulk length\r\n");
    expect_end(fd);
    close(fd);

    fd = client(small); /* many that are too large together */
    send_text(fd, "*3\r\n$3\r\nSET\r\n$600\r\n");
    send_bytes(fd, filler, 600);
    send_text(fd, "\r\n$600\r\n");
    expect(fd, PROTOCOL_ERROR "too big request\r\n");
    send_bytes(fd, filler, 600); /* does not reset the connection before the reply is read */
    expect_end(fd);
    close(fd);

    fd = client(small);
    send_text(fd, filler);
    expect(fd, PROTOCOL_ERROR "too big inline request\r\n");
    expect_end(fd);
    close(fd);

    fd = client(small); /* what fits is served */
    send_text(fd, "*2\r\n$4\r\nECHO\r\n$900\r\n");
    send_bytes(fd, filler, 900);
    send_text(fd, "\r\n");
    expect(fd, "$900\r\n");
    close(fd);
    server_stop(small);
}

/* ---- Time ---- */

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void keys_expire(void **state)
{
    int fd = client(server);
    (void)state;
    ask(fd, "FLUSHALL", "+OK\r\n");
    ask(fd, "SET brief 1 PX 30", "+OK\r\n");
    ask(fd, "SET long 1 PX 100000", "+OK\r\n");
    ask(fd, "RPUSH list a", ":1\r\n");
    ask(fd, "PEXPIRE list 30", ":1\r\n");
    ask(fd, "GET long", "$1\r\n1\r\n");
    sleep_ms(60);
    ask(fd, "MGET brief list long", "*3\r\n$-1\r\n$-1\r\n$1\r\n1\r\n");
    ask(fd, "PTTL brief", ":-2\r\n");
    ask(fd, "SET brief 2 NX", "+OK\r\n"); /* it is not there any more */
    ask(fd, "TTL brief", ":-1\r\n");
    close(fd);
}

static void expired_keys_are_swept_though_nobody_asks(void **state)
{
    int fd = client(server);
    char command[64];
    (void)state;
    ask(fd, "FLUSHALL", "+OK\r\n");
    for (int i = 0; i < 2000; i++) {
        snprintf(command, sizeof command, "SET sweep%d x PX 20", i);
        ask(fd, command, "+OK\r\n");
    }
    ask(fd, "SET stays x", "+OK\r\n");
    for (int tries = 0; tries < 1000; tries++) {
        char reply[8] = {0};
        send_text(fd, "DBSIZE\r\n");
        for (size_t n = 0; n == 0 || reply[n - 1] != '\n'; n++)
            assert_int_equal(receive(fd, reply + n, 1), 1);
        if (strcmp(reply, ":1\r\n") == 0)
            break;
        sleep_ms(20);
    }
    ask(fd, "DBSIZE", ":1\r\n");
    close(fd);
}

static void silent_clients_are_dropped(void **state)
{
    static const char *const options[] = {"--idle", "1", NULL};
    struct server strict = server_start(options);
    int silent = client(strict), half = client(strict);
    double start = seconds();
    (void)state;
    send_text(half, "*1\r\n$4\r\nPI");
    expect_end(silent);
    expect_end(half);
    assert_true(seconds() - start > 0.9);
    close(silent);
    close(half);
    server_stop(strict);
}

/* ---- Clients that misbehave ---- */

static void reset(int fd)
{
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

static void dead_clients_free_their_goroutines(void **state)
{
    enum { COUNT = 60 };
    int fd = client(server), dying[COUNT];
    (void)state;
    await_info(fd, "connected_clients", 1);
    long goroutines = info(fd, "goroutines");
    for (int i = 0; i < COUNT; i++) {
        dying[i] = client(server);
        if (i % 3)
            send_text(dying[i], i % 3 == 1 ? "*2\r\n$4\r\nECHO\r\n$100\r\nnot all of" : "PING\r\n");
    }
    await_info(fd, "connected_clients", COUNT + 1);
    for (int i = 0; i < COUNT; i++)
        i % 2 ? reset(dying[i]) : (void)close(dying[i]);
    await_info(fd, "connected_clients", 1);
    await_info(fd, "goroutines", goroutines);
    close(fd);
}

/* A client that asks for much and reads nothing holds up itself, and goes without a trace when it
 * dies. */
static void client_that_does_not_read_holds_up_nobody(void **state)
{
    int fd = client(server), deaf = client(server);
    char *value = malloc(100001);
    (void)state;
    memset(value, 'v', 100000);
    value[100000] = 0;
    send_text(fd, "*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$100000\r\n");
    send_text(fd, value);
    send_text(fd, "\r\n");
    expect(fd, "+OK\r\n");
    for (int i = 0; i < 300; i++)
        send_text(deaf, "GET big\r\n");
    for (int i = 0; i < 100; i++)
        ask(fd, "PING", "+PONG\r\n");
    await_info(fd, "connected_clients", 2);
    reset(deaf);
    await_info(fd, "connected_clients", 1);
    free(value);
    close(fd);
}

static void many_clients_count_together(void **state)
{
    enum { COUNT = 100, ROUNDS = 20 };
    int fds[COUNT];
    char reply[16];
    (void)state;
    for (int i = 0; i < COUNT; i++)
        fds[i] = client(server);
    ask(fds[0], "DEL shared", ":0\r\n");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < COUNT; i++)
            send_text(fds[i], "INCR shared\r\n");
        for (int i = 0; i < COUNT; i++) {
            size_t n = 0;
            while (n == 0 || reply[n - 1] != '\n')
                assert_int_equal(receive(fds[i], reply + n++, 1), 1);
            assert_int_equal(reply[0], ':');
        }
    }
    ask(fds[0], "GET shared", "$4\r\n2000\r\n");
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
}

static void clients_wait_while_descriptors_are_short(void **state)
{
    enum { COUNT = 60 };
    struct server poor = server_start_limited(NULL, 32);
    int fds[COUNT];
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        fds[i] = client(poor); /* the kernel takes them all, the server not */
        send_text(fds[i], "PING\r\n");
    }
    for (int i = 0; i < COUNT; i++) {
        expect(fds[i], "+PONG\r\n");
        close(fds[i]); /* makes room for one more */
    }
    server_stop(poor);
}

/* ---- The end ---- */

static void end_by(int signal)
{
    struct server s = server_start(NULL);
    int idle = client(s), busy = client(s);
    ask(busy, "SET a 1", "+OK\r\n");
    kill(s.pid, signal);
    expect_end(idle);
    expect_end(busy);
    server_await_end(s);
    close(idle);
    close(busy);
}

static void signals_end_the_server_with_clients_connected(void **state)
{
    (void)state;
    end_by(SIGTERM);
    end_by(SIGINT);
}

static void shutdown_ends_the_server(void **state)
{
    struct server s = server_start(NULL);
    int idle = client(s), fd = client(s);
    (void)state;
    send_text(fd, "SHUTDOWN MAYBE\r\n");
    expect(fd, "-ERR syntax error\r\n");
    send_text(fd, "SET a 1\r\nSHUTDOWN NOSAVE\r\n");
    expect(fd, "+OK\r\n");
    expect_end(fd);
    expect_end(idle);
    close(fd);
    close(idle);
    server_await_end(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_replies_as_documented),
        cmocka_unit_test(list_of_commands_is_well_formed),
        cmocka_unit_test(binary_values_pass_unchanged),
        cmocka_unit_test(many_requests_at_once_are_answered_in_order),
        cmocka_unit_test(request_that_comes_byte_by_byte_is_understood),
        cmocka_unit_test(large_values_pass_unchanged),
        cmocka_unit_test(bad_input_gets_an_error_and_the_end),
        cmocka_unit_test(requests_before_bad_input_are_answered),
        cmocka_unit_test(oversized_requests_are_refused),
        cmocka_unit_test(keys_expire),
        cmocka_unit_test(expired_keys_are_swept_though_nobody_asks),
        cmocka_unit_test(silent_clients_are_dropped),
        cmocka_unit_test(dead_clients_free_their_goroutines),
        cmocka_unit_test(client_that_does_not_read_holds_up_nobody),
        cmocka_unit_test(many_clients_count_together),
        cmocka_unit_test(clients_wait_while_descriptors_are_short),
        cmocka_unit_test(signals_end_the_server_with_clients_connected),
        cmocka_unit_test(shutdown_ends_the_server),
    };
    static const unsigned procs[] = {1, 2, 4};
    int failed = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: %s [EMULATOR…] KV_SERVER\n", argv[0]);
        return 2;
    }
    server_command = argv + 1;
    for (size_t i = 0; i < sizeof procs / sizeof *procs; i++) {
        server_procs = procs[i];
        failed += cmocka_run_group_tests(tests, start_server, stop_server);
    }
    return failed;
}
