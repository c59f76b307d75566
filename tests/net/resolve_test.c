/* SPDX-License-Identifier: MIT */
/* Names of hosts: answers and failures, waits that end early, dials over several addresses. */
#define _GNU_SOURCE
#include "net/loopback.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "net/hosts_stub.h"
#include "trace/check.h"

static weft_waitgroup group;

static void expect_text(const weft_peer *peer, const char *expected)
{
    char text[64];
    CHECK_EQ(weft_peer_text(peer, text, sizeof text), strlen(text));
    if (strcmp(text, expected) == 0)
        return;
    fprintf(stderr, "the address is %s, not %s\n", text, expected);
    abort();
}

/* ---- Answers ---- */

static void numbers_need_no_lookup(void)
{
    weft_peer peer;
    unsigned before = gate_read(&gate.calls);
    CHECK_EQ(weft_resolve("127.0.0.1", "80", &peer, 1), 1);
    expect_text(&peer, "127.0.0.1:80");
    CHECK_EQ(weft_resolve("::1", "65535", &peer, 1), 1);
    expect_text(&peer, "[::1]:65535");
    CHECK_EQ(weft_resolve("fe80::1%7", "1", &peer, 1), 1);
    expect_text(&peer, "[fe80::1%7]:1");
    CHECK_EQ(weft_resolve("127.0.0.1", "80", NULL, 0), 1);
    CHECK_EQ(gate_read(&gate.calls), before);
}

static void localhost_is_this_host(void)
{
    weft_peer peers[8];
    char text[64];
    int n = weft_resolve("localhost", "80", peers, 8);
    CHECK(n > 0 && n <= 8);
    for (int i = 0; i < n; i++) {
        weft_peer_text(&peers[i], text, sizeof text);
        CHECK(strncmp(text, "127.", 4) == 0 || strcmp(text, "[::1]:80") == 0);
    }
}

static void names_of_the_hosts_file_have_all_their_addresses_once(void)
{
    weft_peer peers[4];
    hosts_text = "127.0.0.1 one.test\n"
                 "::1 both.test\n127.0.0.1 both.test\n127.0.0.1 both.test\n127.0.0.2 both.test\n";
    CHECK_EQ(weft_resolve("one.test", "1", peers, 4), 1);
    expect_text(&peers[0], "127.0.0.1:1");
    CHECK_EQ(weft_resolve("both.test", "2", peers, 4), 3);
    expect_text(&peers[0], "[::1]:2");
    expect_text(&peers[1], "127.0.0.1:2");
    expect_text(&peers[2], "127.0.0.2:2");
    peers[1].size = 0;
    CHECK_EQ(weft_resolve("both.test", "3", peers, 1), 3); /* there are more than was room for */
    CHECK_EQ(peers[1].size, 0);
}

static void failures_say_what_failed(void)
{
    weft_peer peer;
    hosts_text = "";
    CHECK_EQ(weft_resolve("none.test", "80", &peer, 1), -ENOENT);
    CHECK_EQ(weft_resolve("again.test", "80", &peer, 1), -EAGAIN);
    CHECK_EQ(weft_resolve("broken.test", "80", &peer, 1), -EIO);
    CHECK_EQ(weft_resolve("nomem.test", "80", &peer, 1), -ENOMEM);
    CHECK_EQ(weft_resolve("", "80", &peer, 1), -EINVAL);
    CHECK_EQ(weft_resolve(NULL, "80", &peer, 1), -EINVAL);
    CHECK_EQ(weft_resolve("127.0.0.1", "", &peer, 1), -EINVAL);
    CHECK_EQ(weft_resolve("127.0.0.1", "no-such-service", &peer, 1), -EINVAL);
}

static void addresses_of_unix_sockets_are_text_as_well(void)
{
    weft_peer peer = {0};
    expect_text(&peer, "");
    CHECK_EQ(weft_peer_from_path("@name", &peer), 0);
    expect_text(&peer, "@name");
    CHECK_EQ(weft_peer_from_path("/run/socket", &peer), 0);
    expect_text(&peer, "/run/socket");
    CHECK_EQ(weft_tcp_dial_peer(&peer, WEFT_NEVER, &(weft_conn *){NULL}), -EINVAL);
}

/* ---- Waits ---- */

static void await_lookups(unsigned n)
{
    while (gate_read(&gate.inside) != n)
        weft_sleep(100 * WEFT_MICROSECOND);
}

static void await_waiting(uint64_t n)
{
    weft_stats stats = {.size = sizeof stats};
    do {
        weft_sleep(100 * WEFT_MICROSECOND);
        weft_stats_get(&stats);
    } while (stats.waiting < n);
}

