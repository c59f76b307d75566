/* SPDX-License-Identifier: MIT */
#include "trace/subscriber.h"

#include "trace/tracer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LEAST_BUDGET ((size_t)16 * TRACE_CHUNK_SIZE)
#ifdef WEFT_TORTURE
#define DEFAULT_PERIOD_NS 1000000u
#else
#define DEFAULT_PERIOD_NS 1000000000u
#endif

int trace_subscriber_init(trace_subscriber *subscriber, const trace_subscriber_kind *kind,
                          weft_tracer *tracer, unsigned format, uint64_t period_ns,
                          size_t memory_budget, unsigned cpu_hz)
{
    size_t budget = memory_budget < LEAST_BUDGET ? LEAST_BUDGET : memory_budget;
    *subscriber = (trace_subscriber){.kind = kind, .tracer = tracer};
    subscriber->format = format ? format : WIRE_VERSION_LATEST;
    subscriber->period_ns = period_ns ? period_ns : DEFAULT_PERIOD_NS;
    subscriber->working = budget;
    subscriber->cpu_hz = cpu_hz;
    bool known = wire_version_is_known(subscriber->format) && cpu_hz <= TRACE_CPU_HZ_MAX;
    return known ? 0 : -EINVAL;
}

static const char *reason(weft_trace_loss why, int error)
{
    switch (why) {
    case WEFT_TRACE_LOSS_SLOW:
        return "the receiver is too slow";
    case WEFT_TRACE_LOSS_FAILED:
        return strerror(-error);
    case WEFT_TRACE_LOSS_MEMORY:
        return "no memory within the budget";
    case WEFT_TRACE_LOSS_NONE:
        break;
    }
    return "";
}

void trace_loss_print(char *text, const char *who, uint64_t generations, uint64_t bytes,
                      weft_trace_loss why, int error)
{
    snprintf(text, TRACE_LOSS_TEXT, "%.300s: %llu generations, %llu bytes: %s", who,
             (unsigned long long)generations, (unsigned long long)bytes, reason(why, error));
}
