/* SPDX-License-Identifier: MIT */
/*
 * text - bytes that grow: what a connection has read and not used, a reply's body.
 *
 * Plain data, zero-initialised is empty. Any one thread.
 */
#ifndef CS_HTTP_TEXT_H
#define CS_HTTP_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *at; /* owned; NULL while empty and never used */
    size_t len;
    size_t room;
};

void text_fini(struct text *t);              /* frees, leaves an empty text */
void text_clear(struct text *t);             /* keeps a small buffer, frees a large one */
void text_need(struct text *t, size_t more); /* room for so many bytes beyond len */
void text_add(struct text *t, const char *bytes, size_t len);
void text_puts(struct text *t, const char *s);
void text_int(struct text *t, int64_t value);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_cut(struct text *t, size_t len); /* take len bytes off the front */

/* A JSON string in quotes; bytes that are not UTF-8 become U+FFFD. */
void text_json(struct text *t, const char *bytes, size_t len);

#endif
