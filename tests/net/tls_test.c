/* SPDX-License-Identifier: MIT */
/* TLS: echoes, certificates that are not accepted, ends that are none, slow peers, OpenSSL's own
 * programs as peers. */
#include "net/loopback.h"

#include <weft/tls.h>

#include "net/certificates.h"
#include "trace/check.h"

static weft_waitgroup group;

/* ---- Two ends ---- */

static weft_tls_config *config_of(const weft_tls_options *options)
{
    char why[256] = "";
    weft_tls_config *config;
    int error = weft_tls_config_new(options, &config, why, sizeof why);
    if (!error)
        return config;
    fprintf(stderr, "configuration: %d: %s\n", error, why);
    abort();
}

static weft_tls_options server_options(const char *name)
{
    char file[64];
    weft_tls_options options = {.size = sizeof options, .ca_file = certificate_path("root.crt")};
    snprintf(file, sizeof file, "%s.crt", name);
    options.certificate = certificate_path(file);
    snprintf(file, sizeof file, "%s.key", name);
    options.key = certificate_path(file);
    return options;
}

static weft_tls_config *server_config(const char *name)
{
    weft_tls_options options = server_options(name);
    return config_of(&options);
}

static weft_tls_config *client_config(void)
{
    weft_tls_options options = {.size = sizeof options, .ca_file = certificate_path("root.crt")};
    return config_of(&options);
}

struct ends {
    weft_tls *client, *server;
    int client_result, server_result;
    weft_waitgroup done;
};

static void serve_handshake(void *arg)
{
    struct ends *ends = arg;
    ends->server_result = weft_tls_handshake(ends->server);
    weft_waitgroup_done(&ends->done);
}

/* Lays TLS over a connection; the configurations are given up. */
static void lay_over(struct ends *ends, struct pair p, weft_tls_config *client,
                     weft_tls_config *server, const char *name)
{
    *ends = (struct ends){0};
    CHECK_EQ(weft_tls_client(client, p.a, name, &ends->client), 0);
    CHECK_EQ(weft_tls_server(server, p.b, &ends->server), 0);
    weft_tls_config_free(client);
    weft_tls_config_free(server);
}

/* The same, and both shake hands. */
static void meet(struct ends *ends, weft_tls_config *client, weft_tls_config *server,
                 const char *name)
{
    lay_over(ends, tcp_pair(), client, server, name);
    weft_waitgroup_add(&ends->done, 1);
    go(serve_handshake, ends);
    ends->client_result = weft_tls_handshake(ends->client);
    if (ends->client_result) { /* the server may wait for more */
        weft_conn_shutdown_write(weft_tls_conn(ends->client));
    }
    weft_waitgroup_wait(&ends->done);
}

static void meet_well(struct ends *ends)
{
    meet(ends, client_config(), server_config("server"), "localhost");
    CHECK_EQ(ends->client_result, 0);
    CHECK_EQ(ends->server_result, 0);
}

static void part(struct ends *ends)
{
    weft_tls_close(ends->client);
    weft_tls_close(ends->server);
}

static void expect_in(const char *text, const char *part_of_it)
{
    if (strstr(text, part_of_it))
        return;
    fprintf(stderr, "expected \"%s\" in \"%s\"\n", part_of_it, text);
    abort();
}

static void tls_read_exactly(weft_tls *tls, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = weft_tls_read(tls, (char *)data + done, size - done);
        CHECK(n > 0);
        done += (size_t)n;
    }
}

/* ---- Data ---- */

enum { MUCH = 300 * 1000 };

static void send_pattern(void *arg)
{
    char *data = malloc(MUCH);
    for (size_t i = 0; i < MUCH; i++)
        data[i] = (char)(i % 251);
    CHECK_EQ(weft_tls_write(arg, data, MUCH), MUCH);
    free(data);
    weft_waitgroup_done(&group);
}

static void receive_pattern(void *arg)
{
    char *data = malloc(MUCH);
    tls_read_exactly(arg, data, MUCH);
    for (size_t i = 0; i < MUCH; i++)
        CHECK(data[i] == (char)(i % 251));
    free(data);
    weft_waitgroup_done(&group);
}

