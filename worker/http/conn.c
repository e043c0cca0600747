/* SPDX-License-Identifier: MIT */
/*
 * conn - one connection: reads, hands requests up one at a time, writes.
 *
 * Owns: descriptor, events, bytes of an unfinished request or answer. Does not: know routes or Redis. Loop thread.
 */
#include "worker/http/conn.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "worker/http/http.h"

#define READ_AHEAD_BYTES 16384 /* of later requests while one is being served */
#define LINGER_MAX_BYTES 67108864
#define CHANCE_US 100000 /* how long a newcomer may take to send its request before it has to make room */

struct http_conn {
    TAILQ_ENTRY(http_conn) next;
    struct http_app *app;
    struct http_call *call;
    struct event readable, writable;
    int64_t since_us;
    struct text in, out;
    struct http_reader reader;
    size_t lingered;
    enum http_conn_state state;
    int fd; /* -1: closed, and freed when the step ends */
    struct http_address address;
    bool begun;    /* bytes of an unfinished request are here */
    bool served;   /* a request came to its end before */
    bool keep;     /* after the answer */
    bool linger;   /* close so that the client can still read the answer */
    bool eof;      /* the client sends no more */
    bool paused;   /* not reading */
    bool stepping; /* in conn_step */
};

/* How long a connection may stay in a state. */
static const int64_t limit_us[HTTP_CONN_STATES] = {
    [HTTP_CONN_WAITING] = 10000000,
    [HTTP_CONN_SERVING] = INT64_MAX, /* Redis has deadlines of its own */
    [HTTP_CONN_WRITING] = 10000000,
    [HTTP_CONN_LINGERING] = 1000000,
};

static const struct http_fault too_slow = {408, "request_timeout",
                                           "The request was not complete within 10 seconds; send it again."};

static void conn_step(struct http_conn *conn, char *bytes, size_t len);

static void
set_state(struct http_conn *conn, enum http_conn_state state)
{
    struct http_conn_list *lists = conn->app->conns.by_state;

    TAILQ_REMOVE(&lists[conn->state], conn, next);
    conn->state = state;
    conn->since_us = cs_clock_mono_us();
    TAILQ_INSERT_TAIL(&lists[state], conn, next);
}

static void
conn_free(struct http_conn *conn)
{
    text_fini(&conn->in);
    text_fini(&conn->out);
    free(conn);
}

static void
conn_close(struct http_conn *conn)
{
    struct http_app *app = conn->app;

    if (conn->fd < 0)
        return;
    TAILQ_REMOVE(&app->conns.by_state[conn->state], conn, next);
    event_del(&conn->readable);
    event_del(&conn->writable);
    close(conn->fd);
    conn->fd = -1;
    if (conn->call)
        conn->call->conn = NULL;
    app->conns.count--;
    if (!conn->stepping)
        conn_free(conn);
    http_listen_resume(app);
    if (app->stopping && app->conns.count == 0 && app->calls == 0)
        event_base_loopexit(app->base, NULL);
}

/* The answer is out. */
static void
on_sent(struct http_conn *conn)
{
    text_fini(&conn->out);
    if (!conn->keep && conn->linger && !conn->eof) {
        shutdown(conn->fd, SHUT_WR);
        set_state(conn, HTTP_CONN_LINGERING);
        if (conn->paused)
            event_add(&conn->readable, NULL);
        return;
    }
    if (!conn->keep || ((conn->eof || conn->app->stopping) && conn->in.len == 0)) {
        conn_close(conn);
        return;
    }
    set_state(conn, HTTP_CONN_WAITING);
    if (!conn->stepping && conn->in.len > 0)
        conn_step(conn, conn->in.at, conn->in.len);
}

static void
on_conn_writable(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *conn = arg;
    ssize_t n = send(fd, conn->out.at, conn->out.len, MSG_NOSIGNAL);

    (void)what;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        conn_close(conn);
        return;
    }
    text_cut(&conn->out, (size_t)n);
    if (conn->out.len > 0)
        return;
    event_del(&conn->writable);
    on_sent(conn);
}

