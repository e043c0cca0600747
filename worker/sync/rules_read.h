/* SPDX-License-Identifier: MIT */
/*
 * rules_read - JSON objects read into structs by tables of fields; what rules_parse.c is made of.
 *
 * Every mistake is one line: JSON pointer, what is wrong, remedy. Private to the rules. Thread: any.
 */
#ifndef CS_SYNC_RULES_READ_H
#define CS_SYNC_RULES_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/mem.h"

#define RULES_PATH_MAX 160

struct rules_reader {
    struct cs_arena *arena;
    struct cs_err *err;
};

enum rules_kind {
    RULES_READ_TEXT,   /* char[max + 1] */
    RULES_READ_CHOICE, /* enum; choices in order of value */
    RULES_READ_WORDS,  /* struct rules_texts of phrases that begin and end with a letter or digit */
    RULES_READ_LIST,   /* struct rules_texts */
    RULES_READ_BOOL,
    RULES_READ_INT64,
    RULES_READ_INT32,
    RULES_READ_REAL,
    RULES_READ_OTHER /* known here, read elsewhere */
};

struct rules_field {
    const char *name;
    enum rules_kind kind;
    bool required;
    size_t offset;
    double min, max;            /* of a number; of a text, max is its length in bytes */
    const char *const *choices; /* ends with NULL */
};

/* Read object into base. Unknown keys are refused. CS_EINVAL, CS_ENOMEM. */
enum cs_rc rules_read(struct rules_reader *r, const json_t *object, const char *path,
                      const struct rules_field *fields, size_t count, void *base) CS_MUSTCHECK;

/* "path: message" as CS_EINVAL. */
enum cs_rc rules_wrong(struct rules_reader *r, const char *path, const char *fmt, ...) CS_PRINTF(3, 4);

#endif
