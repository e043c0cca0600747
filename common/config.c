/* SPDX-License-Identifier: MIT */
/*
 * config - the table of keys, and how a value gets from file and environment into struct cs_config.
 *
 * Addresses are read in uri.c. Main thread, at start.
 */
#include "common/config.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config_file.h"
#include "common/keys.h"
#include "common/mem.h"

#define OWN_PREFIX "CACHESYNC_"
#define OWN_PREFIX_LEN 10
#define SHOWN "%.120s"
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

enum key_type { TYPE_TEXT, TYPE_INT, TYPE_INT32, TYPE_BOOL, TYPE_REDIS_URL };

struct key {
    const char *name;
    enum key_type type;
    bool secret;
    const char *initial; /* default as text; NULL: unset */
    int64_t min, max;
    const char *unit;
    const char *(*check)(const char *value); /* NULL when fine, else what is wrong with it */
    size_t offset;
    const char *help;
};

static const char *check_prefix(const char *value);
static const char *check_environment(const char *value);
static const char *check_level(const char *value);
static const char *check_format(const char *value);
static const char *check_word(const char *value);

#define AT(field) offsetof(struct cs_config, field)
#define TEXT(name, initial, unit, check, field, help)                                                        \
    {                                                                                                        \
        name, TYPE_TEXT, false, initial, 0, 0, unit, check, AT(field), help                                  \
    }
#define SECRET(name, initial, unit, check, field, help)                                                      \
    {                                                                                                        \
        name, TYPE_TEXT, true, initial, 0, 0, unit, check, AT(field), help                                   \
    }
#define INT(name, initial, min, max, unit, field, help)                                                      \
    {                                                                                                        \
        name, TYPE_INT, false, initial, min, max, unit, NULL, AT(field), help                                \
    }
#define INT32(name, initial, min, max, unit, field, help)                                                    \
    {                                                                                                        \
        name, TYPE_INT32, false, initial, min, max, unit, NULL, AT(field), help                              \
    }

/* REDIS_URL stands after its parts: it overrides them. */
static const struct key keys[] = {
    SECRET("DATABASE_URI", "postgresql:///tickstock", "uri", NULL, database_uri, "PostgreSQL, any libpq URI"),
    TEXT("REDIS_HOST", "localhost", "host", check_word, redis.host, "Redis, unless REDIS_URL says where"),
    INT32("REDIS_PORT", "6379", 1, 65535, "port", redis.port, "its port"),
    INT32("REDIS_DB", "0", 0, 1000000, "number", redis.db, "its database"),
    TEXT("REDIS_USERNAME", NULL, "name", NULL, redis.username, "its user"),
    SECRET("REDIS_PASSWORD", NULL, "text", NULL, redis.password, "its password"),
    {"REDIS_URL", TYPE_REDIS_URL, true, NULL, 0, 0, "url", NULL, AT(redis),
     "redis://[user:password@]host[:port][/db] or unix://[user:password@]/path[?db=n]"},
    TEXT("CACHESYNC_KEY_PREFIX", "tickstock:cache-sync", "text", check_prefix, key_prefix,
         "in front of every key in Redis"),
    TEXT("CACHESYNC_ENVIRONMENT", "DEFAULT", "name", check_environment, environment,
         "environment of the rows that commands sync by default"),
    INT("CACHESYNC_WORKERS", "2", 1, 64, "threads", workers, "sync threads of one daemon"),
    TEXT("CACHESYNC_RULES", NULL, "file", NULL, rules_path, "universe rules; unset: the compiled-in ones"),
    INT("CACHESYNC_JOB_TIMEOUT_S", "1800", 1, 86400, "s", job_timeout_s, "deadline of one attempt"),
    INT("CACHESYNC_MAX_ATTEMPTS", "3", 1, 1000, "attempts", max_attempts, "then the job is a dead letter"),
    INT("CACHESYNC_LEASE_MS", "15000", 500, 600000, "ms", lease_ms,
        "a dead worker's job is taken over after this"),
    INT("CACHESYNC_RETENTION_DAYS", "30", 1, 3650, "days", retention_days,
        "finished jobs and daily counters"),
    INT("CACHESYNC_RETENTION_JOBS", "100000", 1, 100000000, "jobs", retention_jobs, "finished jobs, at most"),
    INT("CACHESYNC_EVENTS_MAXLEN", "100000", 1000, 100000000, "entries", events_maxlen,
        "length of the stream of events"),
    INT("CACHESYNC_GRACE_S", "30", 0, 3600, "s", grace_s, "to finish or hand back after SIGTERM"),
    INT("CACHESYNC_MAX_BACKLOG", "10000", 1, 1000000000, "entries", max_backlog,
        "waiting entries above which the adapter answers 429"),
    {"CACHESYNC_AUTOSTART", TYPE_BOOL, false, "1", 0, 0, "0 or 1", NULL, AT(autostart),
     "start a sync after a data import"},
    TEXT("CACHESYNC_LISTEN", "127.0.0.1", "address", check_word, listen, "where the adapter listens"),
    INT("CACHESYNC_MAX_CONNECTIONS", "1024", 16, 100000, "number", max_connections,
        "adapter: open at once; the oldest that waits makes room"),
    INT("CACHESYNC_RATE_LIMIT", "0", 0, 1000000, "1/s", rate_limit,
        "adapter: requests per key and address; 0: no limit"),
    TEXT("CACHESYNC_CORS_ORIGIN", NULL, "origin", check_word, cors_origin,
         "adapter: the origin whose pages may call it"),
    INT("TICKSTOCKPL_PORT", "8080", 1, 65535, "port", port, "the adapter's port"),
    SECRET("TICKSTOCKPL_API_KEY", NULL, "keys", check_word, api_keys,
           "adapter: accepted keys, comma separated"),
    TEXT("TICKSTOCKPL_API_KEY_FILE", NULL, "file", NULL, api_key_file, "adapter: a file of further keys"),
    TEXT("CACHESYNC_LOG", NULL, "file", NULL, log_path, "unset: standard error; reopened on SIGHUP"),
    TEXT("CACHESYNC_LOG_LEVEL", "info", "level", check_level, log_level, "debug, info, warn or error"),
    TEXT("CACHESYNC_LOG_FORMAT", "text", "format", check_format, log_format, "text or json"),
};
#define KEY_COUNT COUNT_OF(keys)

