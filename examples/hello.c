/* SPDX-License-Identifier: MIT */
/*
 * hello: three goroutines send greetings through a channel to the main one.
 *
 * In the trace (WEFT_TRACE=hello.trace build/examples/hello): main creates three goroutines and
 * blocks in the channel
 * ("chan receive"); each greeter unblocks it once, sleeps for a moment ("sleep") and ends. Sending
 * to a main that waits hands the element over directly, so the channel is never full.
 */
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

enum { GREETERS = 3 };

struct greeting {
    char text[40];
};

static weft_chan *greetings;

static void greet(void *arg)
{
    const char *name = arg;
    struct greeting g;

    weft_sleep(WEFT_MILLISECOND * (int64_t)strlen(name));
    snprintf(g.text, sizeof g.text, "hello, %s", name);
    weft_chan_send(greetings, &g);
}

static int hello(void *arg)
{
    static char *names[GREETERS] = {"warp", "weft", "world"};

    (void)arg;
    greetings = weft_chan_new(sizeof(struct greeting), 0);
    if (!greetings)
        return 1;
    for (int i = 0; i < GREETERS; i++)
        if (weft_go(greet, names[i]) != 0)
            return 1;
    for (int i = 0; i < GREETERS; i++) {
        struct greeting g;
        weft_chan_recv(greetings, &g);
        puts(g.text);
    }
    weft_chan_free(greetings);
    return 0;
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        puts("usage: hello\nThree goroutines greet through a channel.");
        return 0;
    }
    return weft_run(NULL, hello, NULL);
}
