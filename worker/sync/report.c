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
cut(const json_t *list, bool *truncated)
{
    json_t *out = json_array(), *value;
    size_t i;
    json_array_foreach(list, i, value)
    {
        if (i == LIST_MAX) {
            *truncated = true;
            break;
        }
        json_array_append(out, value);
    }
    return out;
}

static bool
changed(const struct diff_universe *u)
{
    return json_array_size(u->added) || json_array_size(u->removed);
}

static json_t *
universe_event(const struct diff_universe *u, const char *mode)
{
    bool truncated = false;
    const char *action = !u->sel ? "removed" : u->existed ? "updated" : "created";
    json_t *added = cut(u->added, &truncated), *removed = cut(u->removed, &truncated);
    json_t *e = json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:s, s:{s:s}}", "universe", u->universe,
                          "type", u->family, "action", action, "added", added, "removed", removed,
                          "added_count", (json_int_t)json_array_size(u->added), "removed_count",
                          (json_int_t)json_array_size(u->removed), "symbol_count", (json_int_t)u->after,
                          "reason", "sync", "metadata", "mode", mode);
    if (truncated)
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
            json_object_set_new(all, row->universe,
                                universe_state(row->universe, row->cache_type, json_array_size(row->members),
                                               row->updated_at));
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
ipo_events(const struct report_input *in)
{
    json_t *events = json_array(), *symbol, *added;
    size_t i, k;
    json_array_foreach(in->new_ipos, i, symbol)
    {
        uint32_t id = snapshot_find(in->snap, json_string_value(symbol), json_string_length(symbol));
        char date[CS_DATE_LEN + 1] = "";
        if (id == SNAPSHOT_NONE)
            continue;
        if (in->snap->list_date[id] != SNAPSHOT_NO_DATE)
            cs_date_format(in->snap->list_date[id], date);
        for (size_t u = 0; u < in->diff->count; u++)
            json_array_foreach(in->diff->items[u].added, k, added) if (json_equal(added, symbol))
                json_array_append_new(events,
                                      json_pack("{s:O, s:s, s:s, s:s, s:I}", "symbol", symbol, "universe",
                                                in->diff->items[u].universe, "list_date", date, "sector",
                                                in->snap->sectors.texts[in->snap->sector[id]], "market_cap",
                                                (json_int_t)in->snap->cap[id]));
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
            n += (int64_t)(json_array_size(d->items[i].added) + json_array_size(d->items[i].removed));
    return n;
}

static json_t *
tasks(const struct report_input *in)
{
    json_t *t = json_object();
    bool caps = in->req->mode == CS_MODE_FULL || in->req->mode == CS_MODE_MARKET_CAP;
    set_task(t, CS_TASK_MARKET_CAP, caps, in->caps_changed);
    set_task(t, CS_TASK_DELISTING, in->req->mode == CS_MODE_FULL,
             (int64_t)json_array_size(in->diff->delisted));
    set_task(t, CS_TASK_IPO, in->mask & 1U << RULES_IPO, family_changes(in->diff, RULES_IPO));
    set_task(t, CS_TASK_THEME, in->mask & 1U << RULES_THEME, family_changes(in->diff, RULES_THEME));
    set_task(t, CS_TASK_ETF, in->mask & 1U << RULES_ETF, family_changes(in->diff, RULES_ETF));
    return t;
}

static json_t *
warning(const char *code, const char *message, json_t *context)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "severity", "warning", "error_code", code, "message", message,
                     "context", context);
}

static json_t *
warnings(const struct report_input *in)
{
    json_t *list = json_array();
    if (in->caps->overflow)
        json_array_append_new(list, warning("market_cap_overflow",
                                            "A market cap is beyond bigint; the stored one stays.",
                                            json_pack("{s:I, s:s}", "count", (json_int_t)in->caps->overflow,
                                                      "symbol", in->caps->overflow_symbol)));
    if (json_array_size(in->diff->unknown))
        json_array_append_new(list,
                              warning("unknown_symbol", "Members without a row in symbols were removed.",
                                      json_pack("{s:O}", "symbols", in->diff->unknown)));
    for (size_t i = 0; i < in->diff->count; i++) {
        const struct diff_universe *u = &in->diff->items[i];
        size_t most = json_array_size(u->added) > json_array_size(u->removed) ? json_array_size(u->added)
                                                                              : json_array_size(u->removed);
        if (u->before && u->sel && (double)most > in->rules->limits.churn_warning * (double)u->before)
            json_array_append_new(
                list, warning("universe_churn", "A universe changed by more than the churn limit.",
                              json_pack("{s:s, s:I, s:I, s:I}", "universe", u->universe, "before",
                                        (json_int_t)u->before, "added", (json_int_t)json_array_size(u->added),
                                        "removed", (json_int_t)json_array_size(u->removed))));
    }
    return list;
}

