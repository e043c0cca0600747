/* SPDX-License-Identifier: MIT */
/*
 * evhttp_hello - the least that a server on libevent's evhttp can do: one fixed answer. bench-http sets the
 * adapter beside it.
 *
 *   evhttp_hello PORT
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <signal.h>
#include <stdlib.h>

static void
on_request(struct evhttp_request *req, void *arg)
{
    struct evbuffer *out = evbuffer_new();

    (void)arg;
    evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "application/json");
    evbuffer_add(out, "{\"hello\":\"world\"}", 17);
    evhttp_send_reply(req, 200, NULL, out);
    evbuffer_free(out);
}

int
main(int argc, char **argv)
{
    struct event_base *base = event_base_new();
    struct evhttp *server = base ? evhttp_new(base) : NULL;
    long port = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

    signal(SIGPIPE, SIG_IGN);
    if (!server || port < 1 || port > 65535 || evhttp_bind_socket(server, "127.0.0.1", (uint16_t)port) != 0)
        return 1;
    evhttp_set_gencb(server, on_request, NULL);
    event_base_dispatch(base);
    return 0;
}
