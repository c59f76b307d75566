/* SPDX-License-Identifier: MIT */
/* Every rule of ordering.md 10, each broken by an input made for it. */
#include "trace_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#include "wire/events.h"

struct broken {
    const char *rule;
    unsigned generation, offset; /* where it is broken */
    const char *message;         /* the message holds this */
    const char *text;            /* raw text, then … */
    const char *bytes;           /* … these */
    size_t size;
};

#define BYTES(b) b, sizeof(b) - 1
#define TEXT(t)  t, NULL, 0
#define HEADER   "Trace Go1.26\n"
/* One generation with a stream of events on thread 7. */
#define EVENTS(e) TEXT(HEADER SYNC STRINGS BATCH e END)
#define RUN(e)    EVENTS(RUNNING e)
/* The events of generation 1 on thread 7, then those of generation 2. */
#define TWO(e, f)                                                                                  \
    TEXT(HEADER SYNC STRINGS BATCH e END SYNC2 "EventBatch gen=2 m=7 time=100 size=auto\n" f END)
/* A generation whose table batch is f. */
#define TABLE(f) TEXT(HEADER SYNC NOBODY f END)
/* Payload bytes of one event batch of thread 7. */
#define PAYLOAD(n, p)                                                                              \
    HEADER SYNC, "\x01\x01\x07\x01" n p "\x34", sizeof("\x01\x01\x07\x01" n p "\x34") - 1
#define OTHER "EventBatch gen=1 m=8 time=50 size=auto\n"
/* A goroutine that is bound to two threads dies on one; what follows is on the other. */
#define TWICE_BOUND                                                                                \
    HEADER SYNC BATCH RUNNING OTHER                                                                \
        "ProcStatus dt=1 p=1 pstatus=1\nGoStatus dt=1 g=1 m=8 gstatus=2\nGoDestroy dt=1\n"         \
        "EventBatch gen=1 m=7 time=90 size=auto\n"

