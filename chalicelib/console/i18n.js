/** The language of the page: the one that was chosen, else the browser's. */

export const LANGUAGES = { ru: "Русский", en: "English" };

function preferred() {
  const chosen = localStorage.getItem("language");
  const known = [chosen, ...navigator.languages].map((one) => (one ?? "").slice(0, 2).toLowerCase());
  return known.find((one) => one in LANGUAGES) ?? "en";
}

export const language = preferred();

const { default: words } = await import(`./${language}.js`);
const plurals = new Intl.PluralRules(language);
const numbers = new Intl.NumberFormat(language);

document.documentElement.lang = language;

/** Returns a text by its name; arguments go into texts that are functions. */
export function t(name, ...values) {
  const text = name.split(".").reduce((found, part) => (found && Object.hasOwn(found, part) ? found[part] : undefined), words);
  return typeof text === "function" ? text(...values) : text;
}

/** Returns a number with the word in its plural form: `count(5, "task")`. */
export function count(number, name) {
  return `${numbers.format(number)}\u00a0${words.plurals[name][plurals.select(number)]}`;
}

export function format(number) {
  return numbers.format(number);
}

/** Returns a reason that the service gives, in the page's language if it is a known one. */
export function reason(text) {
  const item = /^Item (\d+): (.*)$/s.exec(text);
  if (item) return t("item", Number(item[1]) + 1, reason(item[2]));
  for (const [pattern, translated] of words.reasons) {
    const match = new RegExp(`^${pattern}$`, "s").exec(text);
    if (match) return translated.replace(/\$(\d)/g, (_, group) => match[group]);
  }
  return text;
}

export function choose(chosen) {
  localStorage.setItem("language", chosen);
  location.reload();
}
