/* SPDX-License-Identifier: MIT */
#ifndef WEFT_READER_SPLICE_H
#define WEFT_READER_SPLICE_H

/*
 * The bytes of a trace that is put together from generations of others, as a weft_read_fn: parts
 * one after the other, of each the generations from one to another, by ordinal.
 */

#include <stdbool.h>

#include <weft/slice.h>

struct splice_part {
    void *context;        /* for open */
    uint64_t first, last; /* generations, counted from 1; UINT64_MAX is the last one there is */
};

struct splice {
    weft_open_fn open;
    const struct splice_part *parts;
    size_t count;
    size_t part;         /* the one that is being read */
    weft_reader *reader; /* of it: only its bytes are used */
    uint64_t ordinal;    /* of the generation at hand, from 1; 0 before the first batch */
    uint64_t number;     /* its number */
    bool ended;          /* the mark that ends the generation at hand was seen */
    uint8_t *batch;      /* bytes that are handed out */
    size_t size, at;
    uint64_t written; /* bytes handed out */
};

/* Returns 0 or -ENOMEM. parts must outlive the splice. */
int splice_init(struct splice *splice, weft_open_fn open, const struct splice_part *parts,
                size_t count);
void splice_fini(struct splice *splice);

/* A weft_read_fn; context is the splice. */
ptrdiff_t splice_read(void *context, void *data, size_t size);

/*
 * Reads the spliced trace to its end, then writes it. Returns 0 or a negative errno value; -EBADMSG
 * with *error.
 */
int splice_write(weft_open_fn open, const struct splice_part *parts, size_t count,
                 weft_write_fn write, void *context, weft_slice_info *info,
                 weft_reader_error *error);

/* Copies an error whose texts die with their reader. */
void splice_keep_error(const weft_reader *reader, weft_reader_error *error);
/* Makes an error of a text. Returns -EBADMSG. */
int splice_fail(weft_reader_error *error, const char *rule, const char *format, ...)
    WEFT_PRINTF(3, 4);

#endif
