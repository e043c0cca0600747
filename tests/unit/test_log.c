/* SPDX-License-Identifier: MIT */
/* link: common/log common/clock common/err common/json common/mem */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"

struct place {
    char dir[32];
    char path[64];
    char text[32768];
};

static void
start(struct place *p, enum cs_log_format format)
{
    struct cs_err err;

    strcpy(p->dir, "/tmp/test_log.XXXXXX");
    cr_assert_not_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/log", p->dir);
    cr_assert_eq(cs_log_open(p->path, format, CS_LOG_INFO, &err), CS_OK, "%s", err.msg);
}

static const char *
content(struct place *p, const char *path)
{
    FILE *f = fopen(path, "r");
    size_t len;

    cr_assert_not_null(f);
    len = fread(p->text, 1, sizeof p->text - 1, f);
    p->text[len] = '\0';
    fclose(f);
    return p->text;
}

static void
stop(struct place *p)
{
    char rotated[80];

    snprintf(rotated, sizeof rotated, "%s.1", p->path);
    unlink(rotated);
    unlink(p->path);
    rmdir(p->dir);
}

Test(log, text_line)
{
    static struct place p;
    const char *text;

    start(&p, CS_LOG_TEXT);
    CS_LOG(CS_LOG_INFO, "job_finished", "id1", cs_kv_s("status", "completed"), cs_kv_i("changes", 12),
           cs_kv_f("took", 0.5), cs_kv_b("dry", false), cs_kv_s("why", "two words"), cs_kv_s("none", NULL));
    text = content(&p, p.path);
    cr_expect_eq(text[23], 'Z');
    cr_expect_str_eq(text + 24, " info  job_finished job=id1 status=completed changes=12 took=0.5 dry=false "
                                "why=\"two words\" none=-\n");
    stop(&p);
}

Test(log, levels_below_the_threshold_are_silent)
{
    static struct place p;

    start(&p, CS_LOG_TEXT);
    CS_LOG(CS_LOG_DEBUG, "hidden", NULL);
    cr_expect_str_eq(content(&p, p.path), "");
    cs_log_set_level(CS_LOG_DEBUG);
    CS_LOG(CS_LOG_DEBUG, "shown", NULL);
    cr_expect_str_eq(content(&p, p.path) + 24, " debug shown\n");
    stop(&p);
}

Test(log, no_value_forges_a_line)
{
    static const char evil[] = "a\n2024 info fake \"x\" \\ \x1b[0m \xff \xc2\x85 \x7f";
    static const enum cs_log_format formats[] = {CS_LOG_TEXT, CS_LOG_JSON};
    static struct place p;

    for (size_t i = 0; i < 2; i++) {
        const char *text;

        start(&p, formats[i]);
        CS_LOG(CS_LOG_WARN, "bad", evil, cs_kv_s("value", evil));
        text = content(&p, p.path);
        cr_expect_eq(strchr(text, '\n'), text + strlen(text) - 1, "%s", text);
        for (const char *c = text; *c != '\n'; c++)
            cr_expect(*c >= ' ' && *c <= '~', "%s", text);
        stop(&p);
    }
}

Test(log, json_line_parses)
{
    static struct place p;
    struct cs_err err;
    const char *text;
    json_t *line;

    start(&p, CS_LOG_JSON);
    CS_LOG(CS_LOG_ERROR, "e", NULL, cs_kv_s("s", "q\"\\\n\xc3\xa9\xff\xc2\x85"), cs_kv_i("i", -5),
           cs_kv_f("nan", 0.0 / 0.0), cs_kv_b("b", true), cs_kv_s("null", NULL));
    text = content(&p, p.path);
    line = cs_json_parse(text, strlen(text), 10000, &err);
    cr_assert_not_null(line, "%s: %s", err.msg, text);
    cr_expect_str_eq(json_string_value(json_object_get(line, "level")), "error");
    cr_expect_str_eq(json_string_value(json_object_get(line, "s")), "q\"\\\n\xc3\xa9\xef\xbf\xbd\xc2\x85");
    cr_expect_eq(json_integer_value(json_object_get(line, "i")), -5);
    cr_expect(json_is_null(json_object_get(line, "nan")));
    cr_expect(json_is_true(json_object_get(line, "b")));
    cr_expect(json_is_null(json_object_get(line, "null")));
    cr_expect_null(json_object_get(line, "job_id"));
    json_decref(line);
    stop(&p);
}

Test(log, long_lines_stay_whole)
{
    static char big[20000];
    static struct place p;
    struct cs_err err;
    const char *text;
    json_t *line;

    memset(big, 'x', sizeof big - 1);
    start(&p, CS_LOG_JSON);
    CS_LOG(CS_LOG_INFO, "e", "id", cs_kv_i("first", 1), cs_kv_s("big", big), cs_kv_i("after", 2));
    text = content(&p, p.path);
    line = cs_json_parse(text, strlen(text), 10000, &err);
    cr_assert_not_null(line, "%s", err.msg);
    cr_expect_eq(json_integer_value(json_object_get(line, "first")), 1);
    cr_expect_null(json_object_get(line, "big"));
    cr_expect(json_is_true(json_object_get(line, "truncated")));
    json_decref(line);
    stop(&p);
}

Test(log, reopen_follows_rotation)
{
    static struct place p;
    char rotated[80];
    struct cs_err err;

    start(&p, CS_LOG_TEXT);
    snprintf(rotated, sizeof rotated, "%s.1", p.path);
    CS_LOG(CS_LOG_INFO, "before", NULL);
    cr_assert_eq(rename(p.path, rotated), 0);
    cr_assert_eq(cs_log_reopen(&err), CS_OK);
    CS_LOG(CS_LOG_INFO, "after", NULL);
    cr_expect_str_eq(content(&p, p.path) + 24, " info  after\n");
    cr_expect_str_eq(content(&p, rotated) + 24, " info  before\n");
    stop(&p);
}

Test(log, bad_path_is_named_and_the_log_stays)
{
    static struct place p;
    struct cs_err err;
    struct stat st;

    start(&p, CS_LOG_TEXT);
    cr_assert_eq(cs_log_open("/nonexistent/log", CS_LOG_TEXT, CS_LOG_INFO, &err), CS_EIO);
    cr_assert_not_null(strstr(err.msg, "/nonexistent/log"));
    CS_LOG(CS_LOG_INFO, "still", NULL);
    cr_assert_eq(stat(p.path, &st), 0);
    cr_assert_gt(st.st_size, 0);
    cr_assert_eq(st.st_mode & 0007, 0);
    stop(&p);
}
