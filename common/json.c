/* SPDX-License-Identifier: MIT */
/*
 * json - text that is always UTF-8, compact dumps, bounded parsing. Any thread.
 */
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define REPLACEMENT_LEN 3

json_t *
cs_json_text(const char *bytes, size_t len_bytes)
{
    char *text = cs_xmalloc(len_bytes * REPLACEMENT_LEN + 1);
    size_t out = 0;
    json_t *value;

    for (size_t i = 0; i < len_bytes;) {
        size_t len = bytes[i] == '\0' ? 0 : cs_utf8_len((const unsigned char *)bytes + i, len_bytes - i);

        memcpy(text + out, len != 0 ? bytes + i : REPLACEMENT, len != 0 ? len : REPLACEMENT_LEN);
        out += len != 0 ? len : REPLACEMENT_LEN;
        i += len != 0 ? len : 1;
    }
    value = json_stringn_nocheck(text, out);
    free(text);
    return value;
}

char *
cs_json_dump(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

    if (text == NULL)
        abort();
    return text;
}

json_t *
cs_json_parse(const char *text, size_t len_bytes, size_t max_bytes, struct cs_err *err)
{
    json_error_t why;
    json_t *value;

    if (len_bytes > max_bytes) {
        cs_err_set(err, CS_EINVAL, "JSON of %zu bytes is longer than the limit of %zu; send less", len_bytes,
                   max_bytes);
        return NULL;
    }
    value = json_loadb(text, len_bytes, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);
    if (value == NULL)
        cs_err_set(err, CS_EINVAL, "not valid JSON: line %d, column %d: %s", why.line, why.column, why.text);
    return value;
}