static void both_ends_send_and_receive_at_once(void)
{
    struct ends ends;
    meet_well(&ends);
    expect_in(weft_tls_version(ends.client), "TLSv1.3");
    CHECK(strcmp(weft_tls_server_name(ends.server), "localhost") == 0);
    CHECK(strcmp(weft_tls_alpn(ends.server), "") == 0);
    weft_waitgroup_add(&group, 4);
    go(send_pattern, ends.client);
    go(send_pattern, ends.server);
    go(receive_pattern, ends.client);
    go(receive_pattern, ends.server);
    weft_waitgroup_wait(&group);
    CHECK(strcmp(weft_tls_error(ends.client), "") == 0);
    part(&ends);
}

enum { WRITERS = 8, BLOCK = 3000, BLOCKS = 20 };

struct writer {
    weft_tls *tls;
    char letter;
};

static void write_blocks(void *arg)
{
    struct writer *w = arg;
    char block[BLOCK];
    memset(block, w->letter, sizeof block);
    for (int i = 0; i < BLOCKS; i++)
        CHECK_EQ(weft_tls_write(w->tls, block, sizeof block), sizeof block);
    weft_waitgroup_done(&group);
}

static void what_one_call_writes_stays_together(void)
{
    struct ends ends;
    struct writer writers[WRITERS];
    char block[BLOCK];

    meet_well(&ends);
    weft_waitgroup_add(&group, WRITERS);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){ends.client, (char)('a' + i)};
        go(write_blocks, &writers[i]);
    }
    for (int i = 0; i < WRITERS * BLOCKS; i++) {
        tls_read_exactly(ends.server, block, sizeof block);
        for (int k = 1; k < BLOCK; k++)
            CHECK(block[k] == block[0]);
    }
    weft_waitgroup_wait(&group);
    part(&ends);
}

static void a_read_does_the_handshake_by_itself(void)
{
    struct ends ends;
    char byte;
    lay_over(&ends, tcp_pair(), client_config(), server_config("server"), "127.0.0.1");
    weft_waitgroup_add(&ends.done, 1);
    go(serve_handshake, &ends);
    CHECK_EQ(weft_tls_write(ends.client, "x", 1), 1);
    weft_waitgroup_wait(&ends.done);
    CHECK_EQ(weft_tls_read(ends.server, &byte, 1), 1);
    CHECK_EQ(weft_tls_read(ends.server, &byte, 0), 0);
    CHECK(strcmp(weft_tls_server_name(ends.server), "") == 0); /* an address is no name */
    part(&ends);
}

/* ---- Certificates ---- */

static void expect_rejection(weft_tls_config *client, const char *server, const char *name,
                             const char *text)
{
    struct ends ends;
    meet(&ends, client, server_config(server), name);
    CHECK_EQ(ends.client_result, -EKEYREJECTED);
    expect_in(weft_tls_error(ends.client), "certificate verify failed");
    expect_in(weft_tls_error(ends.client), text);
    CHECK_EQ(ends.server_result, -EPROTO);
    expect_in(weft_tls_error(ends.server), "alert");
    CHECK_EQ(weft_tls_write(ends.client, "x", 1), -EKEYREJECTED);
    part(&ends);
}

static void bad_certificates_are_rejected(void)
{
    weft_tls_options system = {.size = sizeof system};
    expect_rejection(client_config(), "stranger", "localhost", "self-signed certificate");
    expect_rejection(client_config(), "expired", "localhost", "certificate has expired");
    expect_rejection(client_config(), "other", "localhost", "hostname mismatch");
    expect_rejection(client_config(), "server", "127.0.0.2", "IP address mismatch");
    expect_rejection(config_of(NULL), "server", "localhost", "unable to get local issuer");
    expect_rejection(config_of(&system), "server", "localhost", "unable to get local issuer");
}

static void an_insecure_client_takes_any_certificate(void)
{
    struct ends ends;
    weft_tls_options options = {.size = sizeof options, .insecure = 1};
    meet(&ends, config_of(&options), server_config("stranger"), NULL);
    CHECK_EQ(ends.client_result, 0);
    CHECK_EQ(ends.server_result, 0);
    part(&ends);

    struct pair p = tcp_pair();
    weft_tls_config *secure = client_config();
    CHECK_EQ(weft_tls_client(secure, p.a, NULL, &ends.client), -EINVAL);
    weft_tls_config_free(secure);
    pair_close(p);
}

