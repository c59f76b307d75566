/* SPDX-License-Identifier: MIT */
#include "wire/reasons.h"

const char *const wire_stop_texts[WIRE_STOP_LIMIT] = {
#define WIRE_STOP_REASON(symbol, text) [WIRE_STOP_##symbol] = text,
#include "wire/reasons.def"
};

const char *const wire_block_texts[WIRE_BLOCK_LIMIT] = {
#define WIRE_BLOCK_REASON(symbol, text) [WIRE_BLOCK_##symbol] = text,
#include "wire/reasons.def"
};

const char *const wire_stw_texts[WIRE_STW_LIMIT] = {
#define WIRE_STW_KIND(symbol, text) [WIRE_STW_##symbol] = text,
#include "wire/reasons.def"
};
