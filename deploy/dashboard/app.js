// SPDX-License-Identifier: MIT
// app - what the page shows and asks. One timer: health, history and stats every few seconds, running jobs every
// second; nothing while the tab is hidden; slower, and said so, when the adapter does not answer.

import { api, settings } from "./api.js";
import { durations } from "./chart.js";
import { ago, count, duration, el, exact, time } from "./format.js";

const PAGE = 25, SLOW_MS = 5000, FAST_MS = 1000, BACKOFF_MAX_MS = 30000;
const $ = (selector) => document.querySelector(selector);

const state = {
  active: new Map(), // job id -> its status, of jobs that run or wait
  jobs: [], offset: 0, total: 0,
  universes: [], sort: { by: "universe", down: false },
  open: null,        // job id in the dialog
  keyRefused: false, // until another key is given, only health is asked
  failures: 0, slowDueMs: 0, timer: 0, refreshing: false,
};
const ended = (job) => job.status !== "pending" && job.status !== "running";

// ---- what went wrong, and where it is said

function notice(error) {
  $("#notice").hidden = !error;
  $("#notice").textContent = error ? error.message : "";
  if (error?.status !== 401 || state.keyRefused) return;
  state.keyRefused = true;
  openSettings();
}

// ---- state at a glance

const SENTENCES = {
  healthy: (h) => (h.processing_status === "running" ? "Healthy, a sync is running" : "Healthy, idle"),
  degraded: () => "Degraded: the database is down; jobs wait for it",
  unhealthy: (h) => (h.services.redis === "up" ? "Unhealthy: no worker reads the queue" : "Unhealthy: Redis is down"),
};

function showHealth(h) {
  $("#state").dataset.state = h.status;
  $("#state").textContent = SENTENCES[h.status]?.(h) ?? h.status;
  $("#svc-redis").textContent = h.services.redis;
  $("#svc-database").textContent = h.services.database;
  $("#svc-workers").textContent = count(h.workers);
  $("#svc-version").textContent = h.version;
  document.title = h.status === "healthy" ? "cachesync" : `${h.status} – cachesync`;
}

function showUnreachable() {
  $("#state").dataset.state = "unknown";
  $("#state").textContent = "No answer";
  for (const id of ["redis", "database", "workers", "version"]) $(`#svc-${id}`).textContent = "–";
}

// ---- jobs that run or wait

function cancelButton(job) {
  const button = el("button", { type: "button", "data-cancel": job.job_id, "aria-label": `Cancel job ${job.job_id}` }, "Cancel");
  button.addEventListener("click", () => cancel(job.job_id, button));
  return button;
}

function progressText(job) {
  const p = job.progress;
  if (job.status === "pending") return "waits for a worker";
  if (!p) return "starts";
  const parts = [String(p.current_task ?? "").replaceAll("_", " "), `${p.percentage} %`];
  if (p.total_symbols > 0) parts.push(`${count(p.processed)} of ${count(p.total_symbols)} symbols`);
  if (p.estimated_completion) parts.push(`done ${ago(p.estimated_completion)}`);
  return parts.join(", ");
}

// Rows are kept and updated in place: focus and screen readers stay where they are.
function showActive() {
  const list = $("#active");
  for (const row of [...list.children])
    if (!state.active.has(row.dataset.job)) row.remove();
  for (const job of state.active.values()) {
    let row = [...list.children].find((r) => r.dataset.job === job.job_id);
    if (!row) {
      row = el("li", { "data-job": job.job_id },
        el("div", { class: "row spread" }, jobLink(job, `${job.mode ?? "sync"}${job.dry_run ? ", dry run" : ""}`), cancelButton(job)),
        el("progress", { max: "100", "aria-label": `Progress of job ${job.job_id}` }),
        el("p", { class: "hint" }));
      list.append(row);
    }
    const bar = row.querySelector("progress");
    if (job.status === "running" && job.progress) bar.value = job.progress.percentage;
    else bar.removeAttribute("value");
    row.querySelector("p").textContent = progressText(job);
  }
  $("#idle").hidden = state.active.size > 0;
}

async function refreshActive() {
  const ids = [...state.active.keys()];
  const answers = await Promise.allSettled(ids.map((jobId) => api.status(jobId)));
  let someEnded = false;
  answers.forEach((answer, i) => {
    if (answer.status === "fulfilled" && !ended(answer.value)) {
      state.active.set(ids[i], answer.value);
    } else if (answer.status === "fulfilled" || answer.reason.status === 404) {
      state.active.delete(ids[i]);
      someEnded = true;
      if (answer.status === "fulfilled") {
        $("#started").textContent = endSentence(answer.value);
        if (state.open === ids[i]) showJob(answer.value);
      }
    }
  });
  showActive();
  if (someEnded) state.slowDueMs = 0;
}

function endSentence(job) {
  if (job.status === "failed") return `Failed: ${job.error_details?.message ?? "no reason given"}`;
  const changes = `${count(job.total_changes ?? 0)} membership changes`;
  return job.dry_run ? `Dry run: ${changes} would be made` : `Completed in ${duration(job.duration_seconds)}: ${changes}`;
}

