/* SPDX-License-Identifier: MIT */
/*
 * Design. Handlers fill the ring of the generation that they find; the ring becomes one or more
 * threadless batches at the end of the generation, before its stacks are dumped, as samples refer
 * to them (INV-12). In a generation that is long, or asked for at a high rate, the drainer is woken
 * when half of the ring is taken, and moves what is there into the batch early.
 *
 * The rings are made once, when the first stream asks for samples, and stay until tracing ends, so
 * that a rate may change at any moment: both exist before handlers see their address.
 */
#include "trace/cpu_samples.h"

#include "base/torture.h"
#include "trace/tables.h"
#include "trace/tracer.h"

#define RING_LEAST ((size_t)1 << 16)
#define RING_MOST  ((size_t)1 << 20)

/* Both rings together may take an eighth of the budget. */
static size_t ring_bytes(size_t budget)
{
    size_t bytes = RING_MOST;
    while (bytes > budget / 16 && bytes > RING_LEAST)
        bytes /= 2;
    return bytes;
}

int trace_cpu_prepare(weft_tracer *tracer, size_t budget)
{
    trace_cpu *c = &tracer->cpu;
    int rc = 0;
    for (unsigned i = 0; i < 2 && rc == 0; i++)
        if (!c->made[i].words)
            rc = trace_cpu_ring_init(&c->made[i], ring_bytes(budget));
    return rc;
}

int trace_cpu_set_rate(weft_tracer *tracer, unsigned hz)
{
    trace_cpu *c = &tracer->cpu;
    if (hz == c->want.hz)
        return 0;
    atomic_store_seqcst(&c->rings, hz ? c->made : NULL); /* pairs with put_into_trace() */
    return trace_cpu_want_set(&c->want, hz);
}

void trace_cpu_release(weft_tracer *tracer)
{
    trace_cpu *c = &tracer->cpu;
    (void)trace_cpu_set_rate(tracer, 0);
    if (!c->made[0].words)
        return;
    trace_cpu_settle();
    for (unsigned i = 0; i < 2; i++)
        trace_cpu_ring_fini(&c->made[i]);
}

static void write_sample(weft_tracer *tracer, const trace_cpu_sample *sample)
{
    trace_writer *writer = &tracer->cpu.writer;
    uint64_t n = writer->section.generation;
    uint64_t stack = trace_stack_intern(tracer, n, (const uintptr_t *)sample->data,
                                        trace_cpu_depth(sample->shape));
    trace_buffer *buffer = trace_writer_reserve(writer, 1 + 5 * WIRE_VARINT_MAX + 8);
    if (!buffer)
        return;
    uint8_t *at = buffer->at;
    *at++ = WIRE_EV_CPU_SAMPLE;
    at = wire_varint_encode(at, sample->time);
    at = wire_varint_encode(at, sample->tid);
    at = wire_varint_encode(at, sample->p);
    at = wire_varint_encode(at, sample->g);
    at = wire_varint_encode(at, stack);
    compiler_barrier(); /* wire/flight_layout.h */
    buffer->at = at;
}

/* False: there was nothing to take. */
static bool drain(weft_tracer *tracer, uint64_t n)
{
    trace_cpu *c = &tracer->cpu;
    trace_cpu_sample sample;
    bool any = false;
    while (trace_cpu_ring_take(&c->made[n % 2], &sample)) {
        if (c->open != n) {
            trace_writer_start(&c->writer, tracer, n, WIRE_EV_CPU_SAMPLES);
            c->open = n;
        }
        write_sample(tracer, &sample);
        any = true;
    }
    return any;
}

bool trace_cpu_make_room(weft_tracer *tracer)
{
    uint64_t n = tracer->generation;
    trace_cpu_ring *ring = &tracer->cpu.made[n % 2];
    if (n == 0 || !ring->words || !trace_cpu_ring_is_half_full(ring))
        return false;
    return drain(tracer, n);
}

uint64_t trace_cpu_collect(weft_tracer *tracer, uint64_t n)
{
    trace_cpu *c = &tracer->cpu;
    trace_cpu_ring *ring = &c->made[n % 2];
    if (!ring->words)
        return 0;
    torture_point("trace cpu: before the samples");
    trace_cpu_settle();
    (void)drain(tracer, n);
    if (c->open == n)
        trace_writer_finish(&c->writer);
    c->open = 0;
    uint64_t lost = atomic_load_relaxed(&ring->lost);
    atomic_store_relaxed(&ring->lost, 0);
    return lost;
}
