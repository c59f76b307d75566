/* SPDX-License-Identifier: MIT */
/*
 * pingpong: two goroutines pass a number back and forth through two unbuffered channels: the cost
 * of waking and switching, with nothing else in it.
 *
 * In the trace: two goroutines that take turns on one P. Each send makes the other goroutine
 * runnable next on the sender's P, and each receive that finds nothing switches to it directly, so
 * a second P stays idle.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

static long rounds = 100000;
static weft_chan *ping, *pong;

static void player(void *arg)
{
    long n;
    (void)arg;
    while (weft_chan_recv(ping, &n) == 0)
        weft_chan_send(pong, &n);
    weft_chan_close(pong);
}

static int play(void *arg)
{
    long back;

    (void)arg;
    ping = weft_chan_new(sizeof(long), 0);
    pong = weft_chan_new(sizeof(long), 0);
    if (!ping || !pong || weft_go(player, NULL) != 0)
        return 1;
    int64_t start = weft_now();
    for (long n = 0; n < rounds; n++) {
        weft_chan_send(ping, &n);
        weft_chan_recv(pong, &back);
        if (back != n)
            return 1;
    }
    int64_t took = weft_now() - start;
    printf("%ld round trips, %" PRId64 " ns each\n", rounds, took / rounds);
    weft_chan_close(ping);
    weft_chan_recv(pong, NULL);
    weft_chan_free(ping);
    weft_chan_free(pong);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") != 0)
        rounds = atol(argv[1]);
    if (argc > 2 || rounds < 1 || (argc > 1 && argv[1][0] == '-')) {
        puts("usage: pingpong [ROUNDS]\nMeasures ROUNDS (100000) round trips between two "
             "goroutines.");
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    return weft_run(NULL, play, NULL);
}