static const struct broken table[] = {
    {"HDR-1", 0, 0, "header does not match", NULL, BYTES("go 1.26 trace\0\0")},
    {"HDR-1", 0, 0, "header does not match", NULL, BYTES("")},
    {"HDR-1", 0, 0, "header does not match", NULL, BYTES("gone 1.26 trace\0\0\0")},
    {"HDR-1", 0, 0, "header does not match", NULL, BYTES("go 1.+26 trace\0\0\0")},
    {"HDR-1", 0, 0, "header does not match", NULL, BYTES("go 1.4294967322 trace\0\0\0")},
    {"HDR-1", 0, 0, "header does not match", NULL, BYTES("go\r\n1.26 trace\0\0\0")},
    {"HDR-2", 0, 0, "unknown trace version 1.24", NULL, BYTES("go 1.24 trace\0\0\0")},
    {"HDR-2", 0, 0, "unknown trace version 1.27", NULL, BYTES("go 1.27 trace\0\0\0")},
    {"HDR-3", 0, 0, "older format (Go 1.21)", NULL, BYTES("go 1.21 trace\0\0\0")},

    {"BAT-1", 0, 16, "found byte 5", HEADER, BYTES("\x05")},
    {"BAT-2", 0, 17, "batch's generation: the trace is cut off", HEADER, BYTES("\x01")},
    {"BAT-2", 0, 27, "64 bits", HEADER, BYTES("\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")},
    {"BAT-3", 0, 18, "batch's thread", HEADER, BYTES("\x01\x01")},
    {"BAT-4", 0, 19, "batch's time", HEADER, BYTES("\x01\x01\x07")},
    {"BAT-5", 0, 20, "batch's size", HEADER, BYTES("\x01\x01\x07\x01")},
    {"BAT-6", 0, 23, "65537 bytes; the limit is 65536", HEADER,
     BYTES("\x01\x01\x07\x01\x81\x80\x04")},
    {"BAT-7", 0, 22, "payload", HEADER, BYTES("\x01\x01\x07\x01\x03\x0b")},

    {"GEN-1", 0, 16, "generation 0", TEXT(HEADER "EventBatch gen=0 m=7 time=1 size=auto\n")},
    {"GEN-1", 0, 16, "generation 0",
     TEXT("Trace Go1.22\n"
          "EventBatch gen=0 m=7 time=1 size=auto\n")},
    {"GEN-1", 0, 16, "generation 0", "Trace Go1.22\n", BYTES("\x34")},
    {"GEN-1", 0, 16, "generation 0", HEADER, BYTES("\x01\x00\x07\x01\x02\x0b\x01")},
    {"GEN-2", 1, 41, "batch of generation 2 in generation 1",
     TEXT(HEADER SYNC "EventBatch gen=2 m=7 time=1 size=auto\n" END)},
    {"GEN-3", 1, 46, "cut off inside", TEXT(HEADER SYNC BATCH)},
    {"GEN-4", 1, 16, "without a frequency", TEXT(HEADER BATCH END)},
    {"GEN-4", 0, 42, "without a frequency", TEXT(HEADER SYNC END END)},
    {"GEN-4", 0, 16, "without a frequency", TEXT("Trace Go1.22\n")},
    {"GEN-5", 1, 16, "without a clock snapshot",
     TEXT(HEADER NOBODY "Sync\nFrequency freq=1\n" END)},
    {"GEN-5", 1, 16, "without a clock snapshot",
     TEXT("Trace Go1.25\n" NOBODY "Sync\nFrequency freq=1\n")},
    {"GEN-6", 1, 35, "batch of generation 3 in generation 1",
     TEXT("Trace Go1.22\n" OLD "EventBatch gen=3 m=7 time=1 size=auto\n")},
    {"GEN-7", 1, 35, "end of a generation in a trace of version 1.23", "Trace Go1.23\n" OLD,
     BYTES("\x01\x01\x07\x01\x01\x34")},

    {"TAB-1", 1, 56, "has tag 3, not 5", TABLE("Strings\nStack id=1 nframes=0\n")},
    {"TAB-2", 1, 48, "string's id", HEADER SYNC, BYTES("\x01\x01\x07\x01\x02\x04\x05\x34")},
    {"TAB-2", 1, 49, "string's length", HEADER SYNC, BYTES("\x01\x01\x07\x01\x03\x04\x05\x01\x34")},
    {"TAB-3", 1, 47, "1025 bytes; the limit is 1024", HEADER SYNC,
     BYTES("\x01\x01\x07\x01\x05\x04\x05\x01\x81\x08\x34")},
    {"TAB-4", 1, 47, "of 9 bytes is cut off", HEADER SYNC,
     BYTES("\x01\x01\x07\x01\x05\x04\x05\x01\x09\x61\x34")},
    {"TAB-5", 1, 60, "string 1 is defined twice",
     TABLE("Strings\nString id=1\n\tdata=\"a\"\nString id=1\n\tdata=\"a\"\n")},
    {"TAB-5", 1, 56, "id 0 is the empty string", TABLE("Strings\nString id=0\n\tdata=\"a\"\n")},
    {"TAB-6", 1, 56, "has tag 5, not 3", TABLE("Stacks\nString id=1\n\tdata=\"a\"\n")},
    {"TAB-7", 1, 49, "number of frames", HEADER SYNC,
     BYTES("\x01\x01\x07\x01\x03\x02\x03\x01\x34")},
    {"TAB-7", 1, 53, "frame's line", HEADER SYNC,
     BYTES("\x01\x01\x07\x01\x07\x02\x03\x01\x01\x05\x00\x00\x34")},
    {"TAB-8", 1, 47, "129 frames; the limit is 128", HEADER SYNC,
     BYTES("\x01\x01\x07\x01\x05\x02\x03\x01\x81\x01\x34")},
    {"TAB-9", 1, 59, "stack 1 is defined twice",
     TABLE("Stacks\nStack id=1 nframes=0\nStack id=1 nframes=0\n")},
    {"TAB-9", 1, 56, "id 0 is no stack", TABLE("Stacks\nStack id=0 nframes=0\n")},
    {"TAB-10", 1, 56, "has tag 3, not 7", TABLE("CPUSamples\nStack id=1 nframes=0\n")},
    {"TAB-11", 1, 51, "sample's goroutine", HEADER SYNC,
     BYTES("\x01\x01\x07\x01\x05\x06\x07\x01\x02\x03\x34")},
    {"TAB-12", 1, 56, "has tag 3", TABLE("Sync\nStack id=1 nframes=0\n")},
    {"TAB-12", 1, 23, "has tag 51", "Trace Go1.23\n", BYTES("\x01\x01\x07\x01\x03\x08\x01\x33")},
    {"TAB-13", 1, 56, "second frequency", TEXT(HEADER SYNC NOBODY "Sync\nFrequency freq=1\n" END)},
    {"TAB-13", 1, 35, "second frequency", TEXT("Trace Go1.22\n" OLD "Frequency freq=1\n")},
    {"TAB-14", 1, 56, "second clock snapshot",
     TEXT(HEADER SYNC NOBODY "Sync\nClockSnapshot dt=1 mono=1 sec=1 nsec=1\n" END)},
    {"TAB-15", 1, 23, "frequency", HEADER, BYTES("\x01\x01\x07\x01\x02\x32\x08\x34")},
    {"TAB-15", 1, 26, "nanoseconds", HEADER, BYTES("\x01\x01\x07\x01\x05\x32\x33\x01\x01\x01\x34")},
    {"TAB-16", 1, 59, "function string 5",
     TABLE("Stacks\nStack id=1 nframes=1\n pc=1 func=5 file=0 line=1\n")},
    {"TAB-16", 1, 59, "file string 6",
     TABLE("Stacks\nStack id=1 nframes=1\n pc=1 func=0 file=6 line=1\n")},

    {"DEC-1", 1, 46, "no event has tag 137", PAYLOAD("\x02", "\x89\x01")},
    {"DEC-2", 1, 46, "tag 0 (undefined)", PAYLOAD("\x02", "\x00\x01")},
    {"DEC-2", 1, 46, "tag 5 (String)", PAYLOAD("\x02", "\x05\x01")},
    {"DEC-2", 1, 46, "tag 60 (undefined)", PAYLOAD("\x02", "\x3c\x01")},
    {"DEC-2", 1, 46, "tag 8 (Frequency)", PAYLOAD("\x02", "\x08\x01")},
    {"DEC-2", 1, 40, "tag 50 (Sync)", "Trace Go1.23\n" OLD, BYTES("\x01\x01\x07\x01\x01\x32")},
    {"DEC-3", 1, 46, "ProcStop has a malformed or cut off delta", PAYLOAD("\x01", "\x0b")},
    {"DEC-3", 1, 46, "delta time", PAYLOAD("\x0b", "\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")},
    {"DEC-4", 1, 46, "ProcStart has a malformed or cut off argument",
     PAYLOAD("\x03", "\x0a\x01\x01")},
    {"DEC-5", 1, 80, "clock snapshot in a stream",
     EVENTS("ProcStatus dt=1 p=0 pstatus=1\nClockSnapshot dt=1 mono=1 sec=1 nsec=1\n")},

    {"ORD-1", 1, 85, "GoStart on thread 7: no event can be next",
     RUN("GoStart dt=1 g=9 g_seq=1\n")},
    {"ORD-1", 1, 85, "waits for goroutine 9, which is not known",
     RUN("GoStart dt=1 g=9 g_seq=1\n")},
    {"ORD-1", 1, 85,
     "waits for proc 0 to be Idle (and for the thread to have none) with sequence number 1 "
     "to come; it is Running, its last is 0 of generation 1",
     RUN("ProcStart dt=1 p=0 p_seq=1\n")},
    {"ORD-1", 1, 80, "sequence number 2 to come; it is Idle, its last is 0 of generation 1",
     EVENTS("ProcStatus dt=1 p=1 pstatus=2\nProcStart dt=1 p=1 p_seq=2\n")},
    {"ORD-1", 1, 85, "waits for proc 5, which is not known",
     RUN("ProcSteal dt=1 p=5 p_seq=1 m=7\n")},
    {"ORD-1", 1, 85, "goroutine 1 to be Waiting", RUN("GoUnblock dt=1 g=1 g_seq=1 stack=0\n")},
    {"ORD-1", 1, 85, "goroutine 1 to be Waiting", RUN("GoSwitch dt=1 g=1 g_seq=1\n")},
    {"ORD-1", 1, 89, "waits for its proc to be stolen", RUN(SYSCALL "GoSyscallEndBlocked dt=1\n")},
    {"ORD-1", 1, 85, "number 9 of the collector's phase; the last is 0",
     RUN("GCEnd dt=1 gc_seq=9\n")},
    /* A generation that does not renew a status. */
    {"ORD-1", 2, 128, "its last is 1 of generation 1",
     TWO("ProcStatus dt=1 p=0 pstatus=1\nGoCreate dt=1 new_g=1 new_stack=0 stack=0\n"
         "GoStart dt=1 g=1 g_seq=1\nGoStop dt=1 reason_string=1 stack=0\n",
         "ProcStatus dt=1 p=0 pstatus=1\nGoStart dt=1 g=1 g_seq=2\n")},

    {"CTX-1", 1, 59, "expected a thread",
     TEXT(HEADER SYNC NOBODY "ProcStatus dt=1 p=0 pstatus=1\n"
                             "HeapAlloc dt=1 heapalloc_value=1\n" END)},
    {"CTX-2", 1, 76, "expected a proc but didn't have one",
     EVENTS("HeapAlloc dt=1 heapalloc_value=1\n")},
    {"CTX-4", 1, 80, "expected a goroutine",
     EVENTS("ProcStatus dt=1 p=0 pstatus=1\nGoLabel dt=1 label_string=1\n")},
    {"CTX-5", 1, 90, "expected no goroutine but had goroutine 1",
     RUN("GoCreate dt=1 new_g=2 new_stack=0 stack=0\nGoStart dt=1 g=2 g_seq=1\n")},
    {"CTX-5", 1, 85, "expected no goroutine", RUN("GoCreateSyscall dt=1 new_g=2\n")},

    {"PRC-1", 1, 76, "proc 3 has status 5", EVENTS("ProcStatus dt=1 p=3 pstatus=5\n")},
    {"PRC-2", 1, 85, "proc 0 is Running but its status says Idle",
     RUN("ProcStatus dt=1 p=0 pstatus=2\n")},
    {"PRC-3", 1, 59, "abandoned proc 0 is bound to no thread",
     TEXT(HEADER SYNC NOBODY "ProcStatus dt=1 p=0 pstatus=3\nProcStatus dt=1 p=0 pstatus=4\n" END)},
    {"PRC-4", 1, 76, "no known proc to stop", EVENTS("ProcStop dt=1\n")},
    {"PRC-5", 1, 66, "proc 0 stops but is Idle",
     TEXT(HEADER SYNC BATCH "ProcStatus dt=1 p=0 pstatus=1\n" OTHER
                            "ProcStatus dt=1 p=0 pstatus=1\nProcStop dt=1\n"
                            "EventBatch gen=1 m=7 time=90 size=auto\nProcStop dt=1\n" END)},
    {"PRC-6", 1, 84, "thread 7 steals proc 0 from itself but has not got it",
     EVENTS("ProcStatus dt=1 p=0 pstatus=3\nProcStatus dt=1 p=1 pstatus=1\n"
            "ProcSteal dt=1 p=0 p_seq=1 m=7\n")},
    {"PRC-7", 1, 80, "stolen from unknown thread 99",
     EVENTS("ProcStatus dt=1 p=0 pstatus=3\nProcSteal dt=1 p=0 p_seq=1 m=99\n")},
    {"PRC-8", 1, 59, "stolen from thread 7, which has another one",
     TEXT(HEADER SYNC BATCH "ProcStatus dt=1 p=0 pstatus=3\nProcStatus dt=1 p=1 pstatus=1\n" OTHER
                            "ProcSteal dt=1 p=0 p_seq=1 m=7\n" END)},
    {"PRC-10", 1, 83, "destroyed in a system call but proc 0 is Running",
     EVENTS("GoCreateSyscall dt=1 new_g=1\nProcStatus dt=1 p=0 pstatus=1\n"
            "GoDestroySyscall dt=1\n")},
    {"PRC-11", 1, 85, "sequence number 2 of proc 0, whose last is 0 of generation 1",
     RUN("GoSyscallBegin dt=1 p_seq=2 stack=0\n")},
    {"PRC-11", 2, 116, "whose last is 0 of generation 1", TWO(RUNNING, SYSCALL)},
    {"PRC-12", 1, 83, "proc 0 ends a system call but is Running",
     EVENTS("GoCreateSyscall dt=1 new_g=1\nProcStatus dt=1 p=0 pstatus=1\nGoSyscallEnd dt=1\n")},

    {"GOR-1", 1, 76, "goroutine 1 has status 5", EVENTS("GoStatus dt=1 g=1 m=7 gstatus=5\n")},
    {"GOR-1", 1, 76, "goroutine 1 has status 255", EVENTS("GoStatus dt=1 g=1 m=7 gstatus=511\n")},
    {"GOR-2", 1, 85, "goroutine 1 is Running but its status says Waiting",
     RUN("GoStatus dt=1 g=1 m=7 gstatus=4\n")},
    {"GOR-3", 2, 116, "goroutine 2, which is not known, in generation 2; the trace begins with 1",
     TWO(RUNNING, "GoStatus dt=1 g=2 m=7 gstatus=4\n")},
    {"GOR-4", 1, 76, "in a system call on no thread",
     EVENTS("GoStatus dt=1 g=1 m=" NO_ID " gstatus=3\n")},
    {"GOR-5", 1, 60, "goroutine 2 is in a system call on thread 7, which has another one",
     TEXT(HEADER SYNC BATCH RUNNING OTHER "GoStatus dt=1 g=2 m=7 gstatus=3\n" END)},
    {"GOR-5", 2, 112, "which has none",
     TWO("GoStatus dt=1 g=1 m=9 gstatus=3\n", "GoStatus dt=1 g=1 m=7 gstatus=3\n")},
    {"GOR-6", 1, 89, "goroutine 1 creates another but is Syscall",
     RUN(SYSCALL "GoCreate dt=1 new_g=2 new_stack=0 stack=0\n")},
    {"GOR-7", 1, 85, "goroutine 1 is created but exists",
     RUN("GoCreate dt=1 new_g=1 new_stack=0 stack=0\n")},
    {"GOR-7", 1, 85, "goroutine 1 is created but exists",
     RUN("GoCreateBlocked dt=1 new_g=1 new_stack=0 stack=0\n")},
    {"GOR-8", 1, 81, "goroutine 2 is created but exists",
     EVENTS("GoStatus dt=1 g=2 m=7 gstatus=4\nGoCreateSyscall dt=1 new_g=2\n")},
    {"GOR-9", 1, 76, "goroutine 1 of the thread is not known",
     TEXT(TWICE_BOUND "GoDestroy dt=1\n" END)},
    {"GOR-10", 1, 89, "goroutine 1 is Syscall, not Running", RUN(SYSCALL "GoDestroy dt=1\n")},
    {"GOR-10", 1, 89, "goroutine 1 is Syscall, not Running",
     RUN(SYSCALL "GoBlock dt=1 reason_string=1 stack=0\n")},
    {"GOR-10", 1, 89, "goroutine 1 is Syscall, not Running",
     RUN(SYSCALL "GoSyscallBegin dt=1 p_seq=2 stack=0\n")},
    {"GOR-11", 1, 85, "goroutine 1 is destroyed in a system call but is Running",
     RUN("GoDestroySyscall dt=1\n")},
    {"GOR-12", 1, 85, "goroutine 1 ends a system call but is Running", RUN("GoSyscallEnd dt=1\n")},
    {"GOR-12", 1, 81, "goroutine 1 ends a system call but is Running",
     EVENTS("GoStatus dt=1 g=1 m=7 gstatus=2\nGoSyscallEndBlocked dt=1\n")},

    {"RNG-1", 1, 89, "range of STWBegin begins but is under way",
     RUN("STWBegin dt=1 kind_string=1 stack=0\nSTWBegin dt=1 kind_string=1 stack=0\n")},
    {"RNG-1", 1, 88, "range of GCSweepBegin begins but is under way",
     RUN("GCSweepBegin dt=1 stack=0\nGCSweepBegin dt=1 stack=0\n")},
    {"RNG-2", 1, 85, "range of STWBegin ends but was not begun", RUN("STWEnd dt=1\n")},
    {"RNG-2", 1, 85, "range of GCMarkAssistBegin ends", RUN("GCMarkAssistEnd dt=1\n")},
    {"RNG-2", 1, 85, "range of GCSweepBegin ends",
     RUN("GCSweepEnd dt=1 swept_value=0 reclaimed_value=0\n")},
    {"RNG-3", 1, 88, "range of GCSweepBegin is said to be active twice",
     RUN("GCSweepActive dt=1 p=0\nGCSweepActive dt=1 p=0\n")},
    {"RNG-4", 1, 85, "goroutine 5, which is not known", RUN("GCMarkAssistActive dt=1 g=5\n")},
    {"RNG-4", 1, 76, "goroutine 1, which is not known", TEXT(TWICE_BOUND "STWEnd dt=1\n" END)},
    {"RNG-4", 1, 76, "goroutine 1, which is not known",
     TEXT(TWICE_BOUND "STWBegin dt=1 kind_string=1 stack=0\n" END)},
    {"RNG-4", 1, 76, "goroutine 1, which is not known",
     TEXT(TWICE_BOUND "GCMarkAssistBegin dt=1 stack=0\n" END)},
    {"RNG-4", 1, 76, "goroutine 1, which is not known",
     TEXT(TWICE_BOUND "GCMarkAssistEnd dt=1\n" END)},
    {"RNG-5", 1, 85, "proc 5, which is not known", RUN("GCSweepActive dt=1 p=5\n")},
    {"RNG-6", 2, 116, "is active but was not begun", TWO(RUNNING, "GCSweepActive dt=1 p=0\n")},
    {"RNG-6", 2, 116, "is active but was not begun", TWO(RUNNING, "GCMarkAssistActive dt=1 g=1\n")},
    {"RNG-7", 1, 89, "told after it was known",
     RUN("GCBegin dt=1 gc_seq=4 stack=0\nGCActive dt=1 gc_seq=5\n")},
    {"RNG-8", 2, 123, "active but not running",
     TWO(RUNNING "GCBegin dt=1 gc_seq=4 stack=0\nGCEnd dt=1 gc_seq=5\n",
         "GCActive dt=1 gc_seq=6\n")},
    {"RNG-9", 1, 88, "begins but is running",
     RUN("GCActive dt=1 gc_seq=4\nGCBegin dt=1 gc_seq=5 stack=0\n")},
    {"RNG-10", 1, 91, "ends but is not running",
     RUN("GCActive dt=1 gc_seq=4\nGCEnd dt=1 gc_seq=5\nGCEnd dt=1 gc_seq=6\n")},
    {"RNG-11", 1, 85, "ends but never began", RUN("GCEnd dt=1 gc_seq=1\n")},

    {"USR-1", 1, 91, "task 3 begins but is active",
     RUN("UserTaskBegin dt=1 task=3 parent_task=0 name_string=1 stack=0\n"
         "UserTaskBegin dt=1 task=3 parent_task=0 name_string=1 stack=0\n")},
    {"USR-2", 1, 85, "name is string 9",
     RUN("UserTaskBegin dt=1 task=3 parent_task=0 name_string=9 stack=0\n")},
    {"USR-2", 1, 85, "name is string 9",
     RUN("UserRegionBegin dt=1 task=0 name_string=9 stack=0\n")},
    {"USR-2", 1, 85, "name is string 9", RUN("UserRegionEnd dt=1 task=0 name_string=9 stack=0\n")},
    {"USR-3", 1, 76, "region of goroutine 1, which is not known",
     TEXT(TWICE_BOUND "UserRegionBegin dt=1 task=0 name_string=0 stack=0\n" END)},
    {"USR-3", 1, 76, "region of goroutine 1, which is not known",
     TEXT(TWICE_BOUND "UserRegionEnd dt=1 task=0 name_string=0 stack=0\n" END)},
    {"USR-4", 1, 90, "region other of task 3 ends but the innermost open one is text of task 3",
     RUN("UserRegionBegin dt=1 task=3 name_string=1 stack=0\n"
         "UserRegionEnd dt=1 task=3 name_string=2 stack=0\n")},
    {"USR-4", 1, 90, "region text of task 4 ends",
     RUN("UserRegionBegin dt=1 task=3 name_string=1 stack=0\n"
         "UserRegionEnd dt=1 task=4 name_string=1 stack=0\n")},

    {"IDS-1", 1, 85, "GoBlock refers to stack 4", RUN("GoBlock dt=1 reason_string=1 stack=4\n")},
    {"IDS-1", 1, 85, "GoCreate refers to stack 4",
     RUN("GoCreate dt=1 new_g=2 new_stack=4 stack=0\n")},
    {"IDS-2", 1, 85, "GoBlock refers to string 4", RUN("GoBlock dt=1 reason_string=4 stack=0\n")},
    {"IDS-2", 1, 85, "UserLog refers to string 5",
     RUN("UserLog dt=1 task=0 key_string=1 value_string=5 stack=0\n")},
};

