/* SPDX-License-Identifier: MIT */
/*
 * Prints the minimum mutator utilisation of a trace for all that may count and for many windows, as
 * tests/reader/reference/mmu.go prints what Go's tool says.
 */
#include <inttypes.h>
#include <stdio.h>

#include <weft/collector.h>

static int print(const char *path, unsigned flags)
{
    weft_reader *reader;
    weft_mmu *mmu;
    weft_event event;
    int status;
    if (weft_reader_open_path(&reader, path) || weft_mmu_new(&mmu, reader, flags))
        return 2;
    while ((status = weft_reader_next(reader, &event)) == 1)
        if (weft_mmu_event(mmu, &event))
            return 2;
    if (status || weft_mmu_finish(mmu))
        return 2;
    for (int64_t window = 1000; window <= 1000000000; window *= 10) {
        printf("%u %" PRId64 " %.9f\n", flags, window, weft_mmu_minimum(mmu, window, NULL));
        printf("%u %" PRId64 " %.9f\n", flags, window * 3, weft_mmu_minimum(mmu, window * 3, NULL));
    }
    weft_mmu_free(mmu);
    weft_reader_free(reader);
    return 0;
}

int main(int argc, char **argv)
{
    int status = argc == 2 ? 0 : 2;
    unsigned all = WEFT_MMU_STW | WEFT_MMU_BACKGROUND | WEFT_MMU_ASSIST | WEFT_MMU_SWEEP;
    for (unsigned flags = 1; flags <= all && !status; flags++) {
        status = print(argv[1], flags);
        if (!status)
            status = print(argv[1], flags | WEFT_MMU_PER_PROC);
    }
    return status;
}
