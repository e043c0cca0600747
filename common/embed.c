/* SPDX-License-Identifier: MIT */
/*
 * embed - finds a compiled-in file by its name. Any thread.
 */
#include "common/embed.h"

#include <stdlib.h>
#include <string.h>

static int
compare(const void *name, const void *file)
{
    return strcmp(name, ((const struct cs_embed *)file)->name);
}

const struct cs_embed *
cs_embed_find(const char *name)
{
    return bsearch(name, cs_embed_files, cs_embed_count, sizeof cs_embed_files[0], compare);
}