static void resolve_slowly(void *arg)
{
    weft_peer peer;
    CHECK_EQ(weft_resolve("slow.test", "7", &peer, 1), 1);
    expect_text(&peer, "127.0.0.1:7");
    weft_waitgroup_done(arg);
}

static void others_run_while_a_name_is_looked_up(void)
{
    gate_set(0);
    weft_waitgroup_add(&group, 3);
    for (int i = 0; i < 3; i++)
        go(resolve_slowly, &group);
    await_lookups(3); /* this goroutine runs, on one P as well */
    gate_set(1);
    weft_waitgroup_wait(&group);
}

static void the_wait_ends_at_its_deadline(void)
{
    weft_peer peer;
    gate_set(0);
    int64_t deadline = weft_now() + 2 * WEFT_MILLISECOND;
    CHECK_EQ(weft_resolve_until("slow.test", "7", &peer, 1, deadline), -ETIMEDOUT);
    CHECK(weft_now() >= deadline);
    weft_context *context = weft_context_with_timeout(NULL, 2 * WEFT_MILLISECOND);
    CHECK_EQ(weft_resolve_ctx(context, "slow.test", "7", &peer, 1), -ETIMEDOUT);
    weft_context_free(context);
    weft_conn *conn;
    CHECK_EQ(weft_tcp_dial_host("slow.test", "7", weft_now() + WEFT_MILLISECOND, &conn),
             -ETIMEDOUT);
    gate_set(1);
    await_lookups(0);
}

struct caller {
    weft_context *context;
    char port[16];
    uint32_t ended; /* atomic */
};

static void resolve_until_cancelled(void *arg)
{
    struct caller *c = arg;
    weft_peer peer;
    CHECK_EQ(weft_resolve_ctx(c->context, "slow.test", "7", &peer, 1), -ECANCELED);
    atomic_add_relaxed(&c->ended, 1);
    weft_waitgroup_done(&group);
}

/* More than may be under way: some wait for their lookup, the others for its beginning. */
static void callers_leave_at_once_when_cancelled(void)
{
    enum { CALLERS = 100, AT_ONCE = 64 };
    struct caller c = {.context = weft_context_new(NULL)};
    gate_set(0);
    weft_waitgroup_add(&group, CALLERS);
    for (int i = 0; i < CALLERS; i++)
        go(resolve_until_cancelled, &c);
    await_lookups(AT_ONCE);
    CHECK_EQ(atomic_load_relaxed(&c.ended), 0);
    weft_context_cancel(c.context, 0);
    weft_waitgroup_wait(&group); /* the gate is still shut */
    CHECK_EQ(gate_read(&gate.inside), AT_ONCE);
    gate_set(1);
    await_lookups(0);
    weft_context_free(c.context);
}

static void leave_one_under_way(void)
{
    weft_peer peer;
    gate_set(0);
    CHECK_EQ(weft_resolve_until("slow.test", "7", &peer, 1, weft_now() + WEFT_MILLISECOND),
             -ETIMEDOUT);
    await_lookups(1);
}

static void test_a_runtime_may_end_while_a_name_is_looked_up(void **state)
{
    (void)state;
    for (unsigned procs = 1; procs <= 4; procs *= 2) {
        run_on(procs, leave_one_under_way);
        gate_set(1);
        while (gate_read(&gate.inside) > 0)
            usleep(100);
        run_on(procs, names_of_the_hosts_file_have_all_their_addresses_once);
    }
}

static void test_no_name_is_looked_up_outside_a_runtime(void **state)
{
    weft_peer peer;
    weft_conn *conn;
    (void)state;
    assert_int_equal(weft_resolve("127.0.0.1", "80", &peer, 1), -EPERM);
    assert_int_equal(weft_tcp_dial_host("127.0.0.1", "80", WEFT_NEVER, &conn), -EPERM);
}

/* ---- The system's hosts file ---- */

static void resolve_name_of_mounted_file(void)
{
    weft_peer peers[4];
    CHECK_EQ(weft_resolve("weft-test-host", "9", peers, 4), 2);
    char first[64], second[64];
    weft_peer_text(&peers[0], first, sizeof first);
    weft_peer_text(&peers[1], second, sizeof second);
    CHECK((strcmp(first, "127.0.0.9:9") == 0) != (strcmp(second, "127.0.0.9:9") == 0));
    CHECK((strcmp(first, "[::1]:9") == 0) != (strcmp(second, "[::1]:9") == 0));
}

