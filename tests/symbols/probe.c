/* SPDX-License-Identifier: MIT */
/* Prints "FUNCTION FILE LINE" of some addresses of its own. With an argument: removes its own file
 * before. */
#include "trace/symbols.h"

#include <stdio.h>
#include <unistd.h>

#include "sample.h"

static void print(trace_symbols *s, uintptr_t pc, bool exact)
{
    trace_frame frames[16];
    unsigned n = trace_symbols_resolve(s, pc, exact, frames, 16);
    for (unsigned i = 0; i < n; i++)
        printf("%s %s %u\n", frames[i].func, frames[i].file, frames[i].line);
    printf("\n");
}

int main(int argc, char **argv)
{
    if (argc > 1 && unlink(argv[0]) != 0)
        return 2;
    trace_symbols *s = trace_symbols_new();
    print(s, sample_outer(), false);
    print(s, (uintptr_t)sample_here, true);
    print(s, (uintptr_t)main, true);
    trace_symbols_free(s);
    return 0;
}
