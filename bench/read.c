/* SPDX-License-Identifier: MIT */
/* read FILE [THREADS]: every event of a trace through the reader: events a second, and peak memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <weft/reader.h>

#include "rounds.h"

int main(int argc, char **argv)
{
    weft_reader *reader = NULL;
    weft_event event;
    weft_reader_options options = {.size = sizeof options,
                                   .threads = argc > 2 ? (unsigned)atoi(argv[2]) : 1};
    if (argc < 2) {
        fputs("usage: read FILE [THREADS]\n", stderr);
        return 2;
    }
    double begin = bench_seconds();
    long events = 0;
    int status = weft_reader_open_path(&reader, argv[1]);
    if (status == 0)
        status = weft_reader_configure(reader, &options);
    while (status >= 0 && (status = weft_reader_next(reader, &event)) == 1)
        events++;
    double took = bench_seconds() - begin;
    if (status < 0)
        fprintf(stderr, "read: %s\n", reader ? weft_reader_error_get(reader)->message : "memory");
    weft_reader_free(reader);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("read/events %ld count\nread/rate %.6g 1/s\nread/peak_rss %.5g MiB\n", events,
           (double)events / took, (double)usage.ru_maxrss / 1024);
    return status < 0;
}
