/** The form that makes a task, built from the schemas of the task types. */

import { create, request } from "./api.js";
import { announce, fill, h, icon } from "./dom.js";
import { inline, source } from "./exact.js";
import { count, reason, t } from "./i18n.js";
import { active, changes, put, SLOTS } from "./live.js";
import { Unreadable, fits, forms, limits, read, write } from "./schema.js";
import { countdown, everySecond, fromMoscow, isMoscowHere, local, moscow, now } from "./time.js";
import { failed, inputOf, skeleton, typeName, whenFree } from "./view.js";

const MINUTE = 60_000;

let types = null;
let draft = null;
let region = null;
let created = null;

let loading = null;

/** Waits until forms can be opened. */
export function ready() {
  return loading;
}

/** Builds the form in a region; `whenCreated` gets each new task. */
export function mount(target, whenCreated) {
  loading = load(target, whenCreated);
}

async function load(target, whenCreated) {
  region = target;
  created = whenCreated;
  fill(region, h("h2", {}, t("form.title")), skeleton(5));
  try {
    types ??= (await request("GET", "api/task-types/")).body;
  } catch (problem) {
    fill(region, h("h2", {}, t("form.title")), failed(problem, () => mount(target, whenCreated)));
    return;
  }
  open();
}

/** Opens a form, empty or filled from a task. Each opened form makes one task at most. */
export function open(task) {
  const known = task && types.find((one) => one.task_type === task.task_type);
  const type = known ?? draft?.type ?? types[0];
  const input = task ? inputOf(task) : {};
  const found = known ? forms(type.input_schema).findIndex((form) => fits(form, input)) : 0;
  draft = { key: crypto.randomUUID(), type, form: Math.max(0, found), input: found < 0 ? {} : input, later: null };
  draw();
  if (task) region.querySelector("textarea, input:not([type=radio])")?.focus();
}

export function focus() {
  if (!region.querySelector("form")) open();
  region.scrollIntoView({ block: "nearest" });
  region.querySelector("input, select, textarea")?.focus();
}

function draw() {
  const choices = forms(draft.type.input_schema);
  const fields = choices[draft.form].fields.map(field);
  const time = timeField();
  const problems = h("div", { class: "problems" });
  const button = h("button", { class: "primary", id: "create" }, t("form.create"));
  const form = h(
    "form",
    { novalidate: true, method: "post" },
    typeField(),
    choices.length > 1 ? formField(choices) : null,
    fields.map(({ element }) => element),
    time.element,
    problems,
    h("div", { class: "submit" }, button, slotsLeft()),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    submit({ fields, time, problems, button });
  };
  fill(region, h("h2", {}, t("form.title")), form);
}

/** Keeps what was typed when another type or form is chosen. */
function change(changes) {
  draft = { ...draft, ...changes, input: {} };
  draw();
}

function typeField() {
  const name = (type) => typeName(type.task_type);
  if (types.length > 5) {
    const select = h(
      "select",
      { id: "type", onchange: () => change({ type: types[select.selectedIndex], form: 0 }) },
      types.map((type) => h("option", { selected: type === draft.type }, name(type))),
    );
    return h("div", { class: "field" }, h("label", { for: "type" }, t("form.type")), select, errorOf("task_type"));
  }
  return h(
    "fieldset",
    { class: "field" },
    h("legend", {}, t("form.type")),
    h(
      "div",
      { class: "choices" },
      types.map((type, index) =>
        radio("type", index, type === draft.type, () => change({ type, form: 0 }), name(type)),
      ),
    ),
    h("p", { class: "hint" }, t(`types.${draft.type.task_type}.description`) ?? draft.type.description),
    errorOf("task_type"),
  );
}