static void clients_show_certificates_if_asked(void)
{
    struct ends ends;
    weft_tls_options server = server_options("server"), client = server_options("client");
    server.verify_clients = 1;
    meet(&ends, config_of(&client), config_of(&server), "localhost");
    CHECK_EQ(ends.server_result, 0);
    part(&ends);
    meet(&ends, client_config(), config_of(&server), "localhost");
    CHECK_EQ(ends.server_result, -EKEYREJECTED);
    expect_in(weft_tls_error(ends.server), "did not return a certificate");
    char byte;
    CHECK_EQ(weft_tls_read(ends.client, &byte, 1), -EPROTO);
    expect_in(weft_tls_error(ends.client), "certificate required");
    part(&ends);
}

static void the_certificate_is_that_of_the_name(void)
{
    static const char *const names[] = {"localhost", "other.test", "OTHER.test"};
    for (int i = 0; i < 3; i++) {
        struct ends ends;
        weft_tls_config *server = server_config("server");
        CHECK_EQ(weft_tls_config_add_name(server, "other.test", certificate_path("other.crt"),
                                          certificate_path("other.key"), NULL, 0),
                 0);
        meet(&ends, client_config(), server, names[i]);
        CHECK_EQ(ends.client_result, 0);
        CHECK(strcmp(weft_tls_server_name(ends.server), names[i]) == 0);
        part(&ends);
    }
}

static void both_agree_on_a_protocol(void)
{
    struct ends ends;
    weft_tls_options server = server_options("server"), client = server_options("client");
    server.alpn = "http/1.1,echo";
    client.alpn = "h2,echo,http/1.1";
    meet(&ends, config_of(&client), config_of(&server), "localhost");
    CHECK(strcmp(weft_tls_alpn(ends.client), "http/1.1") == 0);
    CHECK(strcmp(weft_tls_alpn(ends.server), "http/1.1") == 0);
    part(&ends);
    client.alpn = "h2";
    meet(&ends, config_of(&client), config_of(&server), "localhost");
    CHECK_EQ(ends.client_result, -EPROTO);
    expect_in(weft_tls_error(ends.client), "no application protocol");
    CHECK_EQ(ends.server_result, -EPROTO);
    part(&ends);
}

static void expect_refusal(const weft_tls_options *options, const char *text)
{
    char why[256] = "";
    weft_tls_config *config;
    CHECK_EQ(weft_tls_config_new(options, &config, why, sizeof why), -EINVAL);
    expect_in(why, text);
    CHECK_EQ(weft_tls_config_new(options, &config, NULL, 0), -EINVAL);
}

static void bad_configurations_are_refused_with_the_reason(void)
{
    weft_tls_options options = server_options("server");
    options.certificate = "/nowhere/a.crt";
    expect_refusal(&options, "/nowhere/a.crt: No such file or directory");
    options = server_options("server");
    options.key = certificate_path("client.key");
    expect_refusal(&options, "key values mismatch");
    options.certificate = NULL;
    expect_refusal(&options, "a key without a certificate");
    options = server_options("server");
    options.key = NULL; /* the certificate's file has none */
    expect_refusal(&options, "server.crt: no private key in it");
    options = (weft_tls_options){.size = sizeof options, .ca_file = "/nowhere/ca"};
    expect_refusal(&options, "/nowhere/ca: ");
    options = (weft_tls_options){.size = sizeof options, .alpn = "h2,,x"};
    expect_refusal(&options, "alpn");
}

/* ---- Ends ---- */

