/* SPDX-License-Identifier: MIT */
/* link: common/job common/command common/keys common/clock common/uuid common/err */
#include "common/job.h"

#include <criterion/criterion.h>
#include <string.h>

static struct cs_field
field(const char *name, const char *value)
{
    return (struct cs_field){name, strlen(name), value, strlen(value)};
}

Test(job, no_hash_is_null)
{
    cr_assert_null(cs_job_to_json(NULL, 0));
}

Test(job, fields_are_typed_and_absent_ones_null)
{
    struct cs_field fields[] = {
        field("status", "completed"),
        field("force", "1"),
        field("dry_run", "0"),
        field("duration_seconds", "1.5"),
        field("attempts", "2"),
        field("total_changes", "12x"),
        field("summary", "{\"a\":[1]}"),
        field("secret_owner", "w"),
        field("progress", "{\"done\":1}"),
        field("universes_updated", "[bad"),
        field("worker", "\xff\xfe"),
        {"entry_id", 8,
         "1\0"
         "1",
         3},
    };
    json_t *job = cs_job_to_json(fields, sizeof fields / sizeof fields[0]);

    cr_assert_str_eq(json_string_value(json_object_get(job, "status")), "completed");
    cr_assert(json_is_true(json_object_get(job, "force")));
    cr_assert(json_is_false(json_object_get(job, "dry_run")));
    cr_assert_float_eq(json_number_value(json_object_get(job, "duration_seconds")), 1.5, 1e-9);
    cr_assert_eq(json_integer_value(json_object_get(job, "attempts")), 2);
    cr_assert(json_is_null(json_object_get(job, "total_changes")));
    cr_assert(json_is_object(json_object_get(job, "summary")));
    cr_assert(json_is_null(json_object_get(job, "universes_updated")));
    cr_assert(json_is_null(json_object_get(job, "worker")));
    cr_assert(json_is_null(json_object_get(job, "entry_id")), "a text with a NUL is none");
    cr_assert(json_is_null(json_object_get(job, "coalesced_into")));
    cr_assert(json_is_null(json_object_get(job, "progress")), "progress shows only while running");
    cr_assert_null(json_object_get(job, "secret_owner"));
    cr_assert_eq(json_object_size(job), 22);
    json_decref(job);
}

Test(job, progress_shows_while_running)
{
    struct cs_field fields[] = {field("status", "running"), field("progress", "{\"done\":1}")};
    json_t *job = cs_job_to_json(fields, 2);

    cr_assert(json_is_object(json_object_get(job, "progress")));
    json_decref(job);
}

Test(job, an_unread_command_is_pending_since_its_entry)
{
    struct cs_entry_id entry = {.ms = 1715284800000, .seq = 3};
    struct cs_command cmd;
    json_t *job;

    cs_command_init(&cmd, "DEFAULT", "stream");
    cmd.mode = CS_MODE_IPOS;
    job = cs_job_pending_json("018f5ea5-9000-7000-8000-000000000003", &entry, &cmd);
    cr_assert_str_eq(json_string_value(json_object_get(job, "status")), "pending");
    cr_assert_str_eq(json_string_value(json_object_get(job, "created_at")), "2024-05-09T20:00:00.000Z");
    cr_assert_str_eq(json_string_value(json_object_get(job, "entry_id")), "1715284800000-3");
    cr_assert_str_eq(json_string_value(json_object_get(job, "mode")), "ipos");
    cr_assert(json_is_false(json_object_get(job, "force")));
    cr_assert(json_is_null(json_object_get(job, "start_time")));
    json_decref(job);
}