/* Rules that no input can break: bindings are only made to what is known. */
static const char *const unreachable[] = {"CTX-3", "PRC-9"};

static void build(const struct broken *b, struct memory *m)
{
    if (b->text) {
        weft_reader_error error;
        int status = memory_assemble(m, b->text, strlen(b->text), &error);
        if (status)
            fail_msg("%s: the text is wrong: line %llu: %s", b->rule,
                     (unsigned long long)error.offset, error.message);
    }
    memory_write(m, b->bytes, b->size);
}

/* Leaves the input for the comparison with Go's reader (compare.sh). */
static void dump(const struct broken *b, const struct memory *m)
{
    const char *dir = getenv("WEFT_DUMP_DIR");
    if (!dir)
        return;
    char path[4096];
    snprintf(path, sizeof path, "%s/rule-%s-%zu.trace", dir, b->rule, (size_t)(b - table));
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    if (m->size > 0) /* else there is no data either */
        assert_int_equal(fwrite(m->data, 1, m->size, file), m->size);
    assert_int_equal(fclose(file), 0);
}

/* The message begins with the event's name, and its tag is the byte at the offset. */
static void assert_event_stands_at(const struct memory *m, const weft_reader_error *error)
{
    size_t size = strcspn(error->message, " ");
    assert_true(error->offset < m->size);
    const char *name = wire_event_specs[m->data[error->offset]].name;
    assert_non_null(name);
    assert_int_equal(strlen(name), size);
    assert_memory_equal(name, error->message, size);
}

