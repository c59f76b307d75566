/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_READER_H
#define WEFT_READER_READER_H

/* What a weft_reader is made of; see <weft/reader.h> for what it does. */

#include "reader/decode.h"
#include "reader/frontier.h"
#include "reader/order.h"
#include "reader/parking.h"
#include "reader/team.h"

struct weft_reader {
    struct reader_source source;
    struct reader_gather gather;
    struct reader_generation gen;
    struct reader_order order;
    struct reader_frontier frontier;
    struct reader_parking parking;
    uint32_t parking_least; /* cursors from which on it is used */
    READER_VEC(struct reader_cursor) cursors;

    bool plain;          /* the next event comes from the frontier, or is a sample before it */
    bool running;        /* a generation is being delivered */
    int64_t sample_time; /* of the next CPU sample; INT64_MAX if there is none */
    unsigned version;
    uint32_t sample;         /* number of the next CPU sample */
    uint32_t queue_at;       /* next of order.queue */
    int64_t last;            /* time of the last event delivered */
    uint64_t syncs;          /* delivered */
    uint64_t shown;          /* generation of the last event delivered */
    uint64_t generations;    /* opened */
    uint64_t offset;         /* of the last event delivered */
    bool sync_has_data;      /* the last sync opened a generation */
    int status, next_status; /* 1 while there may be events; what to return after the next one */

    struct analysis_intern *stable; /* handles that hold across generations; NULL: they do not */
    struct reader_budget budget;
    struct reader_team *team; /* decodes ahead; NULL: nobody does */

    struct reader_fault fault;
    weft_reader_warning warnings[READER_ODD_LIMIT];
    int fd; /* for open_path and open_fd, else -1 */
    bool owns_fd;
    int64_t fd_start;               /* where the trace begins in it; -1 if it cannot seek */
    void (*on_free)(void *context); /* may be NULL */
    void *on_free_context;
};

struct analysis_intern;

/* As the functions weft_reader_..., for handles of the generation's tables. */
weft_text reader_table_string(const weft_reader *reader, weft_string string);
size_t reader_table_depth(const weft_reader *reader, weft_stack stack);
int reader_table_frame(const weft_reader *reader, weft_stack stack, size_t index,
                       weft_frame *frame);

/* Frees the cursors of the current generation. */
void reader_cursors_close(weft_reader *reader);

/* Whether the input is a file that can seek. */
bool reader_can_seek(const weft_reader *reader);
/*
 * Goes to a place of the trace where a generation begins. The reader is then as if it had just read
 * its header, except for the ordering state and the counts of what was delivered. Returns 0 or a
 * negative errno value, and then nothing has changed.
 */
int reader_restart(weft_reader *reader, uint64_t offset);

#endif
