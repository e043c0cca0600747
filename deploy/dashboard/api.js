// SPDX-License-Identifier: MIT
// api - the calls of docs/rest.md: key and address of this tab, one error type. Knows no page.

const BASE = "/api/processing/cache-sync";
const LIMIT_MS = 12000;

export class ApiError extends Error {
  constructor(status, code, message, retryAfterSeconds) {
    super(message);
    this.status = status; // 0: no answer
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export const settings = {
  get key() { return sessionStorage.getItem("cachesync.key") ?? ""; },
  set key(value) { sessionStorage.setItem("cachesync.key", value); },
  get base() { return sessionStorage.getItem("cachesync.base") ?? ""; },
  set base(value) { sessionStorage.setItem("cachesync.base", value.replace(/\/+$/, "")); },
};

async function call(method, path, { body, okStatuses = [] } = {}) {
  const headers = {};
  let response, answer = null;

  if (settings.key) headers["X-API-Key"] = settings.key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    response = await fetch(settings.base + path, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(LIMIT_MS),
    });
    answer = await response.json();
  } catch {
    if (!response)
      throw new ApiError(0, "no_answer", "The adapter does not answer. Is cachesync-http running, and is the address right?", 0);
  }
  if ((response.ok || okStatuses.includes(response.status)) && answer !== null)
    return answer;
  throw new ApiError(response.status, answer?.error ?? "no_json",
    answer?.message ?? `The address answers with ${response.status}, but not as cachesync-http does.`,
    Number(response.headers.get("Retry-After")) || 0);
}

const id = (jobId) => encodeURIComponent(jobId);

export const api = {
  health: () => call("GET", "/health", { okStatuses: [503] }), // unhealthy has the same body
  stats: () => call("GET", `${BASE}/stats`),
  history: (limit, offset) => call("GET", `${BASE}/history?limit=${limit}&offset=${offset}`),
  status: (jobId) => call("GET", `${BASE}/status/${id(jobId)}`),
  trigger: (command) => call("POST", `${BASE}/trigger`, { body: command }),
  cancel: (jobId) => call("POST", `${BASE}/cancel/${id(jobId)}`),
};
