/* SPDX-License-Identifier: MIT */
/*
 * doctor_daemons - live workers, those that hang, and the adapter's health. Main thread.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "worker/cli/doctor.h"
#include "worker/cli/workers.h"

#define LAG_WARNING_MS 1000
#define ADAPTER_TIMEOUT_MS 5000

/* What may be wrong with one worker, the worst first. Returns NULL when nothing is. */
static const char *
ailment(const struct doctor *d, const json_t *worker, int64_t now_ms, enum doctor_verdict *verdict,
        const char **remedy)
{
    const int64_t deadline_ms = d->cli->cfg.job_timeout_s * 1000;
    const struct {
        bool applies;
        enum doctor_verdict verdict;
        const char *message, *remedy;
    } table[] = {
        {!worker_is_live(worker, now_ms), DOCTOR_PROBLEM, "has not read the stream for some time",
         "see its log; restart it if it hangs"},
        {worker_number(worker, "stuck") > 0, DOCTOR_PROBLEM, "has threads that ignore their cancel",
         "see what PostgreSQL does for it, then restart it"},
        {strcmp(worker_text(worker, "database"), "down") == 0, DOCTOR_PROBLEM, "cannot reach PostgreSQL",
         "start PostgreSQL, or correct its DATABASE_URI"},
        {worker_number(worker, "oldest_running_ms") > deadline_ms, DOCTOR_WARNING,
         "has a job beyond its deadline", "cachesync top shows it; cachesync cancel ends it"},
        {worker_number(worker, "loop_lag_ms") > LAG_WARNING_MS, DOCTOR_WARNING, "turns slowly",
         "give its machine more CPU"},
        {strcmp(worker_text(worker, "version"), CS_VERSION) != 0, DOCTOR_WARNING,
         "is of another version than this program", "upgrade both, restart it"},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].applies) {
            *verdict = table[i].verdict;
            *remedy = table[i].remedy;
            return table[i].message;
        }
    return NULL;
}

static void
check_worker(struct doctor *d, const json_t *worker, int64_t now_ms)
{
    const char *name = worker_text(worker, "name"), *remedy, *message;
    enum doctor_verdict verdict;

    d->live_workers += worker_is_live(worker, now_ms);
    message = ailment(d, worker, now_ms, &verdict, &remedy);
    if (message != NULL)
        doctor_say(d, verdict, "daemons.worker", remedy, "%.160s %s", name, message);
    else
        doctor_say(d, DOCTOR_OK, "daemons.worker", NULL, "%.160s reads, %s of %s threads busy, database %s",
                   name, worker_text(worker, "busy"), worker_text(worker, "threads"),
                   worker_text(worker, "database"));
}

void
doctor_daemons(struct doctor *d)
{
    int64_t now_ms = cs_clock_wall_ms();
    struct cs_err err = {0};
    json_t *workers, *worker;
    size_t i;

    if (workers_read(d->cli, &workers, &err) != CS_OK) {
        doctor_say(d, DOCTOR_WARNING, "daemons", "grant it to have it checked", "not checked: %s", err.msg);
        return;
    }
    json_array_foreach (workers, i, worker)
        check_worker(d, worker, now_ms);
    if (d->live_workers == 0)
        doctor_say(d, DOCTOR_PROBLEM, "daemons", "start cachesyncd", "no live worker: commands wait");
    else
        doctor_say(d, DOCTOR_OK, "daemons", NULL, "%zu live", d->live_workers);
    json_decref(workers);
}

/* An adapter that listens everywhere is asked on the loopback address. */
static const char *
adapter_host(const char *listen)
{
    if (strcmp(listen, "0.0.0.0") == 0)
        return "127.0.0.1";
    return strcmp(listen, "::") == 0 ? "::1" : listen;
}

/* The body of its answer, which must be what an adapter says. Gives an object in *health. */
static enum cs_rc
read_health(const char *host, int port, json_t **health, struct cs_err *err)
{
    char *answer, *body;

    *health = NULL;
    if (health_get(host, port, ADAPTER_TIMEOUT_MS, &answer, err) != CS_OK)
        return cs_err_prefix(err, "adapter at %s port %d", host, port);
    body = strstr(answer, "\r\n\r\n");
    if (body != NULL)
        *health = cs_json_parse(body + 4, strlen(body + 4), SIZE_MAX, NULL);
    free(answer);
    if (json_is_object(*health) && json_object_get(*health, "status") != NULL)
        return CS_OK;
    json_decref(*health);
    *health = NULL;
    return cs_err_set(err, CS_EINVAL, "adapter at %s port %d: what answers is no adapter", host, port);
}

void
doctor_adapter(struct doctor *d)
{
    const struct cs_config *cfg = &d->cli->cfg;
    const char *host = adapter_host(cfg->listen), *status;
    bool wanted = cfg->api_keys != NULL || cfg->api_key_file != NULL; /* else it may well not be used here */
    struct cs_err err = {0};
    json_t *health;

    if (read_health(host, (int)cfg->port, &health, &err) != CS_OK) {
        doctor_say(d, wanted ? DOCTOR_PROBLEM : DOCTOR_WARNING, "adapter",
                   "start cachesync-http, or set CACHESYNC_LISTEN and TICKSTOCKPL_PORT to where it is", "%s",
                   err.msg);
        return;
    }
    status = json_string_value(json_object_get(health, "status"));
    if (status != NULL && strcmp(status, "healthy") == 0)
        doctor_say(d, DOCTOR_OK, "adapter", NULL, "healthy at %s port %" PRId64, host, cfg->port);
    else
        doctor_say(d, status != NULL && strcmp(status, "degraded") == 0 ? DOCTOR_WARNING : DOCTOR_PROBLEM,
                   "adapter", "see the findings above", "%.20s at %s port %" PRId64,
                   status != NULL ? status : "?", host, cfg->port);
    json_decref(health);
}
