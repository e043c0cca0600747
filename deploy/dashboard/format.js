// SPDX-License-Identifier: MIT
// format - numbers, times and DOM nodes as the page shows them. Pure.

const number = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

export const count = (n) => (Number.isFinite(n) ? number.format(n) : "–");

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  const s = Math.round(seconds);
  return s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

export function ago(isoTime, nowMs = Date.now()) {
  const seconds = (Date.parse(isoTime) - nowMs) / 1000;
  if (Number.isNaN(seconds)) return "–";
  const [unit, size] = UNITS.find(([, s]) => Math.abs(seconds) >= s) ?? UNITS[3];
  return relative.format(Math.round(seconds / size), unit);
}

export const exact = (isoTime) => (Number.isNaN(Date.parse(isoTime)) ? "" : clock.format(Date.parse(isoTime)));

// el("td", {class: "num"}, "text", node ...): text is always text, so nothing from the server becomes markup.
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

export const time = (isoTime) => (isoTime ? el("time", { datetime: isoTime, title: exact(isoTime) }, ago(isoTime)) : "–");
