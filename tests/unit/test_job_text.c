/* SPDX-License-Identifier: MIT */
/* link: worker/http/job_text worker/http/text common/job common/json common/json_valid common/command common/keys common/clock common/uuid common/mem common/err */
#include "worker/http/job_text.h"

#include <criterion/criterion.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static struct cs_field
field(const char *name, const char *value)
{
    return (struct cs_field){name, strlen(name), value, strlen(value)};
}

/* The text says what the tree says. */
static void
expect_same(const struct cs_field *fields, size_t count)
{
    json_t *tree = cs_job_to_json(fields, count), *read;
    struct text out = {NULL, 0, 0};

    http_job_text(&out, fields, count);
    read = json_loadb(out.at, out.len, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(read, "%.*s", (int)out.len, out.at);
    cr_expect(json_equal(tree, read), "%.*s", (int)out.len, out.at);
    json_decref(tree);
    json_decref(read);
    text_fini(&out);
}

Test(job_text, says_what_the_tree_says)
{
    const struct cs_field known[] = {
        field("job_id", "0190a5b2-1c00-7000-8000-000000000000"),
        field("status", "completed"),
        field("mode", "full"),
        field("force", "1"),
        field("dry_run", "0"),
        field("duration_seconds", "1.5"),
        field("attempts", "2"),
        field("total_changes", "12"),
        field("summary", "{\"a\":[1,2.5,\"\\u00e9\"]}"),
        field("progress", "{\"percentage\":5}"),
        field("universes_updated", "[\"a\",\"b\"]"),
        field("worker", "a \"b\"\\\t\x01\xc3\xa4"),
        field("unknown", "x"),
        field("error_details", ""),
    };

    for (size_t from = 0; from < COUNT_OF(known); from++)
        expect_same(known + from, COUNT_OF(known) - from);
}

Test(job_text, what_does_not_parse_is_null)
{
    static const char *const values[] = {"",          "x",    "12x",  "nan",   "inf",         "-7",
                                         "007",       "2",    "1e3",  "-0.25", "99999999999", "[",
                                         "{\"a\":1}", "null", "\xff", "true",  "false",       "[1] x"};

    for (size_t i = 0; i < CS_JOB_FIELDS; i++)
        for (size_t k = 0; k < COUNT_OF(values); k++) {
            const struct cs_field one[] = {field("status", "running"),
                                           field(cs_job_fields[i].name, values[k])};

            expect_same(one + (strcmp(one[1].name, "status") == 0), 2 - (strcmp(one[1].name, "status") == 0));
        }
    expect_same(&(struct cs_field){"worker", 6, "a\0b", 3}, 1);
}

Test(job_text, a_number_beyond_all_bounds_is_null)
{
    const struct cs_field one[] = {field("duration_seconds", "1e400")};

    expect_same(one, 1);
}

Test(job_text, progress_shows_only_while_running)
{
    static const char *const statuses[] = {"pending", "running", "completed", "failed", "error", ""};

    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        const struct cs_field fields[] = {field("progress", "{\"percentage\":5}"),
                                          field("status", statuses[i])};

        expect_same(fields, 2);
    }
}
