/* SPDX-License-Identifier: MIT */
/*
 * daemon - the state of one cachesyncd and the life of its jobs. Everything here belongs to the loop thread.
 *
 *   intake.c   stream -> jobs_take          jobs.c    admit, start, progress, retry, cancel
 *   finish.c   the one step that ends a job control.c cancel commands, imports
 *   upkeep.c   heartbeat, lease, takeover, deadline, probe
 */
#ifndef CS_DAEMON_DAEMON_H
#define CS_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "common/command.h"
#include "common/config.h"
#include "common/redis.h"
#include "worker/daemon/args.h"
#include "worker/daemon/notify.h"
#include "worker/daemon/pool.h"

#define DAEMON_NAME_MAX 160

enum job_state {
    JOB_ADMITTING, /* waiting for the answer of lua/admit */
    JOB_WAITING,   /* due at due_us, then a thread */
    JOB_BEHIND,    /* its idempotency key is another's: watches that job */
    JOB_STARTING,  /* waiting for the answer of lua/start */
    JOB_RUNNING,   /* in the pool */
    JOB_ENDING,    /* waiting for the answer of lua/finish */
};

struct daemon;

/* One stream entry that this daemon holds. */
struct job {
    struct daemon *d;
    struct job *next;
    enum job_state state;
    char job_id[CS_UUID_LEN + 1]; /* "": the entry fits no job id */
    char entry_id[CS_ENTRY_ID_LEN + 1];
    char first_id[CS_UUID_LEN + 1]; /* JOB_BEHIND */
    struct cs_command cmd;
    struct args fields; /* the entry as it came, for the dead letter */
    int64_t created_ms, start_ms, due_us, deadline_us;
    int attempts;
    bool cancelled, timed_out, lost; /* lost: another worker owns the entry; drop without a word */
    struct pool_work work;
    struct args end; /* arguments of lua/finish, kept until it answered */
    int end_nkeys;
};

struct daemon {
    struct cs_config cfg;
    struct cs_keys keys;
    struct event_base *base;
    struct cs_redis *redis;   /* commands and scripts */
    struct cs_redis *reader;  /* blocks in XREADGROUP */
    struct cs_redis *control; /* blocks in XREAD */
    struct cs_redis *imports; /* subscribed; NULL without autostart */
    struct pool *pool;
    struct sync_rules *rules;
    struct sync_rules **retired; /* replaced by SIGHUP, still in use by a running job */
    size_t retired_count;
    struct job *jobs;
    size_t held;   /* jobs that count against the threads */
    size_t behind; /* JOB_BEHIND */
    char name[DAEMON_NAME_MAX + 1];
    char host[80];
    char started_at[CS_TIME_LEN + 1];
    bool stopping, stopped;
    int64_t stop_us; /* when the grace time ends */
    int exit_code;

    /* intake */
    bool reading, history_done, group_ready;
    char history_id[CS_ENTRY_ID_LEN + 1];
    int64_t last_read_ms;
    struct event *read_again;

    /* control */
    char control_id[CS_ENTRY_ID_LEN + 1];

    /* upkeep */
    struct event *tick;
    unsigned ticks;
    bool probing;
    struct pool_work probe;
    const char *database; /* "unknown", "up", "down" */
    bool redis_down_said;
    int64_t completed, failed, retried;
    struct notify notify;
    struct event *signals[3];
};

/* intake.c */
void intake_up(struct daemon *d);
void intake_down(struct daemon *d);
void intake_read(struct daemon *d); /* read if there is room and no read is out */
void on_intake_timer(int fd, short what, void *arg);

/* jobs.c */
void jobs_take(struct daemon *d, const struct cs_reply *entries); /* array of [id, fields] */
void jobs_run(struct daemon *d);                                  /* start what is due and has a thread */
void jobs_redis_up(struct daemon *d); /* ask again what was lost with the connection */
void jobs_cancel(struct daemon *d, const char *job_id);
void jobs_stop(struct daemon *d); /* hand back what waits */
void jobs_drop(struct job *job);  /* forget; frees */
void jobs_on_report(struct pool_report *report, void *arg);
struct job *jobs_find(struct daemon *d, const char *job_id);
void job_fields(struct args *out, const struct job *job); /* the hash's fields that come with the command */

/* finish.c */
struct finish {
    enum cs_status status;
    const json_t *doc;           /* NULL: none */
    const json_t *error_details; /* NULL: none */
    bool ran;                    /* counts a duration */
    bool dead;                   /* write a dead letter */
    bool rejected;               /* never admitted: sync_triggered and an error event come with the end */
    const char *coalesced_into;
};
void finish_job(struct job *job, const struct finish *how);
void finish_failed(struct job *job, const char *code, const char *message, const json_t *figures,
                   bool rejected);
void finish_send(struct job *job);
void finish_unread(struct daemon *d, const char *job_id); /* cancel of an entry that nobody has read */

/* control.c */
void control_up(struct daemon *d);
void control_on_message(const char *channel, const char *payload, size_t len_bytes, void *arg);

/* upkeep.c */
void on_upkeep_tick(int fd, short what, void *arg);
void upkeep_heartbeat(struct daemon *d);

/* redis_settings.c: warn of settings of Redis that lose work */
void redis_settings_check(struct daemon *d);

/* daemon.c */
void daemon_maybe_stop(struct daemon *d); /* leave the loop when stopping and nothing is held */
void daemon_reload_rules(struct daemon *d);

#endif
