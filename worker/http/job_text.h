/* SPDX-License-Identifier: MIT */
/*
 * job_text - a job hash as JSON text, the same as cs_job_to_json says but without a tree. Any one thread.
 */
#ifndef CS_HTTP_JOB_TEXT_H
#define CS_HTTP_JOB_TEXT_H

#include <stdbool.h>

#include "common/job.h"
#include "worker/http/text.h"

/* The whole job, every field of cs_job_fields; what is absent or does not parse is null, progress unless it is running. */
void http_job_text(struct text *out, const struct cs_field *fields, size_t count);

/* One field, as it stands there. Its name must be one of cs_job_fields. */
void http_job_member(struct text *out, const struct cs_job_field *field, const struct cs_field *value);

#endif
