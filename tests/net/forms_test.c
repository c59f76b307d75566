/* SPDX-License-Identifier: MIT */
/* Every call that waits for the network, with a deadline and in a context of its own; half closes.
 */
#include "net/loopback.h"

#include <netinet/in.h>

#include "weft/file.h"

/* What the calls below are made with: nobody comes, nothing arrives, and nothing more can be sent.
 */
static weft_listener *tcp, *local;
static weft_conn *silent[2], *silent_datagram[2], *full[2], *full_datagram[2];
static weft_peer full_peer;
static FILE *file;

static char data[64 * 1024];
static struct iovec piece = {data, sizeof data};
static weft_conn *accepted;
static weft_peer from;
static int passed;

#define FORMS(call, ...)                                                                           \
    static int64_t call##_with_deadline(int64_t deadline)                                          \
    {                                                                                              \
        return weft_##call##_until(__VA_ARGS__, deadline);                                         \
    }                                                                                              \
    static int64_t call##_in_context(weft_context *context)                                        \
    {                                                                                              \
        return weft_##call##_ctx(context, __VA_ARGS__);                                            \
    }

FORMS(tcp_accept, tcp, &accepted)
FORMS(unix_accept, local, &accepted)
FORMS(conn_read, silent[0], data, 1)
FORMS(conn_readv, silent[0], &piece, 1)
FORMS(conn_recv_fd, silent[0], data, 1, &passed)
FORMS(conn_recvfrom, silent_datagram[0], data, 1, &from)
FORMS(conn_write, full[0], data, 1)
FORMS(conn_writev, full[0], &piece, 1)
FORMS(conn_sendfile, full[0], fileno(file), 0, 1)
FORMS(conn_send_fd, full[0], data, 1, 0)
FORMS(conn_sendto, full_datagram[0], data, 1, &full_peer)

struct form {
    const char *name;
    int64_t (*with_deadline)(int64_t deadline);
    int64_t (*in_context)(weft_context *context);
    void *waits_on; /* where the address of the connection or listener is */
    enum poll_mode mode;
};

#define FORM(call, object, mode)                                                                   \
    {                                                                                              \
#call, call##_with_deadline, call##_in_context, &(object), mode                            \
    }

static const struct form forms[] = {
    FORM(tcp_accept, tcp, POLL_READ),
    FORM(unix_accept, local, POLL_READ),
    FORM(conn_read, silent[0], POLL_READ),
    FORM(conn_readv, silent[0], POLL_READ),
    FORM(conn_recv_fd, silent[0], POLL_READ),
    FORM(conn_recvfrom, silent_datagram[0], POLL_READ),
    FORM(conn_write, full[0], POLL_WRITE),
    FORM(conn_writev, full[0], POLL_WRITE),
    FORM(conn_sendfile, full[0], POLL_WRITE),
    FORM(conn_send_fd, full[0], POLL_WRITE),
    FORM(conn_sendto, full_datagram[0], POLL_WRITE),
};
enum { FORM_COUNT = sizeof forms / sizeof *forms };

/* ---- Sockets that make everybody wait ---- */

static void abstract_name(char out[64])
{
    static unsigned count;
    snprintf(out, 64, "@weft-forms-%d-%u", (int)getpid(), count++);
}

static void fill_datagrams(void)
{
    char name[64], other[64];
    abstract_name(name);
    abstract_name(other);
    CHECK_EQ(weft_unix_datagram_bind(other, &full_datagram[0]), 0);
    CHECK_EQ(weft_unix_datagram_bind(name, &full_datagram[1]), 0);
    CHECK_EQ(weft_peer_from_path(name, &full_peer), 0);
    while (weft_conn_sendto_until(full_datagram[0], data, 1, &full_peer, 1) == 1)
        ;
}

static void open_all(void)
{
    char name[64];
    abstract_name(name);
    tcp = listen_on(v4_any_port);
    CHECK_EQ(weft_unix_listen(name, &local), 0);
    CHECK_EQ(weft_unix_pair(false, silent), 0);
    CHECK_EQ(weft_unix_pair(true, silent_datagram), 0);
    CHECK_EQ(weft_unix_pair(false, full), 0);
    while (weft_conn_write_until(full[0], data, sizeof data, 1) > 0)
        ;
    fill_datagrams();
    file = tmpfile();
    CHECK(file && fputc('x', file) == 'x' && fflush(file) == 0);
}

