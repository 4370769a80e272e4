/** The active tasks, kept up to date: asked for when the service says, and only while somebody looks. */

import { request } from "./api.js";
import { now } from "./time.js";

export const SLOTS = 5;
const ACTIVE = ["pending", "started"];
/** setTimeout takes no more, in ms. */
const LONGEST = 2 ** 31 - 1;
/** The pause after an answer that did not come, in seconds; it doubles. */
const [FIRST_PAUSE, LAST_PAUSE] = [2, 60];

/** By id: {task, tag, seen, askAt, timer, pause}. */
const entries = new Map();
export const changes = new EventTarget();
let isLoaded = false;

export function isActive(task) {
  return ACTIVE.includes(task.status);
}

/** Returns the active tasks, oldest first; null while they are not known. */
export function active() {
  return isLoaded ? [...entries.values()].map(({ task }) => task).sort((a, b) => (a.id < b.id ? -1 : 1)) : null;
}

/** Returns what is known of an active task. */
export function known(id) {
  return entries.get(id)?.task;
}

/** Asks which tasks are active. */
export async function load() {
  const found = [];
  // In this order: a task that starts in between is in the second answer, perhaps in both.
  for (const status of ACTIVE) found.push(...(await request("GET", `api/tasks/?status=${status}`)).body.results);
  const ids = new Set(found.map(({ id }) => id));
  for (const [id, entry] of entries) if (!ids.has(id)) forget(id, entry);
  isLoaded = true;
  for (const task of found) put(task);
  changed();
}

/** Takes note of a task as an answer has it. */
export function put(task, tag = "", retryAfter = 0) {
  const entry = entries.get(task.id) ?? { tag: "", pause: 0 };
  if (!isActive(task)) {
    if (entries.has(task.id)) forget(task.id, entry);
    return;
  }
  entries.set(task.id, entry);
  entry.tag = tag;
  entry.seen = now();
  // A list has no events; those that are known are right until something happens.
  if (!task.events && entry.task?.status === task.status) task.events = entry.task.events;
  entry.task = task;
  entry.pause = 0;
  ask(task.id, entry, retryAfter ? retryAfter * 1000 : untilDue(task));
}

function untilDue(task) {
  if (task.status === "started") return 0;
  return task.scheduled_at ? Math.max(0, Date.parse(task.scheduled_at) - now()) : 300;
}

function forget(id, entry) {
  clearTimeout(entry.timer);
  entries.delete(id);
}

function ask(id, entry, ms) {
  entry.askAt = now() + ms;
  clearTimeout(entry.timer);
  if (!document.hidden) entry.timer = setTimeout(poll, Math.min(ms, LONGEST), id, entry);
}

async function poll(id, entry) {
  const headers = entry.tag ? { "If-None-Match": entry.tag } : {};
  try {
    const { status, body, retryAfter, headers: answered } = await request("GET", `api/tasks/${id}/`, { headers });
    // It may have been forgotten, or noted anew, meanwhile.
    if (entries.get(id) !== entry) return;
    entry.pause = 0;
    if (status === 304) {
      ask(id, entry, (retryAfter || 1) * 1000);
      return;
    }
    put(body, answered.get("ETag"), retryAfter);
    changed(body);
  } catch (problem) {
    if (entries.get(id) !== entry) return;
    if (problem.status === 404) {
      forget(id, entry);
      changed();
      return;
    }
    if (problem.status === undefined) throw problem;
    // Nobody is signed in any more.
    if (problem.status === 401) return;
    entry.pause = Math.min(LAST_PAUSE, entry.pause * 2 || FIRST_PAUSE);
    ask(id, entry, Math.max(problem.retryAfter, entry.pause) * 1000);
    if (problem.status === 0) changes.dispatchEvent(new Event("offline"));
  }
}

/** Tells everybody; `task` is the one that changed, if it is known which. */
export function changed(task) {
  changes.dispatchEvent(new CustomEvent("change", { detail: task }));
}

/** Forgets everything. */
export function clear() {
  for (const [id, entry] of entries) forget(id, entry);
  isLoaded = false;
}

document.addEventListener("visibilitychange", () => {
  for (const [id, entry] of entries) {
    clearTimeout(entry.timer);
    if (!document.hidden) ask(id, entry, Math.max(0, entry.askAt - now()));
  }
});

/**
 * Returns what an active task does and until when: `phase` is queued, scheduled, running, waiting
 * or retrying; `since` and `until` are in ms, null where nobody knows; `end` is set where `until`
 * is the end of the task itself.
 */
export function phase(task) {
  const entry = entries.get(task.id);
  if (task.status === "pending") {
    const created = Date.parse(task.created_at);
    if (!task.scheduled_at) return { phase: "queued", since: created, until: null };
    const until = Date.parse(task.scheduled_at);
    return until > now() ? { phase: "scheduled", since: created, until } : { phase: "queued", since: until, until: null };
  }
  const last = task.events?.at(-1) ?? {};
  const left = task.progress?.remaining_seconds;
  const end = left && entry ? Math.round((entry.seen + Number(left.text) * 1000) / 1000) * 1000 : null;
  if (last.event === "attempt_failed") return { phase: "retrying", since: Date.parse(last.at), until: Date.parse(last.next_try_at) };
  if (last.event === "snoozed") {
    const until = Date.parse(last.until);
    return { phase: "waiting", since: Date.parse(last.at), until, end: end && until };
  }
  return { phase: "running", since: Date.parse(last.at ?? task.started_at), until: end, end };
}

/** Returns when the next slot becomes free: {at, isExact}; at is null: at any moment. */
export function nextFree() {
  const ends = active().map((task) => {
    const { phase: name, until, end } = phase(task);
    if (name === "queued" || (name === "running" && !end)) return { at: null, isExact: false };
    return { at: end ?? until, isExact: Boolean(end) };
  });
  return ends.sort((a, b) => (a.at ?? 0) - (b.at ?? 0))[0];
}
