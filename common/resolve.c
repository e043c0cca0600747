/* SPDX-License-Identifier: MIT */
/*
 * resolve - a thread asks, an eventfd tells the loop. Whoever lets go of the record last frees it.
 */
#include "common/resolve.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/mem.h"

struct cs_resolve {
    atomic_int holders; /* the loop and the thread */
    int fd;
    char *host;
    /* Set by the thread before it writes to fd. */
    char address[INET6_ADDRSTRLEN]; /* "": none */
    const char *why;
    /* The loop's. */
    struct event *ready;
    cs_resolve_cb *cb;
    void *arg;
};

static void
let_go(struct cs_resolve *r)
{
    if (atomic_fetch_sub(&r->holders, 1) > 1)
        return;
    close(r->fd);
    free(r->host);
    free(r);
}

static void
take_address(struct cs_resolve *r, const struct addrinfo *list)
{
    const struct addrinfo *best = list;
    const void *bytes;

    for (const struct addrinfo *a = list; a; a = a->ai_next)
        if (best->ai_family != AF_INET && a->ai_family == AF_INET)
            best = a;
    /* What getaddrinfo found is never empty. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    bytes = best->ai_family == AF_INET
                ? (const void *)&((const struct sockaddr_in *)(const void *)best->ai_addr)->sin_addr
                : &((const struct sockaddr_in6 *)(const void *)best->ai_addr)->sin6_addr;
    inet_ntop(best->ai_family, bytes, r->address, sizeof(r->address));
}

static void *
resolve_main(void *arg)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct cs_resolve *r = arg;
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(r->host, NULL, &hints, &list);

    if (rc == 0)
        take_address(r, list);
    else
        r->why = gai_strerror(rc);
    if (list)
        freeaddrinfo(list);
    eventfd_write(r->fd, 1);
    let_go(r);
    return NULL;
}

static void
on_resolve_ready(evutil_socket_t fd, short what, void *arg)
{
    struct cs_resolve *r = arg;
    eventfd_t n;

    (void)what;
    if (eventfd_read(fd, &n) < 0)
        return;
    event_free(r->ready);
    r->cb(r->address[0] ? r->address : NULL, r->why, r->arg);
    let_go(r);
}

static bool
is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static int
start_thread(struct cs_resolve *r)
{
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, resolve_main, r);

    if (rc == 0)
        pthread_detach(thread);
    return rc;
}

struct cs_resolve *
cs_resolve_start(struct event_base *base, const char *host, cs_resolve_cb *cb, void *arg)
{
    struct cs_resolve *r;

    if (is_numeric(host)) {
        cb(host, NULL, arg);
        return NULL;
    }
    r = cs_xcalloc(1, sizeof(*r));
    atomic_init(&r->holders, 2);
    r->host = cs_xstrdup(host);
    r->cb = cb;
    r->arg = arg;
    r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->ready = r->fd < 0 ? NULL : event_new(base, r->fd, EV_READ, on_resolve_ready, r);
    if (r->ready && event_add(r->ready, NULL) == 0 && start_thread(r) == 0)
        return r;
    if (r->ready)
        event_free(r->ready);
    atomic_store(&r->holders, 1);
    let_go(r);
    cb(NULL, "no thread to ask the name service", arg);
    return NULL;
}

void
cs_resolve_cancel(struct cs_resolve *r)
{
    if (!r)
        return;
    event_free(r->ready);
    let_go(r);
}
