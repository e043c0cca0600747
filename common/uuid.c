/* SPDX-License-Identifier: MIT */
/*
 * uuid - entry id to version 7 UUID and back, by text alone. Any thread.
 */
#include "common/uuid.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"

#define MS_LIMIT (UINT64_C(1) << 48)
#define SEQ_LIMIT (UINT64_C(1) << 62)
#define VARIANT (UINT64_C(2) << 62)

/* strtoull takes blanks and signs; an entry id has none. */
static bool
decimal(const char **p, uint64_t *value)
{
    char *end;

    if (**p < '0' || **p > '9')
        return false;
    errno = 0;
    *value = strtoull(*p, &end, 10);
    *p = end;
    return errno == 0;
}

enum cs_rc
cs_entry_id_parse(const char *text, struct cs_entry_id *id)
{
    const char *p = text;

    if (!decimal(&p, &id->ms) || *p++ != '-' || !decimal(&p, &id->seq) || *p != '\0')
        return CS_EINVAL;
    return CS_OK;
}

void
cs_entry_id_format(const struct cs_entry_id *id, char out[CS_ENTRY_ID_LEN + 1])
{
    snprintf(out, CS_ENTRY_ID_LEN + 1, "%" PRIu64 "-%" PRIu64, id->ms, id->seq);
}

enum cs_rc
cs_uuid_from_entry(const struct cs_entry_id *id, char out[CS_UUID_LEN + 1])
{
    uint64_t low = VARIANT | id->seq;

    if (id->ms >= MS_LIMIT || id->seq >= SEQ_LIMIT)
        return CS_EINVAL;
    snprintf(out, CS_UUID_LEN + 1, "%08x-%04x-7000-%04x-%012" PRIx64, (unsigned)(id->ms >> 16),
             (unsigned)(id->ms & 0xffff), (unsigned)(low >> 48), low & (MS_LIMIT - 1));
    return CS_OK;
}

enum cs_rc
cs_uuid_to_entry(const char *uuid, struct cs_entry_id *id)
{
    char text[CS_UUID_LEN + 1];
    uint64_t half[2] = {0, 0};
    int nibble = 0;

    if (cs_uuid_normalize(uuid, strlen(uuid), text) != CS_OK)
        return CS_ENOTFOUND;
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '-')
            continue;
        half[nibble / 16] = half[nibble / 16] << 4 | (uint64_t)cs_hex_value(*p);
        nibble++;
    }
    if ((half[0] & 0xffff) != 0x7000 || half[1] >> 62 != 2)
        return CS_ENOTFOUND;
    id->ms = half[0] >> 16;
    id->seq = half[1] & (SEQ_LIMIT - 1);
    return CS_OK;
}

enum cs_rc
cs_uuid_normalize(const char *text, size_t len_bytes, char out[CS_UUID_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (len_bytes != CS_UUID_LEN)
        return CS_EINVAL;
    for (int i = 0; i < CS_UUID_LEN; i++) {
        int value = cs_hex_value(text[i]);

        if (shape[i] == '-' ? text[i] != '-' : value < 0)
            return CS_EINVAL;
        out[i] = shape[i] == '-' ? '-' : digits[value];
    }
    out[CS_UUID_LEN] = '\0';
    return CS_OK;
}
