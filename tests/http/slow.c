/* SPDX-License-Identifier: MIT */
/*
 * slow - many clients that never finish their request: each sends the start of one, then a byte now and then.
 *
 *   slow PORT COUNT [mute]
 *
 * mute: each sends whole requests instead, as long as they are taken, and reads no answer.
 * Prints "opened N" once all have been tried, "closed N" on SIGTERM: those that the server has closed by then.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPENED_A_TURN 200
#define TRICKLE_MS 200

static const char start[] = "GET /health HTTP/1.1\r\nHost: slow\r\nX-Slow: ";
static const char whole[] = "GET /none HTTP/1.1\r\nHost: slow\r\n\r\n";

static struct event_base *base;
static struct event *turn;
static struct client {
    int fd;
    struct event *readable;
} * clients;
static size_t count, opened, closed, failed;
static bool mute;
static struct sockaddr_in server;

static void
client_close(struct client *c)
{
    if (c->readable)
        event_free(c->readable);
    close(c->fd);
    c->fd = -1;
    c->readable = NULL;
    closed++;
}

static void
on_client_readable(evutil_socket_t fd, short what, void *arg)
{
    char bytes[4096];
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);

    (void)what;
    if (n == 0 || (n < 0 && errno != EAGAIN))
        client_close(arg);
}

static void
client_open(struct client *c)
{
    int small = 4096;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (mute)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&server, sizeof server) != 0) {
        failed++;
        if (c->fd >= 0)
            close(c->fd);
        c->fd = -1;
        return;
    }
    evutil_make_socket_nonblocking(c->fd);
    if (send(c->fd, start, mute ? 0 : sizeof start - 1, MSG_NOSIGNAL) < 0) {
        client_close(c);
        return;
    }
    if (!mute) {
        c->readable = event_new(base, c->fd, EV_READ | EV_PERSIST, on_client_readable, c);
        event_add(c->readable, NULL);
    }
}

static void
client_trickle(struct client *c)
{
    ssize_t n = mute ? 0 : send(c->fd, "x", 1, MSG_NOSIGNAL);

    for (int i = 0; mute && i < 5000 && n >= 0; i++)
        n = send(c->fd, whole, sizeof whole - 1, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
        client_close(c);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct timeval next = {0, opened < count ? 1000 : TRICKLE_MS * 1000};
    size_t until = opened + OPENED_A_TURN < count ? opened + OPENED_A_TURN : count;

    (void)fd, (void)what, (void)arg;
    if (opened < count) {
        for (; opened < until; opened++)
            client_open(&clients[opened]);
        if (opened == count) {
            printf("opened %zu\n", count - failed);
            fflush(stdout);
        }
    } else {
        for (size_t i = 0; i < count; i++)
            if (clients[i].fd >= 0)
                client_trickle(&clients[i]);
    }
    event_add(turn, &next);
}

static void
on_signal_stop(evutil_socket_t sig, short what, void *arg)
{
    (void)sig, (void)what, (void)arg;
    printf("closed %zu\n", closed);
    fflush(stdout);
    event_base_loopbreak(base);
}

int
main(int argc, char **argv)
{
    struct timeval now = {0, 0};
    struct rlimit limit;

    if (argc < 3)
        return 2;
    count = strtoul(argv[2], NULL, 10);
    mute = argc > 3 && strcmp(argv[3], "mute") == 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_cur < count + 64)
            count = limit.rlim_cur - 64;
    }
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(argv[1]));
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    clients = calloc(count, sizeof *clients);
    base = event_base_new();
    turn = event_new(base, -1, 0, on_turn, NULL);
    event_add(turn, &now);
    event_add(evsignal_new(base, SIGTERM, on_signal_stop, NULL), NULL);
    event_base_dispatch(base);
    return 0;
}
