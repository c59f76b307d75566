/* SPDX-License-Identifier: MIT */
#ifndef WEFT_TESTS_MADE_TRACE_H
#define WEFT_TESTS_MADE_TRACE_H

/*
 * Traces made by hand, as raw text, for analyses. Texts by number: 1 network, 2 sync, 3 forever, 4
 * leaf, 5 root, 6 a.c, 7 "work; hard", 8 runtime.park, 9 other, 10 key, 11 "GC (dedicated)".
 * Stacks, innermost frame first: 1 leaf, root; 2 root; 3 runtime.park, other.
 */
#include "reader/trace_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* One unit of time is 1 ns. Times of events are those of the batch plus the dt before. */
#define HEADER "Trace Go1.26\n"
#define CLOCK                                                                                      \
    "EventBatch gen=1 m=" NO_ID " time=1000 size=auto\n"                                           \
    "Sync\nFrequency freq=1000000000\nClockSnapshot dt=1 mono=5 sec=6 nsec=7\n"
#define TABLES                                                                                     \
    "EventBatch gen=1 m=" NO_ID " time=1000 size=auto\n"                                           \
    "Strings\nString id=1\n\tdata=\"network\"\nString id=2\n\tdata=\"sync\"\n"                     \
    "String id=3\n\tdata=\"forever\"\nString id=4\n\tdata=\"leaf\"\nString "                       \
    "id=5\n\tdata=\"root\"\n"                                                                      \
    "String id=6\n\tdata=\"a.c\"\nString id=7\n\tdata=\"work; hard\"\n"                            \
    "String id=8\n\tdata=\"runtime.park\"\nString id=9\n\tdata=\"other\"\n"                        \
    "String id=10\n\tdata=\"key\"\nString id=11\n\tdata=\"GC (dedicated)\"\n"                      \
    "String id=12\n\tdata=\"GC sweep termination\"\nString id=13\n\tdata=\"read trace\"\n"         \
    "String id=14\n\tdata=\"weft.lease\"\nString id=15\n\tdata=\"computing\"\n"                    \
    "EventBatch gen=1 m=" NO_ID " time=1000 size=auto\n"                                           \
    "Stacks\nStack id=1 nframes=2\n\tpc=16 func=4 file=6 line=3\n"                                 \
    "\tpc=32 func=5 file=6 line=9\n"                                                               \
    "Stack id=2 nframes=1\n\tpc=32 func=5 file=6 line=9\n"                                         \
    "Stack id=3 nframes=2\n\tpc=48 func=8 file=6 line=1\n\tpc=64 func=9 file=6 line=20\n"
#define THREAD(m) "EventBatch gen=1 m=" #m " time=1000 size=auto\n"
#define TRACE(e)  HEADER CLOCK TABLES e END

/* What begins most traces here: at 1050 P0 runs, at 1100 goroutine 1 on it, both since 1000. */
#define ONE_RUNS "ProcStatus dt=50 p=0 pstatus=1\nGoStatus dt=50 g=1 m=7 gstatus=2\n"

/* Opens a reader of the trace that the text stands for; memory must be zero. */
static inline weft_reader *made_open(struct memory *memory, const char *text)
{
    weft_reader_error error;
    weft_reader *reader;
    if (memory_assemble(memory, text, strlen(text), &error) != 0)
        fail_msg("line %llu: %s", (unsigned long long)error.offset, error.message);
    assert_int_equal(weft_reader_open_callback(&reader, memory_read, memory), 0);
    return reader;
}

#endif
