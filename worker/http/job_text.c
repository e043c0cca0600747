/* SPDX-License-Identifier: MIT */
/*
 * job_text - the fields of a job hash by their types.
 */
#include "worker/http/job_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/keys.h"
#include "common/utf8.h"

static bool
is_text(const char *bytes, size_t len)
{
    for (size_t i = 0, n; i < len; i += n)
        if (bytes[i] == '\0' || (n = (unsigned char)bytes[i] < 0x80
                                         ? 1
                                         : cs_utf8_len((const unsigned char *)bytes + i, len - i)) == 0)
            return false;
    return true;
}

/* With a point or an exponent, as a real number is written. */
static void
add_number(struct text *out, double value)
{
    char digits[40];

    snprintf(digits, sizeof digits, "%.15g", value);
    text_puts(out, digits);
    if (!strpbrk(digits, ".e"))
        text_add(out, ".0", 2);
}

/* False when it does not parse. */
static bool
add_numeric(struct text *out, enum cs_job_type type, const struct cs_field *value)
{
    char digits[64], *end;

    if (value->value_len == 0 || value->value_len >= sizeof digits)
        return false;
    memcpy(digits, value->value, value->value_len);
    digits[value->value_len] = '\0';
    if (type == CS_JOB_BOOLEAN) {
        text_puts(out, strcmp(digits, "1") == 0 || strcmp(digits, "true") == 0 ? "true" : "false");
        return true;
    }
    if (type == CS_JOB_INTEGER) {
        long long whole = strtoll(digits, &end, 10);

        if (*end == '\0')
            text_int(out, whole);
    } else {
        double real = strtod(digits, &end);

        if (!isfinite(real))
            return false;
        if (*end == '\0')
            add_number(out, real);
    }
    return *end == '\0';
}

static bool
add_value(struct text *out, enum cs_job_type type, const struct cs_field *value)
{
    if (!value)
        return false;
    if (type == CS_JOB_TEXT && is_text(value->value, value->value_len))
        text_json(out, value->value, value->value_len);
    else if (type == CS_JOB_JSON && cs_json_valid(value->value, value->value_len))
        text_add(out, value->value, value->value_len);
    else
        return type != CS_JOB_TEXT && type != CS_JOB_JSON && add_numeric(out, type, value);
    return true;
}

void
http_job_member(struct text *out, const struct cs_job_field *field, const struct cs_field *value)
{
    text_add(out, "\"", 1);
    text_add(out, field->name, field->name_len);
    text_add(out, "\":", 2);
    if (!add_value(out, field->type, value))
        text_add(out, "null", 4);
}

/* The field of that name. Workers write in about the order of the table: the search goes on behind the last find. */
static const struct cs_field *
find(const struct cs_field *fields, size_t count, const struct cs_job_field *wanted, size_t *at)
{
    for (size_t i = 0; i < count; i++) {
        size_t k = *at + i < count ? *at + i : *at + i - count;

        if (fields[k].name_len != wanted->name_len ||
            memcmp(fields[k].name, wanted->name, wanted->name_len) != 0)
            continue;
        *at = k + 1 < count ? k + 1 : 0;
        return &fields[k];
    }
    return NULL;
}

void
http_job_text(struct text *out, const struct cs_field *fields, size_t count)
{
    static const struct cs_job_field status = {"status", 6, CS_JOB_TEXT};
    const char *name = cs_status_name(CS_STATUS_RUNNING);
    size_t at = 0;
    const struct cs_field *is = find(fields, count, &status, &at);
    bool running = is && is->value_len == strlen(name) && memcmp(is->value, name, is->value_len) == 0;

    at = 0;
    for (size_t i = 0; i < CS_JOB_FIELDS; i++) {
        const struct cs_job_field *field = &cs_job_fields[i];
        bool hidden = !running && strcmp(field->name, "progress") == 0;

        text_add(out, i == 0 ? "{" : ",", 1);
        http_job_member(out, field, hidden ? NULL : find(fields, count, field, &at));
    }
    text_add(out, "}", 1);
}
