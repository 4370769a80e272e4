/** The five slots: what each active task does, and when the next slot becomes free. */

import { fill, h, icon } from "./dom.js";
import { t } from "./i18n.js";
import { SLOTS, active, phase } from "./live.js";
import { countdown, everySecond, moment, now } from "./time.js";
import { badge, brief, clockLabel, typeName, whenFree } from "./view.js";

let region = null;
let begin = null;

/** Builds the slots in a region; the first free one calls `beginTask`. */
export function mount(target, beginTask) {
  region = target;
  begin = beginTask;
  draw();
}

export function draw() {
  const tasks = active();
  const cards = tasks ? [...tasks.map(taken), ...Array.from({ length: Math.max(0, SLOTS - tasks.length) }, (_, index) => free(index))] : Array.from({ length: SLOTS }, unknown);
  fill(
    region,
    h(
      "header",
      {},
      h("h2", {}, t("slots.title"), tasks ? h("span", { class: "soft" }, t("slots.taken", tasks.length, SLOTS)) : null),
      tasks?.length ? everySecond(h("p", { class: "next" }), (text) => (text.textContent = nextText())) : null,
    ),
    h("ol", { class: tasks && !tasks.length ? "all-free" : "" }, cards),
  );
}

function nextText() {
  const text = whenFree();
  return text ? t("slots.next", text) : "";
}

function taken(task) {
  const current = phase(task);
  const { phase: name, since, until } = current;
  const face = h("span", { class: "face", role: "timer", "aria-live": "off" });
  const label = h("span", { class: "soft" });
  const bar = h("span", { class: "progress", "aria-hidden": "true" });
  const card = h(
    "a",
    { href: `#task=${task.id}`, id: `slot-${task.id}`, class: "card" },
    badge(name),
    h("span", { class: "clock" }, label, face),
    h("span", { class: "what" }, h("strong", {}, typeName(task.task_type)), h("span", { class: "soft data" }, brief(task.input_data))),
    until ? h("span", { class: "soft at" }, t("slots.at", moment(until))) : h("span", { class: "soft at" }, attempts(task)),
    bar,
  );
  everySecond(card, () => {
    label.textContent = clockLabel(current);
    face.textContent = countdown(until ? until - now() : now() - since);
    bar.style.setProperty("--done", until && until > since ? Math.min(1, (now() - since) / (until - since)) : 0);
  });
  card.classList.toggle("is-run", name === "running");
  return h("li", {}, card);
}

function attempts(task) {
  return Number(task.attempts) > 1 ? t("slots.attempt", Number(task.attempts)) : "";
}

function free(index) {
  const words = h("span", {}, t("slots.free"));
  // One way into the form is enough for who goes from button to button.
  if (index) return h("li", { class: "free" }, words);
  const name = `${t("slots.free")}: ${t("form.title")}`;
  return h("li", { class: "free" }, h("button", { type: "button", id: "free", "aria-label": name, onclick: begin }, icon("plus"), words));
}

function unknown() {
  return h("li", { class: "free loading" }, h("span", { class: "hidden" }, t("loading")));
}

/** Returns in one line what the slots are, for the title of the page. */
export function summary() {
  const tasks = active();
  return tasks?.length ? `${tasks.length}/${SLOTS} · ` : "";
}