static void close_all(void)
{
    weft_listener_close(tcp);
    weft_listener_close(local);
    pair_close((struct pair){silent[0], silent[1]});
    pair_close((struct pair){silent_datagram[0], silent_datagram[1]});
    pair_close((struct pair){full[0], full[1]});
    pair_close((struct pair){full_datagram[0], full_datagram[1]});
    fclose(file);
}

static void expect_result(const struct form *form, int64_t result, int64_t expected)
{
    if (result == expected)
        return;
    fprintf(stderr, "%s returned %" PRId64 ", not %" PRId64 "\n", form->name, result, expected);
    abort();
}

/* ---- Deadlines ---- */

static void each_call_ends_at_its_own_deadline(void)
{
    open_all();
    for (const struct form *form = forms; form < forms + FORM_COUNT; form++) {
        int64_t deadline = weft_now() + 2 * WEFT_MILLISECOND;
        expect_result(form, form->with_deadline(deadline), -ETIMEDOUT);
        CHECK(weft_now() >= deadline);
        expect_result(form, form->with_deadline(1), -ETIMEDOUT); /* it is past */
    }
    close_all();
}

static void the_deadline_of_the_connection_counts_as_well(void)
{
    open_all();
    weft_conn_set_read_deadline(silent[0], weft_now() + WEFT_MILLISECOND);
    weft_conn_set_write_deadline(full[0], weft_now() + WEFT_MILLISECOND);
    weft_listener_set_deadline(tcp, weft_now() + WEFT_MILLISECOND);
    CHECK_EQ(conn_read_with_deadline(weft_now() + 1000 * WEFT_SECOND), -ETIMEDOUT);
    CHECK_EQ(conn_write_with_deadline(weft_now() + 1000 * WEFT_SECOND), -ETIMEDOUT);
    CHECK_EQ(tcp_accept_with_deadline(weft_now() + 1000 * WEFT_SECOND), -ETIMEDOUT);
    close_all();
}

static void a_call_after_the_one_that_ended_has_no_deadline(void)
{
    struct pair p = tcp_pair();
    char byte;
    CHECK_EQ(weft_conn_read_until(p.a, &byte, 1, weft_now() + WEFT_MILLISECOND), -ETIMEDOUT);
    write_all(p.b, "x", 1);
    CHECK_EQ(weft_conn_read(p.a, &byte, 1), 1);
    CHECK_EQ(weft_conn_read_until(p.a, &byte, 1, weft_now() + WEFT_MILLISECOND), -ETIMEDOUT);
    pair_close(p);
}

static void what_can_be_done_at_once_is_done_after_the_deadline(void)
{
    weft_conn *ends[2];
    char two[2];
    int fd;

    CHECK_EQ(weft_unix_pair(false, ends), 0);
    CHECK_EQ(weft_conn_write_until(ends[0], "a", 1, 1), 1);
    CHECK_EQ(weft_conn_send_fd_until(ends[0], "b", 1, 0, 1), 1);
    CHECK_EQ(weft_conn_read_until(ends[1], two, 1, 1), 1);
    CHECK_EQ(weft_conn_recv_fd_until(ends[1], two + 1, 1, &fd, 1), 1);
    CHECK(two[0] == 'a' && two[1] == 'b' && fd >= 0);
    close(fd);
    pair_close((struct pair){ends[0], ends[1]});
}

/* ---- Contexts ---- */

struct call {
    const struct form *form;
    weft_context *context;
    weft_waitgroup done;
};

static void call_in_context(void *arg)
{
    struct call *call = arg;
    expect_result(call->form, call->form->in_context(call->context), -ECANCELED);
    weft_waitgroup_done(&call->done);
}

