/** Signing in and registering. */

import { register, signIn } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { reason, t } from "./i18n.js";
import { everySecond, countdown, now } from "./time.js";
import { failed } from "./view.js";

let region = null;
let isNew = false;

export function mount(target) {
  region = target;
  isNew = false;
  draw();
}

function draw(name = "") {
  const username = input("username", t("sign.username"), { autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: 150 });
  const password = input("password", t("sign.password"), { type: "password", autocomplete: isNew ? "new-password" : "current-password" });
  username.control.value = name;
  const reveal = h("button", { type: "button", class: "reveal", "aria-pressed": "false", "aria-controls": "password" }, t("sign.show"));
  reveal.onclick = () => {
    const isShown = password.control.type === "text";
    password.control.type = isShown ? "password" : "text";
    reveal.setAttribute("aria-pressed", String(!isShown));
    reveal.textContent = t(isShown ? "sign.show" : "sign.hide");
  };
  password.control.after(reveal);
  const problems = h("div", { class: "problems" });
  const button = h("button", { class: "primary wide", id: "sign" }, t(isNew ? "sign.register" : "sign.in"));
  const form = h(
    "form",
    { novalidate: true, method: "post", class: "sign-form" },
    h("h1", {}, t(isNew ? "sign.registerTitle" : "sign.inTitle")),
    username.element,
    password.element,
    isNew ? h("p", { class: "hint", id: "password-hint" }, t("sign.passwordHint")) : null,
    problems,
    button,
    h(
      "p",
      { class: "other" },
      t(isNew ? "sign.haveAccount" : "sign.noAccount"),
      " ",
      h("button", { type: "button", class: "link", id: "other", onclick: () => switchTo(!isNew, username.control.value) }, t(isNew ? "sign.in" : "sign.register")),
    ),
  );
  form.onsubmit = (event) => {
    event.preventDefault();
    submit({ username, password, problems, button });
  };
  fill(region, h("div", { class: "sign" }, about(), form));
}

function switchTo(registers, name) {
  isNew = registers;
  draw(name);
  document.getElementById("username").focus();
}

function about() {
  return h(
    "div",
    { class: "about" },
    h("div", { class: "five big", "aria-hidden": "true" }, Array.from({ length: 5 }, () => h("i"))),
    h("p", { class: "claim" }, t("sign.claim")),
    h("p", { class: "soft" }, t("sign.about")),
  );
}

function input(name, label, attributes) {
  const control = h("input", { id: name, name, type: "text", required: true, "aria-describedby": `${name}-error`, ...attributes });
  const error = h("p", { class: "error", id: `${name}-error`, hidden: true });
  return { control, error, element: h("div", { class: "field" }, h("label", { for: name }, label), h("div", { class: "with-button" }, control), error) };
}

async function submit({ username, password, problems, button }) {
  if (button.getAttribute("aria-disabled")) return;
  for (const { control, error } of [username, password]) {
    fill(error).hidden = true;
    control.removeAttribute("aria-invalid");
  }
  fill(problems);
  button.setAttribute("aria-disabled", "true");
  button.classList.add("busy");
  try {
    await (isNew ? register : signIn)(username.control.value, password.control.value);
    password.control.value = "";
    dispatchEvent(new Event("signedin"));
  } catch (problem) {
    show(problem, { username, password, problems });
  } finally {
    button.removeAttribute("aria-disabled");
    button.classList.remove("busy");
  }
}

function show(problem, { username, password, problems }) {
  if (problem.status === 400 && !problem.body.detail) {
    const fields = Object.entries({ username, password }).filter(([name]) => problem.body[name]);
    for (const [name, { control, error }] of fields) {
      fill(error, problem.body[name].map((text) => h("span", {}, reason(text)))).hidden = false;
      control.setAttribute("aria-invalid", "true");
    }
    fields[0]?.[1].control.focus();
    announce(fields.map(([, { error }]) => error.textContent).join(" "));
  } else if (problem.code === "throttled" && problem.retryAfter) {
    const until = now() + problem.retryAfter * 1000;
    const draw = (text) => (text.textContent = t("problems.throttledUntil", countdown(until - now())));
    fill(problems, h("div", { class: "notice wait", role: "alert" }, everySecond(h("p"), draw)));
  } else {
    fill(problems, failed(problem));
    if (problem.status === 401) password.control.select();
  }
}
