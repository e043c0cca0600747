/* SPDX-License-Identifier: MIT */
/*
 * cachesync-http - REST in, stream entries and hash reads out. Holds no state; one loop, one thread.
 */
#include <signal.h>
#include <stdio.h>

#include <event2/util.h>

#include "common/log.h"
#include "worker/http/http.h"

#define REDIS_TIMEOUT_MS 2000 /* two questions in a row stay under the callers' 5 s */

static void
on_redis_up(void *arg)
{
    (void)arg;
    CS_LOG(CS_LOG_INFO, "redis_up", NULL);
}

static void
on_redis_down(const struct cs_err *why, void *arg)
{
    (void)arg;
    CS_LOG(CS_LOG_WARN, "redis_down", NULL, cs_kv_s("reason", why->msg));
}

static void
on_signal_stop(evutil_socket_t sig, short what, void *arg)
{
    struct http_app *app = arg;
    const struct timeval grace = {app->cfg.grace_s, 0};

    (void)what;
    if (app->stopping) { /* asked twice: at once */
        event_base_loopbreak(app->base);
        return;
    }
    CS_LOG(CS_LOG_INFO, "stopping", NULL, cs_kv_i("signal", sig), cs_kv_i("in_flight", (int64_t)app->calls));
    app->stopping = true;
    http_listen_stop(app);
    event_base_loopexit(app->base, app->calls > 0 || app->conns.count > 0 ? &grace : NULL);
}

static void
on_signal_reload(evutil_socket_t sig, short what, void *arg)
{
    struct http_app *app = arg;
    struct http_auth *fresh;
    struct cs_err err = {0};

    (void)sig;
    (void)what;
    if (cs_log_reopen(&err) != CS_OK)
        CS_LOG(CS_LOG_ERROR, "log_reopen_failed", NULL, cs_kv_s("message", err.msg));
    if (http_auth_load(&fresh, &app->cfg, &err) != CS_OK) {
        CS_LOG(CS_LOG_ERROR, "keys_kept", NULL, cs_kv_s("message", err.msg));
        return;
    }
    http_auth_free(app->auth);
    app->auth = fresh;
}

static enum cs_rc
serve(struct http_app *app, struct cs_err *err)
{
    struct event *term = evsignal_new(app->base, SIGTERM, on_signal_stop, app);
    struct event *intr = evsignal_new(app->base, SIGINT, on_signal_stop, app);
    struct event *hup = evsignal_new(app->base, SIGHUP, on_signal_reload, app);
    enum cs_rc rc = CS_OK;

    if (!term || !intr || !hup || event_add(term, NULL) || event_add(intr, NULL) || event_add(hup, NULL))
        rc = cs_err_set(err, CS_ENOMEM, "the signal handlers cannot be set");
    if (rc == CS_OK) {
        CS_LOG(CS_LOG_INFO, "listening", NULL, cs_kv_s("address", app->cfg.listen),
               cs_kv_i("port", app->cfg.port));
        event_base_dispatch(app->base);
        cs_redis_free(app->redis);
        app->redis = NULL;
        CS_LOG(CS_LOG_INFO, "stopped", NULL);
    }
    if (term)
        event_free(term);
    if (intr)
        event_free(intr);
    if (hup)
        event_free(hup);
    return rc;
}

static enum cs_rc
run(struct http_app *app, struct cs_err *err)
{
    enum cs_rc rc = cs_config_open_log(&app->cfg, err);

    if (rc == CS_OK)
        rc = http_auth_load(&app->auth, &app->cfg, err);
    if (rc != CS_OK)
        return rc;
    cs_keys_init(&app->keys, app->cfg.key_prefix);
    app->base = event_base_new();
    if (!app->base)
        return cs_err_set(err, CS_ENOMEM, "the event loop cannot be created");
    app->rate = http_rate_new(app->cfg.rate_limit);
    evutil_secure_rng_get_bytes(&app->id_base, sizeof app->id_base);
    rc = http_listen(app, err);
    if (rc != CS_OK)
        return rc;
    app->redis = cs_redis_new(&(struct cs_redis_opts){
        .base = app->base,
        .addr = &app->cfg.redis,
        .name = "cachesync-http",
        .connect_timeout_ms = REDIS_TIMEOUT_MS,
        .call_timeout_ms = REDIS_TIMEOUT_MS,
        .on_up = on_redis_up,
        .on_down = on_redis_down,
        .arg = app,
    });
    return serve(app, err);
}

int
main(int argc, char **argv)
{
    static struct http_app app;
    struct cs_err err = {0};
    int exit_code = 0;

    if (!cs_config_main(&app.cfg, argc, argv, "cachesync-http - the HTTP adapter of cachesync", NULL,
                        &exit_code)) {
        cs_config_fini(&app.cfg);
        return exit_code;
    }
    signal(SIGPIPE, SIG_IGN);
    if (run(&app, &err) != CS_OK) {
        fprintf(stderr, "cachesync-http: %s\n", err.msg);
        exit_code = err.rc == CS_EINVAL ? 2 : 1;
    }
    if (app.redis)
        cs_redis_free(app.redis);
    http_listen_fini(&app);
    if (app.base)
        event_base_free(app.base);
    http_rate_free(app.rate);
    http_auth_free(app.auth);
    text_fini(&app.head);
    text_fini(&app.body);
    cs_config_fini(&app.cfg);
    return exit_code;
}
