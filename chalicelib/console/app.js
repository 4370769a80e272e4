/** The console: its frame, its addresses, and who gets to know what. */

import { create, restore, signOut, username } from "./api.js";
import { announce, fill, focusHeading, h } from "./dom.js";
import * as form from "./form.js";
import * as history from "./history.js";
import { LANGUAGES, choose, language, t } from "./i18n.js";
import { listen, showKeys } from "./keys.js";
import * as live from "./live.js";
import * as sign from "./sign.js";
import * as slots from "./slots.js";
import * as task from "./task.js";
import { clock, everySecond, now } from "./time.js";
import { explain, failed, inputOf, typeName, whenFree } from "./view.js";

const app = document.getElementById("app");
const main = h("main", { id: "main", tabindex: "-1" });
const who = h("div", { class: "who" });
const places = {
  slots: h("section", { class: "slots", "aria-label": t("slots.title") }),
  form: h("section", { class: "panel form" }),
  history: h("section", { class: "history" }),
  task: h("article", { class: "task", hidden: true }),
};
const home = h("div", { class: "home" }, h("h1", { class: "hidden" }, t("title")), places.form, places.history);

function frame() {
  const skip = h("a", { href: "#main", class: "skip" }, t("skip"));
  skip.onclick = (event) => {
    event.preventDefault();
    main.focus();
  };
  fill(
    app,
    skip,
    h(
      "header",
      { class: "bar" },
      h("a", { href: "#", class: "brand", id: "brand" }, h("span", { class: "five", "aria-hidden": "true" }, Array.from({ length: 5 }, () => h("i"))), t("title")),
      everySecond(h("p", { class: "moscow", title: t("moscowTime") }), (text) => fill(text, h("span", {}, clock(now())), h("abbr", { title: t("moscowTime") }, t("msk")))),
      who,
      languages(),
      h("button", { type: "button", class: "small icon-only keys-button", id: "keys", "aria-label": t("keys.title"), title: t("keys.title"), onclick: showKeys }, "?"),
    ),
    main,
  );
}

function languages() {
  return h(
    "div",
    { class: "languages", role: "group", "aria-label": t("language") },
    Object.entries(LANGUAGES).map(([code, name]) =>
      h("button", { type: "button", id: `language-${code}`, lang: code, "aria-pressed": String(code === language), title: name, "aria-label": name, onclick: () => choose(code) }, code.toUpperCase()),
    ),
  );
}

function parameters() {
  return new URLSearchParams(location.hash.slice(1));
}

/** The address of the list that was shown last. */
let list = "#";

/** Shows what the address names. */
async function route() {
  if (!username()) return;
  document.querySelector(".toast")?.remove();
  const id = parameters().get("task");
  const from = places.task.hidden || id ? "" : task.hide();
  places.task.hidden = !id;
  home.hidden = Boolean(id);
  main.classList.toggle("on-task", Boolean(id));
  if (id) {
    scrollTo(0, 0);
    await task.show(id);
  } else {
    list = `#${parameters()}`;
    await history.show(parameters());
    // Unless something else has the focus already, such as a form that was opened.
    if (from && document.activeElement === document.body) {
      const row = document.getElementById(`row-${from}`);
      if (row) row.focus();
      else focusHeading(places.history);
    }
  }
  entitle();
}

function entitle() {
  const name = parameters().get("task") && username() ? `${task.title()} · ` : "";
  document.title = (username() ? slots.summary() : "") + name + t("title");
}

function showSignIn() {
  live.clear();
  fill(who);
  sign.mount(main);
  entitle();
}

async function showTasks() {
  fill(
    who,
    h("span", { class: "name", title: username() }, username()),
    h("button", { type: "button", class: "small", id: "sign-out", onclick: leave }, t("sign.out")),
  );
  fill(main, places.slots, home, places.task);
  slots.mount(places.slots, newTask);
  form.mount(places.form, refresh);
  history.mount(places.history, again);
  task.mount(places.task, { again, edit, list: () => list });
  await Promise.all([loadSlots(), route()]);
}

