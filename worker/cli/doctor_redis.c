/* SPDX-License-Identifier: MIT */
/*
 * doctor_redis - the server: version, role, memory, persistence, clock. Main thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "worker/cli/doctor.h"

#define VERSION_MAJOR 6
#define VERSION_MINOR 2
#define SKEW_WARNING_MS 2000
#define FULL_WARNING 0.8 /* of maxmemory */

/* The value of "name:" in the text of INFO, or "". out holds 64 bytes. */
static const char *
info_value(const char *info, const char *name, char out[64])
{
    size_t len = strlen(name);

    out[0] = '\0';
    for (const char *line = info; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            snprintf(out, 64, "%.*s", (int)strcspn(line + len + 1, "\r\n"), line + len + 1);
            break;
        }
    }
    return out;
}

static void
check_version(struct doctor *d, const char *info)
{
    char version[64], *rest;
    long major = strtol(info_value(info, "redis_version", version), &rest, 10);
    long minor = *rest == '.' ? strtol(rest + 1, NULL, 10) : 0;
    bool good = major > VERSION_MAJOR || (major == VERSION_MAJOR && minor >= VERSION_MINOR);

    doctor_say(d, good ? DOCTOR_OK : DOCTOR_PROBLEM, "redis.version", "use Redis 6.2 or newer", "Redis %s",
               version);
}

static void
check_role(struct doctor *d, const char *info)
{
    char role[64];

    if (strcmp(info_value(info, "role", role), "master") == 0)
        doctor_say(d, DOCTOR_OK, "redis.role", NULL, "master");
    else
        doctor_say(d, DOCTOR_PROBLEM, "redis.role", "point REDIS_URL at the master", "%s: it takes no writes",
                   role);
}

static void
check_memory(struct doctor *d, const char *info)
{
    char policy[64], most_text[64], used_text[64];
    double most = strtod(info_value(info, "maxmemory", most_text), NULL);
    double used = strtod(info_value(info, "used_memory", used_text), NULL);
    bool keeps = strcmp(info_value(info, "maxmemory_policy", policy), "noeviction") == 0;

    if (!keeps)
        doctor_say(d, most > 0 ? DOCTOR_PROBLEM : DOCTOR_WARNING, "redis.eviction",
                   "set maxmemory-policy noeviction", "policy %s: %s", policy,
                   most > 0 ? "commands and jobs can be thrown away"
                            : "harmless only while maxmemory is not set");
    else
        doctor_say(d, DOCTOR_OK, "redis.eviction", NULL, "noeviction");
    if (most > 0)
        doctor_say(d, used <= FULL_WARNING * most ? DOCTOR_OK : DOCTOR_WARNING, "redis.memory",
                   "raise maxmemory", "%.0f MiB of %.0f MiB used", used / 1048576, most / 1048576);
    else
        doctor_say(d, DOCTOR_OK, "redis.memory", NULL, "%.0f MiB used, no maxmemory", used / 1048576);
}

/* "save" of the configuration: "" is none, NULL that we may not ask. Gives a reply. */
static struct cs_reply *
ask_save(struct doctor *d, const char **save)
{
    const char *argv[] = {"CONFIG", "GET", "save"};
    struct cs_reply *reply = NULL;
    struct cs_err ignored = {0};

    *save = NULL;
    if (cli_call(d->cli, &reply, &ignored, 3, argv, NULL) == CS_OK)
        *save = cs_reply_str(cs_reply_at(reply, 1), NULL);
    return reply;
}

static void
check_persistence(struct doctor *d, const char *info)
{
    char aof[64], aof_write[64], bgsave[64];
    const char *save;
    struct cs_reply *reply = ask_save(d, &save);

    info_value(info, "aof_enabled", aof);
    if (strcmp(info_value(info, "aof_last_write_status", aof_write), "err") == 0)
        doctor_say(d, DOCTOR_PROBLEM, "redis.persistence", "free the disk; see Redis's log",
                   "the last write of the append-only file failed");
    else if (strcmp(info_value(info, "rdb_last_bgsave_status", bgsave), "err") == 0)
        doctor_say(d, DOCTOR_PROBLEM, "redis.persistence", "free the disk; see Redis's log",
                   "the last snapshot failed");
    else if (strcmp(aof, "1") == 0)
        doctor_say(d, DOCTOR_OK, "redis.persistence", NULL, "append-only file");
    else if (save != NULL && *save == '\0')
        doctor_say(d, DOCTOR_WARNING, "redis.persistence", "set appendonly yes",
                   "none: a restart of Redis loses accepted commands and the history");
    else
        doctor_say(
            d, DOCTOR_WARNING, "redis.persistence", "set appendonly yes",
            "no append-only file: a crash of Redis loses what came since the last snapshot, if it makes any");
    cs_reply_free(reply);
}

static void
check_clock(struct doctor *d)
{
    const char *argv[] = {"TIME"};
    int64_t before_ms = cs_clock_wall_ms(), skew_ms;
    struct cs_reply *reply = doctor_ask(d, "redis.clock", 1, argv);

    if (reply == NULL)
        return;
    skew_ms = cs_reply_int(cs_reply_at(reply, 0)) * 1000 + cs_reply_int(cs_reply_at(reply, 1)) / 1000 -
              (before_ms + cs_clock_wall_ms()) / 2;
    cs_reply_free(reply);
    doctor_say(d, llabs(skew_ms) <= SKEW_WARNING_MS ? DOCTOR_OK : DOCTOR_WARNING, "redis.clock",
               "run an NTP client on both machines", "%+.3f s from this machine's clock",
               (double)skew_ms / 1000);
}

void
doctor_redis(struct doctor *d)
{
    static void (*const checks[])(struct doctor *, const char *) = {check_version, check_role, check_memory,
                                                                    check_persistence};
    const char *argv[] = {"INFO"};
    char address[256];
    struct cs_reply *reply;

    cs_redis_addr_format(&d->cli->cfg.redis, address, sizeof address);
    doctor_say(d, DOCTOR_OK, "redis", NULL, "answers at %s", address);
    reply = doctor_ask(d, "redis.server", 1, argv);
    for (size_t i = 0; reply != NULL && i < sizeof checks / sizeof checks[0]; i++)
        checks[i](d, cs_reply_str(reply, NULL));
    cs_reply_free(reply);
    check_clock(d);
}
