/* SPDX-License-Identifier: MIT */
/*
 * openapi - GET /openapi.json: the description of all routes, compiled in. Loop thread.
 */
#include "common/embed.h"
#include "worker/http/http.h"

void
http_openapi(struct http_call *call)
{
    const struct cs_embed *file = cs_embed_find("worker/http/openapi.json");

    if (file)
        http_reply(call, 200, "application/json", file->text, file->len_bytes);
}
