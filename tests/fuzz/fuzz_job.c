/* SPDX-License-Identifier: MIT */
/* link: common/job common/command common/keys common/uuid common/clock common/json common/mem common/err */
/*
 * fuzz_job - a job hash as the adapter and the command line read it, and an entry that no worker has read.
 */
#include <stdlib.h>

#include "common/job.h"
#include "common/json.h"
#include "tests/fuzz/fields.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cs_field fields[FUZZ_FIELDS_MAX];
    struct cs_entry_id entry = {.ms = len, .seq = 1};
    struct cs_command cmd;
    struct cs_err err;
    size_t count = fuzz_fields(data, len, fields);
    json_t *job = cs_job_to_json(fields, count), *read;
    char *text;

    if ((job == NULL) != (count == 0))
        abort();
    if (job != NULL) {
        text = cs_json_dump(job);
        read = cs_json_parse(text, strlen(text), SIZE_MAX, NULL);
        if (read == NULL)
            abort();
        json_decref(read);
        free(text);
        json_decref(job);
    }
    cs_command_init(&cmd, "DEFAULT", "stream");
    (void)!cs_command_decode(&cmd, fields, count, &err);
    job = cs_job_pending_json("00000000-0000-7000-8000-000000000001", &entry, &cmd);
    if (!json_is_object(job))
        abort();
    json_decref(job);
    return 0;
}
