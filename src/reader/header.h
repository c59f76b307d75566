/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_HEADER_H
#define WEFT_READER_HEADER_H

/* The file header "go 1.26 trace", with the leniency of trace-format.md 2.1. */

#include "reader/fault.h"
#include "reader/source.h"

/* Takes the header and sets the version. Returns 0 or a negative errno value, explained. */
int reader_header_read(struct reader_source *source, unsigned *version, struct reader_fault *fault);

#endif
