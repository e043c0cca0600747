/* SPDX-License-Identifier: MIT */
/*
 * health_get - one GET /health over a plain socket, with a deadline for the whole of it. Main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "worker/cli/doctor.h"

#define ANSWER_MAX 65536

/* Wait until fd can do what events says. */
static enum cs_rc
wait_for(int fd, short events, int64_t deadline_us, struct cs_err *err)
{
    struct pollfd p = {.fd = fd, .events = events};
    int64_t left_ms = (deadline_us - cs_clock_mono_us()) / 1000;

    if (left_ms <= 0 || poll(&p, 1, (int)left_ms) <= 0)
        return cs_err_set(err, CS_ETIMEOUT, "no answer within the time-out");
    return CS_OK;
}

static enum cs_rc
connect_one(const struct addrinfo *ai, int64_t deadline_us, int *fd, struct cs_err *err)
{
    int failure = 0;
    socklen_t len = sizeof failure;

    *fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
    if (*fd < 0)
        return cs_err_errno(err, errno, "no socket");
    if (connect(*fd, ai->ai_addr, ai->ai_addrlen) == 0)
        return CS_OK;
    if (errno != EINPROGRESS)
        return cs_err_errno(err, errno, "cannot connect");
    if (wait_for(*fd, POLLOUT, deadline_us, err) != CS_OK)
        return err->rc;
    if (getsockopt(*fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0 || failure != 0)
        return cs_err_errno(err, failure, "cannot connect");
    return CS_OK;
}

static enum cs_rc
connect_any(const char *host, int port, int64_t deadline_us, int *fd, struct cs_err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    enum cs_rc rc = CS_EDOWN;
    char service[16];
    int failure;

    snprintf(service, sizeof service, "%d", port);
    failure = getaddrinfo(host, service, &hints, &list);
    if (failure != 0)
        return cs_err_set(err, CS_EDOWN, "cannot resolve %s: %s", host, gai_strerror(failure));
    for (const struct addrinfo *ai = list; ai != NULL && rc != CS_OK; ai = ai->ai_next) {
        rc = connect_one(ai, deadline_us, fd, err);
        if (rc != CS_OK && *fd >= 0)
            close(*fd);
    }
    freeaddrinfo(list);
    return rc;
}

/* Send the request and read until the other side closes. answer holds ANSWER_MAX + 1 bytes. */
static enum cs_rc
exchange(int fd, const char *host, int64_t deadline_us, char *answer, struct cs_err *err)
{
    char request[400];
    int len = snprintf(request, sizeof request,
                       "GET /health HTTP/1.1\r\nHost: %.200s\r\nConnection: close\r\n\r\n", host);
    size_t n = 0;

    if (send(fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        return cs_err_errno(err, errno, "cannot send");
    while (n < ANSWER_MAX) {
        ssize_t got;

        if (wait_for(fd, POLLIN, deadline_us, err) != CS_OK)
            return err->rc;
        got = recv(fd, answer + n, ANSWER_MAX - n, 0);
        if (got < 0)
            return cs_err_errno(err, errno, "cannot read");
        if (got == 0)
            break;
        n += (size_t)got;
    }
    answer[n] = '\0';
    return CS_OK;
}

enum cs_rc
health_get(const char *host, int port, int timeout_ms, char **answer, struct cs_err *err)
{
    int64_t deadline_us = cs_clock_mono_us() + (int64_t)timeout_ms * 1000;
    int fd = -1;
    enum cs_rc rc = connect_any(host, port, deadline_us, &fd, err);

    *answer = NULL;
    if (rc == CS_OK) {
        *answer = cs_xmalloc(ANSWER_MAX + 1);
        rc = exchange(fd, host, deadline_us, *answer, err);
        close(fd);
    }
    if (rc == CS_OK)
        return CS_OK;
    free(*answer);
    *answer = NULL;
    return rc;
}
