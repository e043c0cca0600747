/* SPDX-License-Identifier: MIT */
/*
 * cancel - POST cancel: one entry on P:control, which every daemon reads at once. Loop thread.
 */
#include "worker/http/http.h"

static void
on_redis_cancelled(struct http_call *call, size_t index, const struct cs_reply *reply)
{
    (void)index;
    (void)reply;
    http_reply_json(call, 202,
                    json_pack("{s:b,s:s,s:s}", "success", 1, "job_id", call->job_id, "message",
                              "Cancellation requested"));
}

static void
cancel_found(struct http_call *call)
{
    if (cs_status_final(call->job_status)) {
        http_reply_error(call, 409, "already_ended",
                         "The job has ended already; there is nothing to cancel.");
        return;
    }
    http_expect(call, on_redis_cancelled, NULL);
    http_ask(call, 9,
             (const char *[]){"XADD", call->app->keys.control, "MAXLEN", CS_CONTROL_MAXLEN, "*", "command",
                              cs_verb_name(CS_VERB_CANCEL), "job_id", call->job_id});
}

void
http_cancel(struct http_call *call)
{
    http_job_find(call, cancel_found);
}
