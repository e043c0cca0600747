/* SPDX-License-Identifier: MIT */
/* link: common/config common/config_file common/config_main common/uri common/log common/clock common/mem common/err */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config.h"

static enum cs_rc
load_text(struct cs_config *cfg, const char *text, struct cs_err *err)
{
    char path[] = "/tmp/test_config.XXXXXX";
    int fd = mkstemp(path);
    enum cs_rc rc;

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    rc = cs_config_load(cfg, path, err);
    unlink(path);
    return rc;
}

static void
clear(void)
{
    clearenv();
}

TestSuite(config, .init = clear);

Test(config, defaults)
{
    struct cs_config cfg;
    struct cs_err err;

    cr_assert_eq(cs_config_load(&cfg, NULL, &err), CS_OK, "%s", err.msg);
    cr_expect_str_eq(cfg.database_uri, "postgresql:///tickstock");
    cr_expect_str_eq(cfg.redis.host, "localhost");
    cr_expect_eq(cfg.redis.port, 6379);
    cr_expect_eq(cfg.redis.db, 0);
    cr_expect_null(cfg.redis.password);
    cr_expect_str_eq(cfg.key_prefix, "tickstock:cache-sync");
    cr_expect_str_eq(cfg.environment, "DEFAULT");
    cr_expect_eq(cfg.workers, 2);
    cr_expect_null(cfg.rules_path);
    cr_expect_eq(cfg.job_timeout_s, 1800);
    cr_expect_eq(cfg.max_attempts, 3);
    cr_expect_eq(cfg.lease_ms, 15000);
    cr_expect_eq(cfg.retention_days, 30);
    cr_expect_eq(cfg.retention_jobs, 100000);
    cr_expect_eq(cfg.events_maxlen, 100000);
    cr_expect_eq(cfg.grace_s, 30);
    cr_expect_eq(cfg.max_backlog, 10000);
    cr_expect(cfg.autostart);
    cr_expect_str_eq(cfg.listen, "127.0.0.1");
    cr_expect_eq(cfg.port, 8080);
    cr_expect_eq(cfg.rate_limit, 0);
    cr_expect_null(cfg.cors_origin);
    cr_expect_null(cfg.api_keys);
    cr_expect_null(cfg.log_path);
    cr_expect_str_eq(cfg.log_level, "info");
    cr_expect_str_eq(cfg.log_format, "text");
    cs_config_fini(&cfg);
}

Test(config, file_forms_and_environment_wins)
{
    struct cs_config cfg;
    struct cs_err err;

    setenv("CACHESYNC_LEASE_MS", "700", 1);
    setenv("CACHESYNC_RULES", "", 1);
    cr_assert_eq(load_text(&cfg,
                           "# comment\n; another\n\nOTHER_KEY=\"open quote\nFLASK ENV\n"
                           "export CACHESYNC_WORKERS = 7 \r\nCACHESYNC_LISTEN='::1' # here\n"
                           "DATABASE_URI=\"host=a password=\\\"q\\\\\"\nCACHESYNC_LEASE_MS=800\n"
                           "CACHESYNC_RULES=/x\nCACHESYNC_AUTOSTART=false\nREDIS_PASSWORD=a b#c\n"
                           "CACHESYNC_GRACE_S=1\nCACHESYNC_GRACE_S=2",
                           &err),
                 CS_OK, "%s", err.msg);
    cr_expect_eq(cfg.workers, 7);
    cr_expect_str_eq(cfg.listen, "::1");
    cr_expect_str_eq(cfg.database_uri, "host=a password=\"q\\");
    cr_expect_eq(cfg.lease_ms, 700);
    cr_expect_null(cfg.rules_path);
    cr_expect_not(cfg.autostart);
    cr_expect_str_eq(cfg.redis.password, "a b#c");
    cr_expect_eq(cfg.grace_s, 2);
    cs_config_fini(&cfg);
}