static void the_end_is_told_from_a_cut(void)
{
    struct ends ends;
    char data[8];

    meet_well(&ends);
    CHECK_EQ(weft_tls_write(ends.server, "all", 3), 3);
    CHECK_EQ(weft_tls_shutdown_write(ends.server), 0);
    CHECK_EQ(weft_tls_write(ends.server, "x", 1), -EPIPE);
    tls_read_exactly(ends.client, data, 3);
    CHECK_EQ(weft_tls_read(ends.client, data, 1), 0);
    CHECK_EQ(weft_tls_write(ends.client, "reply", 5), 5); /* the other direction goes on */
    tls_read_exactly(ends.server, data, 5);
    part(&ends);

    meet_well(&ends);
    CHECK_EQ(weft_tls_write(ends.server, "par", 3), 3);
    CHECK_EQ(weft_conn_shutdown_write(weft_tls_conn(ends.server)), 0);
    tls_read_exactly(ends.client, data, 3);
    CHECK_EQ(weft_tls_read(ends.client, data, 1), -ECONNABORTED);
    expect_in(weft_tls_error(ends.client), "without the end of TLS");
    part(&ends);
}

static void a_close_tells_the_peer(void)
{
    struct ends ends;
    char byte;
    meet_well(&ends);
    weft_tls_close(ends.server);
    CHECK_EQ(weft_tls_read(ends.client, &byte, 1), 0);
    weft_tls_close(ends.client);
}

static void a_peer_that_does_not_speak_tls(void)
{
    struct pair p = tcp_pair();
    weft_tls *tls;
    weft_tls_config *config = server_config("server");
    CHECK_EQ(weft_tls_server(config, p.a, &tls), 0);
    weft_tls_config_free(config);
    write_all(p.b, "GET / HTTP/1.1\r\n\r\n", 18);
    CHECK_EQ(weft_tls_handshake(tls), -EPROTO);
    expect_in(weft_tls_error(tls), "http request");
    CHECK_EQ(weft_tls_handshake(tls), -EPROTO);
    weft_tls_close(tls);
    weft_conn_close(p.b);
}

/* ---- Slow peers ---- */

static int64_t soon(void)
{
    return weft_now() + 3 * WEFT_MILLISECOND;
}

static void a_silent_peer_is_waited_for_until_the_deadline(void)
{
    struct ends ends;
    char byte;
    lay_over(&ends, tcp_pair(), client_config(), server_config("server"), "localhost");
    CHECK_EQ(weft_tls_handshake_until(ends.client, soon()), -ETIMEDOUT);
    CHECK_EQ(weft_tls_read_until(ends.client, &byte, 1, soon()), -ETIMEDOUT);
    weft_waitgroup_add(&ends.done, 1);
    go(serve_handshake, &ends);
    CHECK_EQ(weft_tls_handshake(ends.client), 0); /* it goes on where it stopped */
    weft_waitgroup_wait(&ends.done);
    CHECK_EQ(ends.server_result, 0);
    CHECK_EQ(weft_tls_read_until(ends.client, &byte, 1, soon()), -ETIMEDOUT);
    weft_conn_set_read_deadline(weft_tls_conn(ends.client), soon());
    CHECK_EQ(weft_tls_read(ends.client, &byte, 1), -ETIMEDOUT);
    weft_conn_set_read_deadline(weft_tls_conn(ends.client), WEFT_NEVER);
    CHECK_EQ(weft_tls_write(ends.server, "x", 1), 1);
    CHECK_EQ(weft_tls_read(ends.client, &byte, 1), 1);
    CHECK(strcmp(weft_tls_error(ends.client), "") == 0);
    part(&ends);
}

static void a_peer_that_does_not_read_is_waited_for_until_the_deadline(void)
{
    struct ends ends;
    enum { LARGE = 32 * 1024 * 1024 };
    char *data = calloc(1, LARGE), byte;
    meet_well(&ends);
    CHECK_EQ(weft_tls_write_until(ends.client, data, LARGE, soon()), -ETIMEDOUT);
    CHECK_EQ(weft_tls_write(ends.client, data, 1), -ETIMEDOUT); /* half a record is out */
    CHECK_EQ(weft_tls_write(ends.server, "x", 1), 1);
    CHECK_EQ(weft_tls_read(ends.client, &byte, 1), 1);
    free(data);
    part(&ends);
}

struct call {
    weft_tls *tls;
    weft_context *context;
};

static void read_until_cancelled(void *arg)
{
    struct call *call = arg;
    char byte;
    CHECK_EQ(weft_tls_read_ctx(call->context, call->tls, &byte, 1), -ECANCELED);
    weft_waitgroup_done(&group);
}