/* In a child with a file of ours in the place of /etc/hosts. 77: not allowed. */
static int run_with_hosts_file(const char *path)
{
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return 77;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount(path, "/etc/hosts", NULL, MS_BIND, NULL) != 0)
        return 77;
    run_on(2, resolve_name_of_mounted_file);
    return 0;
}

static void test_a_name_of_the_systems_hosts_file(void **state)
{
    char path[] = "/tmp/weft-hosts-XXXXXX";
    static const char text[] = "127.0.0.1 localhost\n127.0.0.9 weft-test-host\n"
                               "::1 weft-test-host\n";
    int fd = mkstemp(path), status = -1;
    (void)state;
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    assert_int_equal(fchmod(fd, 0644), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(run_with_hosts_file(path));
    assert_int_equal(waitpid(child, &status, 0), child);
    unlink(path);
    close(fd);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        fprintf(stderr, "SKIPPED: a file may not be mounted over /etc/hosts here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

/* ---- Dials ---- */

static void expect_connection(const char *host, weft_listener *listener)
{
    char port[16];
    weft_conn *conn;
    snprintf(port, sizeof port, "%d", weft_listener_port(listener));
    CHECK_EQ(weft_tcp_dial_host(host, port, WEFT_NEVER, &conn), 0);
    pair_close((struct pair){conn, accept_from(listener)});
}

static void the_next_address_is_tried_when_one_refuses(void)
{
    hosts_text = "::1 six.test\n127.0.0.1 six.test\n127.0.0.2 six.test\n"
                 "127.0.0.1 four.test\n::1 four.test\n";
    weft_listener *v4 = listen_on(v4_any_port), *v6 = listen_on(v6_any_port);
    int before = open_descriptors();
    expect_connection("six.test", v4);
    expect_connection("six.test", v6);
    expect_connection("four.test", v4);
    expect_connection("four.test", v6);
    expect_connection("127.0.0.1", v4);
    expect_connection("::1", v6);
    CHECK_EQ(open_descriptors(), before);
    weft_listener_close(v4);
    weft_listener_close(v6);
}

static void nobody_listens_at_any_address(void)
{
    char port[16];
    weft_conn *conn;
    hosts_text = "::1 both.test\n127.0.0.1 both.test\n";
    weft_listener *listener = listen_on(v4_any_port);
    snprintf(port, sizeof port, "%d", weft_listener_port(listener));
    weft_listener_close(listener);
    int before = open_descriptors();
    CHECK_EQ(weft_tcp_dial_host("both.test", port, WEFT_NEVER, &conn), -ECONNREFUSED);
    CHECK_EQ(open_descriptors(), before);
    CHECK_EQ(weft_tcp_dial_host("none.test", port, WEFT_NEVER, &conn), -ENOENT);
}

/* A socket on 127.0.0.2 and that port which takes one connection and answers no other. */
struct deaf {
    int fd, filler[4];
};

static bool deaf_open(struct deaf *deaf, int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.2", &at.sin_addr);
    deaf->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(deaf->fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(deaf->fd);
        return false; /* somebody else's */
    }
    CHECK_EQ(listen(deaf->fd, 0), 0);
    for (int i = 0; i < 4; i++) {
        deaf->filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(deaf->filler[i], (struct sockaddr *)&at, sizeof at);
    }
    return true;
}

static void deaf_close(struct deaf *deaf)
{
    for (int i = 0; i < 4; i++)
        close(deaf->filler[i]);
    close(deaf->fd);
}

static void dial_until_cancelled(void *arg)
{
    struct caller *c = arg;
    weft_conn *conn;
    CHECK_EQ(weft_tcp_dial_host_ctx(c->context, "deaf.test", c->port, &conn), -ECANCELED);
    weft_waitgroup_done(&group);
}

static void dials_of_deaf_hosts(weft_listener *listener)
{
    weft_conn *conn;
    struct caller c = {.context = weft_context_new(NULL)};
    int64_t soon = weft_now() + 300 * WEFT_MILLISECOND;

    snprintf(c.port, sizeof c.port, "%d", weft_listener_port(listener));
    hosts_text = "127.0.0.2 half.test\n127.0.0.1 half.test\n"
                 "127.0.0.2 deaf.test\n::ffff:127.0.0.2 deaf.test\n";
    int before = open_descriptors();
    CHECK_EQ(weft_tcp_dial_host("deaf.test", c.port, soon, &conn), -ETIMEDOUT);
    expect_connection("half.test", listener); /* after the head start of the deaf one */
    weft_waitgroup_add(&group, 1);
    go(dial_until_cancelled, &c);
    await_waiting(2); /* the attempt and the dial */
    weft_context_cancel(c.context, 0);
    weft_waitgroup_wait(&group);
    weft_context_free(c.context);
    CHECK_EQ(open_descriptors(), before);
}

static void a_deaf_address_does_not_hold_the_others_up(void)
{
    struct deaf deaf;
    weft_listener *listener = listen_on(v4_any_port);
    while (!deaf_open(&deaf, weft_listener_port(listener))) {
        weft_listener_close(listener);
        listener = listen_on(v4_any_port);
    }
    dials_of_deaf_hosts(listener);
    deaf_close(&deaf);
    weft_listener_close(listener);
}

/* ---- The trace ---- */

static sink trace;
static unsigned seen_waiting, seen_looking_up;

static void trace_a_lookup(void)
{
    weft_trace_stream *to;
    CHECK_EQ(weft_trace_start_callback(weft_tracer_default(), sink_write, &trace, NULL, &to), 0);
    gate_set(0);
    weft_waitgroup_add(&group, 1);
    go(resolve_slowly, &group);
    await_lookups(1);
    await_waiting(1);
    gate_set(1);
    weft_waitgroup_wait(&group);
    CHECK_EQ(weft_trace_stop(to, NULL), 0);
}

static bool text_is(const weft_reader *reader, weft_string string, const char *text)
{
    weft_text t = weft_reader_string(reader, string);
    return t.size == strlen(text) && memcmp(t.data, text, t.size) == 0;
}

static bool is_in(const weft_reader *reader, weft_stack stack, const char *name)
{
    weft_frame frame;
    for (size_t i = 0; i < weft_reader_stack_depth(reader, stack); i++)
        if (weft_reader_stack_frame(reader, stack, i, &frame) == 0 &&
            text_is(reader, frame.function, name))
            return true;
    return false;
}

static void see(void *arg, weft_reader *reader, const weft_event *event)
{
    (void)arg;
    if (event->kind != WEFT_EVENT_STATE_TRANSITION || event->resource != WEFT_RESOURCE_GOROUTINE ||
        event->from != WEFT_STATE_RUNNING)
        return;
    seen_waiting += event->to == WEFT_STATE_WAITING && text_is(reader, event->name, "network") &&
                    is_in(reader, event->resource_stack, "weft_resolve");
    seen_looking_up +=
        event->to == WEFT_STATE_SYSCALL && is_in(reader, event->resource_stack, "look_up");
}

static void test_the_wait_and_the_lookup_are_in_the_trace(void **state)
{
    (void)state;
    for (unsigned procs = 1; procs <= 4; procs *= 2) {
        char name[32];
        seen_waiting = seen_looking_up = 0;
        run_on(procs, trace_a_lookup);
        snprintf(name, sizeof name, "resolve_%u", procs);
        sink_save(&trace, name);
        const char *complaint = check_sink(&trace, see, NULL);
        if (complaint)
            fail_msg("%s", complaint);
        sink_free(&trace);
        assert_true(seen_waiting > 0);
        assert_true(seen_looking_up > 0);
    }
}

ON_ALL_PROCS(numbers_need_no_lookup)
ON_ALL_PROCS(localhost_is_this_host)
ON_ALL_PROCS(names_of_the_hosts_file_have_all_their_addresses_once)
ON_ALL_PROCS(failures_say_what_failed)
ON_ALL_PROCS(addresses_of_unix_sockets_are_text_as_well)
ON_ALL_PROCS(others_run_while_a_name_is_looked_up)
ON_ALL_PROCS(the_wait_ends_at_its_deadline)
ON_ALL_PROCS(callers_leave_at_once_when_cancelled)
ON_ALL_PROCS(the_next_address_is_tried_when_one_refuses)
ON_ALL_PROCS(nobody_listens_at_any_address)
ON_ALL_PROCS(a_deaf_address_does_not_hold_the_others_up)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_of_the_systems_hosts_file), /* before there are threads */
        TEST(numbers_need_no_lookup),
        TEST(localhost_is_this_host),
        TEST(names_of_the_hosts_file_have_all_their_addresses_once),
        TEST(failures_say_what_failed),
        TEST(addresses_of_unix_sockets_are_text_as_well),
        TEST(others_run_while_a_name_is_looked_up),
        TEST(the_wait_ends_at_its_deadline),
        TEST(callers_leave_at_once_when_cancelled),
        TEST(a_runtime_may_end_while_a_name_is_looked_up),
        TEST(no_name_is_looked_up_outside_a_runtime),
        TEST(the_next_address_is_tried_when_one_refuses),
        TEST(nobody_listens_at_any_address),
        TEST(a_deaf_address_does_not_hold_the_others_up),
        TEST(the_wait_and_the_lookup_are_in_the_trace),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