async function leave(event) {
  const button = event.currentTarget;
  try {
    await signOut();
    announce(t("sign.signedOut"));
  } catch (problem) {
    button.after(h("span", { class: "error", role: "alert" }, explain(problem)));
  }
}

async function loadSlots() {
  try {
    await live.load();
  } catch (problem) {
    if (problem.status === 401) return;
    fill(places.slots, failed(problem, () => slots.mount(places.slots, newTask) || loadSlots()));
  }
}

/** A task was made: it takes a slot, and is in the list. */
async function refresh(made) {
  live.changed(made);
  if (home.hidden) return;
  // The newest tasks are on the first page.
  if (parameters().has("page")) location.hash = "";
  else await history.load();
}

/** Makes a task like another one. A button makes one only. */
async function again(like, button) {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  button.dataset.key ??= crypto.randomUUID();
  try {
    const made = await create(like.task_type, inputOf(like), button.dataset.key);
    live.put(made);
    announce(t(`form.done.${made.status}`, typeName(made.task_type), made));
    location.hash = `task=${made.id}`;
    live.changed(made);
  } catch (problem) {
    if (problem.code === "active_task_limit") toast(t("problems.active_task_limit", problem, whenFree()), "limit");
    else toast(explain(problem));
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

/** Goes to the list, and waits until it is there. */
async function goHome() {
  if (!places.task.hidden) {
    await new Promise((arrive) => {
      addEventListener("hashchange", arrive, { once: true });
      location.hash = list;
    });
  }
  await form.ready();
}

async function newTask() {
  await goHome();
  form.focus();
}

async function edit(like) {
  await goHome();
  form.open(like);
  places.form.scrollIntoView({ block: "start" });
}

/** Shows a problem that has no place of its own. */
function toast(text, kind = "") {
  document.querySelector(".toast")?.remove();
  const close = h("button", { type: "button", class: "small", onclick: () => box.remove() }, t("close"));
  const box = h("div", { class: `toast ${kind}`, role: "alert" }, h("p", {}, text), close);
  main.append(box);
}

live.changes.addEventListener("change", ({ detail: changed }) => {
  slots.draw();
  entitle();
  document.querySelector(".toast.offline")?.remove();
  if (live.active()?.length < live.SLOTS) document.querySelector(".toast.limit")?.remove();
  task.check();
  if (!changed) return;
  task.update(changed);
  history.update(changed);
  if (!live.isActive(changed) && changed.events) {
    announce(t(`ended.${changed.status}`, typeName(changed.task_type), changed));
    if (!home.hidden) history.load();
  }
});

live.changes.addEventListener("offline", () => {
  toast(t("problems.offline"), "offline");
});

addEventListener("hashchange", route);
addEventListener("signedin", showTasks);
addEventListener("signedout", showSignIn);
addEventListener("titled", entitle);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && username()) {
    loadSlots();
    if (!home.hidden) history.load();
  }
});

const PRESSED = {
  "?": showKeys,
  n: newTask,
  j: () => history.step(1),
  k: () => history.step(-1),
  "[": () => history.turn("prev"),
  "]": () => history.turn("next"),
  h: () => (location.hash = ""),
  Escape: () => {
    document.querySelector(".toast")?.remove();
    const keep = document.getElementById("keep");
    if (keep) keep.click();
    else if (!places.task.hidden) location.hash = list;
  },
};

listen((key) => {
  if (key === "?") return showKeys() || true;
  if (!username()) return false;
  if (/^[1-5]$/.test(key)) return places.slots.querySelectorAll("a.card")[key - 1]?.click() || true;
  PRESSED[key]?.();
  return key in PRESSED;
});

async function start() {
  frame();
  try {
    if (await restore()) await showTasks();
    else showSignIn();
  } catch (problem) {
    fill(main, failed(problem, start));
  }
}

await start();
