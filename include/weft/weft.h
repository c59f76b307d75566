/* SPDX-License-Identifier: MIT */
/* Everything a program on weft's runtime uses. The tracer's host interface (weft/trace_host.h) and
 * the reader (weft/reader.h) are separate parts. */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include <weft/annotate.h>
#include <weft/chan.h>
#include <weft/config.h>
#include <weft/context.h>
#include <weft/coro.h>
#include <weft/file.h>
#include <weft/net.h>
#include <weft/process.h>
#include <weft/profile.h>
#include <weft/resolve.h>
#include <weft/runtime.h>
#include <weft/scope.h>
#include <weft/signal.h>
#include <weft/socket.h>
#include <weft/sync.h>
#include <weft/time.h>
#include <weft/trace.h>

#endif
