/* SPDX-License-Identifier: MIT */
/*
 * json - the few things jansson lacks. Any thread.
 */
#ifndef CS_COMMON_JSON_H
#define CS_COMMON_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

/* A string value from bytes that may not be UTF-8: invalid sequences and NUL become U+FFFD. New reference. */
json_t *cs_json_text(const char *bytes, size_t len_bytes);

/* Compact text in stable key order of insertion. Gives a string to free(); aborts when memory is short. */
char *cs_json_dump(const json_t *value);

/* Parse a whole text of at most max_bytes, depth as jansson's. New reference, or NULL with err (line and column). */
json_t *cs_json_parse(const char *text, size_t len_bytes, size_t max_bytes, struct cs_err *err);

/* json_valid.c: whether text is one whole JSON value (RFC 8259), nested at most 128 deep, with no NUL in its strings; builds
 * nothing. What cs_json_parse takes is valid. */
bool cs_json_valid(const char *text, size_t len_bytes);

#endif
