/* SPDX-License-Identifier: MIT */
/*
 * metrics_text - the tables of what /metrics names, and their text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/http/http.h"
#include "worker/http/metrics.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define ENVIRONMENTS_MAX 100

static const struct {
    const char *field, *name, *help;
} counters[] = {
    {"retries", "cachesync_retries_total",
     "Attempts that ended in a transient failure and were tried again."},
    {"dead_letters", "cachesync_dead_letters_total", "Jobs that ended as a dead letter."},
    {"takeovers", "cachesync_takeovers_total", "Jobs taken over from a worker that was gone."},
    {"coalesced", "cachesync_coalesced_total", "Jobs that got the result of another."},
    {"duplicates", "cachesync_duplicates_total", "Commands that repeated a known job or idempotency key."},
    {"cancelled", "cachesync_cancelled_total", "Jobs that somebody cancelled."},
    {"trimmed", "cachesync_trimmed_total", "Entries lost from the command stream before they were finished."},
    {"churn_warnings", "cachesync_churn_warnings_total",
     "Universes whose members changed by more than the warning limit."},
    {"autostarts", "cachesync_autostarts_total", "Syncs started by a data import."},
};

static const struct {
    int ms;
    const char *le;
} buckets[] = {
    {50, "0.05"},    {100, "0.1"},    {250, "0.25"},   {500, "0.5"},      {1000, "1"},
    {2500, "2.5"},   {5000, "5"},     {10000, "10"},   {30000, "30"},     {60000, "60"},
    {120000, "120"}, {300000, "300"}, {600000, "600"}, {1800000, "1800"},
};

enum unit { PLAIN, MS, UP, AGE };

/* One row a family with the label worker. */
static const struct {
    const char *field, *name, *type, *help;
    enum unit unit;
} of_worker[] = {
    {"threads", "cachesync_worker_threads", "gauge", "Sync threads.", PLAIN},
    {"busy", "cachesync_worker_busy", "gauge", "Sync threads that run a job.", PLAIN},
    {"stuck", "cachesync_worker_stuck", "gauge", "Threads past their deadline or a cancel.", PLAIN},
    {"loop_lag_ms", "cachesync_worker_loop_lag_seconds", "gauge",
     "Largest delay of the loop in the last heartbeat period.", MS},
    {"oldest_running_ms", "cachesync_worker_oldest_running_seconds", "gauge",
     "Age of the longest running job; 0: none.", MS},
    {"last_read_ms", "cachesync_worker_last_read_age_seconds", "gauge",
     "Time since the worker last read the stream.", AGE},
    {"database", "cachesync_worker_database_up", "gauge", "Whether the worker reaches PostgreSQL.", UP},
    {"rss_bytes", "cachesync_worker_resident_bytes", "gauge", "Resident memory.", PLAIN},
    {"reconnects", "cachesync_worker_reconnects_total", "counter",
     "Connections to Redis lost and made again.", PLAIN},
};
enum { W_THREADS, W_BUSY, W_STUCK, W_LAG, W_OLDEST, W_LAST_READ };
_Static_assert(COUNT_OF(of_worker) <= COUNT_OF(((struct http_worker *)0)->value),
               "http_worker.value is too small");

static const struct cs_field *
find(const struct cs_field *fields, size_t count, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < count; i++)
        if (fields[i].name_len == len && memcmp(fields[i].name, name, len) == 0)
            return &fields[i];
    return NULL;
}

/* A number; values of Redis end in a NUL. */
static int64_t
number(const struct cs_field *fields, size_t count, const char *name)
{
    const struct cs_field *field = find(fields, count, name);

    return field ? strtoll(field->value, NULL, 10) : 0;
}

