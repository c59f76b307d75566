/* SPDX-License-Identifier: MIT */
/*
 * Scopes: a group of goroutines that ends as one.
 *
 * A goroutine of a scope works in the scope's context (weft/context.h). The first that returns
 * something other than 0 ends that context with it as the cause, and so all waits of the others;
 * the end of the scope waits for all of them and returns it.
 *
 *     weft_scope *scope = weft_scope_new(NULL, 0);
 *     for (size_t i = 0; i < n; i++)
 *         weft_scope_go(scope, fetch, &urls[i]);
 *     int error = weft_scope_end(scope);
 */
#ifndef WEFT_SCOPE_H
#define WEFT_SCOPE_H

#include <stdint.h>

#include <weft/config.h>
#include <weft/context.h>

WEFT_BEGIN_DECLS

typedef struct weft_scope weft_scope;

/* A scope whose context is below parent; NULL: below the caller's current context, if it has one.
 * limit: how many goroutines it may have at once; 0: any number. NULL: memory is refused. */
WEFT_API weft_scope *weft_scope_new(weft_context *parent, uint32_t limit);

/*
 * Starts fn(arg) on a goroutine of the scope, with the default stack. While the limit is reached it
 * waits. 0; -ECANCELED or -ETIMEDOUT: the scope's context has ended, nothing was started; -ENOMEM,
 * -EPERM as weft_go(). May be called by goroutines of the scope as well (where waiting for the
 * limit can deadlock), but not after weft_scope_end() was called by a goroutine outside of it.
 */
WEFT_API int weft_scope_go(weft_scope *scope, int (*fn)(void *arg), void *arg);

/* The same without waiting for the limit: -EAGAIN. */
WEFT_API int weft_scope_try_go(weft_scope *scope, int (*fn)(void *arg), void *arg);

/* The context, which lives as long as the scope: to cancel it, to ask it, to work in it. */
WEFT_API weft_context *weft_scope_context(weft_scope *scope);

/*
 * Waits for all goroutines of the scope, whatever the caller's context says, and frees it. Returns
 * the first result that was not 0, else 0: the end of the context alone is no error. A goroutine
 * that ends by weft_goexit() counts as one that returned 0.
 */
WEFT_API int weft_scope_end(weft_scope *scope);

WEFT_END_DECLS

#endif
