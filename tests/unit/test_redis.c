/* SPDX-License-Identifier: MIT */
/* link: common/redis common/resolve common/redis_reply common/embed embed common/mem common/log common/clock common/err */
#include "common/redis.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 10

struct world {
    char dir[32], socket[64];
    pid_t server;
    struct event_base *base;
    struct cs_redis *redis;
    int ups, downs, nulls, pongs;
};

static void
start_server(struct world *w)
{
    w->server = fork();
    if (w->server != 0)
        return;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        _exit(1);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", w->socket, "--dir", w->dir,
           "--save", "", "--loglevel", "warning", "--logfile", "/dev/null", (char *)NULL);
    _exit(127);
}

static void
stop_server(struct world *w)
{
    kill(w->server, SIGKILL);
    waitpid(w->server, NULL, 0);
    unlink(w->socket);
}

static void
on_up(void *arg)
{
    ((struct world *)arg)->ups++;
}

static void
on_down(const struct cs_err *why, void *arg)
{
    cr_expect_eq(why->rc, CS_EDOWN);
    ((struct world *)arg)->downs++;
}

static void
on_answer(const struct cs_reply *reply, void *arg)
{
    struct world *w = arg;

    if (reply == NULL)
        w->nulls++;
    else if (cs_reply_type(reply) == CS_REPLY_STATUS && strcmp(cs_reply_str(reply, NULL), "PONG") == 0)
        w->pongs++;
}

/* Turn the loop until *counter reaches wanted. */
static bool
wait_for(struct world *w, const int *counter, int wanted)
{
    time_t end = time(NULL) + PATIENCE_S;
    struct timeval turn = {.tv_usec = 50000};

    while (*counter < wanted && time(NULL) < end) {
        event_base_loopexit(w->base, &turn);
        event_base_dispatch(w->base);
    }
    return *counter >= wanted;
}

Test(redis, comes_back_and_fails_what_was_in_flight, .timeout = 60)
{
    struct world w = {.dir = "/tmp/test-redis-XXXXXX"};
    struct cs_redis_addr addr = {0};
    struct cs_redis_opts opts = {
        .addr = &addr, .name = "test", .on_up = on_up, .on_down = on_down, .arg = &w};
    const char *ping[] = {"PING"}, *block[] = {"BLPOP", "nothing", "0"};

    signal(SIGPIPE, SIG_IGN);
    cr_assert_not_null(mkdtemp(w.dir));
    cr_assert_eq(chmod(w.dir, 0777), 0);
    snprintf(w.socket, sizeof w.socket, "%s/s", w.dir);
    addr.unix_path = w.socket;
    w.base = opts.base = event_base_new();
    w.redis = cs_redis_new(&opts);
    cr_expect(wait_for(&w, &w.downs, 1), "a failed attempt is told");
    cr_expect_eq(cs_redis_call(w.redis, on_answer, &w, 0, 1, ping, NULL), CS_EDOWN,
                 "nothing is queued while down");
    cs_redis_drop(w.redis, "while down");

    start_server(&w);
    cr_expect(wait_for(&w, &w.ups, 1), "up once there is a server");
    cr_expect_eq(cs_redis_call(w.redis, on_answer, &w, 0, 1, ping, NULL), CS_OK);
    cr_expect(wait_for(&w, &w.pongs, 1), "an answer");

    w.downs = 0;
    cr_expect_eq(cs_redis_call(w.redis, on_answer, &w, 300, 3, block, NULL), CS_OK);
    cr_expect(wait_for(&w, &w.downs, 1), "an overdue reply drops the connection");
    cr_expect_eq(w.nulls, 1, "its callback ran once, with NULL");
    cr_expect(wait_for(&w, &w.ups, 2), "and it comes back");

    w.downs = 0;
    cr_expect_eq(cs_redis_call(w.redis, on_answer, &w, 60000, 3, block, NULL), CS_OK);
    stop_server(&w);
    cr_expect(wait_for(&w, &w.downs, 1), "the server's death is seen");
    cr_expect_eq(w.nulls, 2);
    start_server(&w);
    cr_expect(wait_for(&w, &w.ups, 3), "back with the server");

    cr_expect_eq(cs_redis_call(w.redis, on_answer, &w, 60000, 3, block, NULL), CS_OK);
    cs_redis_free(w.redis);
    cr_expect_eq(w.nulls, 3, "freeing runs what was in flight");
    event_base_free(w.base);
    stop_server(&w);
    rmdir(w.dir);
}
