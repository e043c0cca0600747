/* SPDX-License-Identifier: MIT */
/*
 * keys - the names, built and looked up. Any thread.
 */
#include "common/keys.h"

#include <stdio.h>
#include <string.h>

static const char *const mode_names[CS_MODE_COUNT] = {
    [CS_MODE_FULL] = "full",
    [CS_MODE_MARKET_CAP] = "market_cap",
    [CS_MODE_THEMES] = "themes",
    [CS_MODE_IPOS] = "ipos",
};

static const char *const status_names[CS_STATUS_COUNT] = {
    [CS_STATUS_PENDING] = "pending", [CS_STATUS_RUNNING] = "running", [CS_STATUS_COMPLETED] = "completed",
    [CS_STATUS_FAILED] = "failed",   [CS_STATUS_ERROR] = "error",
};

static const char *const task_names[CS_TASK_COUNT] = {
    [CS_TASK_MARKET_CAP] = "market_cap_update", [CS_TASK_DELISTING] = "delisting_cleanup",
    [CS_TASK_IPO] = "ipo_assignment",           [CS_TASK_THEME] = "theme_rebalancing",
    [CS_TASK_ETF] = "etf_maintenance",
};

static int
index_of(const char *const *names, int count, const char *text)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

static void
fixed(char out[CS_KEY_MAX], const char *prefix, const char *name)
{
    snprintf(out, CS_KEY_MAX, "%s:%s", prefix, name);
}

static char *
variable(const struct cs_keys *keys, const char *kind, const char *part, char out[CS_KEY_MAX])
{
    snprintf(out, CS_KEY_MAX, "%s:%s:%s", keys->prefix, kind, part);
    return out;
}

void
cs_keys_init(struct cs_keys *keys, const char *prefix)
{
    snprintf(keys->prefix, sizeof keys->prefix, "%s", prefix);
    fixed(keys->commands, prefix, "commands");
    fixed(keys->jobs, prefix, "jobs");
    fixed(keys->control, prefix, "control");
    fixed(keys->control_read, prefix, "control:read");
    fixed(keys->dead, prefix, "dead");
    fixed(keys->events, prefix, "events");
    fixed(keys->entries, prefix, "entries");
    fixed(keys->workers, prefix, "workers");
    fixed(keys->metrics, prefix, "metrics");
}

char *
cs_key_job(const struct cs_keys *keys, const char *job_id, char out[CS_KEY_MAX])
{
    return variable(keys, "job", job_id, out);
}

char *
cs_key_waiters(const struct cs_keys *keys, const char *job_id, char out[CS_KEY_MAX])
{
    return variable(keys, "waiters", job_id, out);
}

char *
cs_key_universes(const struct cs_keys *keys, const char *environment, char out[CS_KEY_MAX])
{
    return variable(keys, "universes", environment, out);
}

char *
cs_key_daily(const struct cs_keys *keys, const char *date, char out[CS_KEY_MAX])
{
    return variable(keys, "daily", date, out);
}

char *
cs_key_worker(const struct cs_keys *keys, const char *name, char out[CS_KEY_MAX])
{
    return variable(keys, "worker", name, out);
}

char *
cs_key_idem(const struct cs_keys *keys, const char *idempotency_key, char out[CS_KEY_MAX])
{
    return variable(keys, "idem", idempotency_key, out);
}

char *
cs_key_pending(const struct cs_keys *keys, const char *environment, char out[CS_KEY_MAX])
{
    return variable(keys, "pending", environment, out);
}

char *
cs_key_running(const struct cs_keys *keys, const char *environment, char out[CS_KEY_MAX])
{
    return variable(keys, "running", environment, out);
}

char *
cs_key_duplicates(const struct cs_keys *keys, const char *job_id, char out[CS_KEY_MAX])
{
    return variable(keys, "duplicates", job_id, out);
}

const char *
cs_mode_name(enum cs_mode mode)
{
    return mode_names[mode];
}

bool
cs_mode_parse(const char *text, enum cs_mode *mode)
{
    int i = index_of(mode_names, CS_MODE_COUNT, text);

    if (i >= 0)
        *mode = (enum cs_mode)i;
    return i >= 0;
}

const char *
cs_status_name(enum cs_status status)
{
    return status_names[status];
}

bool
cs_status_parse(const char *text, enum cs_status *status)
{
    int i = index_of(status_names, CS_STATUS_COUNT, text);

    if (i >= 0)
        *status = (enum cs_status)i;
    return i >= 0;
}

bool
cs_status_final(enum cs_status status)
{
    return status == CS_STATUS_COMPLETED || status == CS_STATUS_FAILED || status == CS_STATUS_ERROR;
}

const char *
cs_task_name(enum cs_task task)
{
    return task_names[task];
}