/* HELP and TYPE; samples follow. */
static void
family(struct text *out, const char *name, const char *type, const char *help)
{
    text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void
http_metrics_gauge(struct text *out, const char *name, const char *help, double value)
{
    family(out, name, "gauge", help);
    text_printf(out, "%s %.15g\n", name, value);
}

static void
add_jobs(struct text *out, const struct cs_field *fields, size_t count)
{
    static const enum cs_status ends[] = {CS_STATUS_COMPLETED, CS_STATUS_FAILED};
    char field[64];

    family(out, "cachesync_jobs_total", "counter", "Jobs that ended, coalesced ones too.");
    for (int mode = 0; mode < CS_MODE_COUNT; mode++)
        for (size_t i = 0; i < COUNT_OF(ends); i++) {
            const char *name = cs_mode_name((enum cs_mode)mode), *status = cs_status_name(ends[i]);

            snprintf(field, sizeof field, "jobs:%s:%s", name, status);
            text_printf(out, "cachesync_jobs_total{mode=\"%s\",status=\"%s\"} %lld\n", name, status,
                        (long long)number(fields, count, field));
        }
}

static void
add_durations(struct text *out, const struct cs_field *fields, size_t count)
{
    static const char name[] = "cachesync_job_duration_seconds";
    int64_t below = 0;
    char field[32];

    family(out, name, "histogram", "How long the jobs that ran took.");
    for (size_t i = 0; i < COUNT_OF(buckets); i++) {
        snprintf(field, sizeof field, "duration_bucket:%d", buckets[i].ms);
        below += number(fields, count, field);
        text_printf(out, "%s_bucket{le=\"%s\"} %lld\n", name, buckets[i].le, (long long)below);
    }
    below += number(fields, count, "duration_bucket:inf");
    text_printf(out, "%s_bucket{le=\"+Inf\"} %lld\n%s_sum %.15g\n%s_count %lld\n", name, (long long)below,
                name, (double)number(fields, count, "duration_ms") / 1000.0, name, (long long)below);
}

/* The environment behind the colon of such a field; false when it is none. */
static bool
environment_of(const struct cs_field *field, const char *prefix, char out[CS_ENVIRONMENT_MAX + 1])
{
    size_t skip = strlen(prefix);

    if (field->name_len <= skip || field->name_len - skip > CS_ENVIRONMENT_MAX ||
        memcmp(field->name, prefix, skip) != 0)
        return false;
    memcpy(out, field->name + skip, field->name_len - skip);
    out[field->name_len - skip] = '\0';
    return out[strspn(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0';
}

static void
add_successes(struct text *out, const struct cs_field *fields, size_t count, int64_t now_ms)
{
    static const char age[] = "cachesync_last_success_age_seconds",
                      date[] = "cachesync_market_date_timestamp_seconds";
    char environment[CS_ENVIRONMENT_MAX + 1], text[CS_DATE_LEN + 1];
    size_t shown = 0;

    family(out, age, "gauge", "Time since the last committed sync of an environment ended.");
    for (size_t i = 0; i < count && shown < ENVIRONMENTS_MAX; i++)
        if (environment_of(&fields[i], "last_success_ms:", environment) && ++shown)
            text_printf(out, "%s{environment=\"%s\"} %.3f\n", age, environment,
                        (double)(now_ms - strtoll(fields[i].value, NULL, 10)) / 1000.0);
    family(out, date, "gauge", "Market date of that sync, as the start of the UTC day.");
    shown = 0;
    for (size_t i = 0; i < count && shown < ENVIRONMENTS_MAX; i++) {
        if (!environment_of(&fields[i], "market_date:", environment) || fields[i].value_len != CS_DATE_LEN)
            continue;
        memcpy(text, fields[i].value, CS_DATE_LEN);
        text[CS_DATE_LEN] = '\0';
        if (cs_date_valid(text) && ++shown)
            text_printf(out, "%s{environment=\"%s\"} %lld\n", date, environment,
                        (long long)cs_date_days(text) * 86400);
    }
}

void
http_metrics_counters(struct text *out, const struct cs_field *fields, size_t count, int64_t now_ms)
{
    add_jobs(out, fields, count);
    add_durations(out, fields, count);
    for (size_t i = 0; i < COUNT_OF(counters); i++) {
        family(out, counters[i].name, "counter", counters[i].help);
        text_printf(out, "%s %lld\n", counters[i].name, (long long)number(fields, count, counters[i].field));
    }
    add_successes(out, fields, count, now_ms);
}

void
http_metrics_worker(struct http_worker *worker, const struct cs_field *fields, size_t count, int64_t now_ms)
{
    worker->found = count > 0;
    for (size_t i = 0; i < COUNT_OF(of_worker); i++) {
        const struct cs_field *field = find(fields, count, of_worker[i].field);

        worker->value[i] = number(fields, count, of_worker[i].field);
        if (of_worker[i].unit == UP)
            worker->value[i] = field && field->value_len == 2 && memcmp(field->value, "up", 2) == 0;
        else if (of_worker[i].unit == AGE)
            worker->value[i] = now_ms - worker->value[i];
    }
    worker->live = worker->found && worker->value[W_LAST_READ] <= CS_WORKER_LIVE_MS;
}

/* A label value: backslash, quote and line break are escaped. */
static void
add_label(struct text *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            text_add(out, "\\", 1);
        text_add(out, *value == '\n' ? "\\n" : value, *value == '\n' ? 2 : 1);
    }
}

void
http_metrics_workers(struct text *out, const struct http_worker *workers, size_t count)
{
    int64_t live = 0, busy = 0;

    for (size_t i = 0; i < count; i++) {
        live += workers[i].live;
        busy += workers[i].live ? workers[i].value[W_BUSY] : 0;
    }
    http_metrics_gauge(out, "cachesync_workers", "Workers that read the stream.", (double)live);
    http_metrics_gauge(out, "cachesync_busy_threads", "Sync threads of those that run a job.", (double)busy);
    for (size_t k = 0; k < COUNT_OF(of_worker); k++) {
        bool ms = of_worker[k].unit == MS || of_worker[k].unit == AGE;

        family(out, of_worker[k].name, of_worker[k].type, of_worker[k].help);
        for (size_t i = 0; i < count; i++) {
            if (!workers[i].found)
                continue;
            text_printf(out, "%s{worker=\"", of_worker[k].name);
            add_label(out, workers[i].name);
            text_printf(out, "\"} %.15g\n",
                        ms ? (double)workers[i].value[k] / 1000.0 : (double)workers[i].value[k]);
        }
    }
}

static void
add_requests(struct text *out, const struct http_count *counted)
{
    static const char name[] = "cachesync_http_requests_total",
                      took[] = "cachesync_http_request_duration_seconds";

    family(out, name, "counter", "Requests answered, by route and status code.");
    for (int route = 0; route < HTTP_ROUTES_MAX; route++)
        for (size_t i = 0; http_route_name(route) && http_status_at(i); i++)
            if (counted->requests[route][i] > 0)
                text_printf(out, "%s{route=\"%s\",code=\"%d\"} %llu\n", name, http_route_name(route),
                            http_status_at(i), (unsigned long long)counted->requests[route][i]);
    family(out, took, "summary", "Time from a complete request to its answer.");
    for (int route = 0; route < HTTP_ROUTES_MAX; route++) {
        uint64_t all = 0;

        for (size_t i = 0; i < HTTP_STATUSES_MAX; i++)
            all += counted->requests[route][i];
        if (http_route_name(route))
            text_printf(out, "%s_sum{route=\"%s\"} %.15g\n%s_count{route=\"%s\"} %llu\n", took,
                        http_route_name(route), (double)counted->served_us[route] / 1e6, took,
                        http_route_name(route), (unsigned long long)all);
    }
}

void
http_metrics_adapter(struct text *out, const struct http_app *app)
{
    const struct {
        const char *name, *help;
        uint64_t value;
    } own[] = {
        {"cachesync_http_connections_accepted_total", "Connections accepted.", app->count.accepted},
        {"cachesync_http_requests_cut_total", "Requests that were not complete in time.", app->count.cut},
        {"cachesync_http_connections_made_room_total", "Connections closed for newer ones.",
         app->count.made_room},
        {"cachesync_http_descriptors_exhausted_total", "Times that no descriptor was left.",
         app->count.paused},
    };

    add_requests(out, &app->count);
    for (size_t i = 0; i < COUNT_OF(own); i++) {
        family(out, own[i].name, "counter", own[i].help);
        text_printf(out, "%s %llu\n", own[i].name, (unsigned long long)own[i].value);
    }
    http_metrics_gauge(out, "cachesync_http_connections", "Connections that are open.",
                       (double)app->conns.count);
    http_metrics_gauge(out, "cachesync_http_requests_in_flight", "Requests whose answer is not given yet.",
                       (double)app->calls);
    family(out, "cachesync_build_info", "gauge", "Always 1; the label says what runs.");
    text_printf(out, "cachesync_build_info{version=\"%s\"} 1\n", CS_VERSION);
}