/* One waits for the peer, the other one for its turn. */
static void reads_end_with_their_context(void)
{
    struct ends ends;
    char byte;
    meet_well(&ends);
    struct call call = {ends.client, weft_context_new(NULL)};
    weft_waitgroup_add(&group, 2);
    go(read_until_cancelled, &call);
    go(read_until_cancelled, &call);
    await_parked(weft_tls_conn(ends.client), POLL_READ, 1);
    weft_context_cancel(call.context, 0);
    weft_waitgroup_wait(&group);
    CHECK_EQ(weft_tls_write(ends.server, "x", 1), 1);
    CHECK_EQ(weft_tls_read(ends.client, &byte, 1), 1);
    weft_context_free(call.context);
    part(&ends);
}

/* ---- Many ---- */

struct echo_server {
    weft_listener *listener;
    weft_tls_config *config;
};

/* Up to the end, or to an exclamation mark. */
static void echo_one(void *arg)
{
    weft_tls *tls = arg;
    char data[4096];
    ssize_t n;
    while ((n = weft_tls_read(tls, data, sizeof data)) > 0) {
        CHECK_EQ(weft_tls_write(tls, data, (size_t)n), n);
        if (memchr(data, '!', (size_t)n))
            break;
    }
    weft_tls_close(tls);
    weft_waitgroup_done(&group);
}

static void accept_and_echo(void *arg)
{
    struct echo_server *server = arg;
    weft_conn *conn;
    weft_tls *tls;
    while (weft_tcp_accept(server->listener, &conn) == 0) {
        CHECK_EQ(weft_tls_server(server->config, conn, &tls), 0);
        weft_waitgroup_add(&group, 1);
        go(echo_one, tls);
    }
    weft_listener_close(server->listener);
    weft_waitgroup_done(&group);
}

static void echo_start(struct echo_server *server)
{
    *server = (struct echo_server){listen_on(v4_any_port), server_config("server")};
    weft_waitgroup_add(&group, 1);
    go(accept_and_echo, server);
}

static void echo_stop(struct echo_server *server)
{
    weft_listener_set_deadline(server->listener, 1);
    weft_waitgroup_wait(&group);
    weft_tls_config_free(server->config);
}

struct echo_client {
    struct echo_server *server;
    weft_tls_config *config;
};

static weft_waitgroup clients;

static void ask_for_echoes(void *arg)
{
    struct echo_client *client = arg;
    char port[16], data[5000], back[5000], why[256];
    weft_tls *tls;
    snprintf(port, sizeof port, "%d", weft_listener_port(client->server->listener));
    CHECK_EQ(weft_tls_dial(client->config, "localhost", port, WEFT_NEVER, &tls, why, sizeof why),
             0);
    for (size_t i = 1; i <= 10; i++) {
        memset(data, (int)('0' + i), sizeof data);
        CHECK_EQ(weft_tls_write(tls, data, i * 500), i * 500);
        tls_read_exactly(tls, back, i * 500);
        CHECK(memcmp(data, back, i * 500) == 0);
    }
    weft_tls_close(tls);
    weft_waitgroup_done(&clients);
}