function formField(choices) {
  const words = (form) => t(`types.${draft.type.task_type}.forms.${form.title}`) ?? form.title ?? "";
  return h(
    "fieldset",
    { class: "field" },
    h("legend", {}, t("form.form")),
    h(
      "div",
      { class: "choices" },
      choices.map((form, index) => radio("form", index, index === draft.form, () => change({ form: index }), words(form))),
    ),
  );
}

function radio(name, index, checked, onchange, ...words) {
  const id = `${name}-${index}`;
  return h("label", { class: "choice", for: id }, h("input", { type: "radio", name, id, checked, onchange }), h("span", {}, words));
}

function errorOf(id) {
  return h("p", { class: "error", id: `${id}-error`, hidden: true });
}

/** Returns a field: {name, element, read()}; read throws Unreadable. */
function field({ name, kind, schema, isRequired, example }, index) {
  const id = `field-${index}`;
  const own = name === null ? draft.input : draft.input[name];
  const value = own === undefined || (name === null && !Object.keys(own).length) ? schema.default : own;
  const words = t(`types.${draft.type.task_type}.fields.${name}`) ?? schema.title ?? name ?? t("form.input");
  const isKnown = words !== (schema.title ?? name);
  const hint = h("p", { class: "hint", id: `${id}-hint` });
  const { element, text } = control(kind, schema, id, write(kind, value), example);
  const describe = () => {
    const said = [limits({ kind, schema }), kind === "numbers" ? t("form.numbers") : kind === "lines" ? t("form.lines") : ""];
    const found = kind === "numbers" ? preview(text()) : "";
    hint.replaceChildren(...(found ? [h("strong", {}, found)] : [said.filter(Boolean).join(". ") || (isKnown ? "" : schema.description ?? "")]));
    hint.hidden = !hint.textContent;
  };
  element.addEventListener("input", describe);
  describe();
  const label = h("label", { for: id }, words, isRequired ? null : h("span", { class: "soft" }, ` ${t("form.optional")}`));
  const box = h(
    "div",
    { class: `field ${kind}` },
    ...(kind === "yesno" ? [h("div", { class: "check" }, element, label)] : [label, element]),
    hint,
    errorOf(id),
  );
  return { name, id, element: box, read: () => (kind === "yesno" ? element.checked : kind === "choice" ? chosen(schema, element) : read(kind, text())) };
}

function control(kind, schema, id, value, example) {
  const described = { id, "aria-describedby": `${id}-hint ${id}-error` };
  if (kind === "choice") {
    const options = schema.enum ?? [schema.const];
    const element = h("select", described, options.map((one) => h("option", { selected: write("choice", one) === value }, write("choice", one))));
    return { element, text: () => "" };
  }
  if (kind === "yesno") {
    const element = h("input", { ...described, type: "checkbox", checked: value === "true" });
    return { element, text: () => "" };
  }
  const isLong = ["numbers", "lines", "json"].includes(kind) || Number(schema.maxLength?.text) > 200;
  const hint = { placeholder: example === undefined ? false : write(kind === "numbers" ? "" : kind, example).replace(/^\[|\]$/g, kind === "numbers" ? "" : "$&") };
  const plain = { autocomplete: "off", autocapitalize: "off", spellcheck: "false", ...hint };
  if (kind === "numbers" && example) plain.placeholder = example.map(inline).join(" ");
  const element = isLong
    ? h("textarea", { ...described, ...plain, rows: kind === "json" ? 5 : 3 })
    : h("input", { ...described, ...plain, type: "text", inputmode: kind === "number" ? (schema.type === "integer" ? "numeric" : "decimal") : false });
  element.value = value;
  return { element, text: () => element.value };
}

function chosen(schema, element) {
  return (schema.enum ?? [schema.const])[element.selectedIndex];
}

/** Returns what will be sent of the numbers in a text, for people to check. */
function preview(text) {
  try {
    const found = read("numbers", text);
    if (!found) return "";
    const shown = found.slice(0, 6).map((one) => shorten(String(one)));
    return `${count(found.length, "number")}: ${shown.join(" · ")}${found.length > 6 ? " …" : ""}`;
  } catch (error) {
    if (error instanceof Unreadable) return error.message;
    throw error;
  }
}

