/* SPDX-License-Identifier: MIT */
#ifndef WEFT_WIRE_BATCH_H
#define WEFT_WIRE_BATCH_H

/*
 * File and batch framing. A trace is a file header and then batches; a batch is its kind, for
 * experimental ones the experiment, then generation, thread, base time and payload size as
 * varints, then the payload.
 */

#include "wire/events.h"
#include "wire/varint.h"

/* The newest version, which is what the tracer writes unless told otherwise. */
#define WIRE_VERSION_LATEST 26

#define WIRE_HEADER_SIZE 16
#define WIRE_PAYLOAD_MAX 65536 /* bytes of payload that a reader accepts */
#define WIRE_BATCH_MAX   65536 /* bytes of a whole batch, header included, that a writer writes */
#define WIRE_STRING_MAX  1024  /* bytes of a string */
#define WIRE_FRAMES_MAX  128   /* frames of a stack */
#define WIRE_NO_ID       UINT64_MAX /* no thread, no proc, no task */

/* Longest timed event: tag, delta and arguments. */
#define WIRE_TIMED_EVENT_MAX (1 + WIRE_VARINT_MAX * (1 + WIRE_TIMED_MAX_ARGS))
/* Longest batch header with a padded size. */
#define WIRE_BATCH_HEADER_MAX (2 + 4 * WIRE_VARINT_MAX)

/* Header of a file of a two-digit version: exactly these bytes. */
static inline void wire_header_encode(uint8_t header[WIRE_HEADER_SIZE], unsigned version)
{
    static const uint8_t form[WIRE_HEADER_SIZE] = "go 1.00 trace\0\0";
    memcpy(header, form, sizeof form);
    header[5] = (uint8_t)('0' + version / 10 % 10);
    header[6] = (uint8_t)('0' + version % 10);
}

/* Whether the number is that of a version of this format (not of the older one). */
static inline bool wire_version_is_known(unsigned version)
{
    return version == 22 || version == 23 || version == 25 || version == 26;
}

/*
 * Starts a batch: writes its header with a size of zero at `at` (WIRE_BATCH_HEADER_MAX bytes of
 * room) and returns where the payload begins. wire_batch_finish fills in the size.
 */
static inline uint8_t *wire_batch_start(uint8_t *at, uint64_t gen, uint64_t m, uint64_t time)
{
    *at++ = WIRE_EV_EVENT_BATCH;
    at = wire_varint_encode(at, gen);
    at = wire_varint_encode(at, m);
    at = wire_varint_encode(at, time);
    return wire_varint_encode_padded(at, 0);
}

/* The same for a batch of an experiment. */
static inline uint8_t *wire_batch_start_experimental(uint8_t *at, uint8_t experiment, uint64_t gen,
                                                     uint64_t m, uint64_t time)
{
    *at++ = WIRE_EV_EXPERIMENTAL_BATCH;
    *at++ = experiment;
    at = wire_varint_encode(at, gen);
    at = wire_varint_encode(at, m);
    at = wire_varint_encode(at, time);
    return wire_varint_encode_padded(at, 0);
}

/* Fills in the size of a batch whose payload is [payload, end). */
static inline void wire_batch_finish(uint8_t *payload, const uint8_t *end)
{
    wire_varint_encode_padded(payload - WIRE_VARINT_MAX, (uint64_t)(end - payload));
}

#endif
