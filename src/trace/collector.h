/* SPDX-License-Identifier: MIT */
/* What a generation begins with if the host has a collector. */
#ifndef WEFT_TRACE_COLLECTOR_H
#define WEFT_TRACE_COLLECTOR_H

#include <weft/trace_host.h>

/* In the section that opens the generation, world held; first: tracing begins. */
void trace_collector_open(weft_trace_section *section, weft_trace_context self, bool first);

#endif
