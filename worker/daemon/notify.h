/* SPDX-License-Identifier: MIT */
/*
 * notify - tells systemd that the daemon is ready, stops, or is alive.
 *
 * The protocol of sd_notify(3): one datagram of NAME=VALUE lines to $NOTIFY_SOCKET. Without that variable every call does
 * nothing. Loop thread.
 */
#ifndef CS_DAEMON_NOTIFY_H
#define CS_DAEMON_NOTIFY_H

#include <stdint.h>

struct notify {
    int fd;           /* -1: nobody listens */
    int64_t every_us; /* half of what $WATCHDOG_USEC allows; 0: no watchdog */
    int64_t due_us;
};

void notify_open(struct notify *n); /* logs what is wrong with the variables; never fails */
void notify_close(struct notify *n);

/* lines as in sd_notify(3): "READY=1\nSTATUS=..." */
void notify_send(const struct notify *n, const char *lines);

/* Called by the loop at least four times a second: a beat when one is due. now_us: monotonic. */
void notify_beat(struct notify *n, int64_t now_us);

#endif
