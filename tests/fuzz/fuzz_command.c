/* SPDX-License-Identifier: MIT */
/* link: common/command common/keys common/uuid common/clock common/err */
/*
 * fuzz_command - the fields of a stream entry. What decodes is written back, and must decode to the same.
 */
#include <stdlib.h>

#include "tests/fuzz/fields.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cs_field fields[FUZZ_FIELDS_MAX], again[CS_COMMAND_ARGV_MAX / 2];
    const char *argv[CS_COMMAND_ARGV_MAX];
    struct cs_command cmd, copy;
    struct cs_err err = {0};
    size_t count = fuzz_fields(data, len, fields), n;

    memset(&cmd, 0, sizeof cmd);
    memset(&copy, 0, sizeof copy);
    cs_command_init(&cmd, "DEFAULT", "stream");
    cs_command_init(&copy, "DEFAULT", "stream");
    if (cs_command_decode(&cmd, fields, count, &err) != CS_OK) {
        if (err.msg[0] == '\0' || strpbrk(err.msg, "\r\n") != NULL ||
            strcmp(err.code, "invalid_command") != 0)
            abort();
        return 0;
    }
    n = cs_command_encode(&cmd, argv);
    if (n > CS_COMMAND_ARGV_MAX || n % 2 != 0)
        abort();
    for (size_t i = 0; i < n / 2; i++)
        again[i] =
            (struct cs_field){argv[2 * i], strlen(argv[2 * i]), argv[2 * i + 1], strlen(argv[2 * i + 1])};
    if (cs_command_decode(&copy, again, n / 2, &err) != CS_OK || copy.verb != cmd.verb ||
        copy.mode != cmd.mode || copy.force != cmd.force || copy.dry_run != cmd.dry_run ||
        strcmp(copy.as_of, cmd.as_of) != 0 || strcmp(copy.environment, cmd.environment) != 0 ||
        strcmp(copy.job_id, cmd.job_id) != 0 || strcmp(copy.idempotency_key, cmd.idempotency_key) != 0 ||
        strcmp(copy.triggered_by, cmd.triggered_by) != 0)
        abort();
    return 0;
}
