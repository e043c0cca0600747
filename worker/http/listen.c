/* SPDX-License-Identifier: MIT */
/*
 * listen - the sockets that accept, the limit on connections, the clock that cuts slow ones. Loop thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "worker/http/http.h"

#define ACCEPTS_A_TURN 64
#define BACKLOG 1024
#define DESCRIPTORS_KEPT 32 /* for Redis, the log, the listeners */
#define SEND_BYTES 131072   /* what the system holds for a client that does not read */
#define TICK_MS 250
#define PAUSE_MS 100

static void
arm(struct event *ev, int ms)
{
    struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

    event_add(ev, &tv);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct http_app *app = arg;

    (void)fd, (void)what;
    http_conns_cut(app);
    if (app->conns.count > 0)
        arm(app->conns.tick, TICK_MS);
}

static void
listen_pause(struct http_app *app)
{
    app->conns.paused = true;
    for (size_t i = 0; i < app->conns.listener_count; i++)
        event_del(app->conns.listeners[i]);
}

void
http_listen_resume(struct http_app *app)
{
    if (!app->conns.paused || app->stopping)
        return;
    app->conns.paused = false;
    for (size_t i = 0; i < app->conns.listener_count; i++)
        event_add(app->conns.listeners[i], NULL);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    http_listen_resume(arg);
}

static struct http_address
address_of(const struct sockaddr_storage *from)
{
    struct http_address address = {{[10] = 0xff, [11] = 0xff}};
    const void *any = from;

    if (from->ss_family == AF_INET6)
        memcpy(address.bytes, &((const struct sockaddr_in6 *)any)->sin6_addr, 16);
    else if (from->ss_family == AF_INET)
        memcpy(address.bytes + 12, &((const struct sockaddr_in *)any)->sin_addr, 4);
    return address;
}

void
http_address_format(const struct http_address *address, char out[HTTP_ADDRESS_MAX])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (memcmp(address->bytes, mapped, sizeof mapped) == 0)
        inet_ntop(AF_INET, address->bytes + 12, out, HTTP_ADDRESS_MAX);
    else
        inet_ntop(AF_INET6, address->bytes, out, HTTP_ADDRESS_MAX);
}

/* Close one of ours, or leave newcomers to the system until one closes, or for a while. */
static bool
room_found(struct http_app *app)
{
    if (http_conn_make_room(app))
        return true;
    listen_pause(app);
    arm(app->conns.resume, PAUSE_MS);
    return false;
}

/* No descriptor is left although the limit is below the system's. */
static bool
descriptor_found(struct http_app *app)
{
    if (room_found(app))
        return true;
    app->count.paused++;
    CS_LOG(CS_LOG_WARN, "descriptors_exhausted", NULL, cs_kv_s("remedy", "raise LimitNOFILE"));
    return false;
}

/* Whether the next may be tried. */
static bool
accept_one(struct http_app *app, int listener)
{
    struct sockaddr_storage from = {0};
    socklen_t len = sizeof from;
    struct http_address address;
    int fd, on = 1;

    if (app->conns.count >= app->conns.most && !room_found(app))
        return false;
    fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
        return descriptor_found(app);
    if (fd < 0)
        return errno == EINTR || errno == ECONNABORTED;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    address = address_of(&from);
    http_conn_open(app, fd, &address);
    if (!event_pending(app->conns.tick, EV_TIMEOUT, NULL))
        arm(app->conns.tick, TICK_MS);
    return true;
}

static void
on_listener_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    for (int i = 0; i < ACCEPTS_A_TURN && accept_one(arg, fd); i++)
        continue;
}

static bool
listen_on(struct http_app *app, const struct addrinfo *at, bool alone)
{
    int on = 1, send_bytes = SEND_BYTES,
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct event *ev;

    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
    if (at->ai_family == AF_INET6 && !alone) /* alone, :: takes IPv4 as well */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int why = errno;

        close(fd);
        errno = why;
        return false;
    }
    ev = event_new(app->base, fd, EV_READ | EV_PERSIST, on_listener_readable, app);
    event_add(ev, NULL);
    app->conns.listeners[app->conns.listener_count++] = ev;
    return true;
}

/* As many connections as the configuration says, as far as the system lets us. */
static void
set_most(struct http_app *app)
{
    rlim_t wanted = (rlim_t)app->cfg.max_connections + DESCRIPTORS_KEPT;
    struct rlimit limit;

    app->conns.most = (size_t)app->cfg.max_connections;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur >= wanted)
        return;
    app->conns.most =
        limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? limit.rlim_cur - DESCRIPTORS_KEPT : DESCRIPTORS_KEPT;
    CS_LOG(CS_LOG_WARN, "connections_limited", NULL, cs_kv_i("most", (int64_t)app->conns.most),
           cs_kv_s("remedy", "raise LimitNOFILE or lower CACHESYNC_MAX_CONNECTIONS"));
}

enum cs_rc
http_listen(struct http_app *app, struct cs_err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    int failed, why = 0;

    for (int i = 0; i < HTTP_CONN_STATES; i++)
        TAILQ_INIT(&app->conns.by_state[i]);
    set_most(app);
    app->conns.tick = event_new(app->base, -1, 0, on_tick, app);
    app->conns.resume = event_new(app->base, -1, 0, on_resume, app);
    snprintf(port, sizeof port, "%d", (int)app->cfg.port);
    failed = getaddrinfo(app->cfg.listen, port, &hints, &found);
    if (failed)
        return cs_err_set(err, CS_EINVAL, "CACHESYNC_LISTEN=%s: %s; name an address of this host",
                          app->cfg.listen, gai_strerror(failed));
    for (const struct addrinfo *at = found; at && app->conns.listener_count < HTTP_LISTENERS_MAX;
         at = at->ai_next)
        if (!listen_on(app, at, !found->ai_next))
            why = errno;
    freeaddrinfo(found);
    if (app->conns.listener_count > 0)
        return CS_OK;
    return cs_err_errno(err, why, "cannot listen on %s port %d: choose CACHESYNC_LISTEN and TICKSTOCKPL_PORT",
                        app->cfg.listen, (int)app->cfg.port);
}

static void
listeners_close(struct http_app *app)
{
    for (size_t i = 0; i < app->conns.listener_count; i++) {
        close(event_get_fd(app->conns.listeners[i]));
        event_free(app->conns.listeners[i]);
    }
    app->conns.listener_count = 0;
}

void
http_listen_stop(struct http_app *app)
{
    /* Whoever the system has greeted in our name is still served. */
    for (size_t i = 0; i < app->conns.listener_count; i++)
        for (int n = 0; n < BACKLOG && accept_one(app, event_get_fd(app->conns.listeners[i])); n++)
            continue;
    listeners_close(app);
    http_conns_close(app, true);
}

void
http_listen_fini(struct http_app *app)
{
    if (!app->conns.tick)
        return;
    listeners_close(app);
    http_conns_close(app, false);
    event_free(app->conns.tick);
    event_free(app->conns.resume);
}
