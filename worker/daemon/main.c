/* SPDX-License-Identifier: MIT */
/*
 * cachesyncd - sets the parts up, runs the loop, takes signals, takes the parts down.
 *
 * SIGTERM, SIGINT: finish or hand back within the grace time; the second one stops at once. SIGHUP: log and
 * rules anew.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "worker/daemon/daemon.h"
#include "worker/daemon/pings.h"

#define ABOUT                                                                                                \
    "the cachesync worker: reads commands from a Redis stream and keeps cache_entries in step with the "     \
    "market"

/* ---- signals ---- */

void
daemon_maybe_stop(struct daemon *d)
{
    if (!d->stopping || d->held || d->stopped || !TAILQ_EMPTY(&d->pings))
        return;
    d->stopped = true;
    event_base_loopexit(d->base, NULL);
}

void
daemon_stop(struct daemon *d, int exit_code)
{
    if (d->stopping)
        return;
    d->exit_code = exit_code;
    CS_LOG(CS_LOG_INFO, "stopping", NULL, cs_kv_i("grace_s", d->cfg.grace_s));
    notify_send(&d->notify, "STOPPING=1");
    d->stopping = true;
    d->stop_us = cs_clock_mono_us() + d->cfg.grace_s * 1000000;
    run_stop(d);
    daemon_maybe_stop(d);
}

static void
on_signal_stop(evutil_socket_t sig, short what, void *arg)
{
    struct daemon *d = arg;

    (void)what;
    if (d->stopping) {
        CS_LOG(CS_LOG_WARN, "stop_now", NULL);
        _exit(128 + (int)sig); /* its jobs are taken over after the lease; a thread may never come back */
    }
    daemon_stop(d, 0);
}

static void
reload_rules(struct daemon *d)
{
    struct sync_rules *rules = NULL;
    struct cs_err err = {0};

    if (rules_load(d->cfg.rules_path, &rules, &err) != CS_OK) {
        CS_LOG(CS_LOG_ERROR, "rules_refused", NULL, cs_kv_s("error", err.msg),
               cs_kv_s("kept", d->rules->digest));
        return;
    }
    d->retired = cs_xrealloc(d->retired, (d->retired_count + 1) * sizeof(struct sync_rules *));
    d->retired[d->retired_count++] = d->rules; /* running jobs may read it */
    d->rules = rules;
    if (pool_idle(d->pool) == (size_t)d->cfg.workers && pool_abandoned(d->pool) == 0)
        while (d->retired_count)
            rules_free(d->retired[--d->retired_count]);
    CS_LOG(CS_LOG_INFO, "rules_loaded", NULL, cs_kv_s("digest", rules->digest),
           cs_kv_i("universes", (int64_t)rules->count));
}

static void
on_signal_reload(evutil_socket_t sig, short what, void *arg)
{
    struct cs_err err = {0};

    (void)sig;
    (void)what;
    if (cs_log_reopen(&err) != CS_OK)
        CS_LOG(CS_LOG_ERROR, "log_not_reopened", NULL, cs_kv_s("error", err.msg));
    reload_rules(arg);
}

/* ---- connections ---- */

static void
on_redis_up(void *arg)
{
    struct daemon *d = arg;

    CS_LOG(CS_LOG_INFO, "redis_up", NULL);
    d->reconnects += d->was_up;
    d->was_up = true;
    d->redis_down_said = false;
    redis_settings_check(d);
    upkeep_heartbeat(d);
    jobs_run(d);
    pings_run(d);
    intake_read(d);
}

static void
on_redis_down(const struct cs_err *why, void *arg)
{
    struct daemon *d = arg;

    if (strcmp(why->code, "redis_too_old") == 0) {
        fprintf(stderr, "cachesyncd: %s\n", why->msg);
        d->exit_code = 2;
        event_base_loopbreak(d->base);
        return;
    }
    jobs_redis_down(d);
    if (!d->redis_down_said)
        CS_LOG(CS_LOG_ERROR, "redis_down", NULL, cs_kv_s("error", why->msg),
               cs_kv_s("remedy", "check REDIS_URL; trying again"));
    d->redis_down_said = true;
}

static void
on_reader_up(void *arg)
{
    intake_up(arg);
}

static void
on_reader_down(const struct cs_err *why, void *arg)
{
    (void)why;
    intake_down(arg);
}

static void
on_control_up(void *arg)
{
    control_up(arg);
}

static struct cs_redis *
connect_redis(struct daemon *d, void (*up)(void *), void (*down)(const struct cs_err *, void *),
              void (*message)(const char *, const char *, size_t, void *))
{
    struct cs_redis_opts opts = {.base = d->base,
                                 .addr = &d->cfg.redis,
                                 .name = "cachesyncd",
                                 .on_up = up,
                                 .on_down = down,
                                 .on_message = message,
                                 .arg = d};

    return cs_redis_new(&opts);
}

/* ---- life ---- */

static void
name_self(struct daemon *d)
{
    int64_t now_ms = cs_clock_wall_ms();

    if (gethostname(d->host, sizeof(d->host) - 1) < 0 || !d->host[0])
        snprintf(d->host, sizeof(d->host), "localhost");
    cs_time_format(now_ms, d->started_at);
    snprintf(d->name, sizeof(d->name), "%s.%ld.%lld", d->host, (long)getpid(), (long long)now_ms);
    srandom((unsigned)(now_ms ^ getpid()));
}