static void many_connections_at_once(void)
{
    enum { CLIENTS = 32 };
    struct echo_server server;
    echo_start(&server);
    struct echo_client client = {&server, client_config()};
    weft_waitgroup_add(&clients, CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        go(ask_for_echoes, &client);
    weft_waitgroup_wait(&clients);
    weft_tls_config_free(client.config);
    echo_stop(&server);
}

static void a_dial_says_what_went_wrong(void)
{
    weft_tls *tls;
    char port[16], why[256] = "";
    struct echo_server server;
    weft_tls_config *config = config_of(NULL);
    weft_listener *listener = listen_on(v4_any_port);
    snprintf(port, sizeof port, "%d", weft_listener_port(listener));
    weft_listener_close(listener);
    CHECK_EQ(weft_tls_dial(config, "127.0.0.1", port, WEFT_NEVER, &tls, why, sizeof why),
             -ECONNREFUSED);
    expect_in(why, "Connection refused");
    server = (struct echo_server){listen_on(v4_any_port), server_config("server")};
    snprintf(port, sizeof port, "%d", weft_listener_port(server.listener));
    CHECK_EQ(weft_tls_dial(config, "127.0.0.1", port, soon(), &tls, why, sizeof why), -ETIMEDOUT);
    weft_listener_close(server.listener);
    weft_tls_config_free(server.config);
    weft_tls_config_free(config);
}

/* ---- OpenSSL's own programs ---- */

struct command {
    char line[2048], output[8192];
    int status;
};

/* Off the P. */
static int run_command(void *arg)
{
    struct command *command = arg;
    FILE *from = popen(command->line, "r");
    if (!from)
        return -errno;
    size_t n = fread(command->output, 1, sizeof command->output - 1, from);
    command->output[n] = '\0';
    command->status = pclose(from);
    return 0;
}

static void openssl_is_a_client(const char *more, const char *expected)
{
    static struct command command;
    struct echo_server server;
    echo_start(&server);
    snprintf(command.line, sizeof command.line,
             "echo 'hello!' | timeout 60 openssl s_client -ign_eof -connect 127.0.0.1:%d "
             "-CAfile %s -verify_return_error -servername localhost %s 2>&1",
             weft_listener_port(server.listener), certificate_path("root.crt"), more);
    CHECK_EQ(weft_blocking(run_command, &command), 0);
    expect_in(command.output, expected);
    expect_in(command.output, "\nhello");
    expect_in(command.output, "Verification: OK");
    echo_stop(&server);
}

static void openssl_client_is_served(void)
{
    openssl_is_a_client("-tls1_3", "TLSv1.3");
    openssl_is_a_client("-tls1_2", "TLSv1.2");
}

struct peer {
    FILE *says;
    char port[16];
};

/* Off the P: waits until the server says where it listens. */
static int start_openssl_server(void *arg)
{
    struct peer *peer = arg;
    char line[1024];
    snprintf(
        line, sizeof line,
        "timeout 60 openssl s_server -accept 127.0.0.1:0 -naccept 1 -rev -cert %s -key %s 2>&1",
        certificate_path("server.crt"), certificate_path("server.key"));
    peer->says = popen(line, "r");
    while (peer->says && fgets(line, sizeof line, peer->says))
        if (sscanf(line, "ACCEPT 127.0.0.1:%15[0-9]", peer->port) == 1)
            return 0;
    return -EIO;
}

static int end_openssl_server(void *arg)
{
    struct peer *peer = arg;
    char line[1024];
    while (fgets(line, sizeof line, peer->says))
        ;
    return pclose(peer->says);
}

/* It sends each line back to front. */
static void openssl_server_is_understood(void)
{
    struct peer peer = {0};
    char why[256] = "", reply[6];
    weft_tls *tls;
    weft_tls_config *config = client_config();
    CHECK_EQ(weft_blocking(start_openssl_server, &peer), 0);
    CHECK_EQ(weft_tls_dial(config, "127.0.0.1", peer.port, WEFT_NEVER, &tls, why, sizeof why), 0);
    CHECK_EQ(weft_tls_write(tls, "hello\n", 6), 6);
    tls_read_exactly(tls, reply, 6);
    CHECK(memcmp(reply, "olleh\n", 6) == 0);
    weft_tls_close(tls);
    weft_tls_config_free(config);
    weft_blocking(end_openssl_server, &peer);
}

static bool there_is_openssl(void)
{
    return system("openssl version >/dev/null 2>&1") == 0;
}

static void test_openssl_as_a_peer(void **state)
{
    (void)state;
    if (!there_is_openssl()) {
        fprintf(stderr, "SKIPPED: no openssl (Debian: openssl)\n");
        skip();
    }
    run_on(2, openssl_client_is_served);
    run_on(2, openssl_server_is_understood);
}

/* ---- The trace ---- */

static sink trace;
static unsigned seen_reading;

static void read_one(void *arg)
{
    char byte;
    CHECK_EQ(weft_tls_read(arg, &byte, 1), 1);
    weft_waitgroup_done(&group);
}

static void trace_a_read(void)
{
    weft_trace_stream *to;
    struct ends ends;
    CHECK_EQ(weft_trace_start_callback(weft_tracer_default(), sink_write, &trace, NULL, &to), 0);
    meet_well(&ends);
    weft_waitgroup_add(&group, 1);
    go(read_one, ends.client);
    await_parked(weft_tls_conn(ends.client), POLL_READ, 1);
    CHECK_EQ(weft_tls_write(ends.server, "x", 1), 1);
    weft_waitgroup_wait(&group);
    part(&ends);
    CHECK_EQ(weft_trace_stop(to, NULL), 0);
}

static bool text_is(const weft_reader *reader, weft_string string, const char *text)
{
    weft_text t = weft_reader_string(reader, string);
    return t.size == strlen(text) && memcmp(t.data, text, t.size) == 0;
}

static void see(void *arg, weft_reader *reader, const weft_event *event)
{
    weft_frame frame;
    (void)arg;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->resource != WEFT_RESOURCE_GOROUTINE ||
        event->to != WEFT_STATE_WAITING || !text_is(reader, event->name, "network"))
        return;
    for (size_t i = 0; i < weft_reader_stack_depth(reader, event->resource_stack); i++)
        if (weft_reader_stack_frame(reader, event->resource_stack, i, &frame) == 0 &&
            text_is(reader, frame.function, "weft_tls_read_until"))
            seen_reading++;
}

