/* SPDX-License-Identifier: MIT */
/*
 * config - the keys of docs/configuration.md, from a KEY=VALUE file and the environment (which wins).
 *
 * One table declares every key: name, type, default, bounds, unit, help. Read once at start, on the main thread;
 * read-only afterwards.
 */
#ifndef CS_COMMON_CONFIG_H
#define CS_COMMON_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "common/log.h"

/* Where Redis is. Owned strings; NULL where unset. */
struct cs_redis_addr {
    char *host; /* NULL with a unix socket */
    int port;
    char *unix_path;
    int db;
    char *username;
    char *password; /* never logged */
};

struct cs_config {
    char *database_uri;
    struct cs_redis_addr redis;
    char *key_prefix;
    char *environment;
    int64_t workers;
    char *rules_path; /* NULL: the compiled-in rules */
    int64_t job_timeout_s;
    int64_t max_attempts;
    int64_t lease_ms;
    int64_t retention_days;
    int64_t retention_jobs;
    int64_t events_maxlen;
    int64_t grace_s;
    int64_t max_backlog;
    bool autostart;
    char *listen;
    int64_t port;
    int64_t max_connections;
    int64_t rate_limit;
    char *cors_origin;  /* NULL: none */
    char *api_keys;     /* comma separated; NULL: none. Never logged */
    char *api_key_file; /* NULL: none */
    char *log_path;     /* NULL: standard error */
    char *log_level;    /* debug info warn error (CACHESYNC_LOG_LEVEL) */
    char *log_format;   /* text json */
};

/*
 * Read path (NULL: no file), then the environment, then defaults; check every value.
 *
 * File lines: KEY=VALUE, as systemd's EnvironmentFile and dotenv files: blank lines and lines that start with # or ;
 * are skipped, an "export " in front is allowed, a value may stand in single or double quotes. Keys that are not ours
 * and do not start with CACHESYNC_ are ignored (an .env is shared with other programs).
 *
 * cfg      filled; free with cs_config_fini also after an error.
 * Returns  CS_OK; CS_EINVAL with a line naming key, value (secrets masked) and remedy; CS_EIO for the file.
 */
enum cs_rc cs_config_load(struct cs_config *cfg, const char *path, struct cs_err *err) CS_MUSTCHECK;
void cs_config_fini(struct cs_config *cfg);

/* Read redis://[user:pass@]host[:port][/db] or unix://[user:password@]/path[?db=n]. addr is the caller's to cs_redis_addr_fini. */
enum cs_rc cs_redis_addr_parse(struct cs_redis_addr *addr, const char *url, struct cs_err *err) CS_MUSTCHECK;
void cs_redis_addr_fini(struct cs_redis_addr *addr);
/* For people: the password is masked. */
void cs_redis_addr_format(const struct cs_redis_addr *addr, char *out, size_t out_bytes);

/* Copy a libpq URI or key=value string with its password replaced by ***. Gives a string to free(). */
char *cs_uri_masked(const char *uri);

/* Print the table: "KEY  default  unit  help" lines for --help, or effective values (secrets masked) for --check-config. */
void cs_config_print_help(FILE *out);
void cs_config_print(const struct cs_config *cfg, FILE *out);

/* Open the log as cfg says (log_path, log_format, log_level). */
enum cs_rc cs_config_open_log(const struct cs_config *cfg, struct cs_err *err) CS_MUSTCHECK;

/* What a program finds wrong with settings that cs_config_load takes as they are: CS_OK, or a line for people in err. */
typedef enum cs_rc cs_config_check(const struct cs_config *cfg, struct cs_err *err);

/*
 * The options that every program takes: --config FILE, --check-config, --version, --help. Uses getopt_long.
 * Handles the last three itself (prints, exit code in *exit_code) and refuses everything else.
 *
 * more     asked before --check-config prints and before the program goes on; NULL: nothing more to check.
 * Returns true when the program goes on with cfg loaded; false when it must exit with *exit_code
 * (0 done, 2 usage or bad configuration: one line has been printed to standard error).
 */
bool cs_config_main(struct cs_config *cfg, int argc, char **argv, const char *about, cs_config_check *more,
                    int *exit_code);

#define CS_VERSION "0.1.0"
#define CS_PUBLISHED_KEY                                                                                     \
    "tickstock-cache-sync-2025" /* an API key that everybody knows: for a loopback address alone */

#endif
