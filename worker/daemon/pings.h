/* SPDX-License-Identifier: MIT */
/*
 * pings - jobs that do nothing, by the batch: many entries, one hand-over to a thread, one script. Loop thread.
 *
 * A ping has no state but its end: until then its id resolves to its entry.
 */
#ifndef CS_DAEMON_PINGS_H
#define CS_DAEMON_PINGS_H

#include "worker/daemon/daemon.h"

void pings_add(struct job *job);  /* takes: it joins the batch that is being gathered */
void pings_run(struct daemon *d); /* hand batches to threads, send what threads gave back */
bool pings_hold_entry(const struct daemon *d, const char *entry_id);
size_t pings_waiting(const struct daemon *d); /* batches that are not ended */
void pings_on_report(struct pool_report *report);
void pings_free(struct daemon *d);

#endif