Test(config, bad_values_name_key_value_and_remedy)
{
    static const struct {
        const char *line, *has, *remedy;
    } bad[] = {
        {"CACHESYNC_WORKERS=abc", "CACHESYNC_WORKERS=abc: not a number from 1 to 64", "set "},
        {"CACHESYNC_WORKERS=0", "CACHESYNC_WORKERS=0: ", "set "},
        {"CACHESYNC_WORKERS=65", "CACHESYNC_WORKERS=65: ", "set "},
        {"CACHESYNC_WORKERS=-1", "CACHESYNC_WORKERS=-1: ", "set "},
        {"CACHESYNC_WORKERS=2x", "CACHESYNC_WORKERS=2x: ", "set "},
        {"CACHESYNC_WORKERS=99999999999999999999", "CACHESYNC_WORKERS=9999", "set "},
        {"CACHESYNC_LEASE_MS=499", "from 500 to 600000", "set "},
        {"CACHESYNC_MAX_ATTEMPTS=1001", "from 1 to 1000", "set "},
        {"CACHESYNC_EVENTS_MAXLEN=999", "from 1000 to 100000000", "set "},
        {"CACHESYNC_ENVIRONMENT=default", "CACHESYNC_ENVIRONMENT=default: ", "set "},
        {"CACHESYNC_ENVIRONMENT=ABCDEFGHIJK", "CACHESYNC_ENVIRONMENT=ABC", "set "},
        {"CACHESYNC_KEY_PREFIX=a b", "CACHESYNC_KEY_PREFIX=a b: ", "set "},
        {"CACHESYNC_AUTOSTART=maybe", "CACHESYNC_AUTOSTART=maybe: not 0 or 1", "set "},
        {"CACHESYNC_LOG_FORMAT=xml", "CACHESYNC_LOG_FORMAT=xml: not text or json", "set "},
        {"CACHESYNC_LOG_LEVEL=loud", "CACHESYNC_LOG_LEVEL=loud: ", "set "},
        {"CACHESYNC_WORKER=2", "CACHESYNC_WORKER=2: no such key", "remove it"},
        {"CACHESYNC_=2", "CACHESYNC_=2: no such key", "remove it"},
        {"CACHESYNC_WORKERS", "CACHESYNC_WORKERS: no value", "write KEY=VALUE"},
        {"CACHESYNC_LISTEN=\"x", "CACHESYNC_LISTEN: ", "close it"},
        {"REDIS_PORT=0", "REDIS_PORT=0: not a number from 1 to 65535", "set "},
        {"REDIS_URL=http://x", "REDIS_URL=http://x: ", "use redis://"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cs_config cfg;
        struct cs_err err = {0};

        cr_expect_neq(load_text(&cfg, bad[i].line, &err), CS_OK, "%s", bad[i].line);
        cr_expect_not_null(strstr(err.msg, bad[i].has), "%s", err.msg);
        cr_expect_not_null(strstr(err.msg, bad[i].remedy), "%s", err.msg);
        cs_config_fini(&cfg);
    }
}

Test(config, unknown_key_in_the_environment)
{
    struct cs_config cfg;
    struct cs_err err;

    setenv("CACHESYNC_TYPO", "12", 1);
    cr_assert_eq(cs_config_load(&cfg, NULL, &err), CS_EINVAL);
    cr_assert_not_null(strstr(err.msg, "CACHESYNC_TYPO=12: "), "%s", err.msg);
    cs_config_fini(&cfg);
}

Test(config, secrets_stay_out_of_messages)
{
    static const char *const lines[] = {"CACHESYNC_API_KEY=hunter2",
                                        "TICKSTOCKPL_API_KEY=hunter2 x",
                                        "REDIS_URL=redis://u:hunter2@h:99999/0",
                                        "REDIS_URL=redis://hunter2@h/0",
                                        "REDIS_URL=http://:hunter2@h",
                                        "REDIS_URL=redis://u:hun/ter2@h/x"};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct cs_config cfg;
        struct cs_err err;

        cr_expect_eq(load_text(&cfg, lines[i], &err), CS_EINVAL, "%s", lines[i]);
        cr_expect_null(strstr(err.msg, "ter2"), "%s", err.msg);
        cs_config_fini(&cfg);
    }
}

Test(config, missing_file_is_named)
{
    struct cs_config cfg;
    struct cs_err err;

    cr_assert_eq(cs_config_load(&cfg, "/nonexistent/c", &err), CS_EIO);
    cr_assert_not_null(strstr(err.msg, "/nonexistent/c"));
    cs_config_fini(&cfg);
    cr_assert_eq(cs_config_load(&cfg, "/tmp", &err), CS_EIO);
    cs_config_fini(&cfg);
}

