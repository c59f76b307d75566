/* SPDX-License-Identifier: MIT */
/*
 * sieve: the concurrent prime sieve of C. A. R. Hoare's "Communicating Sequential Processes" (1978,
 * after M. D. McIlroy): a chain of goroutines, one for each prime found, each of which passes on
 * what its prime does not divide.
 *
 * In the trace: one goroutine more with each prime, blocked in "chan send" and "chan receive"
 * nearly all the time; the work travels down the chain as goroutines make each other runnable. When
 * the numbers run out the end of the channel travels the same way and every goroutine ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

struct filter {
    weft_chan *in, *out;
    int prime;
};

static int limit = 2000;

/* Sends 2, 3, 4, … below the limit. */
static void generate(void *arg)
{
    weft_chan *out = arg;
    for (int n = 2; n < limit; n++)
        weft_chan_send(out, &n);
    weft_chan_close(out);
}

static void filter(void *arg)
{
    struct filter *f = arg;
    int n;
    while (weft_chan_recv(f->in, &n) == 0)
        if (n % f->prime != 0)
            weft_chan_send(f->out, &n);
    weft_chan_close(f->out);
    weft_chan_free(f->in);
    free(f);
}

/* Puts a filter for prime behind `in` and returns its output, or NULL. */
static weft_chan *add_filter(weft_chan *in, int prime)
{
    struct filter *f = malloc(sizeof *f);
    weft_chan *out = weft_chan_new(sizeof(int), 0);
    if (!f || !out)
        return NULL;
    *f = (struct filter){in, out, prime};
    return weft_go(filter, f) == 0 ? out : NULL;
}

static int sieve(void *arg)
{
    weft_chan *end = weft_chan_new(sizeof(int), 0);
    int count = 0, last = 0, prime;

    (void)arg;
    if (!end || weft_go(generate, end) != 0)
        return 1;
    while (weft_chan_recv(end, &prime) == 0) {
        count++;
        last = prime;
        end = add_filter(end, prime);
        if (!end) {
            fputs("sieve: out of memory\n", stderr);
            return 1;
        }
    }
    weft_chan_free(end);
    printf("%d primes below %d, the last is %d\n", count, limit, last);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--help") != 0)
        limit = atoi(argv[1]);
    if (argc > 2 || limit < 3 || (argc > 1 && argv[1][0] == '-')) {
        puts("usage: sieve [LIMIT]\nCounts the primes below LIMIT (2000), with a goroutine for "
             "each.");
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    return weft_run(NULL, sieve, NULL);
}
