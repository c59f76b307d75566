/* SPDX-License-Identifier: MIT */
/* Goroutines that stay on their thread (weft_thread_lock). */
#ifndef WEFT_SCHED_THREAD_LOCK_H
#define WEFT_SCHED_THREAD_LOCK_H

struct g;

/* The goroutine is at its end: its thread is free for others. */
void thread_lock_drop(struct g *g);

#endif
