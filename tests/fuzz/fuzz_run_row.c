/* SPDX-License-Identifier: MIT */
/* link: worker/daemon/events worker/daemon/args common/command common/keys common/uuid common/clock common/json common/mem common/err */
/*
 * fuzz_run_row - the result that a run row holds (cache_sync_runs.result), as a takeover reads it back: every event is
 * made from it. Each event must be a JSON object.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "worker/daemon/events.h"

#define JOB "018f5e3a-0000-7000-8000-000000000000"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    json_t *doc = json_loadb((const char *)data, len, 0, NULL), *event;
    struct args out = {0};
    struct event_end end = {.job_id = JOB, .mode = "full", .status = CS_STATUS_COMPLETED, .doc = doc};

    if (doc == NULL)
        return 0;
    events_changes(&out, JOB, doc, 1715284800000);
    events_complete(&out, &end, 1715284800000);
    if (out.count % 2 != 0)
        abort();
    for (size_t i = 1; i < out.count; i += 2) {
        event = cs_json_parse(out.v[i], out.len[i], SIZE_MAX, NULL);
        if (!json_is_object(event))
            abort();
        json_decref(event);
    }
    args_fini(&out);
    json_decref(doc);
    return 0;
}
