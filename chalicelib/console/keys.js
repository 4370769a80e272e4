/** Keys: `?` shows them. They can be turned off, for those who speak to their computer. */

import { h, icon } from "./dom.js";
import { t } from "./i18n.js";

/** By name of the text that explains it. */
const KEYS = [
  ["keys.help", "?"],
  ["keys.new", "n"],
  ["keys.slot", "1 – 5"],
  ["keys.rows", "j", "k"],
  ["keys.pages", "[", "]"],
  ["keys.home", "h"],
  ["keys.back", "Esc"],
];

let dialog = null;

function isOn() {
  return localStorage.getItem("keys") !== "off";
}

/** Calls `press` with the name of each key that is meant for the page. */
export function listen(press) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const isTyping = event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select, dialog");
    if (isTyping) return;
    if (event.key === "Escape") return press("Escape");
    if (!isOn()) return;
    // On a Russian keyboard the letters are elsewhere, the keys are the same.
    const letter = /^Key([A-Z])$/.exec(event.code)?.[1].toLowerCase();
    const bracket = { BracketLeft: "[", BracketRight: "]" }[event.code];
    const key = event.key.length === 1 && event.key > "\u007f" ? letter ?? bracket ?? event.key : event.key;
    if (press(key)) event.preventDefault();
  });
}

export function showKeys() {
  dialog?.remove();
  const close = h("button", { type: "button", class: "small icon-only", "aria-label": t("keys.close"), onclick: () => dialog.close() }, icon("stop"));
  const toggle = h("input", { type: "checkbox", id: "keys-on", checked: isOn(), onchange: () => localStorage.setItem("keys", toggle.checked ? "on" : "off") });
  dialog = h(
    "dialog",
    { "aria-labelledby": "keys-title" },
    h("header", {}, h("h2", { id: "keys-title" }, t("keys.title")), close),
    h("dl", { class: "keys" }, KEYS.map(([name, ...keys]) => h("div", {}, h("dt", {}, keys.map((key) => h("kbd", {}, key))), h("dd", {}, t(name))))),
    h("div", { class: "check" }, toggle, h("label", { for: "keys-on" }, t("keys.on"))),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
