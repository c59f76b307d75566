/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <weft/weft.h>

static void squares(void *chan)
{
    for (int i = 1; i <= 3; i++) {
        weft_sleep(10 * WEFT_MILLISECOND);
        weft_chan_send(chan, &(int){i * i});
    }
    weft_chan_close(chan);
}

static int run(void *arg)
{
    weft_chan *chan = weft_chan_new(sizeof(int), 0);
    (void)arg;
    weft_go(squares, chan);
    for (int n; weft_chan_recv(chan, &n) == 0;)
        printf("%d\n", n);
    weft_chan_free(chan);
    return 0;
}

int main(void)
{
    return weft_run(NULL, run, NULL);
}
