/* SPDX-License-Identifier: MIT */
/*
 * faultproxy - a TCP proxy that breaks connections on demand, for the tests.
 *
 *   faultproxy run CONTROL.SOCK PORT HOST:PORT|/UNIX/PATH   prints "listening PORT" (PORT 0: any) and serves 127.0.0.1
 *   faultproxy tell CONTROL.SOCK WORD [ARG...]              sends one order, prints the answer
 *
 * Orders: pass | cut (reset every connection, then pass) | refuse (reset all, close the port) | freeze (accept and hold:
 * no byte moves until pass) | swallow up|down (that direction vanishes; such connections are reset at the next order) |
 * slow BYTES_PER_S DELAY_MS | stats. One thread, libevent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ORDER_MAX 256

enum mode { PASS, REFUSE, FREEZE, SWALLOW_UP, SWALLOW_DOWN, SLOW };

struct link;

/* One end of a connection; what it reads goes to the other end. */
struct end {
    struct link *link;
    struct end *other;
    struct bufferevent *bev;
    struct event *later; /* SLOW: forwards what has been read after the delay */
    bool is_client;
    bool ended; /* its peer has closed; what it had said still goes out */
};

struct link {
    struct proxy *proxy;
    struct end client, server;
    bool damaged; /* bytes were swallowed */
    LIST_ENTRY(link) next;
};

struct proxy {
    struct event_base *base;
    struct evconnlistener *listener;
    struct sockaddr_in at;
    struct sockaddr_storage to;
    socklen_t to_len;
    enum mode mode;
    struct ev_token_bucket_cfg *rate;
    struct timeval delay;
    int control_fd;
    LIST_HEAD(, link) links;
    uint64_t accepted, resets, bytes_up, bytes_down, bytes_lost;
};

