/* SPDX-License-Identifier: MIT */
/* link: worker/daemon/notify common/log common/clock common/err common/mem */
#include "worker/daemon/notify.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"

/* A datagram socket of its own; name begins with '/' or, in the abstract namespace, with '@'. */
static int
listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    memcpy(address.sun_path, name, strlen(name));
    if (*name == '@')
        address.sun_path[0] = '\0';
    cr_assert_eq(bind(fd, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                 0);
    return fd;
}

static const char *
heard(int fd)
{
    static char text[64];
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* The log of what fn does, into a file that is read back. */
static void
logged(void (*fn)(void), char *text, size_t text_bytes)
{
    char path[] = "/tmp/notify.XXXXXX";
    int fd = mkstemp(path);
    struct cs_err err = {0};
    ssize_t n;

    cr_assert_eq(cs_log_open(path, CS_LOG_TEXT, CS_LOG_INFO, &err), CS_OK);
    fn();
    n = read(fd, text, text_bytes - 1);
    text[n > 0 ? n : 0] = '\0';
    close(fd);
    unlink(path);
}

static void
open_and_send(void)
{
    struct notify n;

    notify_open(&n);
    notify_send(&n, "READY=1");
    notify_close(&n);
}

Test(notify, without_a_socket_nothing_is_sent_and_nothing_said)
{
    char text[512];

    unsetenv("NOTIFY_SOCKET");
    logged(open_and_send, text, sizeof(text));
    cr_expect_str_eq(text, "");
    setenv("NOTIFY_SOCKET", "", 1);
    logged(open_and_send, text, sizeof(text));
    cr_expect_str_eq(text, "");
}

Test(notify, a_name_that_is_no_path_or_too_long_is_said_once)
{
    char text[512], longest[200];

    setenv("NOTIFY_SOCKET", "relative", 1);
    logged(open_and_send, text, sizeof(text));
    cr_expect_not_null(strstr(text, "notify_refused socket=relative"), "%s", text);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[0] = '/';
    longest[sizeof(longest) - 1] = '\0';
    setenv("NOTIFY_SOCKET", longest, 1);
    logged(open_and_send, text, sizeof(text));
    cr_expect_not_null(strstr(text, "Invalid argument"), "%s", text);
}

Test(notify, the_abstract_namespace_is_spoken_to)
{
    char name[64];
    struct notify n;
    int fd;

    snprintf(name, sizeof(name), "@cachesync-test-%ld", (long)getpid());
    fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_open(&n);
    notify_send(&n, "READY=1");
    cr_expect_str_eq(heard(fd), "READY=1");
    notify_close(&n);
    close(fd);
}

static struct notify kept;

static void
send_again(void)
{
    notify_send(&kept, "STOPPING=1");
}

Test(notify, a_listener_that_has_gone_is_said)
{
    char name[64], text[512];
    int fd;

    snprintf(name, sizeof(name), "@cachesync-gone-%ld", (long)getpid());
    fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_open(&kept);
    close(fd);
    logged(send_again, text, sizeof(text));
    cr_expect_not_null(strstr(text, "notify_refused error=\"Connection refused\""), "%s", text);
    notify_close(&kept);
}

Test(notify, beats_come_at_half_the_watchdog_time_and_only_to_whom_it_watches)
{
    char name[64], pid[24];
    struct notify n;
    int fd;

    snprintf(name, sizeof(name), "@cachesync-beat-%ld", (long)getpid());
    fd = listen_at(name);
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "1000000", 1);
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    notify_open(&n);
    notify_beat(&n, 1000000);
    cr_expect_str_eq(heard(fd), "WATCHDOG=1");
    notify_beat(&n, 1499999);
    cr_expect_str_eq(heard(fd), "", "not before half of it");
    notify_beat(&n, 1500000);
    cr_expect_str_eq(heard(fd), "WATCHDOG=1");
    notify_close(&n);

    setenv("WATCHDOG_PID", "1", 1);
    notify_open(&n);
    notify_beat(&n, 9000000);
    cr_expect_str_eq(heard(fd), "", "another process is watched");
    notify_close(&n);
    unsetenv("WATCHDOG_USEC");
    notify_open(&n);
    notify_beat(&n, 9000000);
    cr_expect_str_eq(heard(fd), "", "nobody is watched");
    notify_close(&n);
    close(fd);
}
