/* SPDX-License-Identifier: MIT */
/*
 * redis_settings - looks, at every connection, at the settings of Redis on which promises rest, and warns.
 *
 * Reads INFO, which every user may: CONFIG GET is often forbidden. Changes nothing. Loop thread.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "worker/daemon/daemon.h"

/* A field of INFO whose value is one of those that lose work. */
static const struct setting {
    const char *section, *field;
    const char *good; /* the only good value */
    const char *remedy;
} settings[] = {
    {"memory", "maxmemory_policy", "noeviction",
     "Redis may throw jobs away when its memory is full: CONFIG SET maxmemory-policy noeviction"},
    {"persistence", "aof_enabled", "1",
     "commands and state are lost when Redis dies: CONFIG SET appendonly yes"},
};

/* The value of "field:value\r\n" in the text of INFO; NULL when it is not there. */
static const char *
info_field(const char *info, const char *field, char *value, size_t value_bytes)
{
    size_t len = strlen(field), n;
    const char *at = info;

    while (at && !(strncmp(at, field, len) == 0 && at[len] == ':')) {
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return NULL;
    n = strcspn(at + len + 1, "\r\n");
    if (n >= value_bytes)
        n = value_bytes - 1;
    memcpy(value, at + len + 1, n);
    value[n] = '\0';
    return value;
}

static void
on_info_reply(const struct cs_reply *reply, void *arg)
{
    const struct setting *s = arg;
    const char *info = cs_reply_is_error(reply, NULL) ? NULL : cs_reply_str(reply, NULL);
    char value[64];

    if (!info || !info_field(info, s->field, value, sizeof(value)) || strcmp(value, s->good) == 0)
        return;
    CS_LOG(CS_LOG_WARN, "redis_setting", NULL, cs_kv_s("setting", s->field), cs_kv_s("value", value),
           cs_kv_s("remedy", s->remedy));
}

void
redis_settings_check(struct daemon *d)
{
    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
        const char *argv[] = {"INFO", settings[i].section};

        if (cs_redis_call(d->redis, on_info_reply, (void *)(uintptr_t)&settings[i], 0, 2, argv, NULL) !=
            CS_OK)
            return; /* the next connection asks again */
    }
}