async function cancel(jobId, button) {
  button.disabled = true;
  try {
    await api.cancel(jobId);
    button.textContent = "Cancelling …";
  } catch (error) {
    button.disabled = false;
    notice(error.status === 409 ? null : error);
  }
  state.slowDueMs = 0;
}

// ---- history

const statusCell = (job) => el("span", { class: `status ${job.status}` }, job.status);

function jobLink(job, text) {
  const button = el("button", { type: "button", class: "link", "data-open": job.job_id }, text);
  button.addEventListener("click", () => openJob(job.job_id));
  return button;
}

function showHistory() {
  const focused = document.activeElement?.dataset?.open;
  $("#jobs tbody").replaceChildren(...state.jobs.map((job) => el("tr", {},
    el("td", {}, time(job.created_at)), el("td", {}, statusCell(job)),
    el("td", { class: "num" }, job.duration_seconds === null ? "–" : duration(job.duration_seconds)),
    el("td", {}, job.mode ?? "–"), el("td", {}, jobLink(job, job.job_id.slice(0, 8) + "…" + job.job_id.slice(-4))),
    el("td", {}, job.triggered_by ?? "–"))));
  if (state.jobs.length === 0)
    $("#jobs tbody").replaceChildren(el("tr", {}, el("td", { colspan: "6", class: "empty" }, "No job has run yet: start one.")));
  if (focused) document.querySelector(`#jobs [data-open="${CSS.escape(focused)}"]`)?.focus();
  showPlot();
  showLast();
  $("#newer").disabled = state.offset === 0;
  $("#older").disabled = state.offset + PAGE >= state.total;
  $("#page").textContent = state.total === 0 ? ""
    : `${count(state.offset + 1)}–${count(Math.min(state.offset + PAGE, state.total))} of ${count(state.total)}`;
}

function showPlot() {
  $("#plot").replaceChildren(durations(state.jobs, $("#plot").clientWidth) ?? el("p", { class: "empty" }, "No ended job to plot."));
}

function showLast() {
  const last = state.offset === 0 && state.jobs.find(ended);
  if (!last) return;
  $("#h-last").hidden = false;
  $("#last").replaceChildren(statusCell(last), ` ${last.mode ?? "sync"}, `, time(last.end_time), `, ${duration(last.duration_seconds)}, `, jobLink(last, "details"));
}

// ---- one job

function facts(pairs) {
  return el("dl", { class: "facts wide" }, ...pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function diffTable(diff) {
  const names = Object.keys(diff ?? {});
  if (names.length === 0) return null;
  const list = (value) => (Array.isArray(value) ? value.join(" ") : "");
  return el("table", {}, el("thead", {}, el("tr", {}, ...["Universe", "Would enter", "Would leave"].map((t) => el("th", { scope: "col" }, t)))),
    el("tbody", {}, ...names.map((name) => el("tr", {}, el("th", { scope: "row" }, name),
      el("td", { class: "symbols" }, list(diff[name].added)), el("td", { class: "symbols" }, list(diff[name].removed))))));
}

function showJob(job) {
  const error = job.error_details;
  $("#job-body").replaceChildren(
    el("p", { class: "mono" }, job.job_id),
    el("p", {}, statusCell(job), " ", ended(job) ? endSentence(job) : progressText(job)),
    facts([["Mode", job.mode], ["Environment", job.environment], ["Market data up to", job.as_of],
      ["Force", job.force ? "yes" : null], ["Dry run", job.dry_run ? "yes" : null], ["By", job.triggered_by],
      ["Created", exact(job.created_at)], ["Started", exact(job.start_time)], ["Ended", exact(job.end_time)],
      ["Attempts", job.attempts === null ? null : count(job.attempts)], ["Worker", job.worker], ["Code", error?.code],
      ["Ran as", job.coalesced_into]]),
    ...(ended(job) ? [] : [cancelButton(job)]),
    ...(job.universes_updated?.length ? [el("h3", {}, "Universes whose members changed"), el("p", { class: "symbols" }, job.universes_updated.join(" "))] : []),
    ...[diffTable(job.summary?.diff)].filter(Boolean).map((table) => el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "What would change" }, table)),
    ...[["Summary", job.summary], ["Error details", error]].filter(([, value]) => value).map(([title, value]) =>
      el("details", {}, el("summary", {}, title), el("pre", { tabindex: "0" }, JSON.stringify(value, null, 2)))));
}

async function openJob(jobId) {
  try {
    const job = await api.status(jobId);
    state.open = jobId;
    showJob(job);
    if (!$("#job").open) $("#job").showModal();
  } catch (error) {
    notice(error);
  }
}

// ---- universes

