/* SPDX-License-Identifier: MIT */
#ifndef WEFT_TESTS_TABLE_TRACE_H
#define WEFT_TESTS_TABLE_TRACE_H

/*
 * A trace made by hand, two goroutines on one proc over two generations, and what the tables must
 * say of it, found by hand. One unit of time is 1 ns; times of events are those of the batch plus
 * the dt before.
 *
 *   1000  the trace begins
 *   1001  P0 Running, 1002 G1 Running
 *   1010  G1 begins task 5 "job", 1020 region "outer", 1030 region "inner"
 *   1040  inner ends
 *   1050  G1 creates G2 with entry `root`
 *   1060  G1 blocks, "sync", at stack 1
 *   1070  G2 starts, 1080 wakes G1, 1100 enters a system call
 *   1110  P0 is stolen by thread 8 (which idles): G2 goes on in its call without it
 *   1120  thread 8 takes P0 and runs G1 until the end
 *   1130  log "cat", "hello"; 1135 metric heap 4096; 1140 outer ends; 1150 task 5 ends
 *   1160  G2's call ends, blocked
 *   2000  second generation; 2010 G1 ends
 */

#include "reader/trace_text.h"

#include <weft/table.h>

#define TABLE_STRINGS(gen, time)                                                                   \
    "EventBatch gen=" #gen " m=" NO_ID " time=" #time " size=auto\nStrings\n"                      \
    "String id=1\n\tdata=\"sync\"\nString id=2\n\tdata=\"job\"\n"                                  \
    "String id=3\n\tdata=\"outer\"\nString id=4\n\tdata=\"leaf\"\n"                                \
    "String id=5\n\tdata=\"root\"\nString id=6\n\tdata=\"a.c\"\n"                                  \
    "String id=7\n\tdata=\"inner\"\nString id=8\n\tdata=\"cat\"\n"                                 \
    "String id=9\n\tdata=\"hello, \\\"you\\\"\"\n"
#define TABLE_STACKS(gen, time)                                                                    \
    "EventBatch gen=" #gen " m=" NO_ID " time=" #time " size=auto\nStacks\n"                       \
    "Stack id=1 nframes=2\n\tpc=16 func=4 file=6 line=3\n\tpc=32 func=5 file=6 line=9\n"           \
    "Stack id=2 nframes=1\n\tpc=32 func=5 file=6 line=9\n"
#define TABLE_CLOCK(gen, time)                                                                     \
    "EventBatch gen=" #gen " m=" NO_ID " time=" #time " size=auto\n"                               \
    "Sync\nFrequency freq=1000000000\nClockSnapshot dt=1 mono=" #time " sec=" #gen " nsec=7\n"

static const char table_trace[] =
    "Trace Go1.26\n" TABLE_CLOCK(1, 1000) TABLE_STRINGS(1, 1000) TABLE_STACKS(
        1, 1000) "EventBatch gen=1 m=7 time=1000 size=auto\n"
                 "ProcStatus dt=1 p=0 pstatus=1\nGoStatus dt=1 g=1 m=7 gstatus=2\n"
                 "UserTaskBegin dt=8 task=5 parent_task=0 name_string=2 stack=1\n"
                 "UserRegionBegin dt=10 task=5 name_string=3 stack=1\n"
                 "UserRegionBegin dt=10 task=5 name_string=7 stack=1\n"
                 "UserRegionEnd dt=10 task=5 name_string=7 stack=1\n"
                 "GoCreate dt=10 new_g=2 new_stack=2 stack=1\n"
                 "GoBlock dt=10 reason_string=1 stack=1\n"
                 "GoStart dt=10 g=2 g_seq=1\n"
                 "GoUnblock dt=10 g=1 g_seq=1 stack=2\n"
                 "GoSyscallBegin dt=20 p_seq=1 stack=2\n"
                 "GoSyscallEndBlocked dt=60\n"
                 "EventBatch gen=1 m=8 time=1100 size=auto\n"
                 "ProcSteal dt=10 p=0 p_seq=2 m=7\n"
                 "ProcStart dt=5 p=0 p_seq=3\n"
                 "GoStart dt=5 g=1 g_seq=2\n"
                 "UserLog dt=10 task=5 key_string=8 value_string=9 stack=1\n"
                 "HeapAlloc dt=5 heapalloc_value=4096\n"
                 "UserRegionEnd dt=5 task=5 name_string=3 stack=1\n"
                 "UserTaskEnd dt=10 task=5 stack=1\n" END TABLE_CLOCK(2, 2000)
                     TABLE_STRINGS(2, 2000) TABLE_STACKS(
                         2, 2000) "EventBatch gen=2 m=8 time=2000 size=auto\n"
                                  "ProcStatus dt=1 p=0 pstatus=1\nGoStatus dt=1 g=1 m=8 gstatus=2\n"
                                  "GoStatus dt=1 g=2 m=" NO_ID " gstatus=1\n"
                                  "GoDestroy dt=7\n" END;

/* Each reader needs a place of its own in the bytes: this opens them with one. */
struct table_input {
    struct memory bytes;
    struct memory views[64];
    unsigned used;
};

static inline int table_open_view(void *context, weft_reader **reader)
{
    struct table_input *input = context;
    struct memory *view = &input->views[input->used++ % 64];
    *view = (struct memory){input->bytes.data, input->bytes.size, input->bytes.size, 0, 0};
    return weft_reader_open_callback(reader, memory_read, view);
}

static inline int table_input_make(struct table_input *input, const char *text, size_t size)
{
    *input = (struct table_input){0};
    weft_reader_error error;
    return memory_assemble(&input->bytes, text, size, &error);
}

#endif
