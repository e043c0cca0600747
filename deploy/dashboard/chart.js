// SPDX-License-Identifier: MIT
// chart - durations of jobs as bars in SVG. Failed jobs are told apart by colour and by a cross. Pure.

import { duration, exact } from "./format.js";

const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 140, LEFT = 56, BOTTOM = 8, TOP = 12, BARS_MIN = 12;

function svg(name, attributes, ...children) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// The smallest 1, 2 or 5 times a power of ten that is at least value.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= value * 0.999);
}

function bar(job, x, width, top) {
  const height = Math.max(2, (job.duration_seconds / top) * (HEIGHT - TOP - BOTTOM));
  const y = HEIGHT - BOTTOM - height;
  const title = svg("title", {}, `${job.mode}, ${job.status}, ${duration(job.duration_seconds)}, ${exact(job.created_at)}`);
  const shape = svg("rect", { x, y, width, height, rx: Math.min(2, width / 4) });
  const cross = job.status === "failed"
    ? [svg("path", { d: `M${x + width / 2 - 3} ${y - 9}l6 6m0 -6l-6 6` })] : [];
  return svg("g", { class: `bar ${job.status}` }, title, shape, ...cross);
}

// jobs: newest first, as the history gives them. width: of the place for it, in CSS pixels. null: nothing to draw.
export function durations(jobs, width) {
  const ended = jobs.filter((job) => Number.isFinite(job.duration_seconds)).reverse();
  if (ended.length === 0) return null;
  const top = roundUp(Math.max(0.01, ...ended.map((job) => job.duration_seconds)));
  const step = (width - LEFT) / Math.max(ended.length, BARS_MIN);
  const lines = [0, 0.5, 1].map((part) => {
    const y = HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM);
    return svg("g", { class: "grid" }, svg("line", { x1: LEFT, x2: width, y1: y, y2: y }),
      svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, duration(part * top)));
  });
  const longest = ended.reduce((a, b) => (b.duration_seconds > a.duration_seconds ? b : a));
  return svg("svg", {
    viewBox: `0 0 ${width} ${HEIGHT}`, role: "img",
    "aria-label": `Durations of ${ended.length} jobs; the longest took ${duration(longest.duration_seconds)}; `
      + `${ended.filter((job) => job.status === "failed").length} failed`,
  }, ...lines, ...ended.map((job, i) => bar(job, LEFT + i * step + step * 0.15, step * 0.7, top)));
}
