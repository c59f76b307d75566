/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "session.h"

enum { MAX_PLACES = 8 };

struct place {
    const char *text; /* without prefixes */
    bool secure, local;
    weft_listener *listener;
};

static struct place places[MAX_PLACES];
static size_t place_count;

static bool skip(const char **text, const char *prefix)
{
    size_t size = strlen(prefix);
    if (strncmp(*text, prefix, size) != 0)
        return false;
    *text += size;
    return true;
}

bool listen_add(const char *where)
{
    if (place_count == MAX_PLACES)
        return false;
    struct place *place = &places[place_count++];
    place->secure = skip(&where, "tls:");
    place->local = skip(&where, "unix:");
    place->text = where;
    return true;
}

bool listen_needs_tls(void)
{
    for (size_t i = 0; i < place_count; i++)
        if (places[i].secure)
            return true;
    return false;
}

static void complain(const char *what, int error)
{
    fprintf(stderr, "http_server: %s: %s\n", what, strerror(-error));
}

static void announce(const struct place *place)
{
    const char *scheme = place->secure ? "https" : "http";
    int host = (int)(strrchr(place->text, ':') - place->text);
    printf("listening on %s://%.*s:%d\n", scheme, host, place->text,
           weft_listener_port(place->listener));
}

static int open_place(struct place *place)
{
    int error = place->local ? weft_unix_listen(place->text, &place->listener)
                             : weft_tcp_listen(place->text, &place->listener);
    if (error)
        complain(place->text, error);
    else if (place->local)
        printf("listening on %sunix:%s\n", place->secure ? "tls:" : "", place->text);
    else
        announce(place);
    return error;
}

int listen_open(void)
{
    int error = 0;
    for (size_t i = 0; i < place_count && !error; i++)
        error = open_place(&places[i]);
    fflush(stdout);
    return error;
}

/* ---- Accepting ---- */

/* Not enough of something: it may pass. */
static bool is_passing(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

static int accept_one(const struct place *place)
{
    weft_conn *conn;
    int error = weft_tcp_accept(place->listener, &conn);
    return error ? error : session_start(conn, place->secure);
}

/* In the scope's context, whose end ends the wait. */
static int accept_all(void *arg)
{
    const struct place *place = arg;
    int last = 0;
    while (!server_is_ending()) {
        int error = accept_one(place);
        if (is_passing(error)) {
            if (error != last)
                complain("accept, trying on", error);
            weft_sleep(10 * WEFT_MILLISECOND);
        } else if (error && error != -ECANCELED) {
            complain("accept", error);
            kill(getpid(), SIGTERM);
            return error;
        }
        last = error;
    }
    return 0;
}

int listen_start(weft_scope *scope)
{
    int error = 0;
    for (size_t i = 0; i < place_count && !error; i++)
        error = weft_scope_go(scope, accept_all, &places[i]);
    return error;
}

void listen_close(void)
{
    for (size_t i = 0; i < place_count; i++) {
        if (!places[i].listener)
            continue;
        weft_listener_close(places[i].listener);
        if (places[i].local && places[i].text[0] != '@')
            unlink(places[i].text);
    }
}