static void check(const struct broken *b)
{
    struct memory m = {0};
    build(b, &m);
    dump(b, &m);
    weft_reader *reader;
    weft_event event;
    int status = weft_reader_open_callback(&reader, memory_read, &m);
    while (status >= 0 && (status = weft_reader_next(reader, &event)) == 1)
        ;
    const weft_reader_error *error = weft_reader_error_get(reader);
    if (status != -EBADMSG || strcmp(error->rule, b->rule) != 0 ||
        !strstr(error->message, b->message) || error->generation != b->generation ||
        error->offset != b->offset)
        fail_msg("expected %s at %u: %u: %s\n     found %d %s at %llu: %llu: %s\n%s", b->rule,
                 b->offset, b->generation, b->message, status, error->rule,
                 (unsigned long long)error->offset, (unsigned long long)error->generation,
                 error->message, b->text ? b->text : "");
    if (strncmp(b->rule, "DEC-5", 5) == 0 || !strchr("HBGTD", *b->rule) ||
        strncmp(b->rule, "GOR", 3) == 0)
        assert_event_stands_at(&m, error);
    /* It goes on saying so. */
    assert_int_equal(weft_reader_next(reader, &event), status);
    weft_reader_free(reader);
    free(m.data);
}

static void each_rule_is_broken_by_its_input(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        check(&table[i]);
}

