/* SPDX-License-Identifier: MIT */
#ifndef WEFT_WIRE_REASONS_H
#define WEFT_WIRE_REASONS_H

/*
 * Numbers for the texts of reasons.def, shared by the scheduler, which states a reason, and the
 * tracer, which writes its text. The numbers never reach the trace: they may change freely.
 */

/* WIRE_STOP_YIELD and so on. */
enum wire_stop_reason {
#define WIRE_STOP_REASON(symbol, text) WIRE_STOP_##symbol,
#include "wire/reasons.def"
    WIRE_STOP_LIMIT,
};

/* WIRE_BLOCK_CHAN_SEND and so on. */
enum wire_block_reason {
#define WIRE_BLOCK_REASON(symbol, text) WIRE_BLOCK_##symbol,
#include "wire/reasons.def"
    WIRE_BLOCK_LIMIT,
};

/* WIRE_STW_PROCS and so on. */
enum wire_stw_kind {
#define WIRE_STW_KIND(symbol, text) WIRE_STW_##symbol,
#include "wire/reasons.def"
    WIRE_STW_LIMIT,
};

extern const char *const wire_stop_texts[WIRE_STOP_LIMIT];
extern const char *const wire_block_texts[WIRE_BLOCK_LIMIT];
extern const char *const wire_stw_texts[WIRE_STW_LIMIT];

#endif
