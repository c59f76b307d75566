/* SPDX-License-Identifier: MIT */
/* The monitor: a thread that takes leases from goroutines which compute or block while others wait.
 */
#ifndef WEFT_SCHED_SYSMON_H
#define WEFT_SCHED_SYSMON_H

/* 0 or a negative errno value. */
int sysmon_start(void);
/* A P is not idle any more. */
void sysmon_wake(void);
/* Ends the thread and waits for it. */
void sysmon_stop(void);

#endif
