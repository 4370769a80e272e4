/** The page of one task: what it is, what came of it, and one timeline of all that happened. */

import { request } from "./api.js";
import { announce, fill, focusHeading, h, icon } from "./dom.js";
import { language, t } from "./i18n.js";
import { changed, isActive, known, phase, put } from "./live.js";
import { clock, countdown, date, everySecond, moment, moscow, now, span } from "./time.js";
import { badge, clockLabel, document_, failed, fullTime, skeleton, state, typeName } from "./view.js";

let region = null;
let actions = null;
let shownId = "";
let shown = null;

/** Builds the page in a region; `doing` has what its buttons do: again(task, button), edit(task). */
export function mount(target, doing) {
  region = target;
  actions = doing;
}

export async function show(id) {
  shownId = id;
  shown = null;
  fill(region, back(), skeleton(8));
  await load(id);
  if (shownId === id) focusHeading(region);
}

/** Returns the id of the task that was shown. */
export function hide() {
  const id = shownId;
  shownId = "";
  return id;
}

async function load(id) {
  try {
    const { body, headers, retryAfter } = await request("GET", `api/tasks/${encodeURIComponent(id)}/`);
    if (shownId !== id) return;
    put(body, headers.get("ETag"), retryAfter);
    draw(body);
  } catch (problem) {
    if (shownId !== id) return;
    const content = problem.status === 404 ? missing() : failed(problem, () => load(id));
    fill(region, back(), content);
  }
}

/** Draws the task anew if it is the one that is shown. */
export function update(task) {
  if (task?.id === shownId && task.events) draw(task);
}

/** Draws it anew after a list said that it is not active any more. */
export function check() {
  if (shownId && shown && isActive(shown) && !known(shownId)) load(shownId);
}

function back() {
  return h("a", { href: actions.list(), id: "back", class: "back" }, icon("back"), t("task.back"));
}

function missing() {
  return h("div", { class: "empty" }, h("h1", { class: "lead" }, t("task.missing")), h("p", { class: "soft" }, t("task.missingHint")));
}

export function title() {
  return shown ? `${typeName(shown.task_type)}: ${t(`states.${state(shown)}`)}` : t("task.title");
}

function draw(task) {
  shown = task;
  dispatchEvent(new Event("titled"));
  const file = (part) => `task-${task.id}-${part}.json`;
  fill(
    region,
    back(),
    h(
      "header",
      { class: "task-head" },
      h("div", {}, badge(state(task)), h("h1", {}, typeName(task.task_type)), live(task)),
      h("div", { class: "actions", id: "task-actions" }, buttons(task)),
    ),
    task.error ? failure(task) : null,
    h(
      "div",
      { class: "columns" },
      h(
        "div",
        {},
        task.status === "success" ? document_(t("task.result"), task.result, file("result")) : null,
        document_(t("task.input"), task.input_data, file("input")),
        facts(task),
      ),
      h("section", { class: "timeline" }, h("h2", {}, t("task.timeline")), timeline(task)),
    ),
  );
}

/** Returns the countdown of an active task. */
function live(task) {
  if (!isActive(task)) return null;
  const current = phase(task);
  const { since, until } = current;
  return everySecond(h("p", { class: "countdown", role: "timer", "aria-live": "off" }), (line) => {
    const isOver = until && until <= now();
    const face = h("span", { class: "face" }, countdown(until ? until - now() : now() - since));
    fill(line, h("span", { class: "soft" }, clockLabel(current)), isOver ? null : face);
  });
}

function buttons(task) {
  return [
    isActive(task) ? h("button", { type: "button", id: "cancel", class: "danger", onclick: () => confirm(task) }, icon("stop"), t("task.cancel")) : null,
    h("button", { type: "button", id: "edit", onclick: () => actions.edit(task) }, icon("edit"), t("task.edit")),
    h("button", { type: "button", id: "again", class: isActive(task) ? "" : "primary", onclick: (event) => actions.again(task, event.currentTarget) }, icon("again"), t("again")),
  ].filter(Boolean);
}

/** Asks in place whether to cancel. */
function confirm(task) {
  const place = document.getElementById("task-actions");
  const keep = h("button", { type: "button", id: "keep", onclick: () => fill(place, buttons(task)) && document.getElementById("cancel").focus() }, t("task.keep"));
  const yes = h("button", { type: "button", id: "yes", class: "danger solid", onclick: () => cancel(task, yes) }, t("task.yes"));
  fill(place, h("div", { class: "confirm", role: "group", "aria-labelledby": "confirm-text" }, h("p", { id: "confirm-text" }, t(task.status === "pending" ? "task.confirmPending" : "task.confirm")), yes, keep));
  place.dataset.asks = "";
  yes.focus();
}

