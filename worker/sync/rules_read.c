/* SPDX-License-Identifier: MIT */
/*
 * rules_read - JSON objects read into structs by tables of fields. Knows nothing of universes. Thread: any.
 */
#include "worker/sync/rules_read.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/sync/rules.h"

enum cs_rc
rules_wrong(struct rules_reader *r, const char *path, const char *fmt, ...)
{
    char message[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return cs_err_set(r->err, CS_EINVAL, "%s: %s", *path ? path : "/", message);
}

static const char *
type_name(const json_t *value)
{
    static const char *const names[] = {"an object", "an array", "a string", "an integer",
                                        "a number",  "true",     "false",    "null"};
    return names[json_typeof(value)];
}

static int
by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool
wordish(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static enum cs_rc
read_list(struct rules_reader *r, const json_t *value, const char *path, const struct rules_field *f,
          struct rules_texts *to)
{
    size_t count = json_array_size(value);
    char at[RULES_PATH_MAX + 80];

    if (!json_is_array(value) || count == 0)
        return rules_wrong(r, path,
                           "must be a list of one or more texts, is %s; leave the key out for no condition",
                           json_is_array(value) ? "empty" : type_name(value));
    to->items = cs_arena_alloc(r->arena, count * sizeof to->items[0]);
    if (!to->items)
        return cs_err_set(r->err, CS_ENOMEM, "no memory for the rules");
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);
        const char *text = json_string_value(item);
        size_t len = json_string_length(item);

        snprintf(at, sizeof at, "%s/%zu", path, i);
        if (!text || !len)
            return rules_wrong(r, at, "must be a text that is not empty, is %s",
                               text ? "empty" : type_name(item));
        if (f->kind == RULES_READ_WORDS && !(wordish(text[0]) && wordish(text[len - 1])))
            return rules_wrong(
                r, at, "\"%s\" must begin and end with a letter or digit: whole words are matched", text);
        to->items[i] = cs_arena_strndup(r->arena, text, len);
        if (!to->items[i])
            return cs_err_set(r->err, CS_ENOMEM, "no memory for the rules");
    }
    qsort(to->items, count, sizeof to->items[0], by_bytes);
    for (size_t i = 1; i < count; i++)
        if (strcmp(to->items[i - 1], to->items[i]) == 0)
            return rules_wrong(r, path, "\"%s\" is in the list twice; remove one", to->items[i]);
    to->count = count;
    return CS_OK;
}

static enum cs_rc
read_text(struct rules_reader *r, const json_t *value, const char *path, const struct rules_field *f,
          char *to)
{
    size_t len = json_string_length(value);

    if (!json_is_string(value) || len == 0)
        return rules_wrong(r, path, "must be a text that is not empty, is %s",
                           json_is_string(value) ? "empty" : type_name(value));
    if (len > (size_t)f->max)
        return rules_wrong(r, path, "has %zu bytes, %.0f are allowed; shorten it", len, f->max);
    memcpy(to, json_string_value(value), len + 1);
    return CS_OK;
}

static enum cs_rc
read_choice(struct rules_reader *r, const json_t *value, const char *path, const struct rules_field *f,
            unsigned *to)
{
    const char *text = json_string_value(value);
    char known[200] = "";

    for (unsigned i = 0; f->choices[i]; i++) {
        size_t n = strlen(known);

        if (text && strcmp(text, f->choices[i]) == 0) {
            *to = i;
            return CS_OK;
        }
        snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", f->choices[i]);
    }
    return rules_wrong(r, path, "\"%.60s\" is not known; use one of: %s", text ? text : type_name(value),
                       known);
}

static enum cs_rc
read_number(struct rules_reader *r, const json_t *value, const char *path, const struct rules_field *f,
            void *to)
{
    double n = json_number_value(value);
    bool whole = f->kind != RULES_READ_REAL;

    if (!json_is_number(value))
        return rules_wrong(r, path, "must be a%s number, is %s", whole ? " whole" : "", type_name(value));
    if (whole && n != floor(n))
        return rules_wrong(r, path, "must be a whole number, is %g", n);
    if (!(n >= f->min && n <= f->max))
        return rules_wrong(r, path, "is %g, must be from %g to %g", n, f->min, f->max);
    if (f->kind == RULES_READ_REAL)
        *(double *)to = n;
    else if (f->kind == RULES_READ_INT32)
        *(int32_t *)to = (int32_t)n;
    else
        *(int64_t *)to = json_is_integer(value) ? (int64_t)json_integer_value(value) : (int64_t)n;
    return CS_OK;
}

static enum cs_rc
read_bool(struct rules_reader *r, const json_t *value, const char *path, bool *to)
{
    if (!json_is_boolean(value))
        return rules_wrong(r, path, "must be true or false, is %s", type_name(value));
    *to = json_is_true(value);
    return CS_OK;
}

static enum cs_rc
read_field(struct rules_reader *r, const json_t *value, const char *path, const struct rules_field *f,
           void *base)
{
    char *to = (char *)base + f->offset;

    switch (f->kind) {
    case RULES_READ_TEXT:
        return read_text(r, value, path, f, to);
    case RULES_READ_CHOICE:
        return read_choice(r, value, path, f, (unsigned *)(void *)to);
    case RULES_READ_WORDS:
    case RULES_READ_LIST:
        return read_list(r, value, path, f, (struct rules_texts *)(void *)to);
    case RULES_READ_BOOL:
        return read_bool(r, value, path, (bool *)(void *)to);
    case RULES_READ_INT64:
    case RULES_READ_INT32:
    case RULES_READ_REAL:
        return read_number(r, value, path, f, to);
    case RULES_READ_OTHER:
        break;
    }
    return CS_OK;
}

static enum cs_rc
unknown_key(struct rules_reader *r, const char *path, const char *key, const struct rules_field *fields,
            size_t count)
{
    char known[300] = "", at[RULES_PATH_MAX + 160];
    size_t n = (size_t)snprintf(at, sizeof at, "%s/", path);

    /* A JSON pointer writes ~ as ~0 and / as ~1. */
    for (const char *c = key; *c && n + 3 < sizeof at; c++)
        n += (size_t)snprintf(at + n, sizeof at - n, *c == '~' ? "~0" : *c == '/' ? "~1" : "%c", *c);
    for (size_t i = 0; i < count; i++) {
        size_t have = strlen(known);

        snprintf(known + have, sizeof known - have, "%s%s", i ? ", " : "", fields[i].name);
    }
    return rules_wrong(r, at, "is not a known key; known here: %s", known);
}

enum cs_rc
rules_read(struct rules_reader *r, const json_t *object, const char *path, const struct rules_field *fields,
           size_t count, void *base)
{
    char at[RULES_PATH_MAX + 40];
    const char *key;
    json_t *value, *walked = (json_t *)(uintptr_t)object;

    if (!json_is_object(object))
        return rules_wrong(r, path, "must be an object, is %s", type_name(object));
    json_object_foreach (walked, key, value) {
        size_t i = 0;

        while (i < count && strcmp(fields[i].name, key) != 0)
            i++;
        if (i == count)
            return unknown_key(r, path, key, fields, count);
        snprintf(at, sizeof at, "%s/%s", path, key);
        enum cs_rc rc = read_field(r, value, at, &fields[i], base);
        if (rc)
            return rc;
    }
    for (size_t i = 0; i < count; i++)
        if (fields[i].required && !json_object_get(object, fields[i].name))
            return rules_wrong(r, path, "lacks \"%s\"; add it", fields[i].name);
    return CS_OK;
}