static void
watch_signals(struct daemon *d)
{
    d->signals[0] = evsignal_new(d->base, SIGTERM, on_signal_stop, d);
    d->signals[1] = evsignal_new(d->base, SIGINT, on_signal_stop, d);
    d->signals[2] = evsignal_new(d->base, SIGHUP, on_signal_reload, d);
    for (size_t i = 0; i < 3; i++)
        event_add(d->signals[i], NULL);
}

static void
on_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    jobs_run(arg);
}

static enum cs_rc
set_up(struct daemon *d, struct cs_err *err)
{
    static const char *const imports[] = {CS_CH_IMPORT_STATUS, CS_CH_IMPORT_DONE};
    const struct timeval tick = {.tv_usec = 250000};
    struct pool_opts pool = {.cfg = &d->cfg, .on_report = run_on_report, .arg = d};
    enum cs_rc rc = rules_load(d->cfg.rules_path, &d->rules, err);

    if (rc != CS_OK)
        return rc;
    d->base = event_base_new();
    if (!d->base)
        return cs_err_set(err, CS_EIO, "cannot make an event loop");
    pool.base = d->base;
    watch_signals(d);
    d->pool = pool_new(&pool, err);
    if (!d->pool)
        return err->rc;
    d->read_again = evtimer_new(d->base, on_intake_timer, d);
    d->control_again = evtimer_new(d->base, on_control_timer, d);
    d->due = evtimer_new(d->base, on_due, d);
    d->tick = event_new(d->base, -1, EV_PERSIST, on_upkeep_tick, d);
    event_add(d->tick, &tick);
    d->redis = connect_redis(d, on_redis_up, on_redis_down, NULL);
    d->reader = connect_redis(d, on_reader_up, on_reader_down, NULL);
    d->control = connect_redis(d, on_control_up, NULL, NULL);
    if (d->cfg.autostart) {
        d->imports = connect_redis(d, NULL, NULL, control_on_message);
        cs_redis_subscribe(d->imports, imports, 2);
    }
    return CS_OK;
}

static void
say_goodbye(struct daemon *d)
{
    char key[CS_KEY_MAX];
    const struct timeval moment = {.tv_usec = 100000};

    if (!d->redis || !cs_redis_is_up(d->redis) || !d->stopped)
        return;
    if (cs_redis_call(d->redis, NULL, NULL, 0, 2,
                      (const char *[]){"DEL", cs_key_worker(&d->keys, d->name, key)}, NULL) == CS_OK) {
        event_base_loopexit(d->base, &moment); /* lets hand-backs and this leave */
        event_base_dispatch(d->base);
    }
}

static void
take_down(struct daemon *d)
{
    struct cs_redis *connections[] = {d->imports, d->control, d->reader, d->redis};
    struct event *timers[] = {d->tick, d->read_again, d->control_again, d->due};

    pool_free(d->pool);
    for (size_t i = 0; i < 4; i++)
        if (connections[i])
            cs_redis_free(connections[i]);
    while (!TAILQ_EMPTY(&d->jobs))
        jobs_drop(TAILQ_FIRST(&d->jobs));
    pings_free(d);
    for (size_t i = 0; i < 3; i++)
        if (d->signals[i])
            event_free(d->signals[i]);
    for (size_t i = 0; i < sizeof(timers) / sizeof(*timers); i++)
        if (timers[i])
            event_free(timers[i]);
    if (d->base)
        event_base_free(d->base);
    while (d->retired_count)
        rules_free(d->retired[--d->retired_count]);
    free(d->retired);
    if (d->rules)
        rules_free(d->rules);
}

static enum cs_rc
check_settings(const struct cs_config *cfg, struct cs_err *err)
{
    return sync_check_settings(cfg->database_uri, cfg->rules_path, err);
}

int
main(int argc, char **argv)
{
    struct daemon d = {.database = "unknown"};
    struct cs_err err = {0};
    int exit_code;

    if (!cs_config_main(&d.cfg, argc, argv, ABOUT, check_settings, &exit_code)) {
        cs_config_fini(&d.cfg);
        return exit_code;
    }
    signal(SIGPIPE, SIG_IGN);
    TAILQ_INIT(&d.jobs);
    TAILQ_INIT(&d.pings);
    cs_keys_init(&d.keys, d.cfg.key_prefix);
    name_self(&d);
    if (cs_config_open_log(&d.cfg, &err) != CS_OK || set_up(&d, &err) != CS_OK) {
        fprintf(stderr, "cachesyncd: %s\n", err.msg);
        d.exit_code = 2;
    } else {
        CS_LOG(CS_LOG_INFO, "started", NULL, cs_kv_s("name", d.name), cs_kv_s("version", CS_VERSION),
               cs_kv_i("threads", d.cfg.workers), cs_kv_s("rules", d.rules->digest));
        notify_open(&d.notify);
        notify_send(&d.notify, "READY=1");
        event_base_dispatch(d.base);
        notify_close(&d.notify);
        say_goodbye(&d);
        CS_LOG(CS_LOG_INFO, "stopped", NULL, cs_kv_i("held", (int64_t)d.held));
        if (d.forced || pool_abandoned(d.pool))
            _exit(d.exit_code); /* a thread may never come back */
    }
    take_down(&d);
    cs_config_fini(&d.cfg);
    return d.exit_code;
}