Test(config, redis_urls)
{
    struct cs_redis_addr a;
    struct cs_err err;
    char shown[256];

    cr_assert_eq(cs_redis_addr_parse(&a, "redis://us%40er:p%3Aw:@db.example:7000/3", &err), CS_OK, "%s",
                 err.msg);
    cr_expect_str_eq(a.host, "db.example");
    cr_expect_eq(a.port, 7000);
    cr_expect_eq(a.db, 3);
    cr_expect_str_eq(a.username, "us@er");
    cr_expect_str_eq(a.password, "p:w:");
    cs_redis_addr_format(&a, shown, sizeof shown);
    cr_expect_str_eq(shown, "redis://us@er:***@db.example:7000/3");
    cs_redis_addr_fini(&a);
    cr_assert_eq(cs_redis_addr_parse(&a, "redis://:pw@[::1]", &err), CS_OK, "%s", err.msg);
    cr_expect_str_eq(a.host, "::1");
    cr_expect_eq(a.port, 6379);
    cr_expect_null(a.username);
    cs_redis_addr_format(&a, shown, sizeof shown);
    cr_expect_str_eq(shown, "redis://:***@[::1]:6379/0");
    cs_redis_addr_fini(&a);
    cr_assert_eq(cs_redis_addr_parse(&a, "unix:///run/r.sock?db=4", &err), CS_OK, "%s", err.msg);
    cr_expect_null(a.host);
    cr_expect_str_eq(a.unix_path, "/run/r.sock");
    cr_expect_eq(a.db, 4);
    cs_redis_addr_fini(&a);
    cr_assert_eq(cs_redis_addr_parse(&a, "unix://us:p%40w@/run/@r.sock", &err), CS_OK, "%s", err.msg);
    cr_expect_str_eq(a.username, "us");
    cr_expect_str_eq(a.password, "p@w");
    cr_expect_str_eq(a.unix_path, "/run/@r.sock");
    cs_redis_addr_format(&a, shown, sizeof shown);
    cr_expect_str_eq(shown, "unix://us:***@/run/@r.sock?db=0");
    cs_redis_addr_fini(&a);
}

Test(config, bad_redis_urls)
{
    static const char *const bad[] = {"",
                                      "localhost",
                                      "rediss://h",
                                      "redis://h:0",
                                      "redis://h:65536",
                                      "redis://h:1x",
                                      "redis://h/x",
                                      "redis://h/-1",
                                      "redis://[::1",
                                      "redis://[::1]x",
                                      "redis://user@h",
                                      "redis://:%4@h",
                                      "redis://:%00@h",
                                      "unix://relative",
                                      "unix://user@/p",
                                      "unix://a:b@p",
                                      "unix:///p?x=1"};
    struct cs_redis_addr a;
    struct cs_err err;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(cs_redis_addr_parse(&a, bad[i], &err), CS_EINVAL, "%s", bad[i]);
}

Test(config, url_overrides_its_parts)
{
    struct cs_config cfg;
    struct cs_err err;

    setenv("REDIS_HOST", "other", 1);
    setenv("REDIS_PASSWORD", "pw", 1);
    setenv("REDIS_URL", "unix:///run/r.sock", 1);
    cr_assert_eq(cs_config_load(&cfg, NULL, &err), CS_OK, "%s", err.msg);
    cr_expect_null(cfg.redis.host);
    cr_expect_null(cfg.redis.password);
    cr_expect_str_eq(cfg.redis.unix_path, "/run/r.sock");
    cs_config_fini(&cfg);
}

Test(config, masked_uris)
{
    static const struct {
        const char *uri, *shown;
    } known[] = {
        {"postgresql:///tickstock", "postgresql:///tickstock"},
        {"postgresql://u:pw@h:5432/db", "postgresql://u:***@h:5432/db"},
        {"postgresql://u:@h:5432/db", "postgresql://u:***@h:5432/db"},
        {"postgresql://u@h:5432/db", "postgresql://u@h:5432/db"},
        {"postgresql://h:5432/db?user=u&password=pw&sslmode=require",
         "postgresql://h:5432/db?user=u&password=***&sslmode=require"},
        {"postgresql+psycopg2://u:pw@h/db", "postgresql+psycopg2://u:***@h/db"},
        {"password='a://b:c@d' host=h", "password=*** host=h"},
        {"postgresql://u:p/w@h/db", "postgresql://u:***@h/db"},
        {"postgresql://u:p?w@h/db", "postgresql://u:***@h/db"},
        {"host=h password=pw dbname=d", "host=h password=*** dbname=d"},
        {"password = 'p \\'w' host=h", "password = *** host=h"},
        {"host=h sslpassword=x", "host=h sslpassword=***"},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char *shown = cs_uri_masked(known[i].uri);

        cr_expect_str_eq(shown, known[i].shown);
        free(shown);
    }
}