/* What file and environment say, before it is checked. NULL: nothing. Owned. */
struct raw {
    char *value[KEY_COUNT];
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const format_names[] = {"text", "json"};

static int
index_of(const char *const *names, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], text) == 0)
            return (int)i;
    return -1;
}

static const char *
check_word(const char *value)
{
    for (; *value != '\0'; value++)
        if (*value <= ' ' || *value > '~')
            return "has blanks or unprintable characters";
    return NULL;
}

static const char *
check_prefix(const char *value)
{
    return strlen(value) > CS_KEY_PREFIX_MAX ? "longer than 64 characters" : check_word(value);
}

static const char *
check_environment(const char *value)
{
    size_t len = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return value[len] != '\0' || len > 10 ? "not 1 to 10 of A-Z, 0-9 and _" : NULL;
}

static const char *
check_level(const char *value)
{
    return index_of(level_names, COUNT_OF(level_names), value) < 0 ? "not debug, info, warn or error" : NULL;
}

static const char *
check_format(const char *value)
{
    return index_of(format_names, COUNT_OF(format_names), value) < 0 ? "not text or json" : NULL;
}

static const struct key *
key_find(const char *name, size_t len)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strncmp(keys[i].name, name, len) == 0 && keys[i].name[len] == '\0')
            return &keys[i];
    return NULL;
}

/* An unknown key that sounds like a secret is treated as one. */
static bool
sounds_secret(const char *name, size_t len)
{
    static const char *const words[] = {"KEY", "PASS", "SECRET", "TOKEN", "URI", "URL"};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (memmem(name, len, words[i], strlen(words[i])) != NULL)
            return true;
    return false;
}

/* Take one KEY=VALUE. Keys of other programs are passed over. */
static enum cs_rc
raw_set(struct raw *raw, const char *name, size_t len, const char *value, struct cs_err *err)
{
    const struct key *key = key_find(name, len);

    if (key == NULL && (len < OWN_PREFIX_LEN || strncmp(name, OWN_PREFIX, OWN_PREFIX_LEN) != 0))
        return CS_OK;
    if (key == NULL)
        return cs_err_set(err, CS_EINVAL,
                          "%.*s=" SHOWN ": no such key; remove it, or see --help for the keys",
                          len < 80 ? (int)len : 80, name, sounds_secret(name, len) ? "***" : value);
    free(raw->value[key - keys]);
    raw->value[key - keys] = cs_xstrdup(value);
    return CS_OK;
}

/* One line of the file. What is written of other programs' keys is no matter of ours. */
static enum cs_rc
raw_take(const struct config_line *line, void *raw, struct cs_err *err)
{
    if (key_find(line->name, line->len) == NULL && strncmp(line->name, OWN_PREFIX, OWN_PREFIX_LEN) != 0)
        return CS_OK;
    if (line->wrong != NULL)
        return cs_err_set(err, CS_EINVAL, "%.*s: %s", line->len < 80 ? (int)line->len : 80, line->name,
                          line->wrong);
    return raw_set(raw, line->name, line->len, line->value, err);
}

static enum cs_rc
raw_environment(struct raw *raw, struct cs_err *err)
{
    enum cs_rc rc = CS_OK;

    for (char **e = environ; rc == CS_OK && e != NULL && *e != NULL; e++) {
        const char *equals = strchr(*e, '=');

        if (equals != NULL)
            rc = raw_set(raw, *e, (size_t)(equals - *e), equals + 1, err);
    }
    return rc;
}

static enum cs_rc
bad_value(const struct key *key, const char *value, const char *why, struct cs_err *err)
{
    return cs_err_set(err, CS_EINVAL, "%s=" SHOWN ": %s; set a good value, or remove it for the default %s",
                      key->name, key->secret ? "***" : value, why,
                      key->initial != NULL ? key->initial : "(unset)");
}