static void each_call_ends_with_its_own_context(void)
{
    open_all();
    for (const struct form *form = forms; form < forms + FORM_COUNT; form++) {
        struct call call = {.form = form, .context = weft_context_new(NULL)};
        weft_waitgroup_add(&call.done, 1);
        go(call_in_context, &call);
        await_parked(*(void *const *)form->waits_on, form->mode, 1);
        weft_context_cancel(call.context, 0);
        weft_waitgroup_wait(&call.done);
        expect_result(form, form->in_context(call.context), -ECANCELED); /* it has ended */
        weft_context_free(call.context);
    }
    CHECK(weft_context_current() == NULL);
    close_all();
}

static void each_call_ends_with_the_deadline_of_its_context(void)
{
    open_all();
    for (const struct form *form = forms; form < forms + FORM_COUNT; form++) {
        weft_context *context = weft_context_with_timeout(NULL, 2 * WEFT_MILLISECOND);
        expect_result(form, form->in_context(context), -ETIMEDOUT);
        weft_context_free(context);
    }
    close_all();
}

/* ---- Dials ---- */

/* A listener on loopback, or with a name, whose queue is full: further dials wait. */
static int full_listener(const struct sockaddr *at, socklen_t size, int fillers[4])
{
    struct sockaddr_storage there = {0};
    socklen_t length = sizeof there;
    int fd = socket(at->sa_family, SOCK_STREAM, 0);
    CHECK_EQ(bind(fd, at, size), 0);
    CHECK_EQ(listen(fd, 0), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&there, &length), 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&there, length);
    }
    return fd;
}

static void close_full(int fd, const int fillers[4])
{
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(fd);
}

struct dialer {
    weft_context *context;
    const char *address;
    bool local;
    weft_waitgroup done;
};

static int dial_in_context(const struct dialer *d, weft_context *context)
{
    weft_conn *conn;
    return d->local ? weft_unix_dial_ctx(context, d->address, &conn)
                    : weft_tcp_dial_ctx(context, d->address, &conn);
}

static void dial_until_cancelled(void *arg)
{
    struct dialer *d = arg;
    CHECK_EQ(dial_in_context(d, d->context), -ECANCELED);
    weft_waitgroup_done(&d->done);
}

static void dial_ends_with_its_context(const char *address, bool is_local)
{
    struct dialer d = {.context = weft_context_new(NULL), .address = address, .local = is_local};
    weft_waitgroup_add(&d.done, 1);
    go(dial_until_cancelled, &d);
    weft_sleep(2 * WEFT_MILLISECOND);
    weft_context_cancel(d.context, 0);
    weft_waitgroup_wait(&d.done);
    weft_context_free(d.context);
    weft_context *brief = weft_context_with_timeout(NULL, 2 * WEFT_MILLISECOND);
    CHECK_EQ(dial_in_context(&d, brief), -ETIMEDOUT);
    weft_context_free(brief);
}

static void dials_end_with_their_context(void)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof v4;
    char address[64];
    int fillers[4];
    int fd = full_listener((struct sockaddr *)&v4, sizeof v4, fillers);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&v4, &size), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(v4.sin_port));
    dial_ends_with_its_context(address, false);
    close_full(fd, fillers);

    weft_peer peer;
    abstract_name(address);
    CHECK_EQ(weft_peer_from_path(address, &peer), 0);
    fd = full_listener((const struct sockaddr *)(const void *)peer.words, peer.size, fillers);
    dial_ends_with_its_context(address, true);
    close_full(fd, fillers);
}

/* ---- Turns ---- */

/* The one ahead holds the turn; the others have deadlines of their own. */
static void write_in_turn(void *arg)
{
    struct call *call = arg;
    CHECK_EQ(weft_conn_write_ctx(call->context, full[0], data, 1), -ECANCELED);
    weft_waitgroup_done(&call->done);
}

static void a_writer_in_the_queue_ends_at_its_own_deadline(void)
{
    struct call call = {.context = weft_context_new(NULL)};
    open_all();
    weft_waitgroup_add(&call.done, 1);
    go(write_in_turn, &call);
    await_parked(full[0], POLL_WRITE, 1);
    CHECK_EQ(conn_write_with_deadline(weft_now() + 2 * WEFT_MILLISECOND), -ETIMEDOUT);
    weft_context_cancel(call.context, 0);
    weft_waitgroup_wait(&call.done);
    weft_context_free(call.context);
    close_all();
}

