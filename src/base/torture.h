/* SPDX-License-Identifier: MIT */
/*
 * Points at which a torture build (WEFT_TORTURE) delays the thread at random, and faults that tests
 * switch on. In other builds both vanish.
 */
#ifndef WEFT_BASE_TORTURE_H
#define WEFT_BASE_TORTURE_H

#include <stdbool.h>

#ifdef WEFT_TORTURE
/* At random (seed: WEFT_TORTURE_SEED): nothing, a pause, sched_yield, or a sleep of up to 200 µs.
 */
void base_torture_point(const char *name);
#define torture_point(name) base_torture_point(name)
/* True once in a while for allocation sites: pretend that the kernel refused (WEFT_TORTURE_ALLOC=1
 * in 1/N). */
bool base_torture_refuse(const char *name);
#define torture_refuse(name) base_torture_refuse(name)
#else
#define torture_point(name)  ((void)0)
#define torture_refuse(name) false
#endif

#endif
