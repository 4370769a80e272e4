/** The history: a page of tasks, by status; the address says which. */

import { request } from "./api.js";
import { announce, fill, h, icon } from "./dom.js";
import { inline } from "./exact.js";
import { count, t } from "./i18n.js";
import { known, phase } from "./live.js";
import { moment, span } from "./time.js";
import { badge, brief, failed, shorten, skeleton, state, time, typeName } from "./view.js";

const STATUSES = ["", "pending", "started", "success", "failure", "cancelled"];
const PAGE_SIZE = 20;

let region = null;
let where = new URLSearchParams();
let shown = null;
let asked = 0;
let again = null;

/** Builds the history in a region; `runAgain` makes a task like another one. */
export function mount(target, runAgain) {
  region = target;
  again = runAgain;
}

/** Shows the page that an address names. */
export async function show(parameters) {
  const isSame = shown && where.toString() === parameters.toString();
  where = parameters;
  if (!isSame) draw(skeleton(6));
  await load();
}

/** Asks for the page that is shown once more. */
export async function load() {
  const number = ++asked;
  try {
    const { body } = await request("GET", `api/tasks/?${where}`);
    // Only the newest question counts.
    if (number !== asked) return;
    shown = body;
    draw(list(body));
  } catch (problem) {
    if (number !== asked) return;
    shown = null;
    draw(problem.status === 404 || problem.status === 400 ? noPage() : failed(problem, load));
  }
}

/** Draws the rows again: what is known of their tasks has changed. */
export function update(task) {
  if (!shown || !task) return;
  const index = shown.results.findIndex(({ id }) => id === task.id);
  if (index < 0) return;
  shown.results[index] = task;
  draw(list(shown));
}

function draw(content) {
  const status = where.get("status") ?? "";
  fill(
    region,
    h(
      "header",
      {},
      h("h2", {}, t("history.title"), shown && content.matches(".list") ? h("span", { class: "soft" }, count(Number(shown.count), "task")) : null),
      h("nav", { class: "filters", "aria-label": t("history.filter") }, STATUSES.map((one) => filter(one, status))),
    ),
    content,
  );
}

function filter(status, current) {
  return h(
    "a",
    { href: status ? `#status=${status}` : "#", id: `filter-${status}`, "aria-current": status === current ? "page" : null },
    t(`history.${status || "all"}`),
  );
}

function list(page) {
  if (!page.results.length) return empty();
  return h("div", { class: "list" }, h("ol", {}, page.results.map(row)), pages(page));
}

function row(task) {
  const current = known(task.id) ?? task;
  return h(
    "li",
    { class: "row" },
    h(
      "a",
      { href: `#task=${task.id}`, id: `row-${task.id}` },
      badge(state(current)),
      h("strong", {}, typeName(task.task_type)),
      h("span", { class: "data" }, brief(task.input_data)),
      outcome(current),
      h("span", { class: "when" }, time(task.created_at)),
    ),
    h(
      "button",
      { type: "button", class: "small icon-only", id: `again-${task.id}`, "aria-label": t("againOf", typeName(task.task_type)), title: t("again"), onclick: (event) => again(task, event.currentTarget) },
      icon("again"),
    ),
  );
}

function outcome(task) {
  const text = {
    success: () => `= ${shorten(inline(task.result), 40)}`,
    failure: () => t(`failures.${task.error.code}.short`) ?? task.error.code,
    started: () => until(task),
    cancelled: () => "",
    pending: () => (task.scheduled_at ? [t("history.at"), " ", time(task.scheduled_at)] : ""),
  }[task.status];
  return h("span", { class: `outcome ${task.status}` }, text ? text() : took(task));
}

function until(task) {
  const end = task.events && phase(task).until;
  return end ? [t("history.until"), " ", h("span", {}, moment(end))] : "";
}

function took(task) {
  return task.finished_at && task.started_at ? span(Date.parse(task.finished_at) - Date.parse(task.started_at)) : "";
}

function pages({ next, previous, count: total }) {
  if (!next && !previous) return null;
  const number = Number(where.get("page") ?? 1) || null;
  const last = Math.max(1, Math.ceil(Number(total) / PAGE_SIZE));
  const link = (url, name) =>
    url ? h("a", { href: `#${new URL(url).searchParams}`, id: name, class: "button", rel: name }, t(`history.${name}`)) : h("span", {});
  return h(
    "nav",
    { class: "pages", "aria-label": t("history.pages") },
    link(previous, "prev"),
    h("span", { class: "soft" }, number ? t("history.page", number, last) : ""),
    link(next, "next"),
  );
}

function empty() {
  const status = where.get("status");
  return h(
    "div",
    { class: "empty" },
    h("div", { class: "five", "aria-hidden": "true" }, Array.from({ length: 5 }, () => h("i"))),
    h("p", { class: "lead" }, t(`history.empty.${status ?? "all"}`)),
    h("p", { class: "soft" }, t(status ? "history.emptyHint" : "history.emptyAll")),
  );
}

function noPage() {
  return h("div", { class: "empty" }, h("p", { class: "lead" }, t("history.noPage")), h("p", {}, h("a", { href: "#" }, t("history.first"))));
}

/** Moves the focus along the rows. */
export function step(by) {
  const rows = [...region.querySelectorAll(".row > a")];
  const at = rows.indexOf(document.activeElement);
  rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
}

/** Turns the page. */
export function turn(name) {
  const link = document.getElementById(name);
  if (link) link.click();
  else announce(t(`history.no-${name}`));
}
