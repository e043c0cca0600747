/* SPDX-License-Identifier: MIT */
/*
 * report - one object that holds everything that is told of a sync: counts, universes, events, warnings.
 *
 * Owns: the shape documented in sync.h. Reads only. Session's thread.
 */
#include "worker/sync/report.h"

#include <string.h>

#include "common/clock.h"

#define LIST_MAX 100 /* names in an event's added and removed */

static json_t *
names(const struct diff_list *list, size_t max)
{
    json_t *out = json_array();
    for (size_t i = 0; i < list->count && i < max; i++)
        json_array_append_new(out, json_string(list->symbols[i]));
    return out;
}

static json_t *
universe_event(const struct diff_universe *u, const char *mode)
{
    const char *action = !u->sel ? "removed" : u->existed ? "updated" : "created";
    json_t *e = json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:s, s:{s:s}}", "universe", u->universe,
                          "type", u->family, "action", action, "added", names(&u->added, LIST_MAX), "removed",
                          names(&u->removed, LIST_MAX), "added_count", (json_int_t)u->added.count,
                          "removed_count", (json_int_t)u->removed.count, "symbol_count", (json_int_t)u->after,
                          "reason", "sync", "metadata", "mode", mode);
    if (u->added.count > LIST_MAX || u->removed.count > LIST_MAX)
        json_object_set_new(e, "truncated", json_true());
    return e;
}

static json_t *
universe_state(const char *universe, const char *type, size_t count, const char *last_updated)
{
    return json_pack("{s:s, s:s, s:I, s:s}", "universe", universe, "type", type, "symbol_count",
                     (json_int_t)count, "last_updated", last_updated);
}

/* Every managed universe as it stands after the sync. */
static json_t *
universes(const struct report_input *in)
{
    json_t *all = json_object();
    for (size_t i = 0; i < in->prev->count; i++) {
        const struct previous_row *row = &in->prev->rows[i];
        if (row->recorded && row->exists && strcmp(row->cache_type, "stats") != 0 &&
            !json_object_get(all, row->universe))
            json_object_set_new(
                all, row->universe,
                universe_state(row->universe, row->cache_type, row->member_count, row->updated_at));
    }
    for (size_t i = 0; i < in->diff->count; i++) {
        const struct diff_universe *u = &in->diff->items[i];
        bool fresh = json_object_get(in->rows->fresh, u->universe) != NULL;
        if (u->sel)
            json_object_set_new(
                all, u->universe,
                universe_state(u->universe, u->family, u->after, fresh ? in->now : u->updated_at));
        else
            json_object_del(all, u->universe);
    }
    return all;
}

static json_t *
ipo_event(const struct snapshot *snap, uint32_t id, const char *universe)
{
    char date[CS_DATE_LEN + 1] = "";
    if (snap->list_date[id] != SNAPSHOT_NO_DATE)
        cs_date_format(snap->list_date[id], date);
    return json_pack("{s:s, s:s, s:s, s:s, s:I}", "symbol", snap->symbol[id], "universe", universe,
                     "list_date", date, "sector", snap->sectors.texts[snap->sector[id]], "market_cap",
                     (json_int_t)snap->cap[id]);
}

/* One for each symbol that is announced and each universe that it was added to. */
static json_t *
ipo_events(const struct report_input *in)
{
    json_t *events = json_array();
    bool any = in->announce && memchr(in->announce, true, in->snap->count * sizeof *in->announce);
    for (size_t i = 0; any && i < in->diff->count; i++) {
        const struct diff_universe *u = &in->diff->items[i];
        for (size_t k = 0; k < u->added.count; k++) {
            uint32_t id = snapshot_find(in->snap, u->added.symbols[k], strlen(u->added.symbols[k]));
            if (id != SNAPSHOT_NONE && in->announce[id])
                json_array_append_new(events, ipo_event(in->snap, id, u->universe));
        }
    }
    return events;
}

static void
set_task(json_t *tasks, enum cs_task task, bool ran, int64_t changes)
{
    json_object_set_new(tasks, cs_task_name(task),
                        json_pack("{s:s, s:I}", "status", ran ? "completed" : "skipped", "changes",
                                  (json_int_t)(ran ? changes : 0)));
}

static int64_t
family_changes(const struct diff *d, enum rules_family family)
{
    int64_t n = 0;
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->items[i].family, rules_family_name(family)) == 0)
            n += (int64_t)(d->items[i].added.count + d->items[i].removed.count);
    return n;
}

static json_t *
tasks(const struct report_input *in)
{
    json_t *t = json_object();
    bool caps = in->req->mode == CS_MODE_FULL || in->req->mode == CS_MODE_MARKET_CAP;
    set_task(t, CS_TASK_MARKET_CAP, caps, in->caps_changed);
    set_task(t, CS_TASK_DELISTING, in->req->mode == CS_MODE_FULL, (int64_t)in->diff->delisted.count);
    set_task(t, CS_TASK_IPO, in->mask & 1U << RULES_IPO,
             in->req->mode == CS_MODE_IPOS ? in->diff->total_changes : family_changes(in->diff, RULES_IPO));
    set_task(t, CS_TASK_THEME, in->mask & 1U << RULES_THEME, family_changes(in->diff, RULES_THEME));
    set_task(t, CS_TASK_ETF, in->mask & 1U << RULES_ETF, family_changes(in->diff, RULES_ETF));
    return t;
}