static void
die(const char *what)
{
    fprintf(stderr, "faultproxy: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void
end_close(struct end *e, bool reset)
{
    const struct linger hard = {.l_onoff = 1, .l_linger = 0};
    evutil_socket_t fd = bufferevent_getfd(e->bev);

    if (reset && fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    bufferevent_free(e->bev);
    event_free(e->later);
}

static void
link_close(struct link *l, bool reset)
{
    l->proxy->resets += reset;
    LIST_REMOVE(l, next);
    end_close(&l->client, reset);
    end_close(&l->server, reset);
    free(l);
}

static void
forward(struct end *e)
{
    struct proxy *p = e->link->proxy;
    struct evbuffer *in = bufferevent_get_input(e->bev);
    size_t n = evbuffer_get_length(in);

    if (p->mode == (e->is_client ? SWALLOW_UP : SWALLOW_DOWN)) {
        e->link->damaged = true;
        p->bytes_lost += n;
        evbuffer_drain(in, n);
        return;
    }
    *(e->is_client ? &p->bytes_up : &p->bytes_down) += n;
    bufferevent_write_buffer(e->other->bev, in);
}

static void
on_end_readable(struct bufferevent *bev, void *arg)
{
    struct end *e = arg;
    struct proxy *p = e->link->proxy;

    (void)bev;
    if (p->mode != SLOW || !evutil_timerisset(&p->delay))
        forward(e);
    else if (!evtimer_pending(e->later, NULL))
        evtimer_add(e->later, &p->delay);
}

static void
on_end_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    forward(arg);
}

static void
on_end_written(struct bufferevent *bev, void *arg)
{
    struct end *e = arg;

    (void)bev;
    if (e->other->ended && !evbuffer_get_length(bufferevent_get_input(e->other->bev)))
        link_close(e->link, false);
}

static void
on_end_event(struct bufferevent *bev, short what, void *arg)
{
    struct end *e = arg;

    (void)bev;
    if (what & BEV_EVENT_ERROR) {
        link_close(e->link, true);
    } else if (what & BEV_EVENT_EOF) {
        e->ended = true;
        if (!evbuffer_get_length(bufferevent_get_input(e->bev)) &&
            !evbuffer_get_length(bufferevent_get_output(e->other->bev)))
            link_close(e->link, false);
    }
}

static void
end_apply_mode(struct end *e)
{
    struct proxy *p = e->link->proxy;

    bufferevent_set_rate_limit(e->bev, p->mode == SLOW ? p->rate : NULL);
    if (p->mode == FREEZE) {
        bufferevent_disable(e->bev, EV_READ | EV_WRITE);
        return;
    }
    bufferevent_enable(e->bev, EV_READ | EV_WRITE);
    if (evbuffer_get_length(bufferevent_get_input(e->bev)))
        on_end_readable(e->bev, e);
}

static void
end_init(struct end *e, struct link *l, struct end *other, evutil_socket_t fd)
{
    struct event_base *base = l->proxy->base;

    *e = (struct end){.link = l, .other = other, .is_client = e == &l->client};
    e->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    e->later = evtimer_new(base, on_end_later, e);
    bufferevent_setcb(e->bev, on_end_readable, on_end_written, on_end_event, e);
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len, void *arg)
{
    struct proxy *p = arg;
    struct link *l = calloc(1, sizeof *l);

    (void)listener;
    (void)from;
    (void)len;
    if (!l)
        die("calloc");
    l->proxy = p;
    p->accepted++;
    end_init(&l->client, l, &l->server, fd);
    end_init(&l->server, l, &l->client, -1);
    LIST_INSERT_HEAD(&p->links, l, next);
    if (bufferevent_socket_connect(l->server.bev, (struct sockaddr *)&p->to, (int)p->to_len) < 0) {
        link_close(l, true);
        return;
    }
    end_apply_mode(&l->client);
    end_apply_mode(&l->server);
}

static void
listen_again(struct proxy *p)
{
    socklen_t len = sizeof p->at;

    if (p->listener)
        return;
    p->listener = evconnlistener_new_bind(p->base, on_accept, p, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE,
                                          128, (struct sockaddr *)&p->at, (int)sizeof p->at);
    if (!p->listener || getsockname(evconnlistener_get_fd(p->listener), (struct sockaddr *)&p->at, &len) < 0)
        die("listen");
}

/* Reset every connection, or those that have lost bytes. */
static void
reset_links(struct proxy *p, bool damaged_only)
{
    struct link *l, *next;

    for (l = LIST_FIRST(&p->links); l; l = next) {
        next = LIST_NEXT(l, next);
        if (!damaged_only || l->damaged)
            link_close(l, true);
    }
}

static void
switch_to(struct proxy *p, enum mode mode)
{
    struct link *l, *next;

    p->mode = mode;
    reset_links(p, mode != REFUSE);
    if (mode == REFUSE) {
        if (p->listener)
            evconnlistener_free(p->listener);
        p->listener = NULL;
        return;
    }
    listen_again(p);
    for (l = LIST_FIRST(&p->links); l; l = next) {
        next = LIST_NEXT(l, next);
        end_apply_mode(&l->client);
        end_apply_mode(&l->server);
    }
}

static void
slow_down(struct proxy *p, unsigned rate_bytes_s, unsigned delay_ms)
{
    const struct timeval tick = {.tv_usec = 100000};
    size_t share = rate_bytes_s / 10 ? rate_bytes_s / 10 : 1;
    struct ev_token_bucket_cfg *old = p->rate;

    p->rate = ev_token_bucket_cfg_new(share, share, share, share, &tick);
    p->delay = (struct timeval){.tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000};
    switch_to(p, SLOW);
    if (old)
        ev_token_bucket_cfg_free(old);
}

static const struct {
    const char *order;
    enum mode mode;
} plain_orders[] = {{"pass", PASS},
                    {"refuse", REFUSE},
                    {"freeze", FREEZE},
                    {"swallow up", SWALLOW_UP},
                    {"swallow down", SWALLOW_DOWN}};

static void
obey(struct proxy *p, const char *order, char answer[ORDER_MAX])
{
    unsigned rate, delay;

    snprintf(answer, ORDER_MAX, "ok");
    for (size_t i = 0; i < sizeof plain_orders / sizeof *plain_orders; i++)
        if (strcmp(order, plain_orders[i].order) == 0) {
            switch_to(p, plain_orders[i].mode);
            return;
        }
    if (strcmp(order, "cut") == 0) {
        reset_links(p, false);
        switch_to(p, PASS);
    } else if (sscanf(order, "slow %u %u", &rate, &delay) == 2 && rate > 0) {
        slow_down(p, rate, delay);
    } else if (strcmp(order, "stats") == 0) {
        snprintf(answer, ORDER_MAX, "accepted=%llu resets=%llu up=%llu down=%llu lost=%llu",
                 (unsigned long long)p->accepted, (unsigned long long)p->resets,
                 (unsigned long long)p->bytes_up, (unsigned long long)p->bytes_down,
                 (unsigned long long)p->bytes_lost);
    } else {
        snprintf(answer, ORDER_MAX, "error: unknown order '%.100s'", order);
    }
}

static void
on_control(evutil_socket_t fd, short what, void *arg)
{
    char order[ORDER_MAX], answer[ORDER_MAX];
    struct sockaddr_un from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(fd, order, sizeof order - 1, 0, (struct sockaddr *)&from, &len);

    (void)what;
    if (n < 0)
        return;
    order[n] = '\0';
    obey(arg, order, answer);
    if (sendto(fd, answer, strlen(answer), 0, (struct sockaddr *)&from, len) < 0)
        perror("faultproxy: answer");
}

static int
control_socket(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        die(path);
    return fd;
}

static void
parse_upstream(struct proxy *p, const char *to)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&p->to;
    int len = sizeof p->to;

    if (to[0] == '/') {
        un->sun_family = AF_UNIX;
        snprintf(un->sun_path, sizeof un->sun_path, "%s", to);
        p->to_len = sizeof *un;
    } else if (evutil_parse_sockaddr_port(to, (struct sockaddr *)&p->to, &len) == 0) {
        p->to_len = (socklen_t)len;
    } else {
        errno = EINVAL;
        die(to);
    }
}

static int
run(const char *control, const char *port, const char *to)
{
    struct proxy p = {.base = event_base_new()};

    signal(SIGPIPE, SIG_IGN);
    LIST_INIT(&p.links);
    p.at = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    parse_upstream(&p, to);
    p.control_fd = control_socket(control);
    event_add(event_new(p.base, p.control_fd, EV_READ | EV_PERSIST, on_control, &p), NULL);
    listen_again(&p);
    printf("listening %d\n", ntohs(p.at.sin_port));
    fflush(stdout);
    return event_base_dispatch(p.base) < 0;
}

static int
tell(const char *control, int argc, char **argv)
{
    char order[ORDER_MAX] = "", answer[ORDER_MAX], own[108];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const struct timeval limit = {.tv_sec = 10};
    int fd;
    ssize_t n;

    for (int i = 0; i < argc; i++)
        snprintf(order + strlen(order), sizeof order - strlen(order), "%s%s", i ? " " : "", argv[i]);
    snprintf(own, sizeof own, "%.80s.%ld", control, (long)getpid());
    fd = control_socket(own);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", control);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    n = sendto(fd, order, strlen(order), 0, (struct sockaddr *)&at, sizeof at);
    n = n < 0 ? n : recv(fd, answer, sizeof answer - 1, 0);
    unlink(own);
    if (n < 0)
        die(control);
    answer[n] = '\0';
    puts(answer);
    return strncmp(answer, "error", 5) == 0;
}

int
main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "run") == 0)
        return run(argv[2], argv[3], argv[4]);
    if (argc >= 4 && strcmp(argv[1], "tell") == 0)
        return tell(argv[2], argc - 3, argv + 3);
    fprintf(stderr, "usage: faultproxy run CONTROL.SOCK PORT HOST:PORT|/UNIX/PATH\n"
                    "       faultproxy tell CONTROL.SOCK ORDER\n");
    return 2;
}
