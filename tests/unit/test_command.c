/* SPDX-License-Identifier: MIT */
/* link: common/command common/keys common/clock common/uuid common/err */
#include "common/command.h"

#include <criterion/criterion.h>
#include <string.h>

static struct cs_field
field(const char *name, const char *value)
{
    return (struct cs_field){name, strlen(name), value, strlen(value)};
}

static enum cs_rc
decode_one(struct cs_command *cmd, const char *name, const char *value, struct cs_err *err)
{
    struct cs_field f = field(name, value);

    cs_command_init(cmd, "DEFAULT", "stream");
    return cs_command_decode(cmd, &f, 1, err);
}

Test(command, nothing_given_is_a_full_sync)
{
    struct cs_command cmd;
    struct cs_err err = {0};

    cs_command_init(&cmd, "DEFAULT", "stream");
    cr_assert_eq(cs_command_decode(&cmd, NULL, 0, &err), CS_OK);
    cr_assert_eq(cmd.verb, CS_VERB_SYNC);
    cr_assert_eq(cmd.mode, CS_MODE_FULL);
    cr_assert_not(cmd.force);
    cr_assert_not(cmd.dry_run);
    cr_assert_str_eq(cmd.environment, "DEFAULT");
    cr_assert_str_eq(cmd.triggered_by, "stream");
    cr_assert_str_empty(cmd.as_of);
    cr_assert_str_empty(cmd.job_id);
}

Test(command, good_values_are_taken)
{
    static const struct {
        const char *name, *value;
    } good[] = {
        {"command", "sync"},
        {"command", "ping"},
        {"mode", "market_cap"},
        {"mode", "ipos"},
        {"force", "true"},
        {"dry_run", "0"},
        {"as_of", "2024-02-29"},
        {"environment", "PROD_2"},
        {"job_id", "018F6E2C-0000-7000-8000-00000000000A"},
        {"triggered_by", "api:v2.x-1"},
        {"idempotency_key", "daily: 2024~"},
        {"no_such_field", "\x01"},
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct cs_command cmd;
        struct cs_err err = {0};

        cr_assert_eq(decode_one(&cmd, good[i].name, good[i].value, &err), CS_OK, "%s=%s: %s", good[i].name,
                     good[i].value, err.msg);
    }
}

Test(command, bools_are_1_0_true_false)
{
    struct cs_command cmd;
    struct cs_err err;

    cr_assert_eq(decode_one(&cmd, "force", "1", &err), CS_OK);
    cr_assert(cmd.force);
    cr_assert_eq(decode_one(&cmd, "dry_run", "true", &err), CS_OK);
    cr_assert(cmd.dry_run);
    cr_assert_eq(decode_one(&cmd, "force", "false", &err), CS_OK);
    cr_assert_not(cmd.force);
}

Test(command, bad_values_name_the_field)
{
    static const struct {
        const char *name, *value;
    } bad[] = {
        {"command", "stop"},   {"mode", "FULL"},        {"mode", ""},
        {"force", "yes"},      {"dry_run", "2"},        {"as_of", "2023-02-29"},
        {"as_of", "2024-1-1"}, {"environment", "prod"}, {"environment", "ELEVEN_LONG"},
        {"job_id", "12"},      {"triggered_by", "A"},   {"idempotency_key", "a\nb"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cs_command cmd;
        struct cs_err err = {0};

        cr_assert_eq(decode_one(&cmd, bad[i].name, bad[i].value, &err), CS_EINVAL, "%s=%s", bad[i].name,
                     bad[i].value);
        cr_assert_str_eq(err.code, "invalid_command");
        cr_assert_not_null(strstr(err.msg, bad[i].name), "%s", err.msg);
        cr_assert_null(strchr(err.msg, '\n'));
    }
}

Test(command, what_was_good_is_kept_beside_what_was_bad)
{
    struct cs_field fields[] = {field("mode", "bogus"),
                                field("job_id", "018F6E2C-0000-7000-8000-00000000000A")};
    struct cs_command cmd;
    struct cs_err err = {0};

    cs_command_init(&cmd, "DEFAULT", "stream");
    cr_assert_eq(cs_command_decode(&cmd, fields, 2, &err), CS_EINVAL);
    cr_assert_not_null(strstr(err.msg, "mode"));
    cr_assert_str_eq(cmd.job_id, "018f6e2c-0000-7000-8000-00000000000a");
}

Test(command, the_last_of_two_counts)
{
    struct cs_field fields[] = {field("mode", "themes"), field("mode", "ipos")};
    struct cs_command cmd;
    struct cs_err err;

    cs_command_init(&cmd, "DEFAULT", "stream");
    cr_assert_eq(cs_command_decode(&cmd, fields, 2, &err), CS_OK);
    cr_assert_eq(cmd.mode, CS_MODE_IPOS);
}

Test(command, cancel_needs_a_job_id)
{
    struct cs_command cmd;
    struct cs_err err = {0};

    cr_assert_eq(decode_one(&cmd, "command", "cancel", &err), CS_EINVAL);
    cr_assert_str_eq(err.code, "invalid_command");
    cr_assert_not_null(strstr(err.msg, "job_id"));
}

Test(command, encoding_decodes_to_the_same)
{
    struct cs_command cmd, back;
    const char *argv[CS_COMMAND_ARGV_MAX];
    struct cs_field fields[CS_COMMAND_ARGV_MAX / 2];
    struct cs_err err = {0};
    size_t n;

    cs_command_init(&cmd, "PROD", "cli");
    cmd.mode = CS_MODE_THEMES;
    cmd.force = cmd.dry_run = true;
    strcpy(cmd.as_of, "2024-05-09");
    strcpy(cmd.idempotency_key, "k 1");
    n = cs_command_encode(&cmd, argv);
    cr_assert_eq(n % 2, 0);
    for (size_t i = 0; i < n / 2; i++)
        fields[i] = field(argv[2 * i], argv[2 * i + 1]);
    cs_command_init(&back, "DEFAULT", "stream");
    cr_assert_eq(cs_command_decode(&back, fields, n / 2, &err), CS_OK, "%s", err.msg);
    cr_assert_eq(back.mode, CS_MODE_THEMES);
    cr_assert(back.force && back.dry_run);
    cr_assert_str_eq(back.environment, "PROD");
    cr_assert_str_eq(back.triggered_by, "cli");
    cr_assert_str_eq(back.as_of, "2024-05-09");
    cr_assert_str_eq(back.idempotency_key, "k 1");
}

Test(command, setting_an_unknown_field_is_told)
{
    struct cs_command cmd;
    struct cs_err err;

    cs_command_init(&cmd, "DEFAULT", "stream");
    cr_assert_eq(cs_command_set(&cmd, "colour", "red", 3, &err), CS_ENOTFOUND);
}