/* Those that are events too: what every night brings is only in the summary. */
static json_t *
loud(const json_t *warnings)
{
    json_t *list = json_array(), *one;
    size_t i;
    json_array_foreach (warnings, i, one) {
        if (strcmp(json_string_value(json_object_get(one, "severity")), "info") != 0)
            json_array_append(list, one);
    }
    return list;
}

static json_t *
family(const struct report_input *in, enum rules_family f)
{
    const struct apply_family *rows = &in->rows->families[f];
    int64_t count = 0, members = 0;
    for (size_t i = 0; i < in->diff->count; i++)
        if (in->diff->items[i].sel && in->diff->items[i].sel->rule->family == f) {
            count++;
            members += (int64_t)in->diff->items[i].after;
        }
    return json_pack("{s:I, s:I, s:I, s:{s:I, s:I, s:I}, s:f}", "universes", (json_int_t)count, "members",
                     (json_int_t)members, "changes", (json_int_t)family_changes(in->diff, f), "rows",
                     "written", (json_int_t)rows->written, "unchanged", (json_int_t)rows->unchanged,
                     "deleted", (json_int_t)rows->deleted, "write_ms", (double)(rows->took_us / 100) / 10.0);
}

/* Those that the mode covers, and those that it touched all the same (new listings in bands and themes). */
static json_t *
families(const struct report_input *in)
{
    json_t *all = json_object();
    for (int f = 0; f < RULES_FAMILY_COUNT; f++) {
        json_t *one = family(in, (enum rules_family)f);
        if (in->mask & 1U << f || json_integer_value(json_object_get(one, "changes")))
            json_object_set(all, rules_family_name((enum rules_family)f), one);
        json_decref(one);
    }
    return all;
}

/* The whole of it, for who asked what would change. */
static json_t *
whole_diff(const struct diff *d)
{
    json_t *all = json_object();
    for (size_t i = 0; i < d->count; i++)
        if (diff_changed(&d->items[i]))
            json_object_set_new(all, d->items[i].universe,
                                json_pack("{s:o, s:o}", "added", names(&d->items[i].added, SIZE_MAX),
                                          "removed", names(&d->items[i].removed, SIZE_MAX)));
    return all;
}

static json_t *
summary(const struct report_input *in)
{
    struct apply_family rows = {0};
    for (int f = 0; f < RULES_FAMILY_COUNT; f++) {
        rows.written += in->rows->families[f].written;
        rows.unchanged += in->rows->families[f].unchanged;
        rows.deleted += in->rows->families[f].deleted;
    }
    json_t *s = json_pack("{s:o, s:{s:I, s:I, s:I, s:I}, s:o, s:{s:I, s:I, s:I}, s:I, s:O, s:O}", "families",
                          families(in), "market_caps", "priced", (json_int_t)in->caps->priced, "changed",
                          (json_int_t)in->caps_changed, "significant", (json_int_t)in->caps_significant,
                          "overflow", (json_int_t)in->caps->overflow, "guard", guard_json(in->guard), "rows",
                          "written", (json_int_t)rows.written, "unchanged", (json_int_t)rows.unchanged,
                          "deleted", (json_int_t)rows.deleted, "symbols", (json_int_t)in->snap->count,
                          "timings_ms", in->timings, "warnings", in->warnings);
    if (in->req->dry_run)
        json_object_set_new(s, "diff", whole_diff(in->diff));
    return s;
}

static json_t *
delistings(const struct diff *d)
{
    if (!d->delisted.count)
        return json_null();
    return json_pack("{s:I, s:o, s:o}", "removed_count", (json_int_t)d->delisted.count, "symbols",
                     names(&d->delisted, SIZE_MAX), "universes", names(&d->delisted_universes, SIZE_MAX));
}

/* Universes whose membership changed, by name and as events. */
static void
add_changes(const struct report_input *in, json_t *updated, json_t *events)
{
    for (size_t i = 0; i < in->diff->count; i++) {
        const struct diff_universe *u = &in->diff->items[i];
        if (!diff_changed(u))
            continue;
        json_array_append_new(updated, json_string(u->universe));
        json_array_append_new(events, universe_event(u, cs_mode_name(in->req->mode)));
    }
}

json_t *
report_build(const struct report_input *in)
{
    json_t *updated = json_array(), *events = json_array();
    bool dated = in->snap->market_date != SNAPSHOT_NO_DATE;
    char date[CS_DATE_LEN + 1];
    if (dated)
        cs_date_format(in->snap->market_date, date);
    add_changes(in, updated, events);
    return json_pack(
        "{s:s, s:s, s:o, s:b, s:b, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:o}", "mode",
        cs_mode_name(in->req->mode), "environment", in->req->environment, "market_date",
        dated ? json_string(date) : json_null(), "dry_run", in->req->dry_run, "force", in->req->force,
        "started_at", in->started_at, "committed_at", in->req->dry_run ? json_null() : json_string(in->now),
        "total_changes", (json_int_t)in->diff->total_changes, "universes_updated", updated, "task_results",
        tasks(in), "universes", universes(in), "warnings", loud(in->warnings), "events", "universes", events,
        "ipos", ipo_events(in), "delistings", delistings(in->diff), "summary", summary(in));
}