static json_t *
families(const struct report_input *in)
{
    json_t *all = json_object();
    for (int f = 0; f < RULES_FAMILY_COUNT; f++) {
        int64_t count = 0, members = 0;
        for (size_t i = 0; i < in->diff->count; i++)
            if (in->diff->items[i].sel && (int)in->diff->items[i].sel->rule->family == f) {
                count++;
                members += (int64_t)in->diff->items[i].after;
            }
        if (in->mask & 1U << f)
            json_object_set_new(all, rules_family_name((enum rules_family)f),
                                json_pack("{s:I, s:I, s:I}", "universes", (json_int_t)count, "members",
                                          (json_int_t)members, "changes",
                                          (json_int_t)family_changes(in->diff, (enum rules_family)f)));
    }
    return all;
}

static json_t *
summary(const struct report_input *in, json_t *warned)
{
    json_t *s =
        json_pack("{s:o, s:{s:I, s:I, s:I, s:I}, s:o, s:{s:I, s:I, s:I}, s:O, s:O}", "families", families(in),
                  "market_caps", "priced", (json_int_t)in->caps->priced, "changed",
                  (json_int_t)in->caps_changed, "significant", (json_int_t)in->caps_significant, "overflow",
                  (json_int_t)in->caps->overflow, "guard", guard_json(in->guard), "rows", "written",
                  (json_int_t)in->rows->written, "unchanged", (json_int_t)in->rows->unchanged, "deleted",
                  (json_int_t)in->rows->deleted, "timings_ms", in->timings, "warnings", warned);
    if (in->req->dry_run) {
        json_t *diff = json_object();
        for (size_t i = 0; i < in->diff->count; i++)
            if (changed(&in->diff->items[i]))
                json_object_set_new(diff, in->diff->items[i].universe,
                                    json_pack("{s:O, s:O}", "added", in->diff->items[i].added, "removed",
                                              in->diff->items[i].removed));
        json_object_set_new(s, "diff", diff);
    }
    return s;
}

json_t *
report_build(const struct report_input *in)
{
    json_t *doc = json_object(), *updated = json_array(), *events = json_array(), *warned = warnings(in);
    char date[CS_DATE_LEN + 1];
    for (size_t i = 0; i < in->diff->count; i++)
        if (changed(&in->diff->items[i])) {
            json_array_append_new(updated, json_string(in->diff->items[i].universe));
            json_array_append_new(events, universe_event(&in->diff->items[i], cs_mode_name(in->req->mode)));
        }
    json_object_set_new(doc, "mode", json_string(cs_mode_name(in->req->mode)));
    json_object_set_new(doc, "environment", json_string(in->req->environment));
    if (in->snap->market_date != SNAPSHOT_NO_DATE)
        cs_date_format(in->snap->market_date, date);
    json_object_set_new(doc, "market_date",
                        in->snap->market_date != SNAPSHOT_NO_DATE ? json_string(date) : json_null());
    json_object_set_new(doc, "dry_run", json_boolean(in->req->dry_run));
    json_object_set_new(doc, "force", json_boolean(in->req->force));
    json_object_set_new(doc, "started_at", json_string(in->started_at));
    json_object_set_new(doc, "committed_at", in->req->dry_run ? json_null() : json_string(in->now));
    json_object_set_new(doc, "total_changes", json_integer(in->diff->total_changes));
    json_object_set_new(doc, "universes_updated", updated);
    json_object_set_new(doc, "task_results", tasks(in));
    json_object_set_new(doc, "universes", universes(in));
    json_object_set_new(doc, "warnings", warned);
    json_t *gone =
        json_array_size(in->diff->delisted)
            ? json_pack("{s:I, s:O, s:O}", "removed_count", (json_int_t)json_array_size(in->diff->delisted),
                        "symbols", in->diff->delisted, "universes", in->diff->delisted_universes)
            : json_null();
    json_object_set_new(
        doc, "events",
        json_pack("{s:o, s:o, s:o}", "universes", events, "ipos", ipo_events(in), "delistings", gone));
    json_object_set_new(doc, "summary", summary(in, warned));
    return doc;
}