static bool covered(const char *rule)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].rule, rule) == 0)
            return true;
    for (size_t i = 0; i < sizeof unreachable / sizeof *unreachable; i++)
        if (strcmp(unreachable[i], rule) == 0)
            return true;
    return false;
}

static void no_rule_is_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *family;
        int count;
    } families[] = {{"HDR", 3}, {"BAT", 7},  {"GEN", 7},  {"TAB", 16}, {"DEC", 5}, {"ORD", 1},
                    {"CTX", 5}, {"PRC", 12}, {"GOR", 12}, {"RNG", 11}, {"USR", 4}, {"IDS", 2}};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        for (int n = 1; n <= families[i].count; n++) {
            char rule[16];
            snprintf(rule, sizeof rule, "%s-%d", families[i].family, n);
            if (!covered(rule))
                fail_msg("no input breaks %s", rule);
        }
    }
}

/* The offset is that of the event at fault, the generation that which it stands in. */
static void an_error_tells_where_it_is(void **state)
{
    (void)state;
    static const char text[] = HEADER SYNC SYNC2 END;
    struct memory m = {0};
    assert_int_equal(memory_assemble(&m, text, sizeof text - 1, NULL), 0);
    free(m.data);
    m = (struct memory){0};
    static const char bad[] = HEADER SYNC BATCH RUNNING END SYNC2
        "EventBatch gen=2 m=7 time=100 size=auto\nProcStatus dt=1 p=0 pstatus=1\n";
    assert_int_equal(memory_assemble(&m, bad, sizeof bad - 1, NULL), 0);
    size_t before = m.size;
    free(m.data);
    m = (struct memory){0};
    static const char all[] = HEADER SYNC BATCH RUNNING END SYNC2
        "EventBatch gen=2 m=7 time=100 size=auto\nProcStatus dt=1 p=0 pstatus=1\n"
        "GoStatus dt=1 g=1 m=7 gstatus=4\n" END;
    assert_int_equal(memory_assemble(&m, all, sizeof all - 1, NULL), 0);
    weft_reader *reader;
    weft_event event;
    assert_int_equal(weft_reader_open_callback(&reader, memory_read, &m), 0);
    int status;
    while ((status = weft_reader_next(reader, &event)) == 1)
        ;
    assert_int_equal(status, -EBADMSG);
    assert_string_equal(weft_reader_error_get(reader)->rule, "GOR-2");
    assert_int_equal(weft_reader_error_get(reader)->offset, before);
    assert_int_equal(weft_reader_error_get(reader)->generation, 2);
    weft_reader_free(reader);
    free(m.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_is_broken_by_its_input),
        cmocka_unit_test(no_rule_is_left_out),
        cmocka_unit_test(an_error_tells_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