/* ---- Half closes ---- */

static void reply_follows_the_end_of_the_request(void)
{
    struct pair p = tcp_pair();
    char reply[5];

    write_all(p.a, "ask", 3);
    CHECK_EQ(weft_conn_shutdown_write(p.a), 0);
    CHECK_EQ(weft_conn_write(p.a, "x", 1), -EPIPE);
    read_exactly(p.b, reply, 3);
    CHECK_EQ(weft_conn_read(p.b, reply, 1), 0);
    write_all(p.b, "reply", 5);
    read_exactly(p.a, reply, 5);
    CHECK(memcmp(reply, "reply", 5) == 0);
    pair_close(p);
}

static weft_waitgroup group;

static void read_to_the_end(void *conn)
{
    char byte;
    CHECK_EQ(weft_conn_read(conn, &byte, 1), 0);
    weft_waitgroup_done(&group);
}

static void end_the_reads_of(struct pair p)
{
    char byte;

    weft_waitgroup_add(&group, 1);
    go(read_to_the_end, p.a);
    await_parked(p.a, POLL_READ, 1);
    CHECK_EQ(weft_conn_shutdown_read(p.a), 0);
    weft_waitgroup_wait(&group);
    CHECK_EQ(weft_conn_read(p.a, &byte, 1), 0);
    write_all(p.a, "x", 1); /* the other direction goes on */
    read_exactly(p.b, &byte, 1);
}

static void a_waiting_reader_ends_when_reads_are_shut_down(void)
{
    struct pair p = tcp_pair();
    weft_conn *ends[2];

    end_the_reads_of(p);
    pair_close(p);
    CHECK_EQ(weft_unix_pair(false, ends), 0);
    p = (struct pair){ends[0], ends[1]};
    end_the_reads_of(p);
    CHECK_EQ(weft_conn_write(p.b, "x", 1), -EPIPE);
    pair_close(p);
}

static void a_pipe_has_no_half_close(void)
{
    weft_conn *ends[2];
    CHECK_EQ(weft_pipe(ends), 0);
    CHECK_EQ(weft_conn_shutdown_write(ends[1]), -ENOTSOCK);
    CHECK_EQ(weft_conn_shutdown_read(ends[0]), -ENOTSOCK);
    pair_close((struct pair){ends[0], ends[1]});
}

ON_ALL_PROCS(each_call_ends_at_its_own_deadline)
ON_ALL_PROCS(the_deadline_of_the_connection_counts_as_well)
ON_ALL_PROCS(a_call_after_the_one_that_ended_has_no_deadline)
ON_ALL_PROCS(what_can_be_done_at_once_is_done_after_the_deadline)
ON_ALL_PROCS(each_call_ends_with_its_own_context)
ON_ALL_PROCS(each_call_ends_with_the_deadline_of_its_context)
ON_ALL_PROCS(dials_end_with_their_context)
ON_ALL_PROCS(a_writer_in_the_queue_ends_at_its_own_deadline)
ON_ALL_PROCS(reply_follows_the_end_of_the_request)
ON_ALL_PROCS(a_waiting_reader_ends_when_reads_are_shut_down)
ON_ALL_PROCS(a_pipe_has_no_half_close)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(each_call_ends_at_its_own_deadline),
        TEST(the_deadline_of_the_connection_counts_as_well),
        TEST(a_call_after_the_one_that_ended_has_no_deadline),
        TEST(what_can_be_done_at_once_is_done_after_the_deadline),
        TEST(each_call_ends_with_its_own_context),
        TEST(each_call_ends_with_the_deadline_of_its_context),
        TEST(dials_end_with_their_context),
        TEST(a_writer_in_the_queue_ends_at_its_own_deadline),
        TEST(reply_follows_the_end_of_the_request),
        TEST(a_waiting_reader_ends_when_reads_are_shut_down),
        TEST(a_pipe_has_no_half_close),
    };
    choose_tests(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