function shorten(text) {
  return text.length > 14 ? `${text.slice(0, 6)}…${text.slice(-6)}` : text;
}

/** The time of the task: now, or a moment in Moscow. */
function timeField() {
  const start = moscow(now() + 10 * MINUTE);
  const day = h("input", { type: "date", id: "day", value: start.slice(0, 10), min: moscow(now()).slice(0, 10), "aria-describedby": "meant scheduled_at-error" });
  const clockTime = h("input", { type: "time", id: "clock", value: start.slice(11, 16), "aria-describedby": "meant scheduled_at-error" });
  const meant = h("p", { class: "meant", id: "meant" });
  const show = () => {
    const at = fromMoscow(day.value, clockTime.value);
    if (Number.isNaN(at)) return fill(meant);
    const left = at - now();
    return fill(
      meant,
      h("span", {}, left > 0 ? t("form.in", countdown(left)) : t("form.past")),
      h("span", {}, isMoscowHere(at) ? t("form.sameHere") : t("here", local(at))),
    );
  };
  const set = (ms) => {
    const at = moscow(Math.round(ms / MINUTE) * MINUTE);
    [day.value, clockTime.value] = [at.slice(0, 10), at.slice(11, 16)];
    show();
  };
  const morning = () => fromMoscow(moscow(now() + 24 * 60 * MINUTE).slice(0, 10), "09:00");
  const quick = [
    ["form.plus", () => now() + 10 * MINUTE, 10],
    ["form.plus", () => now() + 60 * MINUTE, 60],
    ["form.tomorrow", morning],
  ].map(([text, at, value]) => h("button", { type: "button", class: "chip", onclick: () => set(at()) }, t(text, value)));
  const later = h(
    "div",
    { class: "later", hidden: draft.later === null },
    h(
      "div",
      { class: "moment" },
      h("div", {}, h("label", { for: "day" }, t("form.day")), day),
      h("div", {}, h("label", { for: "clock" }, t("form.clock")), clockTime),
      h("p", { class: "zone" }, t("moscowTime")),
    ),
    everySecond(meant, show),
    h("div", { class: "chips" }, quick),
  );
  const choose = (isLater) => {
    draft.later = isLater || null;
    later.hidden = !isLater;
    show();
  };
  for (const input of [day, clockTime]) input.addEventListener("input", show);
  const element = h(
    "fieldset",
    { class: "field when" },
    h("legend", {}, t("form.when")),
    h("div", { class: "choices" }, radio("when", 0, !draft.later, () => choose(false), t("form.now")), radio("when", 1, Boolean(draft.later), () => choose(true), t("form.later"))),
    later,
    errorOf("scheduled_at"),
  );
  const read = () => (draft.later ? `${day.value}T${clockTime.value}:00+03:00` : undefined);
  return { id: "clock", element, read };
}

function slotsLeft() {
  const text = h("p", { class: "soft", id: "slots-left" });
  const show = () => {
    const tasks = active();
    const left = tasks && SLOTS - tasks.length;
    text.textContent = !tasks ? "" : left > 0 ? t("form.left", count(left, "slot")) : t("form.full");
    text.classList.toggle("wait-text", left === 0);
  };
  show();
  return h("div", {}, everySecond(text, show));
}

async function submit({ fields, time, problems, button }) {
  if (button.getAttribute("aria-disabled")) return;
  forgetErrors();
  fill(problems);
  const input = collect(fields);
  if (input === null) return focusError();
  const scheduled = time.read();
  button.setAttribute("aria-disabled", "true");
  button.classList.add("busy");
  try {
    done(await create(draft.type.task_type, input, draft.key, scheduled));
  } catch (problem) {
    button.removeAttribute("aria-disabled");
    show(problem, fields, problems);
  } finally {
    button.classList.remove("busy");
  }
}

