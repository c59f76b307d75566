/* SPDX-License-Identifier: MIT */
/* Deadlines of read, write, accept and dial: past, coming, moved while somebody waits. */
#include "net/loopback.h"

static weft_waitgroup group;

/* Generous: the machine may be busy. */
static const int64_t soon = 30 * WEFT_MILLISECOND, late = 20 * WEFT_SECOND;

static void check_passed(int64_t start, int64_t least)
{
    int64_t took = weft_now() - start;
    CHECK(took >= least);
    CHECK(took < late);
}

static void read_ends_at_its_deadline(void)
{
    struct pair p = tcp_pair();
    char byte;
    int64_t start = weft_now();

    weft_conn_set_read_deadline(p.a, start + soon);
    CHECK_EQ(weft_conn_read(p.a, &byte, 1), -ETIMEDOUT);
    check_passed(start, soon);
    CHECK_EQ(weft_conn_read(p.a, &byte, 1), -ETIMEDOUT); /* it stays past */
    write_all(p.a, "x", 1);                              /* the other direction has none */
    read_exactly(p.b, &byte, 1);
    weft_conn_set_read_deadline(p.a, WEFT_NEVER);
    write_all(p.b, "y", 1);
    read_exactly(p.a, &byte, 1);
    pair_close(p);
}

static void data_that_is_there_is_read_after_the_deadline(void)
{
    struct pair p = tcp_pair();
    char byte = 0;
    write_all(p.b, "x", 1);
    weft_conn_set_read_deadline(p.a, 1);
    while (weft_conn_read(p.a, &byte, 1) == -ETIMEDOUT)
        weft_yield(); /* until it has arrived */
    CHECK_EQ(byte, 'x');
    pair_close(p);
}

static void write_ends_at_its_deadline(void)
{
    enum { SIZE = 32 * 1024 * 1024 };
    struct pair p = tcp_pair();
    char *data = calloc(1, SIZE);
    int64_t start = weft_now();

    weft_conn_set_write_deadline(p.a, start + soon);
    CHECK_EQ(weft_conn_write(p.a, data, SIZE), -ETIMEDOUT);
    check_passed(start, soon);
    free(data);
    pair_close(p);
}

static void write_large(void *arg)
{
    enum { SIZE = 32 * 1024 * 1024 };
    char *data = calloc(1, SIZE);
    CHECK_EQ(weft_conn_write(arg, data, SIZE), -ETIMEDOUT);
    free(data);
    weft_waitgroup_done(&group);
}

static void deadline_also_ends_writers_that_wait_for_their_turn(void)
{
    struct pair p = tcp_pair();
    weft_waitgroup_add(&group, 3);
    for (int i = 0; i < 3; i++)
        go(write_large, p.a);
    await_parked(p.a, POLL_WRITE, 3);
    weft_conn_set_write_deadline(p.a, weft_now() + soon);
    weft_waitgroup_wait(&group);
    CHECK_EQ(weft_conn_write(p.a, "", 0), 0); /* the turn is free again */
    pair_close(p);
}

static void accept_ends_at_its_deadline(void)
{
    weft_listener *listener = listen_on(v4_any_port);
    weft_conn *conn;
    int64_t start = weft_now();

    weft_listener_set_deadline(listener, start + soon);
    CHECK_EQ(weft_tcp_accept(listener, &conn), -ETIMEDOUT);
    check_passed(start, soon);
    weft_listener_set_deadline(listener, WEFT_NEVER);
    struct pair p = {dial(listener, false), accept_from(listener)};
    pair_close(p);
    weft_listener_close(listener);
}

static void dial_ends_at_its_deadline(void)
{
    enum { TRIES = 8 };
    char address[64];
    int fd = deaf_listener(address), connected = 0, error = 0;
    weft_conn *conns[TRIES];
    int64_t start = weft_now();

    while (connected < TRIES && !error) {
        start = weft_now();
        error = weft_tcp_dial(address, start + soon, &conns[connected]);
        connected += !error;
    }
    CHECK_EQ(error, -ETIMEDOUT);
    check_passed(start, soon);
    while (connected > 0)
        weft_conn_close(conns[--connected]);
    close(fd);
}

static void dial_of_a_closed_port_is_refused(void)
{
    char address[64];
    weft_conn *conn;
    weft_listener *listener = listen_on(v4_any_port);
    address_of(listener, false, address);
    weft_listener_close(listener);
    for (int i = 0; i < 200; i++)
        CHECK_EQ(weft_tcp_dial(address, weft_now() + late, &conn), -ECONNREFUSED);
    CHECK_EQ(weft_tcp_dial(":80", WEFT_NEVER, &conn), -EINVAL);
    CHECK_EQ(weft_tcp_dial("nonsense", WEFT_NEVER, &conn), -EINVAL);
    CHECK_EQ(weft_tcp_listen("nonsense", &listener), -EINVAL);
}

/* ---- Deadlines that move ---- */

struct waiting_read {
    weft_conn *conn;
    ssize_t result;
    int64_t ended;
};

