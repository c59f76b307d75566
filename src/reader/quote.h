/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_QUOTE_H
#define WEFT_READER_QUOTE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Undoes quoting in Go's syntax: "…" with escapes, `…` verbatim, or '…' around one character. out
 * needs size bytes of room. Returns the length, or -1 if the text is not quoted rightly.
 */
ptrdiff_t reader_unquote(const char *text, size_t size, uint8_t *out);

#endif