/** Returns the input; null if something in it cannot be read. */
function collect(fields) {
  let input = {};
  let isReadable = true;
  for (const { name, id, read: value } of fields) {
    try {
      const found = value();
      if (name === null) input = found ?? {};
      else if (found !== undefined) input[name] = found;
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      tell(id, [error.message]);
      isReadable = false;
    }
  }
  return isReadable ? input : null;
}

function show(problem, fields, problems) {
  if (problem.status === 400 && !problem.body.detail) {
    const { input_data: inner, ...outer } = problem.body;
    const rest = [];
    for (const [name, reasons] of Object.entries({ ...outer, ...(Array.isArray(inner) ? { input: inner } : inner) })) {
      const place = fields.find((one) => one.name === name || one.name === null)?.id ?? name;
      if (!tell(place, flatten(reasons))) rest.push(...flatten(reasons).map((text) => `${name}: ${text}`));
    }
    if (rest.length) fill(problems, h("div", { class: "notice bad", role: "alert" }, rest.map((text) => h("p", {}, text))));
    return focusError();
  }
  if (problem.code === "active_task_limit") {
    const text = h("p", {});
    const draw = () => (text.textContent = t("problems.active_task_limit", problem, whenFree()));
    return fill(problems, h("div", { class: "notice wait", role: "alert" }, everySecond(text, draw)));
  }
  // The first answer got lost: that task exists. A new key makes another one.
  if (problem.code === "idempotency_key_reused") draft.key = crypto.randomUUID();
  return fill(problems, failed(problem));
}

/** Returns the reasons in a part of the answer, however deep they are. */
function flatten(reasons) {
  if (Array.isArray(reasons)) return reasons.map(reason);
  return Object.entries(reasons).flatMap(([name, inner]) => flatten(inner).map((text) => `${name}: ${text}`));
}

/** Shows reasons at a field; false if there is no such field. */
function tell(id, reasons) {
  const place = document.getElementById(`${id}-error`);
  if (!place) return false;
  fill(place, reasons.slice(0, 3).map((text) => h("span", {}, text)), reasons.length > 3 ? h("span", {}, t("form.more", reasons.length - 3)) : null);
  place.hidden = false;
  const input = id === "scheduled_at" ? document.getElementById("clock") : document.getElementById(id);
  input?.setAttribute("aria-invalid", "true");
  return true;
}

function forgetErrors() {
  for (const place of region.querySelectorAll(".error")) fill(place).hidden = true;
  for (const input of region.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

function focusError() {
  const faults = [...region.querySelectorAll(".error:not([hidden])")];
  region.querySelector("[aria-invalid]")?.focus();
  announce(faults.map((place) => place.textContent).join(" "));
}

/** Shows what the form made. Only a new form makes another task. */
function done(task) {
  put(task);
  const text = t(`form.done.${task.status}`, typeName(task.task_type), task);
  announce(text);
  fill(
    region,
    h("h2", {}, t("form.title")),
    h(
      "div",
      { class: "done" },
      h("p", { class: "lead" }, icon("check"), text),
      task.status === "success" ? result(source(task.result)) : null,
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", class: "primary", id: "another", onclick: () => open() }, t("form.another")),
        h("button", { type: "button", id: "similar", onclick: () => open(task) }, t("form.similar")),
      ),
      h("p", {}, h("a", { href: `#task=${task.id}` }, t("form.see"))),
    ),
  );
  region.querySelector("#another").focus({ preventScroll: true });
  created(task);
}

function result(text) {
  const isLong = text.length > 60;
  return h("output", { class: isLong ? "result long" : "result", tabindex: isLong ? "0" : null }, text);
}

changes.addEventListener("change", () => {
  if (region?.querySelector("#slots-left") && active()?.length < SLOTS) region.querySelector(".notice.wait")?.remove();
});
