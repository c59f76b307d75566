/* SPDX-License-Identifier: MIT */
/* Twin of TestTraceGOMAXPROCS: the number of Ps goes up and down again while goroutines yield,
 * sleep and block. */
#include "twins/twin.h"

enum { WORKERS = 8, ROUNDS = 5 };

struct state {
    uint32_t stop; /* atomic */
    weft_chan *chan;
    weft_waitgroup done;
};

static void work(void *arg)
{
    struct state *s = arg;
    for (int i = 0; !__atomic_load_n(&s->stop, __ATOMIC_RELAXED); i++) {
        weft_yield();
        if (i % 16 == 0)
            weft_sleep(50 * WEFT_MICROSECOND);
        else if (i % 4 == 0)
            (void)weft_chan_send_until(s->chan, &i, weft_now() + 20 * WEFT_MICROSECOND);
        else if (i % 4 == 2)
            (void)weft_chan_recv_until(s->chan, NULL, weft_now() + 20 * WEFT_MICROSECOND);
    }
    weft_waitgroup_done(&s->done);
}

static void program(struct twin_run *run)
{
    struct state s = {.chan = weft_chan_new(sizeof(int), 0)};
    int before = weft_procs(0);
    weft_waitgroup_add(&s.done, WORKERS);
    for (int i = 0; i < WORKERS; i++)
        twin_go(work, &s);
    twin_start(run);
    for (int round = 0; round < ROUNDS; round++) {
        for (int n = 1; n <= 16; n *= 2) {
            CHECK(weft_procs(n) > 0);
            weft_sleep(WEFT_MILLISECOND);
        }
        for (int n = 16; n >= 1; n /= 2) {
            CHECK(weft_procs(n) > 0);
            weft_sleep(WEFT_MILLISECOND);
        }
    }
    CHECK(weft_procs(before) == 1);
    __atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
    weft_waitgroup_wait(&s.done);
    twin_stop(run);
    weft_chan_free(s.chan);
}

int main(int argc, char **argv)
{
    static const struct twin twin = {"gomaxprocs", program, NULL};
    return twin_main(&twin, argc, argv);
}
