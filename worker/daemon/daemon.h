/* SPDX-License-Identifier: MIT */
/*
 * daemon - the state of one cachesyncd and the life of its jobs. Everything here belongs to the loop thread.
 *
 *   intake.c  stream -> admit_take         admit.c   entry -> command -> pending job, or attached to another
 *   jobs.c    the jobs that are held       run.c     start, progress, hand back, write off
 *   outcome.c what an attempt leads to
 *   finish*.c the one step that ends a job cancel.c  cancel, wherever the job is; entries lost under us
 *   pings.c   pings, in batches            control.c cancel commands, imports
 *   upkeep.c  heartbeat, lease, takeover, deadline, probe
 *
 * A job waits in a state until its script has answered; jobs_run sends what is due, so that an answer that was lost or
 * refused is asked for again.
 */
#ifndef CS_DAEMON_DAEMON_H
#define CS_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/command.h"
#include "common/config.h"
#include "common/redis.h"
#include "worker/daemon/args.h"
#include "worker/daemon/notify.h"
#include "worker/daemon/pool.h"

#define DAEMON_NAME_MAX 160
#define DAEMON_BUCKETS 1024
#define CANCELS_MISSED_MAX 64
#define DAEMON_DAY_MS INT64_C(86400000)

enum job_state {
    JOB_ADMITTING, /* lua/admit */
    JOB_REPEATING, /* the job that holds its idempotency key has ended: reads how */
    JOB_WAITING,   /* for due_us, its environment and a thread; then lua/start */
    JOB_RUNNING,   /* in the pool */
    JOB_RELEASING, /* lua/release */
    JOB_ENDING,    /* lua/finish */
    JOB_SETTLING,  /* lua/settle: those that waited for it */
};

/* How a job that ends is held; the names are lua/finish's. */
enum job_held { HELD_OWNER, HELD_UNREAD, HELD_WAITER, HELD_TRIMMED };

/* What a thread is given; its own, since the thread may outlive the job (pool_abandon). */
struct job_work {
    struct pool_work work; /* first: freed through it */
    struct cs_command cmd;
    char job_id[CS_UUID_LEN + 1];
};

struct daemon;

/* One stream entry that this daemon holds. */
struct job {
    TAILQ_ENTRY(job) next;
    LIST_ENTRY(job) same_bucket;
    struct daemon *d;
    enum job_state state;
    enum job_held held;
    bool listed;                  /* in the daemon's list; others (cancel.c) live for one question */
    bool sent;                    /* a script is on its way */
    char job_id[CS_UUID_LEN + 1]; /* "": the entry fits no job id */
    char entry_id[CS_ENTRY_ID_LEN + 1];
    char first_id[CS_UUID_LEN + 1]; /* JOB_REPEATING */
    struct cs_command cmd;
    struct args fields; /* the entry as it came, for the dead letter */
    int64_t created_ms, start_ms, due_us, deadline_us;
    int64_t sent_us; /* when lua/start was sent: the lease runs from then on */
    int attempts, refusals;
    bool cancelled, timed_out;
    bool lost;             /* another worker owns the entry: drop without a word */
    struct job_work *work; /* JOB_RUNNING */
    int64_t told_us;       /* when the running work was told to stop; 0: it was not */
    bool in_doubt;         /* an attempt may have committed: the run row tells */
    bool recorded_only;    /* cancelled or out of attempts: only look whether one of them had committed */
    struct args end;       /* arguments of lua/finish, kept until it answered */
    int end_nkeys;
    struct {
        bool back; /* to any worker; else to be tried again here */
        int refund;
        int64_t due_ms;
    } release;
};

TAILQ_HEAD(job_list, job);
LIST_HEAD(job_bucket, job);
TAILQ_HEAD(ping_list, ping_batch); /* pings.h */

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
    struct job_list jobs; /* in the order in which they came */
    struct job_bucket buckets[DAEMON_BUCKETS];
    size_t held;      /* jobs in the list */
    size_t admitting; /* answers of lua/admit that are awaited */
    struct ping_list pings;
    char name[DAEMON_NAME_MAX + 1];
    char host[80];
    char started_at[CS_TIME_LEN + 1];
    bool stopping, stopped;
    int64_t stop_us; /* when the grace time ends */
    int exit_code;

    /* jobs */
    struct event *due; /* the next job that waits for a time */
    int64_t refusal_said_us;

    /* intake */
    bool reading, history_done, group_ready;
    size_t asked; /* COUNT of the last read */
    bool read_full;
    size_t window; /* entries read beyond the free threads: grows while they take none */
    char history_id[CS_ENTRY_ID_LEN + 1];
    int64_t last_read_ms;
    struct event *read_again;
    int64_t read_said_us; /* when a refusal was logged last */

    /* control */
    char control_id[CS_ENTRY_ID_LEN + 1];
    struct event *control_again;
    /* jobs whose cancel found them between two hands, or no Redis */
    char missed[CANCELS_MISSED_MAX][CS_UUID_LEN + 1];
    size_t missed_count;
    int64_t control_said_us;

    /* upkeep */
    struct event *tick;
    unsigned ticks, next_sweep;
    bool probing;
    struct pool_work probe;
    const char *database; /* "unknown", "up", "down" */
    bool redis_down_said, was_up;
    int64_t completed, failed, retried, reconnects;
    int64_t tick_us,
        loop_lag_us; /* when the last tick ran; the worst delay of one since the last heartbeat */
    int64_t renew_sent_us;
    bool forced; /* leave without waiting for threads */
    struct notify notify;
    struct event *signals[3];
};

