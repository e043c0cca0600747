/* SPDX-License-Identifier: MIT */
/*
 * conn - connections: bytes in, one request after the other up to http_serve, answers out.
 *
 * Bounds: the number of connections (the oldest that waits for its client makes room), the time of a request from its
 * first byte to its last, of an answer until the client has taken it, of a silence; the bytes held. Loop thread.
 */
#ifndef CS_HTTP_CONN_H
#define CS_HTTP_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "common/err.h"

struct event;
struct http_app;
struct http_call;
struct http_conn;

/* Of a client. IPv4 is kept as mapped into IPv6. */
struct http_address {
    unsigned char bytes[16];
};
#define HTTP_ADDRESS_MAX 46
/* listen.c */
void http_address_format(const struct http_address *address, char out[HTTP_ADDRESS_MAX]);

enum http_conn_state {
    HTTP_CONN_WAITING,
    HTTP_CONN_SERVING,
    HTTP_CONN_WRITING,
    HTTP_CONN_LINGERING,
    HTTP_CONN_STATES
};

TAILQ_HEAD(http_conn_list, http_conn);

#define HTTP_LISTENERS_MAX 8
#define HTTP_READ_BYTES 65536

struct http_conns {
    struct http_conn_list by_state[HTTP_CONN_STATES]; /* the oldest first */
    size_t count, most;
    struct event *listeners[HTTP_LISTENERS_MAX];
    size_t listener_count;
    struct event *tick, *resume;
    bool paused;
    char input[HTTP_READ_BYTES]; /* what arrives, unless a connection holds a part already */
};

/* listen.c: open the sockets of cfg.listen and cfg.port. CS_EIO with the address and the remedy. */
enum cs_rc http_listen(struct http_app *app, struct cs_err *err) CS_MUSTCHECK;
/* Accept no more; close the connections that are between two requests. Others end with their answer. */
void http_listen_stop(struct http_app *app);
void http_listen_fini(struct http_app *app); /* closes everything */
void http_listen_resume(struct http_app *app);

void http_conn_open(struct http_app *app, int fd, const struct http_address *address); /* takes fd */
/* Close the one that has waited longest for its client; false: each is being served, or new. */
bool http_conn_make_room(struct http_app *app);
void http_conns_cut(struct http_app *app); /* those whose time is over */
void http_conns_close(struct http_app *app, bool idle_only);

/* The call that will answer; NULL: none. A connection that closes takes itself out of its call. */
void http_conn_attach(struct http_conn *conn, struct http_call *call);
const struct http_address *http_conn_address(const struct http_conn *conn);
bool
http_conn_keeps(const struct http_conn *conn); /* stays open after the answer, as far as the client goes */
void http_conn_end(struct http_conn *conn);    /* close after the answer, letting the client finish */

/* Send the answer. conn may be gone afterwards. */
void http_conn_send(struct http_conn *conn, const char *head, size_t head_len, const char *body,
                    size_t body_len);

#endif