static void test_a_read_is_in_the_trace(void **state)
{
    (void)state;
    for (unsigned procs = 1; procs <= 4; procs *= 2) {
        char name[32];
        seen_reading = 0;
        run_on(procs, trace_a_read);
        snprintf(name, sizeof name, "tls_%u", procs);
        sink_save(&trace, name);
        const char *complaint = check_sink(&trace, see, NULL);
        if (complaint)
            fail_msg("%s", complaint);
        sink_free(&trace);
        assert_true(seen_reading > 0);
    }
}

static int make_certificates(void **state)
{
    (void)state;
    certificates_make();
    return 0;
}

ON_ALL_PROCS(both_ends_send_and_receive_at_once)
ON_ALL_PROCS(what_one_call_writes_stays_together)
ON_ALL_PROCS(a_read_does_the_handshake_by_itself)
ON_ALL_PROCS(bad_certificates_are_rejected)
ON_ALL_PROCS(an_insecure_client_takes_any_certificate)
ON_ALL_PROCS(clients_show_certificates_if_asked)
ON_ALL_PROCS(the_certificate_is_that_of_the_name)
ON_ALL_PROCS(both_agree_on_a_protocol)
ON_ALL_PROCS(bad_configurations_are_refused_with_the_reason)
ON_ALL_PROCS(the_end_is_told_from_a_cut)
ON_ALL_PROCS(a_close_tells_the_peer)
ON_ALL_PROCS(a_peer_that_does_not_speak_tls)
ON_ALL_PROCS(a_silent_peer_is_waited_for_until_the_deadline)
ON_ALL_PROCS(a_peer_that_does_not_read_is_waited_for_until_the_deadline)
ON_ALL_PROCS(reads_end_with_their_context)
ON_ALL_PROCS(many_connections_at_once)
ON_ALL_PROCS(a_dial_says_what_went_wrong)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(both_ends_send_and_receive_at_once),
        TEST(what_one_call_writes_stays_together),
        TEST(a_read_does_the_handshake_by_itself),
        TEST(bad_certificates_are_rejected),
        TEST(an_insecure_client_takes_any_certificate),
        TEST(clients_show_certificates_if_asked),
        TEST(the_certificate_is_that_of_the_name),
        TEST(both_agree_on_a_protocol),
        TEST(bad_configurations_are_refused_with_the_reason),
        TEST(the_end_is_told_from_a_cut),
        TEST(a_close_tells_the_peer),
        TEST(a_peer_that_does_not_speak_tls),
        TEST(a_silent_peer_is_waited_for_until_the_deadline),
        TEST(a_peer_that_does_not_read_is_waited_for_until_the_deadline),
        TEST(reads_end_with_their_context),
        TEST(many_connections_at_once),
        TEST(a_dial_says_what_went_wrong),
        TEST(openssl_as_a_peer),
        TEST(a_read_is_in_the_trace),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, make_certificates, NULL);
}
