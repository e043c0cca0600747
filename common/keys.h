/* SPDX-License-Identifier: MIT */
/*
 * keys - every name that the outside knows: Redis keys, channels, event names, modes, statuses, job-hash fields.
 *
 * The only place where such a string is written. Plain functions of their arguments; any thread.
 */
#ifndef CS_COMMON_KEYS_H
#define CS_COMMON_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#define CS_KEY_PREFIX_MAX 64
#define CS_KEY_MAX (CS_KEY_PREFIX_MAX + 160) /* any key with its NUL */

#define CS_GROUP "workers"
#define CS_CONTROL_MAXLEN "1000" /* of P:control */

/* Three BLOCK times of the daemon's read: a worker that has been silent for longer is not there. */
#define CS_WORKER_LIVE_MS 6000

/* Fixed keys under the prefix P; built once. */
struct cs_keys {
    char prefix[CS_KEY_PREFIX_MAX + 1];
    char commands[CS_KEY_MAX];     /* P:commands */
    char jobs[CS_KEY_MAX];         /* P:jobs */
    char control[CS_KEY_MAX];      /* P:control */
    char control_read[CS_KEY_MAX]; /* P:control:read: entry of P:control up to which some worker has read */
    char dead[CS_KEY_MAX];         /* P:dead */
    char events[CS_KEY_MAX];       /* P:events */
    char entries[CS_KEY_MAX]; /* P:entries: entry id -> job id, of open jobs that bring an id of their own */
    char workers[CS_KEY_MAX]; /* P:workers: sorted set of worker names by last heartbeat ms */
    char metrics[CS_KEY_MAX]; /* P:metrics: hash of counters that survive a worker */
};

/* prefix must have passed the configuration's check (<= CS_KEY_PREFIX_MAX printable characters, no blanks). */
void cs_keys_init(struct cs_keys *keys, const char *prefix);

/*
 * Keys with a variable part, P:job:<id> and so on: what each is for is in docs/redis.md. out holds CS_KEY_MAX bytes;
 * returns out.
 */
char *cs_key_job(const struct cs_keys *keys, const char *job_id, char out[CS_KEY_MAX]);
char *cs_key_waiters(const struct cs_keys *keys, const char *job_id, char out[CS_KEY_MAX]);
char *cs_key_universes(const struct cs_keys *keys, const char *environment, char out[CS_KEY_MAX]);
char *cs_key_daily(const struct cs_keys *keys, const char *date, char out[CS_KEY_MAX]);
char *cs_key_worker(const struct cs_keys *keys, const char *name, char out[CS_KEY_MAX]);
char *cs_key_idem(const struct cs_keys *keys, const char *idempotency_key, char out[CS_KEY_MAX]);
char *cs_key_pending(const struct cs_keys *keys, const char *environment, char out[CS_KEY_MAX]);
char *cs_key_running(const struct cs_keys *keys, const char *environment, char out[CS_KEY_MAX]);
char *cs_key_duplicates(const struct cs_keys *keys, const char *job_id, char out[CS_KEY_MAX]);

/* Channels (docs/redis.md). */
#define CS_CH_TRIGGERED "tickstock:cache:sync_triggered"
#define CS_CH_COMPLETE "tickstock:cache:sync_complete"
#define CS_CH_UNIVERSE "tickstock:universe:updated"
#define CS_CH_IPO "tickstock:cache:ipo_assignment"
#define CS_CH_DELISTING "tickstock:cache:delisting_cleanup"
#define CS_CH_MONITORING "tickstock:monitoring"
#define CS_CH_ERRORS "tickstock:errors"
#define CS_CH_IMPORT_STATUS "tickstock:data:import:status"
#define CS_CH_IMPORT_DONE "tickstock:import:completed"

enum cs_mode { CS_MODE_FULL, CS_MODE_MARKET_CAP, CS_MODE_THEMES, CS_MODE_IPOS, CS_MODE_COUNT };

const char *cs_mode_name(enum cs_mode mode);
bool cs_mode_parse(const char *text, enum cs_mode *mode);

/* What a reader may find in job field `status`; nothing writes CS_STATUS_ERROR. */
enum cs_status {
    CS_STATUS_PENDING,
    CS_STATUS_RUNNING,
    CS_STATUS_COMPLETED,
    CS_STATUS_FAILED,
    CS_STATUS_ERROR,
    CS_STATUS_COUNT
};

const char *cs_status_name(enum cs_status status);
bool cs_status_parse(const char *text, enum cs_status *status);
bool cs_status_final(enum cs_status status); /* completed, failed, error */

/* The tasks of task_results, in the order in which an event names them. */
enum cs_task {
    CS_TASK_MARKET_CAP,
    CS_TASK_DELISTING,
    CS_TASK_IPO,
    CS_TASK_THEME,
    CS_TASK_ETF,
    CS_TASK_COUNT
};

const char *cs_task_name(enum cs_task task); /* market_cap_update, delisting_cleanup, ipo_assignment ... */

#endif