void
http_conn_send(struct http_conn *conn, const char *head, size_t head_len, const char *body, size_t body_len)
{
    struct iovec parts[2] = {{(void *)(uintptr_t)head, head_len}, {(void *)(uintptr_t)body, body_len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
    size_t sent = n > 0 ? (size_t)n : 0, of_head = sent < head_len ? sent : head_len;

    conn->call = NULL;
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        conn_close(conn);
        return;
    }
    if (sent == head_len + body_len) {
        on_sent(conn);
        return;
    }
    text_add(&conn->out, head + of_head, head_len - of_head);
    text_add(&conn->out, body + (sent - of_head), body_len - (sent - of_head));
    set_state(conn, HTTP_CONN_WRITING);
    event_add(&conn->writable, NULL);
}

static void
invite(struct http_conn *conn)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (send(conn->fd, go_on, sizeof go_on - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof go_on - 1))
        conn_close(conn);
}

/* A head is here and its body is not. */
static void
conn_admit(struct http_conn *conn, const struct http_request *request)
{
    conn->keep = false;
    conn->linger = true;
    if (http_admit(conn->app, conn, request) && request->expect_continue)
        invite(conn);
}

static void
conn_refuse(struct http_conn *conn, const struct http_request *request, const struct http_fault *fault)
{
    conn->keep = false;
    conn->linger = true;
    set_state(conn, HTTP_CONN_SERVING);
    http_refuse(conn->app, conn, request, fault);
}

static void
conn_serve(struct http_conn *conn, const struct http_request *request)
{
    conn->begun = false;
    conn->served = true;
    conn->keep = request->keep_alive && !conn->app->stopping;
    conn->linger = false;
    set_state(conn, HTTP_CONN_SERVING);
    http_serve(conn->app, conn, request);
}

/* Keep what was not used: the start of a request, whose time runs from its first byte. */
static void
conn_keep(struct http_conn *conn, const char *bytes, size_t done, size_t len)
{
    if (conn->state == HTTP_CONN_LINGERING) {
        text_fini(&conn->in);
        return;
    }
    if (bytes == conn->in.at) {
        conn->in.len = len;
        text_cut(&conn->in, done);
    } else {
        text_add(&conn->in, bytes + done, len - done);
    }
    if (conn->in.len == 0)
        text_fini(&conn->in);
    if (conn->state != HTTP_CONN_WAITING || conn->in.len == 0 || conn->begun)
        return;
    conn->begun = true;
    if (conn->served)
        set_state(conn, HTTP_CONN_WAITING);
}

/* Hand up what is complete in bytes, as long as each is answered at once. conn may be gone afterwards. */
static void
conn_step(struct http_conn *conn, char *bytes, size_t len)
{
    struct http_request request;
    const struct http_fault *fault = NULL;
    enum http_read found = HTTP_READ_DONE;
    size_t done = 0, used, left;

    conn->stepping = true;
    while (conn->fd >= 0 && conn->state == HTTP_CONN_WAITING && done < len && found == HTTP_READ_DONE) {
        left = len - done;
        found = http_reader_next(&conn->reader, bytes + done, &left, &request, &used, &fault);
        if (found == HTTP_READ_DONE) {
            done += used;
            conn_serve(conn, &request);
        } else if (found == HTTP_READ_BAD) {
            done = len;
            conn_refuse(conn, &request, fault);
        } else {
            len = done + left;
            if (request.method.at)
                conn_admit(conn, &request);
        }
    }
    conn->stepping = false;
    if (conn->fd < 0) {
        conn_free(conn);
        return;
    }
    conn_keep(conn, bytes, done, len);
    if (conn->paused && !conn->eof && (conn->state == HTTP_CONN_WAITING || conn->in.len < READ_AHEAD_BYTES)) {
        conn->paused = false;
        event_add(&conn->readable, NULL);
    }
    if (conn->eof && conn->state == HTTP_CONN_WAITING)
        conn_close(conn);
}

static void
conn_pause(struct http_conn *conn)
{
    conn->paused = true;
    event_del(&conn->readable);
}