async function cancel(task, button) {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  let said = t("task.cancelled");
  let ended;
  try {
    ended = (await request("POST", `api/tasks/${task.id}/cancel/`)).body;
  } catch (problem) {
    // It ended otherwise meanwhile; the page will show how.
    if (problem.code !== "already_finished") {
      fill(document.getElementById("task-actions"), failed(problem), buttons(task));
      return;
    }
    said = t("problems.already_finished");
    ended = problem.body.task;
  }
  if (ended) put(ended);
  if (shownId === task.id) {
    await load(task.id);
    focusHeading(region);
  }
  changed(ended);
  announce(said);
}

function failure({ error }) {
  const known = t(`failures.${error.code}`);
  const detail = known?.detail ?? error.detail;
  return h(
    "section",
    { class: "notice bad" },
    h("h2", {}, known?.title ?? t("failures.other.title")),
    h("p", { lang: known?.detail || language === "en" ? null : "en" }, detail),
    h("p", {}, h("strong", {}, t("failures.what")), " ", known?.advice ?? t("failures.other.advice")),
    h("p", { class: "soft" }, h("code", {}, error.code)),
  );
}

function facts(task) {
  const rows = [
    ["task.created", fullTime(task.created_at)],
    ["task.scheduled", task.scheduled_at && fullTime(task.scheduled_at)],
    ["task.started", task.started_at && fullTime(task.started_at)],
    ["task.finished", task.finished_at && fullTime(task.finished_at)],
    ["task.attempts", String(task.attempts)],
    ["task.id", h("code", {}, task.id)],
  ];
  return h("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, t(name)), h("dd", {}, value))));
}

/** Returns the timeline: events, and between them what the task did and for how long. */
function timeline(task) {
  const { events } = task;
  const entries = [];
  let day = "";
  for (const [index, event] of events.entries()) {
    const at = Date.parse(event.at);
    if (moscow(at).slice(0, 10) !== day) {
      day = moscow(at).slice(0, 10);
      entries.push(h("li", { class: "day" }, date(at)));
    }
    entries.push(entry(event, task));
    const next = events[index + 1];
    const stretch = stretchAfter(event, task);
    if (next && isGap(event, next)) entries.push(h("li", { class: "stretch gap" }, t("task.gap")));
    else if (next && stretch) entries.push(between(stretch, Date.parse(next.at) - at));
    else if (!next && isActive(task)) entries.push(ongoing(task));
  }
  return h("ol", {}, entries);
}

/** Returns what follows an event: the task waits or runs. */
function stretchAfter({ event, next_try_at: next }, task) {
  if (event === "created") return task.scheduled_at ? "scheduled" : "queued";
  if (event === "started") return "running";
  if (event === "snoozed") return "waiting";
  return event === "attempt_failed" && next ? "retrying" : "";
}

/** Tells whether events between two are no longer kept. */
function isGap(event, next) {
  const ends = ["cancelled", "finished"];
  if (event.event === "created") return next.event !== "started" ? !ends.includes(next.event) : Number(next.attempt) > 1;
  return false;
}

function between(stretch, ms) {
  const kind = stretch === "running" ? "run" : "wait";
  return h("li", { class: `stretch ${kind}` }, h("span", {}, t(`task.stretch.${stretch}`)), " ", h("span", { class: "soft" }, span(ms)));
}

function ongoing(task) {
  const { phase: name, since, until } = phase(task);
  const kind = name === "running" ? "run" : "wait";
  const text = h("span", { class: "soft" });
  everySecond(text, () => {
    text.textContent = until && until > now() ? t("task.left", countdown(until - now())) : countdown(now() - since);
  });
  return h("li", { class: `stretch ${kind} now` }, h("span", {}, t(`task.going.${name}`)), " ", text);
}

function entry(event, task) {
  const kind = { created: "off", started: "run", attempt_failed: "bad", snoozed: "wait", cancelled: "off" }[event.event] ?? (event.status === "success" ? "ok" : "bad");
  return h(
    "li",
    { class: `event ${kind}` },
    h("time", { datetime: event.at }, clock(Date.parse(event.at))),
    h("i", { class: "mark", "aria-hidden": "true" }),
    h("div", {}, h("strong", {}, t(`events.${event.event}`, event)), details(event, task)),
  );
}

function details(event, task) {
  const lines = [];
  if (event.event === "created" && task.scheduled_at) lines.push(t("events.scheduledFor", `${moment(Date.parse(task.scheduled_at))} ${t("msk")}`));
  if (event.event === "attempt_failed") {
    lines.push(t(`attempts.${event.code}`) ?? event.code);
    lines.push(event.next_try_at ? t("events.nextTry", clock(Date.parse(event.next_try_at))) : t("events.noTry"));
  }
  if (event.event === "snoozed") lines.push(t("events.until", clock(Date.parse(event.until))));
  return lines.map((line) => h("p", { class: "soft" }, line));
}
