/* SPDX-License-Identifier: MIT */
/*
 * step - how a long stage tells how far it is. tell may be NULL. Any thread.
 */
#ifndef CS_SYNC_STEP_H
#define CS_SYNC_STEP_H

#include <stddef.h>

struct step {
    void (*tell)(void *arg, size_t done, size_t total); /* total 0: not known */
    void *arg;
};

static inline void
step_tell(const struct step *s, size_t done, size_t total)
{
    if (s->tell)
        s->tell(s->arg, done, total);
}

#endif
