/* SPDX-License-Identifier: MIT */
/*
 * weft_tcp_dial_host(): attempts at several addresses, one after the other, then at once.
 *
 * Design. Each attempt is a goroutine that works in one context and sends how it went to a channel
 * that holds all of them. The caller starts the next one when the one before has failed or its head
 * start is over. The first connection, or the end of the caller's context, ends the context; then
 * the caller receives what the others send, so that no connection is lost and nobody is left
 * behind. It is itself in no context meanwhile: the attempts tell it how the context ended.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "sched/net_open.h"
#include "weft/chan.h"
#include "weft/context.h"
#include "weft/resolve.h"
#include "weft/runtime.h"
#include "weft/time.h"

#define HEAD_START (250 * WEFT_MILLISECOND)
enum { MAX_ATTEMPTS = 16 };

struct race;

struct attempt {
    struct race *race;
    weft_peer peer;
};

struct outcome {
    int error;
    weft_conn *conn;
};

struct race {
    struct attempt attempts[MAX_ATTEMPTS];
    size_t count, started, ended;
    int64_t deadline, next; /* next: when the next attempt begins */
    weft_context *context;
    weft_chan *outcomes;
    int error; /* of the first attempt that failed */
    weft_conn *conn;
};

static void run_attempt(void *arg)
{
    struct attempt *attempt = arg;
    struct race *race = attempt->race;
    struct outcome outcome = {0, NULL};

    weft_context_enter(race->context);
    outcome.error = weft_tcp_dial_peer(&attempt->peer, race->deadline, &outcome.conn);
    weft_context_enter(NULL);
    weft_chan_send(race->outcomes, &outcome);
}

static void note(struct race *race, const struct outcome *outcome)
{
    race->ended++;
    if (outcome->error)
        race->error = race->error ? race->error : outcome->error;
    else if (race->conn)
        weft_conn_close(outcome->conn);
    else
        race->conn = outcome->conn;
}

static void start_next(struct race *race)
{
    struct attempt *attempt = &race->attempts[race->started++];
    int error = weft_go(run_attempt, attempt);
    if (error)
        note(race, &(struct outcome){error, NULL});
    race->next = weft_now() + HEAD_START;
}

static void await_one(struct race *race, int64_t until)
{
    struct outcome outcome;
    if (weft_chan_recv_until(race->outcomes, &outcome, until) == 0)
        note(race, &outcome);
}

/* 0: there is a connection. */
static int run_race(struct race *race)
{
    while (!race->conn && weft_context_error(race->context) == 0) {
        bool more = race->started < race->count;
        if (more && (race->started == race->ended || weft_now() >= race->next))
            start_next(race);
        else if (race->started > race->ended)
            await_one(race, more ? race->next : WEFT_NEVER);
        else
            break;
    }
    int ended = weft_context_error(race->context);
    weft_context_cancel(race->context, 0);
    while (race->started > race->ended)
        await_one(race, WEFT_NEVER);
    return race->conn ? 0 : ended ? ended : race->error;
}

/* The first one from `from` on of the family, or of the other one. */
static size_t next_of(const weft_peer *peers, size_t count, size_t from, sa_family_t family,
                      bool other)
{
    while (from < count && (peer_sockaddr(&peers[from])->sa_family == family) == other)
        from++;
    return from;
}

/* IPv6 and IPv4 in turn, beginning with what the system prefers. */
static void interleave(struct race *race, const weft_peer *peers, size_t count)
{
    size_t at[2] = {0, 0};
    sa_family_t first = peer_sockaddr(&peers[0])->sa_family;

    for (int turn = 0; race->count < count; turn = !turn) {
        size_t i = next_of(peers, count, at[turn], first, turn == 1);
        if (i == count)
            continue; /* the rest is of one family */
        at[turn] = i + 1;
        race->attempts[race->count++] = (struct attempt){race, peers[i]};
    }
}

/* The caller's context may end it. */
static int race_open(struct race *race)
{
    race->context = weft_context_with_deadline(weft_context_current(), race->deadline);
    race->outcomes = weft_chan_new(sizeof(struct outcome), MAX_ATTEMPTS);
    return race->context && race->outcomes ? 0 : -ENOMEM;
}

static int dial_several(const weft_peer *peers, size_t count, int64_t deadline, weft_conn **out)
{
    struct race race = {.deadline = deadline};

    interleave(&race, peers, count);
    int error = race_open(&race);
    if (!error) {
        weft_context *before = weft_context_enter(NULL);
        error = run_race(&race);
        weft_context_enter(before);
    }
    weft_context_free(race.context);
    weft_chan_free(race.outcomes);
    if (!error)
        *out = race.conn;
    return error;
}

int weft_tcp_dial_host(const char *host, const char *port, int64_t deadline, weft_conn **out)
{
    weft_peer peers[MAX_ATTEMPTS];
    int count = weft_resolve_until(host, port, peers, MAX_ATTEMPTS, deadline);
    if (count < 0)
        return count;
    if (count == 1)
        return weft_tcp_dial_peer(&peers[0], deadline, out);
    return dial_several(peers, count < MAX_ATTEMPTS ? (size_t)count : MAX_ATTEMPTS, deadline, out);
}