static void wait_for_data(void *arg)
{
    struct waiting_read *w = arg;
    char byte;
    w->result = weft_conn_read(w->conn, &byte, 1);
    w->ended = weft_now();
    weft_waitgroup_done(&group);
}

/* Moves the deadline of a read that waits already from `first` to `second` and returns how it
 * ended. */
static int64_t read_with_moved_deadline(int64_t first, int64_t second)
{
    struct pair p = tcp_pair();
    struct waiting_read w = {.conn = p.a};
    int64_t start = weft_now();

    weft_conn_set_read_deadline(p.a, first == WEFT_NEVER ? first : start + first);
    weft_waitgroup_add(&group, 1);
    go(wait_for_data, &w);
    await_parked(p.a, POLL_READ, 1);
    weft_conn_set_read_deadline(p.a, start + second);
    weft_waitgroup_wait(&group);
    CHECK_EQ(w.result, -ETIMEDOUT);
    pair_close(p);
    return w.ended - start;
}

static void deadline_set_while_a_goroutine_waits_is_kept(void)
{
    CHECK(read_with_moved_deadline(WEFT_NEVER, soon) >= soon);
}

static void deadline_moved_ahead_while_a_goroutine_waits_is_kept(void)
{
    CHECK(read_with_moved_deadline(2 * late, soon) < late);
}

static void deadline_moved_away_while_a_goroutine_waits_is_kept(void)
{
    int64_t away = 10 * soon;
    CHECK(read_with_moved_deadline(5 * soon, away) >= away);
}

static void deadline_in_the_past_wakes_who_waits(void)
{
    CHECK(read_with_moved_deadline(WEFT_NEVER, -WEFT_SECOND) < late);
}

/* What an idle time-out of a server does: the deadline moves ahead with each message. */
static void deadline_that_moves_with_each_message_never_strikes(void)
{
    struct pair p = tcp_pair();
    char byte;
    for (int i = 0; i < 200; i++) {
        weft_conn_set_read_deadline(p.a, weft_now() + late);
        if (i % 20 == 0)
            weft_sleep(WEFT_MILLISECOND);
        write_all(p.b, "x", 1);
        read_exactly(p.a, &byte, 1);
    }
    weft_conn_set_read_deadline(p.a, weft_now() + soon);
    CHECK_EQ(weft_conn_read(p.a, &byte, 1), -ETIMEDOUT);
    pair_close(p);
}

/* The timer of a connection that was closed may fire for the next user of its record, which must
 * not notice. */
static void timers_of_closed_connections_strike_nobody(void)
{
    char byte;
    for (int i = 0; i < ROUNDS(400); i++) {
        struct pair p = tcp_pair();
        weft_conn_set_read_deadline(p.a, weft_now() + (i % 5) * 100 * WEFT_MICROSECOND);
        (void)weft_conn_read(p.a, &byte, 1);
        weft_conn_set_read_deadline(p.b, weft_now() + WEFT_MILLISECOND);
        pair_close(p);

        p = tcp_pair();
        struct waiting_read w = {.conn = p.a};
        weft_waitgroup_add(&group, 1);
        go(wait_for_data, &w);
        weft_yield();
        write_all(p.b, "x", 1);
        weft_waitgroup_wait(&group);
        CHECK_EQ(w.result, 1);
        pair_close(p);
    }
}

ON_ALL_PROCS(read_ends_at_its_deadline)
ON_ALL_PROCS(data_that_is_there_is_read_after_the_deadline)
ON_ALL_PROCS(write_ends_at_its_deadline)
ON_ALL_PROCS(deadline_also_ends_writers_that_wait_for_their_turn)
ON_ALL_PROCS(accept_ends_at_its_deadline)
ON_ALL_PROCS(dial_ends_at_its_deadline)
ON_ALL_PROCS(dial_of_a_closed_port_is_refused)
ON_ALL_PROCS(deadline_set_while_a_goroutine_waits_is_kept)
ON_ALL_PROCS(deadline_moved_ahead_while_a_goroutine_waits_is_kept)
ON_ALL_PROCS(deadline_moved_away_while_a_goroutine_waits_is_kept)
ON_ALL_PROCS(deadline_in_the_past_wakes_who_waits)
ON_ALL_PROCS(deadline_that_moves_with_each_message_never_strikes)
ON_ALL_PROCS(timers_of_closed_connections_strike_nobody)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(read_ends_at_its_deadline),
        TEST(data_that_is_there_is_read_after_the_deadline),
        TEST(write_ends_at_its_deadline),
        TEST(deadline_also_ends_writers_that_wait_for_their_turn),
        TEST(accept_ends_at_its_deadline),
        TEST(dial_ends_at_its_deadline),
        TEST(dial_of_a_closed_port_is_refused),
        TEST(deadline_set_while_a_goroutine_waits_is_kept),
        TEST(deadline_moved_ahead_while_a_goroutine_waits_is_kept),
        TEST(deadline_moved_away_while_a_goroutine_waits_is_kept),
        TEST(deadline_in_the_past_wakes_who_waits),
        TEST(deadline_that_moves_with_each_message_never_strikes),
        TEST(timers_of_closed_connections_strike_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
