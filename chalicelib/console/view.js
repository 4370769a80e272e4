/** Parts that several views share. */

import { inline, pretty, source } from "./exact.js";
import { announce, h, icon } from "./dom.js";
import { count, t } from "./i18n.js";
import { active, nextFree, phase } from "./live.js";
import { clock, countdown, date, isMoscowHere, local, moment, now } from "./time.js";

/** The colour of each state: waiting, running, done, failed, off. */
const KINDS = {
  queued: "wait",
  scheduled: "wait",
  waiting: "wait",
  retrying: "wait",
  running: "run",
  success: "ok",
  failure: "bad",
  cancelled: "off",
};

/** Returns a task's state for people: a started task runs or waits, if it is known which. */
export function state(task) {
  if (task.status === "started") return task.events ? phase(task).phase : "started";
  return task.status === "pending" ? phase(task).phase : task.status;
}

/** Returns a state as a mark and a word. */
export function badge(name) {
  return h("span", { class: `badge ${KINDS[name] ?? "run"}` }, h("i", { class: "mark", "aria-hidden": "true" }), t(`states.${name}`));
}

/** Returns what a clock of an active task counts, beside its time. */
export function clockLabel({ phase: name, until, end }) {
  if (until && until <= now()) return t("slots.soon");
  return until ? t(`slots.until.${end ? "running" : name}`) : t(`slots.since.${name}`);
}

/** Returns a name of a task type for people. */
export function typeName(name) {
  return t(`types.${name}.name`) ?? name;
}

/** Returns an input in one line of at most some 100 characters. */
export function brief(input) {
  const entries = Object.entries(input);
  const plain = (value) => (Array.isArray(value) ? value.slice(0, 50).map(inline).join(", ") : inline(value));
  return shorten(entries.length === 1 ? plain(entries[0][1]) : entries.map(([name, value]) => `${name}: ${plain(value)}`).join(", "), 100);
}

/** Cuts a text that is too long for a line. */
export function shorten(text, most) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** Returns the input of a task, without the time that older clients put into it. */
export function inputOf(task) {
  const { scheduled_at: _, ...input } = task.input_data;
  return input;
}

/** Returns in words when the next slot becomes free. */
export function whenFree() {
  const next = active()?.length ? nextFree() : null;
  if (!next) return "";
  if (!next.at || next.at <= now()) return t("slots.soon");
  return next.isExact ? t("slots.in", countdown(next.at - now())) : t("slots.about", next.at - now() < 86_400_000 ? clock(next.at) : date(next.at));
}

/** Returns a moment in Moscow; pointing at it shows the browser's own. */
export function time(iso) {
  const ms = Date.parse(iso);
  return h("time", { datetime: iso, title: local(ms) }, moment(ms));
}

/** Returns a moment in full: in Moscow with its zone, and here if that is another time. */
export function fullTime(iso) {
  const ms = Date.parse(iso);
  const here = isMoscowHere(ms) ? null : h("span", { class: "soft" }, t("here", local(ms)));
  return h("span", { class: "full-time" }, h("time", { datetime: iso }, `${date(ms)}, ${clock(ms)} ${t("msk")}`), here);
}

/** Returns a value as it was sent, with ways to take it along. */
export function document_(title, value, filename) {
  const text = source(value);
  const digits = /^-?[\d.]+$/.test(text) ? text.replace(/\D/g, "").length : 0;
  return h(
    "section",
    { class: "document" },
    h(
      "header",
      {},
      h("h2", {}, title, digits > 20 ? h("span", { class: "soft" }, count(digits, "digit")) : null),
      h("div", { class: "actions" }, copyButton(text, title), downloadButton(text, filename, title)),
    ),
    h("pre", { class: /^[^[{]{1,24}$/.test(text) ? "short" : null, tabindex: "0", role: "region", "aria-label": title }, pretty(value)),
  );
}

function copyButton(text, title) {
  const words = h("span", {}, t("copy"));
  const button = h("button", { type: "button", class: "small", "aria-label": t("copyOf", title) }, icon("copy"), words);
  button.onclick = async () => {
    await navigator.clipboard.writeText(text);
    words.textContent = t("copied");
    announce(t("copied"));
    setTimeout(() => (words.textContent = t("copy")), 2000);
  };
  return button;
}

function downloadButton(text, filename, title) {
  const button = h(
    "button",
    { type: "button", class: "small", "aria-label": t("downloadOf", title) },
    icon("download"),
    t("download"),
  );
  button.onclick = () => {
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    h("a", { href: url, download: filename }).click();
    URL.revokeObjectURL(url);
  };
  return button;
}

/** Returns what to say of a problem, in words that tell what to do. */
export function explain(problem) {
  if (problem.status === undefined) throw problem;
  const text = t(`problems.${problem.code}`, problem) ?? (problem.status >= 500 ? t("problems.internal", problem) : null);
  return text ?? problem.body?.detail ?? t("problems.unknown", problem);
}

/** Returns an alert with a way to try again. */
export function failed(problem, again) {
  return h(
    "div",
    { class: "notice bad", role: "alert" },
    h("p", {}, explain(problem)),
    again && h("button", { type: "button", class: "small", onclick: again }, icon("again"), t("tryAgain")),
  );
}

/** Returns grey lines where content will be. */
export function skeleton(lines) {
  return h(
    "div",
    { class: "skeleton", role: "status" },
    h("span", { class: "hidden" }, t("loading")),
    Array.from({ length: lines }, () => h("i", { "aria-hidden": "true" })),
  );
}
