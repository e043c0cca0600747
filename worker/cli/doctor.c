/* SPDX-License-Identifier: MIT */
/*
 * doctor - the verb that checks configuration, Redis, PostgreSQL, daemons and adapter, and says what to do. Main thread.
 *
 * --fix does only what cannot lose anything: docs/doctor.md lists it. Exit: 0 all well or warnings, 1 problems.
 */
#include "worker/cli/doctor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/json.h"
#include "worker/cli/options.h"
#include "worker/cli/output.h"
#include "worker/cli/term.h"
#include "worker/sync/inspect.h"

static const char *const words[DOCTOR_VERDICTS] = {"ok", "warning", "problem", "fixed"};

static void
print_finding(enum doctor_verdict verdict, const char *check, const char *message, const char *remedy)
{
    enum term_style style = term_style_of(words[verdict]);

    printf("%s%-7s%s  %-20s  %s", term_begin(stdout, style), words[verdict], term_end(stdout, style), check,
           message);
    if (remedy != NULL)
        printf("%s; %s%s", term_begin(stdout, TERM_BOLD), remedy, term_end(stdout, TERM_BOLD));
    putchar('\n');
    (void)fflush(stdout);
}

void
doctor_say(struct doctor *d, enum doctor_verdict verdict, const char *check, const char *remedy,
           const char *fmt, ...)
{
    char message[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    term_harmless(message);
    if (verdict == DOCTOR_OK || verdict == DOCTOR_FIXED)
        remedy = NULL;
    d->counts[verdict]++;
    json_array_append_new(d->findings,
                          json_pack("{s:s,s:s,s:o,s:s?}", "check", check, "verdict", words[verdict],
                                    "message", cs_json_text(message, strlen(message)), "remedy", remedy));
    if (!d->cli->json)
        print_finding(verdict, check, message, remedy);
}

struct cs_reply *
doctor_ask(struct doctor *d, const char *check, int argc, const char **argv)
{
    struct cs_reply *reply = NULL;
    struct cs_err err = {0};

    if (cli_call(d->cli, &reply, &err, argc, argv, NULL) == CS_OK)
        return reply;
    doctor_say(d, DOCTOR_WARNING, check, "grant the user that command to have it checked", "not checked: %s",
               err.msg);
    return NULL;
}

/* ---- configuration ---- */

static void
check_file(struct doctor *d)
{
    const char *path = d->cli->config_path;
    struct stat st;

    if (path == NULL || stat(path, &st) != 0)
        doctor_say(d, DOCTOR_OK, "config", NULL, "valid, from the environment");
    else if (st.st_mode & S_IROTH)
        doctor_say(d, DOCTOR_WARNING, "config", "chmod o-r it",
                   "valid, but everybody can read %s and its passwords", path);
    else
        doctor_say(d, DOCTOR_OK, "config", NULL, "valid, from %s and the environment", path);
}

static void
check_rules(struct doctor *d)
{
    const char *path = d->cli->cfg.rules_path;
    struct cs_err err = {0};

    if (rules_load(path, &d->rules, &err) != CS_OK)
        doctor_say(d, DOCTOR_PROBLEM, "config.rules", "correct it; cachesync rules check judges it", "%s",
                   err.msg);
    else
        doctor_say(d, DOCTOR_OK, "config.rules", NULL, "%zu universes from %s", d->rules->count,
                   path != NULL ? path : "the built-in rules");
}

/* As the daemon would see it: a deadline that a lease outlives makes a takeover the way out of a hang. */
static void
check_times(struct doctor *d)
{
    const struct cs_config *cfg = &d->cli->cfg;

    if (cfg->lease_ms > cfg->job_timeout_s * 1000)
        doctor_say(d, DOCTOR_WARNING, "config.times", "lower CACHESYNC_LEASE_MS",
                   "the lease of %" PRId64 " ms is longer than a job's deadline of %" PRId64 " s",
                   cfg->lease_ms, cfg->job_timeout_s);
    else
        doctor_say(d, DOCTOR_OK, "config.times", NULL,
                   "lease %" PRId64 " ms, deadline %" PRId64 " s, %" PRId64 " attempts", cfg->lease_ms,
                   cfg->job_timeout_s, cfg->max_attempts);
}

static bool
has_key(const char *keys, const char *key)
{
    size_t len = strlen(key);

    for (; keys != NULL && *keys != '\0'; keys += *keys == ',') {
        size_t n = strcspn(keys, ",");

        if (n == len && strncmp(keys, key, n) == 0)
            return true;
        keys += n;
    }
    return false;
}

static void
check_api_keys(struct doctor *d)
{
    const struct cs_config *cfg = &d->cli->cfg;
    bool loopback = strncmp(cfg->listen, "127.", 4) == 0 || strcmp(cfg->listen, "::1") == 0 ||
                    strcmp(cfg->listen, "localhost") == 0;

    if (cfg->api_keys == NULL && cfg->api_key_file == NULL)
        doctor_say(d, DOCTOR_WARNING, "config.api_key",
                   "set TICKSTOCKPL_API_KEY or TICKSTOCKPL_API_KEY_FILE where the adapter runs",
                   "no key here: an adapter with this configuration does not start");
    else if (has_key(cfg->api_keys, CS_PUBLISHED_KEY))
        doctor_say(d, loopback ? DOCTOR_WARNING : DOCTOR_PROBLEM, "config.api_key",
                   "choose another TICKSTOCKPL_API_KEY", "the published key is no secret");
    else
        doctor_say(d, DOCTOR_OK, "config.api_key", NULL, "set");
}

static void
doctor_config(struct doctor *d)
{
    check_file(d);
    check_rules(d);
    check_times(d);
    check_api_keys(d);
}

/* ---- database ---- */

static void
on_inspect_found(void *arg, enum inspect_verdict verdict, const char *check, const char *message,
                 const char *remedy)
{
    static const enum doctor_verdict verdicts[] = {
        [INSPECT_OK] = DOCTOR_OK, [INSPECT_WARNING] = DOCTOR_WARNING, [INSPECT_PROBLEM] = DOCTOR_PROBLEM};

    doctor_say(arg, verdicts[verdict], check, remedy, "%s", message);
}

static void
doctor_database(struct doctor *d)
{
    static const struct rules_limits none = {.stale_days = 5, .min_close_share = 0.8};
    const struct inspect_request req = {.database_uri = d->cli->cfg.database_uri,
                                        .environment = d->cli->cfg.environment,
                                        .limits = d->rules != NULL ? &d->rules->limits : &none,
                                        .connections = d->cli->cfg.workers + 1,
                                        .now_ms = cs_clock_wall_ms,
                                        .found = on_inspect_found,
                                        .arg = d};

    inspect_database(&req);
}

/* ---- the verb ---- */

static void
examine(struct doctor *d)
{
    struct cs_err err = {0};

    doctor_config(d);
    if (cli_redis_open(d->cli, &err) == CS_OK) {
        doctor_redis(d);
        doctor_acl(d);
        doctor_daemons(d);
        doctor_queue(d);
    } else {
        doctor_say(d, DOCTOR_PROBLEM, "redis", "start Redis, or correct REDIS_URL", "%s", err.msg);
    }
    doctor_database(d);
    doctor_adapter(d);
}

static void
print_end(const struct doctor *d)
{
    const char *verdict = words[d->counts[DOCTOR_PROBLEM] > 0   ? DOCTOR_PROBLEM
                                : d->counts[DOCTOR_WARNING] > 0 ? DOCTOR_WARNING
                                                                : DOCTOR_OK];

    if (d->cli->json) {
        json_t *doc = json_pack("{s:s,s:O}", "verdict", verdict, "findings", d->findings);

        cli_print_json(doc);
        json_decref(doc);
        return;
    }
    printf("\n%zu problems, %zu warnings, %zu ok", d->counts[DOCTOR_PROBLEM], d->counts[DOCTOR_WARNING],
           d->counts[DOCTOR_OK]);
    if (d->counts[DOCTOR_FIXED] > 0)
        printf(", %zu fixed", d->counts[DOCTOR_FIXED]);
    putchar('\n');
}

int
verb_doctor(struct cli *cli, int argc, char **argv)
{
    struct doctor d = {.cli = cli, .role = "daemon"};
    const struct cli_option options[] = {
        {"fix", NULL, &d.fix, NULL},
        {"role", doctor_read_role, &d.role, "daemon, adapter, producer or operator"},
    };

    if (cli_options("doctor", argc, argv, options, sizeof options / sizeof options[0], 0) < 0)
        return CLI_USAGE;
    d.findings = json_array();
    if (cli->config_err.rc == CS_OK)
        examine(&d);
    else
        doctor_say(&d, DOCTOR_PROBLEM, "config", "nothing else was checked", "%s", cli->config_err.msg);
    print_end(&d);
    json_decref(d.findings);
    if (d.rules != NULL)
        rules_free(d.rules);
    return d.counts[DOCTOR_PROBLEM] > 0 ? CLI_FAILED : CLI_OK;
}
