/* SPDX-License-Identifier: MIT */
/*
 * notify - datagrams to systemd, without its library. See notify.h.
 */
#include "worker/daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"

static int
open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    int fd;

    if ((path[0] != '/' && path[0] != '@') || len >= sizeof(address.sun_path)) {
        errno = EINVAL;
        return -1;
    }
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') /* the abstract namespace */
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address,
                           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
        int why = errno;

        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

/* 0 unless systemd watches this very process. */
static int64_t
watchdog_us(void)
{
    const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

    if (!us || (pid && strtoll(pid, NULL, 10) != getpid()))
        return 0;
    return strtoll(us, NULL, 10);
}

void
notify_open(struct notify *n)
{
    const char *path = getenv("NOTIFY_SOCKET");
    int64_t us = watchdog_us();

    *n = (struct notify){.fd = -1};
    if (!path || !*path)
        return;
    n->fd = open_socket(path);
    if (n->fd < 0)
        CS_LOG(CS_LOG_WARN, "notify_refused", NULL, cs_kv_s("socket", path),
               cs_kv_s("error", strerror(errno)));
    else if (us > 0)
        n->every_us = us / 2;
}

void
notify_close(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}

void
notify_send(const struct notify *n, const char *lines)
{
    if (n->fd >= 0 && send(n->fd, lines, strlen(lines), MSG_NOSIGNAL) < 0)
        CS_LOG(CS_LOG_WARN, "notify_refused", NULL, cs_kv_s("error", strerror(errno)));
}

void
notify_beat(struct notify *n, int64_t now_us)
{
    if (n->every_us == 0 || now_us < n->due_us)
        return;
    n->due_us = now_us + n->every_us;
    notify_send(n, "WATCHDOG=1");
}
