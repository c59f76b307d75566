/* SPDX-License-Identifier: MIT */
/*
 * weft_process_capture(): a scope of goroutines, one for each stream and one for the end of the
 * child. What the first of them meets that is an error, or the end of the context, ends the scope's
 * context, with it the others' waits, and the child.
 */
#include "weft/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "weft/scope.h"

enum { FIRST_SIZE = 4096 };

struct stream {
    weft_conn *conn;
    size_t limit;
    char *data;
    size_t size, room;
};

struct capture {
    weft_process *process;
    weft_process_options options;
    const char *input;
    size_t input_size;
    struct stream out, err;
    weft_process_status status;
};

/* ---- What each goroutine does ---- */

/* Room for at least one byte more and the 0 behind all. */
static int make_room(struct stream *s)
{
    if (s->size + 1 < s->room)
        return 0;
    size_t room = s->room ? 2 * s->room : FIRST_SIZE;
    char *data = realloc(s->data, room);
    if (!data)
        return -ENOMEM;
    s->data = data;
    s->room = room;
    return 0;
}

static size_t at_most(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A byte over the limit is asked for, to see whether there is one. */
static int read_all(void *arg)
{
    struct stream *s = arg;
    for (;;) {
        int error = make_room(s);
        if (error)
            return error;
        size_t free_room = s->room - 1 - s->size, allowed = s->limit - s->size;
        size_t want = allowed < SIZE_MAX ? at_most(free_room, allowed + 1) : free_room;
        ssize_t n = weft_conn_read(s->conn, s->data + s->size, want);
        if (n <= 0)
            return (int)n;
        s->size += at_most((size_t)n, allowed);
        if ((size_t)n > allowed)
            return -EFBIG;
    }
}

/* A child that does not read to the end is none of our business. */
static int write_input(void *arg)
{
    struct capture *c = arg;
    ssize_t n = weft_conn_write(weft_process_pipe(c->process, 0), c->input, c->input_size);
    weft_process_close_pipe(c->process, 0);
    return n < 0 && n != -EPIPE ? (int)n : 0;
}

static int await_end(void *arg)
{
    struct capture *c = arg;
    return weft_process_wait(c->process, WEFT_NEVER, &c->status);
}

/* ---- All together ---- */

static int go_on(weft_scope *scope, struct capture *c)
{
    int error = weft_scope_go(scope, read_all, &c->out);
    if (!error && c->err.conn)
        error = weft_scope_go(scope, read_all, &c->err);
    if (!error && c->input_size)
        error = weft_scope_go(scope, write_input, c);
    return error ? error : weft_scope_go(scope, await_end, c);
}

/* The child was told to end: its output is read no more, and nobody gives up waiting for it. */
static void await_told(struct capture *c)
{
    weft_context *current = weft_context_enter(NULL);
    for (int i = 0; i < 3; i++)
        weft_process_close_pipe(c->process, i);
    (void)weft_process_wait(c->process, WEFT_NEVER, &c->status);
    weft_context_enter(current);
}

/* Ends the scope if not all of it could be started. Returns the error, or 0 if the context is the
 * reason: somebody has a better one. */
static int stop_what_runs(weft_scope *scope, int error)
{
    if (weft_context_error(weft_scope_context(scope)))
        return 0;
    weft_context_cancel(weft_scope_context(scope), error);
    return error;
}

static int run(weft_scope *scope, struct capture *c, const char *const *argv)
{
    c->options.context = weft_scope_context(scope);
    int error = weft_process_start(argv, &c->options, &c->process);
    if (error) {
        (void)weft_scope_end(scope);
        return error;
    }
    c->out.conn = weft_process_pipe(c->process, 1);
    c->err.conn = weft_process_pipe(c->process, 2);
    error = go_on(scope, c);
    int cause = error ? stop_what_runs(scope, error) : 0;
    int result = weft_scope_end(scope);
    if (error || result)
        await_told(c);
    weft_process_free(c->process);
    return cause ? cause : result ? result : error;
}

static void set_streams(weft_process_options *options, size_t input_size)
{
    if (input_size)
        options->stdio[0] = WEFT_STDIO_PIPE;
    else if (options->stdio[0] == WEFT_STDIO_INHERIT || options->stdio[0] == WEFT_STDIO_PIPE)
        options->stdio[0] = WEFT_STDIO_NULL;
    options->stdio[1] = WEFT_STDIO_PIPE;
    if (options->stdio[2] == WEFT_STDIO_INHERIT)
        options->stdio[2] = WEFT_STDIO_PIPE;
}

static char *finish(struct stream *s)
{
    if (s->data)
        s->data[s->size] = 0;
    return s->data;
}

int weft_process_capture(const char *const *argv, const weft_process_options *options,
                         const void *input, size_t size, size_t limit, weft_process_output *output)
{
    struct capture c = {.input = input, .input_size = size};
    *output = (weft_process_output){0};
    c.out.limit = c.err.limit = limit;
    c.options.size = sizeof c.options;
    if (options && (options->size < sizeof(size_t) || options->size > sizeof *options))
        return -EINVAL;
    if (options)
        memcpy(&c.options, options, options->size);
    c.options.size = sizeof c.options;
    set_streams(&c.options, size);
    weft_scope *scope = weft_scope_new(c.options.context, 0);
    if (!scope)
        return -ENOMEM;
    int error = run(scope, &c, argv);
    *output =
        (weft_process_output){finish(&c.out), finish(&c.err), c.out.size, c.err.size, c.status};
    return error;
}

void weft_process_output_free(weft_process_output *output)
{
    free(output->out);
    free(output->err);
    *output = (weft_process_output){0};
}