/* intake.c */
void intake_up(struct daemon *d);
void intake_down(struct daemon *d);
void intake_read(struct daemon *d); /* read if there is room and no read is out */
void intake_look_ahead(struct daemon *d);
void on_intake_timer(int fd, short what, void *arg);

/* jobs.c: the list */
struct job *jobs_add(struct daemon *d, const char *entry_id);
struct job *jobs_find(struct daemon *d, const char *job_id);
bool jobs_hold_entry(const struct daemon *d, const char *entry_id);
void jobs_drop(struct job *job);          /* forget; frees */
void jobs_run(struct daemon *d);          /* send what is due; start what has a thread */
size_t jobs_busy(const struct daemon *d); /* how many have a thread or wait for nothing but one */
/* waiting: for their environment; refused: Redis does not let them in. */
void jobs_count(const struct daemon *d, size_t *waiting, size_t *refused);
void jobs_redis_down(struct daemon *d);

/* jobs.c: what the scripts have in common */
bool job_told(const struct cs_reply *r, size_t i); /* element i of an answer is a text that is not empty */
void job_fields(struct args *out, const struct job *job);  /* the hash's fields that come with the command */
void job_slot(char out[64], const struct job *job);        /* "mode|force|dry_run|as_of" */
void job_add_head(struct args *a, const struct job *job);  /* P:commands, P:job:<id> */
void job_add_owner(struct args *a, const struct job *job); /* group, consumer, entry */
/* Send a script of this job's step; frees a. cb NULL: nobody waits for the answer. */
void job_eval(struct job *job, const char *script, cs_redis_cb *cb, int nkeys, struct args *a);
/* Whether an answer came that can be acted on; if not, the step is tried again. script names it in the log. */
bool job_answered(struct job *job, const struct cs_reply *r, const char *script);
void job_later(struct job *job, enum job_state state, int64_t delay_us);

/* admit.c */
void admit_take(struct daemon *d, const struct cs_reply *entries); /* array of [id, fields] */
void admit_one(struct daemon *d, const struct cs_reply *entry);    /* [id, fields] */
void admit_poisoned(struct daemon *d, const struct cs_reply *entry, const char *job_id);
void admit_send(struct job *job);
void admit_repeat(struct job *job);

/* run.c */
void run_start(struct job *job);
void run_release(struct job *job); /* as job->release says */
void run_hand_back(struct job *job, int refund);
void run_cancelled(struct job *job); /* ends a job that has no thread, or has it looked up first */
void run_tell(struct job *job);      /* stop the running work soon */
void run_stuck(struct job *job);     /* its thread does not come back: go on without */
void run_stop(struct daemon *d);     /* hand back what waits */
void run_on_report(struct pool_report *report, void *arg);

/* outcome.c */
void outcome_done(struct job *job, struct pool_report *report);
/* The attempt did not get its way; in_doubt says what is known of it. details: figures, or NULL. */
void outcome_failed(struct job *job, enum cs_rc rc, const struct cs_err *err, const json_t *details);

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
void finish_settle(struct job *job);

/* finish_args.c: into a, and how many of them are keys into job->end_nkeys */
void finish_args(struct job *job, struct args *a, const struct finish *how, int64_t now_ms);

/* cancel.c */
void cancel_job(struct daemon *d, const char *job_id);
/* Somebody has just read its entry, or Redis is away: look again soon. */
void cancel_missed(struct daemon *d, const char *job_id);
/* Its entry was read under a cancel: by this worker, and it is cancelled here and now, or by another. */
void cancel_read(struct daemon *d, const char *job_id);
/* A question of cancel.c has no answer (r NULL) or a refusal: takes it, and asks again soon unless that is of no use. */
void cancel_unanswered(struct job *job, const struct cs_reply *r);
void cancel_again(struct daemon *d); /* those that were missed */
/* Its entry is gone, its worker too. */
void cancel_trimmed(struct daemon *d, const char *entry_id, const char *job_id);

/* control.c */
void control_up(struct daemon *d);
void on_control_timer(int fd, short what, void *arg);
void control_on_message(const char *channel, const char *payload, size_t len_bytes, void *arg);

/* upkeep.c */
void on_upkeep_tick(int fd, short what, void *arg);
void upkeep_heartbeat(struct daemon *d);

/* redis_settings.c: warn of settings of Redis that lose work */
void redis_settings_check(struct daemon *d);

/* main.c */
void daemon_stop(struct daemon *d, int exit_code); /* as SIGTERM does; the code counts when it is the first */
void daemon_maybe_stop(struct daemon *d);          /* leave the loop when stopping and nothing is held */

#endif