static void
conn_linger(struct http_conn *conn)
{
    struct http_conns *conns = &conn->app->conns;
    ssize_t n = recv(conn->fd, conns->input, sizeof conns->input, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    conn->lingered += n > 0 ? (size_t)n : 0;
    if (n <= 0 || conn->lingered > LINGER_MAX_BYTES)
        conn_close(conn);
}

static void
on_conn_readable(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *conn = arg;
    bool waiting = conn->state == HTTP_CONN_WAITING, shared = waiting && conn->in.len == 0;
    struct http_conns *conns = &conn->app->conns;
    ssize_t n;

    (void)what;
    if (conn->state == HTTP_CONN_LINGERING) {
        conn_linger(conn);
        return;
    }
    if (!waiting && conn->in.len >= READ_AHEAD_BYTES) {
        conn_pause(conn);
        return;
    }
    if (!shared)
        text_need(&conn->in, READ_AHEAD_BYTES);
    n = recv(fd, shared ? conns->input : conn->in.at + conn->in.len,
             shared ? sizeof conns->input : READ_AHEAD_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0 || (n == 0 && waiting)) {
        conn_close(conn);
        return;
    }
    if (n == 0) {
        conn->eof = true;
        conn_pause(conn);
        return;
    }
    conn->in.len += shared ? 0 : (size_t)n;
    if (waiting)
        conn_step(conn, shared ? conns->input : conn->in.at, shared ? (size_t)n : conn->in.len);
}

void
http_conn_open(struct http_app *app, int fd, const struct http_address *address)
{
    struct http_conn *conn = cs_xcalloc(1, sizeof *conn);

    conn->app = app;
    conn->fd = fd;
    conn->address = *address;
    conn->since_us = cs_clock_mono_us();
    event_assign(&conn->readable, app->base, fd, EV_READ | EV_PERSIST, on_conn_readable, conn);
    event_assign(&conn->writable, app->base, fd, EV_WRITE | EV_PERSIST, on_conn_writable, conn);
    TAILQ_INSERT_TAIL(&app->conns.by_state[HTTP_CONN_WAITING], conn, next);
    app->conns.count++;
    app->count.accepted++;
    event_add(&conn->readable, NULL);
}

bool
http_conn_make_room(struct http_app *app)
{
    static const enum http_conn_state order[] = {HTTP_CONN_WAITING, HTTP_CONN_LINGERING, HTTP_CONN_WRITING};
    int64_t now_us = cs_clock_mono_us();

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct http_conn *oldest = TAILQ_FIRST(&app->conns.by_state[order[i]]);

        if (!oldest || now_us - oldest->since_us < CHANCE_US)
            continue;
        app->count.made_room++;
        conn_close(oldest);
        return true;
    }
    return false;
}

void
http_conns_cut(struct http_app *app)
{
    int64_t now_us = cs_clock_mono_us();

    for (int state = 0; state < HTTP_CONN_STATES; state++) {
        struct http_conn *conn;

        while ((conn = TAILQ_FIRST(&app->conns.by_state[state])) &&
               now_us - conn->since_us > limit_us[state]) {
            app->count.cut += conn->begun && state == HTTP_CONN_WAITING;
            if (!conn->begun || state != HTTP_CONN_WAITING) {
                conn_close(conn);
                continue;
            }
            conn_refuse(conn, NULL, &too_slow);
        }
    }
}

void
http_conns_close(struct http_app *app, bool idle_only)
{
    struct http_conn *conn, *after;
    char byte;

    for (int state = 0; state < HTTP_CONN_STATES; state++)
        for (conn = TAILQ_FIRST(&app->conns.by_state[state]); conn; conn = after) {
            after = TAILQ_NEXT(conn, next);
            if (!idle_only ||
                (state == HTTP_CONN_WAITING && !conn->begun && recv(conn->fd, &byte, 1, MSG_PEEK) <= 0))
                conn_close(conn);
        }
}

void
http_conn_attach(struct http_conn *conn, struct http_call *call)
{
    conn->call = call;
}

const struct http_address *
http_conn_address(const struct http_conn *conn)
{
    return &conn->address;
}

bool
http_conn_keeps(const struct http_conn *conn)
{
    return conn->keep;
}

void
http_conn_end(struct http_conn *conn)
{
    conn->keep = false;
}