Test(config, key_file_is_left_to_the_adapter)
{
    struct cs_config cfg;
    struct cs_err err;

    setenv("TICKSTOCKPL_API_KEY", "one", 1);
    setenv("TICKSTOCKPL_API_KEY_FILE", "/nonexistent", 1);
    cr_assert_eq(cs_config_load(&cfg, NULL, &err), CS_OK, "%s", err.msg);
    cr_expect_str_eq(cfg.api_keys, "one");
    cr_expect_str_eq(cfg.api_key_file, "/nonexistent");
    cs_config_fini(&cfg);
}

Test(config, print_masks_and_reads_back)
{
    struct cs_config cfg, again;
    struct cs_err err;
    char *text = NULL;
    size_t len = 0;
    FILE *out;

    setenv("DATABASE_URI", "postgresql://u:hunter2@h/db", 1);
    setenv("REDIS_PASSWORD", "hunter2", 1);
    setenv("TICKSTOCKPL_API_KEY", "hunter2", 1);
    setenv("CACHESYNC_WORKERS", "5", 1);
    cr_assert_eq(cs_config_load(&cfg, NULL, &err), CS_OK, "%s", err.msg);
    out = open_memstream(&text, &len);
    cs_config_print(&cfg, out);
    fclose(out);
    cr_expect_null(strstr(text, "hunter2"), "%s", text);
    cr_expect_not_null(strstr(text, "\nCACHESYNC_WORKERS=5\n"), "%s", text);
    cr_expect_not_null(strstr(text, "\nREDIS_URL=redis://:***@localhost:6379/0\n"), "%s", text);
    clearenv();
    cr_assert_eq(load_text(&again, text, &err), CS_OK, "%s", err.msg);
    cr_expect_eq(again.workers, 5);
    free(text);
    cs_config_fini(&cfg);
    cs_config_fini(&again);
}

static enum cs_rc
refuse_five(const struct cs_config *cfg, struct cs_err *err)
{
    return cfg->workers == 5 ? cs_err_set(err, CS_EINVAL, "five") : CS_OK;
}

static int
run_main(const char *arg1, const char *arg2, bool *went_on)
{
    char name[] = "/x/cachesyncd", one[64], two[64];
    char *argv[] = {name, one, two, NULL};
    struct cs_config cfg;
    int code = -1;

    snprintf(one, sizeof one, "%s", arg1);
    snprintf(two, sizeof two, "%s", arg2 != NULL ? arg2 : "");
    argv[arg2 != NULL ? 3 : 2] = NULL;
    *went_on = cs_config_main(&cfg, arg2 != NULL ? 3 : 2, argv, "The worker.", refuse_five, &code);
    if (*went_on)
        cs_config_fini(&cfg);
    return code;
}

Test(config, options)
{
    bool went_on;

    cr_expect_eq(run_main("--version", NULL, &went_on), 0);
    cr_expect_eq(run_main("--help", NULL, &went_on), 0);
    cr_expect_eq(run_main("--check-config", NULL, &went_on), 0);
    cr_expect_not(went_on);
    cr_expect_eq(run_main("--nonsense", NULL, &went_on), 2);
    cr_expect_eq(run_main("--config", NULL, &went_on), 2);
    cr_expect_eq(run_main("--config", "/nonexistent", &went_on), 2);
    cr_expect_eq(run_main("word", NULL, &went_on), 2);
    cr_expect_not(went_on);
    run_main("--config", "/dev/null", &went_on);
    cr_expect(went_on);
    setenv("CACHESYNC_WORKERS", "5", 1);
    cr_expect_eq(run_main("--check-config", NULL, &went_on), 2);
    cr_expect_eq(run_main("--config", "/dev/null", &went_on), 2);
    cr_expect_not(went_on);
}