static enum cs_rc
set_int(const struct key *key, const char *value, int64_t *out, struct cs_err *err)
{
    char *end;

    errno = 0;
    *out = strtoll(value, &end, 10);
    if (isdigit((unsigned char)*value) && *end == '\0' && errno == 0 && *out >= key->min && *out <= key->max)
        return CS_OK;
    return cs_err_set(err, CS_EINVAL,
                      "%s=" SHOWN ": not a number from %lld to %lld; set such a number, or remove it for the "
                      "default %s",
                      key->name, value, (long long)key->min, (long long)key->max, key->initial);
}

static enum cs_rc
set_bool(const struct key *key, const char *value, bool *out, struct cs_err *err)
{
    static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};
    int i = index_of(words, COUNT_OF(words), value);

    *out = i % 2 == 1;
    return i >= 0 ? CS_OK : bad_value(key, value, "not 0 or 1", err);
}

static enum cs_rc
set_redis_url(const char *value, struct cs_redis_addr *addr, struct cs_err *err)
{
    struct cs_redis_addr parsed;
    enum cs_rc rc = cs_redis_addr_parse(&parsed, value, err);

    if (rc != CS_OK)
        return rc;
    cs_redis_addr_fini(addr);
    *addr = parsed;
    return CS_OK;
}

/* Check one value and store it. An empty value counts as unset. */
static enum cs_rc
apply(struct cs_config *cfg, const struct key *key, const char *value, struct cs_err *err)
{
    char *field = (char *)cfg + key->offset;
    const char *why;
    enum cs_rc rc;
    int64_t i;

    if (value == NULL || *value == '\0')
        value = key->initial;
    if (value == NULL)
        return CS_OK;
    switch (key->type) {
    case TYPE_TEXT:
        why = key->check != NULL ? key->check(value) : NULL;
        if (why != NULL)
            return bad_value(key, value, why, err);
        *(char **)(void *)field = cs_xstrdup(value);
        return CS_OK;
    case TYPE_INT:
        return set_int(key, value, (int64_t *)(void *)field, err);
    case TYPE_INT32:
        rc = set_int(key, value, &i, err);
        *(int *)(void *)field = (int)i;
        return rc;
    case TYPE_BOOL:
        return set_bool(key, value, (bool *)field, err);
    case TYPE_REDIS_URL:
        return set_redis_url(value, (struct cs_redis_addr *)(void *)field, err);
    }
    return CS_OK;
}

enum cs_rc
cs_config_load(struct cs_config *cfg, const char *path, struct cs_err *err)
{
    struct raw raw = {{NULL}};
    enum cs_rc rc = CS_OK;

    memset(cfg, 0, sizeof *cfg);
    if (path != NULL)
        rc = config_file_read(path, raw_take, &raw, err);
    if (rc == CS_OK)
        rc = raw_environment(&raw, err);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (rc == CS_OK)
            rc = apply(cfg, &keys[i], raw.value[i], err);
        free(raw.value[i]);
    }
    return rc;
}

void
cs_config_fini(struct cs_config *cfg)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].type == TYPE_TEXT)
            free(*(char **)(void *)((char *)cfg + keys[i].offset));
    free(cfg->redis.unix_path);
    memset(cfg, 0, sizeof *cfg);
}

void
cs_config_print_help(FILE *out)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        fprintf(out, "  %-25s %-24s %-8s %s\n", keys[i].name, keys[i].initial != NULL ? keys[i].initial : "-",
                keys[i].unit, keys[i].help);
}

static void
print_text(const struct key *key, const char *value, FILE *out)
{
    char *masked = NULL;

    if (value == NULL)
        value = "";
    else if (key->offset == AT(database_uri))
        value = masked = cs_uri_masked(value);
    else if (key->secret)
        value = "***";
    fprintf(out, "%s=%s\n", key->name, value);
    free(masked);
}

void
cs_config_print(const struct cs_config *cfg, FILE *out)
{
    char address[512];

    cs_redis_addr_format(&cfg->redis, address, sizeof address);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const char *field = (const char *)cfg + keys[i].offset;

        switch (keys[i].type) {
        case TYPE_TEXT:
            print_text(&keys[i], *(char *const *)(const void *)field, out);
            break;
        case TYPE_INT:
            fprintf(out, "%s=%lld\n", keys[i].name, (long long)*(const int64_t *)(const void *)field);
            break;
        case TYPE_INT32:
            fprintf(out, "%s=%d\n", keys[i].name, *(const int *)(const void *)field);
            break;
        case TYPE_BOOL:
            fprintf(out, "%s=%d\n", keys[i].name, *(const bool *)field ? 1 : 0);
            break;
        case TYPE_REDIS_URL:
            fprintf(out, "%s=%s\n", keys[i].name, address);
            break;
        }
    }
}

enum cs_rc
cs_config_open_log(const struct cs_config *cfg, struct cs_err *err)
{
    int format = index_of(format_names, COUNT_OF(format_names), cfg->log_format);
    int level = index_of(level_names, COUNT_OF(level_names), cfg->log_level);

    return cs_log_open(cfg->log_path, (enum cs_log_format)format, (enum cs_log_level)level, err);
}