function showUniverses() {
  const text = $("#filter [name=text]").value.trim().toLowerCase();
  const { by, down } = state.sort;
  const rows = state.universes.filter((u) => `${u.universe} ${u.type}`.toLowerCase().includes(text))
    .sort((a, b) => (typeof a[by] === "number" ? a[by] - b[by] : String(a[by]).localeCompare(String(b[by]))) * (down ? -1 : 1));
  $("#universes tbody").replaceChildren(...rows.map((u) => el("tr", {}, el("th", { scope: "row" }, u.universe),
    el("td", { class: "num" }, count(u.symbol_count)), el("td", {}, time(u.last_updated)), el("td", {}, u.type))));
  if (rows.length === 0)
    $("#universes tbody").replaceChildren(el("tr", {}, el("td", { colspan: "4", class: "empty" },
      state.universes.length ? "None has this in its name or type." : "No universe yet: start a full sync.")));
  $("#universe-count").textContent = rows.length === state.universes.length
    ? `${count(rows.length)} universes` : `${count(rows.length)} of ${count(state.universes.length)} universes`;
  for (const button of document.querySelectorAll("[data-sort]")) {
    const th = button.closest("th");
    if (button.dataset.sort === by) th.setAttribute("aria-sort", down ? "descending" : "ascending");
    else th.removeAttribute("aria-sort");
  }
}

function showWeek(s) {
  $("#week-total").textContent = count(s.total_jobs_7d);
  $("#week-ok").textContent = count(s.successful_jobs_7d);
  $("#week-failed").textContent = count(s.failed_jobs_7d);
  $("#week-average").textContent = duration(s.avg_duration_seconds);
}

// ---- the round

async function refreshAll() {
  showHealth(await api.health());
  if (state.keyRefused) return;
  const [history, stats] = await Promise.all([api.history(PAGE, state.offset), api.stats()]);
  Object.assign(state, { jobs: history.jobs, total: history.total, universes: stats.universes });
  for (const job of history.jobs)
    if (!ended(job) && !state.active.has(job.job_id)) state.active.set(job.job_id, { ...job, progress: null });
  showHistory();
  showUniverses();
  showWeek(stats.job_statistics);
  showActive();
}

async function round() {
  let pauseMs = FAST_MS;

  clearTimeout(state.timer);
  if (state.refreshing || document.hidden) return;
  state.refreshing = true;
  try {
    if (Date.now() >= state.slowDueMs) {
      await refreshAll();
      state.slowDueMs = Date.now() + SLOW_MS;
    }
    if (state.active.size > 0) await refreshActive();
    state.failures = 0;
    if (!state.keyRefused) notice(null);
  } catch (error) {
    state.failures++;
    if (error.status === 0) showUnreachable();
    notice(error);
    pauseMs = Math.max(error.retryAfterSeconds * 1000 || 0, Math.min(BACKOFF_MAX_MS, FAST_MS * 2 ** state.failures));
  }
  state.refreshing = false;
  state.timer = setTimeout(round, pauseMs);
}

function refreshNow() {
  state.slowDueMs = 0;
  return round();
}

// ---- what people do

function openSettings() {
  const form = $("#settings form");
  form.elements.key.value = settings.key;
  form.elements.base.value = settings.base;
  if (!$("#settings").open) $("#settings").showModal();
}

$("#open-settings").addEventListener("click", openSettings);
$("#settings").addEventListener("close", () => {
  const form = $("#settings form");
  if ($("#settings").returnValue === "save") {
    settings.key = form.elements.key.value.trim();
    settings.base = form.elements.base.value.trim();
    state.active.clear();
    state.keyRefused = false;
    notice(null);
    refreshNow();
  }
  $("#settings").returnValue = "";
});

$("#trigger").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, button = form.querySelector("[type=submit]");
  const command = { mode: form.elements.mode.value, force: form.elements.force.checked, dry_run: form.elements.dry_run.checked, triggered_by: "dashboard" };
  if (form.elements.as_of.value) command.as_of = form.elements.as_of.value;
  button.disabled = true;
  try {
    const answer = await api.trigger(command);
    $("#started").textContent = answer.message;
    state.active.set(answer.job_id, { job_id: answer.job_id, mode: answer.mode, dry_run: command.dry_run, status: "pending", progress: null });
    showActive();
    form.elements.force.checked = false;
    notice(null);
    refreshNow();
  } catch (error) {
    notice(error);
  }
  button.disabled = false;
});

$("#close-job").addEventListener("click", () => $("#job").close());
$("#job").addEventListener("close", () => { state.open = null; });
$("#filter").addEventListener("submit", (event) => event.preventDefault());
$("#filter").addEventListener("input", showUniverses);
for (const button of document.querySelectorAll("[data-sort]"))
  button.addEventListener("click", () => {
    const by = button.dataset.sort;
    state.sort = { by, down: state.sort.by === by && !state.sort.down };
    showUniverses();
  });
for (const [id, step] of [["#newer", -PAGE], ["#older", PAGE]])
  $(id).addEventListener("click", () => {
    state.offset = Math.max(0, state.offset + step);
    refreshNow();
  });
addEventListener("resize", showPlot);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshNow(); });

refreshNow();
