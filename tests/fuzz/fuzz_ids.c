/* SPDX-License-Identifier: MIT */
/* link: common/uuid common/clock common/err */
/*
 * fuzz_ids - entry ids, job ids, times and dates from text. What reads is written back and must read the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/uuid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_entry(const struct cs_entry_id *id)
{
    char text[CS_ENTRY_ID_LEN + 1], uuid[CS_UUID_LEN + 1];
    struct cs_entry_id back;

    cs_entry_id_format(id, text);
    if (cs_entry_id_parse(text, &back) != CS_OK || back.ms != id->ms || back.seq != id->seq)
        abort();
    if (cs_uuid_from_entry(id, uuid) != CS_OK)
        return;
    if (cs_uuid_to_entry(uuid, &back) != CS_OK || back.ms != id->ms || back.seq != id->seq)
        abort();
}

static void
check_time(const char *text)
{
    char out[CS_TIME_LEN + 1], date[CS_DATE_LEN + 1];
    int64_t ms, back;

    if (cs_time_parse(text, &ms) == CS_OK) {
        cs_time_format(ms, out);
        if (cs_time_parse(out, &back) != CS_OK || back != ms)
            abort();
    }
    if (cs_date_valid(text)) {
        cs_date_format(cs_date_days(text), date);
        if (strcmp(date, text) != 0)
            abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1), uuid[CS_UUID_LEN + 1], again[CS_UUID_LEN + 1];
    struct cs_entry_id id;

    if (text == NULL)
        return 0;
    if (len != 0)
        memcpy(text, data, len);
    text[len] = '\0';
    if (cs_entry_id_parse(text, &id) == CS_OK)
        check_entry(&id);
    if (len >= 16) {
        memcpy(&id.ms, data, 8);
        memcpy(&id.seq, data + 8, 8);
        check_entry(&id);
    }
    if (cs_uuid_to_entry(text, &id) == CS_OK)
        check_entry(&id);
    if (cs_uuid_normalize(text, len, uuid) == CS_OK &&
        (cs_uuid_normalize(uuid, strlen(uuid), again) != CS_OK || strcmp(uuid, again) != 0))
        abort();
    check_time(text);
    free(text);
    return 0;
}
