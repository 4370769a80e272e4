/** Moments in Moscow's time and in the browser's, and how long it is until then. */

import { language, t } from "./i18n.js";

const MOSCOW = "Europe/Moscow";
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let ahead = 0;

/** Returns the service's time in ms: a countdown must not depend on a clock that is wrong. */
export function now() {
  return Date.now() + ahead;
}

/** Learns the service's time from the Date of an answer, which is cut to a second. */
export function synchronize(date) {
  const difference = Date.parse(date) + SECOND / 2 - Date.now();
  if (Math.abs(difference - ahead) > 1.5 * SECOND) ahead = Math.abs(difference) > 1.5 * SECOND ? difference : 0;
}

function formatted(zone, options) {
  return new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { timeZone: zone, hourCycle: "h23", ...options });
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const day = { day: "numeric", month: "short" };
const clocks = formatted(MOSCOW, CLOCK);
const days = formatted(MOSCOW, day);
const years = formatted(MOSCOW, { ...day, year: "numeric" });
const parts = formatted(MOSCOW, { year: "numeric", month: "2-digit", day: "2-digit", ...CLOCK });
const here = formatted(HERE, { weekday: "short", ...day, hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
const hereClock = formatted(HERE, { ...CLOCK, timeZoneName: "short" });

/** Returns the time of the day in Moscow. */
export function clock(ms) {
  return clocks.format(ms);
}

/** Returns the day in Moscow, with the year unless it is this one. */
export function date(ms) {
  const isThisYear = moscow(ms).slice(0, 4) === moscow(now()).slice(0, 4);
  return (isThisYear ? days : years).format(ms);
}

/** Returns day and time in Moscow; of today only the time. */
export function moment(ms) {
  const isToday = moscow(ms).slice(0, 10) === moscow(now()).slice(0, 10);
  return isToday ? clock(ms) : `${date(ms)}, ${clock(ms)}`;
}

/** Returns a moment as it is here: with the day and the zone. */
export function local(ms) {
  return here.format(ms);
}

export function localClock(ms) {
  return hereClock.format(ms);
}

/** Tells whether the browser's clock shows Moscow's time at a moment. */
export function isMoscowHere(ms) {
  return formatted(HERE, CLOCK).format(ms) === clock(ms) && new Date(ms).getTimezoneOffset() === -180;
}

/** Returns a moment as the fields of a form have it: 2030-02-20T15:30:00, in Moscow. */
export function moscow(ms) {
  const found = Object.fromEntries(parts.formatToParts(ms).map(({ type, value }) => [type, value]));
  return `${found.year}-${found.month}-${found.day}T${found.hour}:${found.minute}:${found.second}`;
}

/** Returns the moment of a date and a time in Moscow in ms; NaN if they are none. */
export function fromMoscow(day, time) {
  return Date.parse(`${day}T${time}:00+03:00`);
}

/** Returns the time that is left as a clock shows it: 04:59, 1:00:00, 2 d 01:00:00. */
export function countdown(ms) {
  const seconds = Math.max(0, Math.ceil(ms / SECOND));
  const pad = (number) => String(number).padStart(2, "0");
  const [d, rest] = [Math.floor(seconds / 86400), seconds % 86400];
  const [hours, minutes] = [Math.floor(rest / 3600), Math.floor((rest % 3600) / 60)];
  const tail = `${pad(minutes)}:${pad(rest % 60)}`;
  if (d) return `${t("units.d", d)} ${pad(hours)}:${tail}`;
  return hours ? `${hours}:${tail}` : tail;
}

/** Returns how long something took, in words. */
export function span(ms) {
  if (ms < SECOND) return t("units.ms", Math.max(1, Math.round(ms)));
  if (ms < MINUTE) return t("units.s", decimal(ms / SECOND));
  const whole = Math.round(ms / SECOND) * SECOND;
  const units = [["d", DAY], ["h", HOUR], ["min", MINUTE], ["s", SECOND]];
  const first = units.findIndex(([, size]) => whole >= size);
  const big = Math.floor(whole / units[first][1]);
  const small = units[first + 1] ? Math.floor((whole % units[first][1]) / units[first + 1][1]) : 0;
  const text = t(`units.${units[first][0]}`, big);
  return small ? `${text} ${t(`units.${units[first + 1][0]}`, small)}` : text;
}

function decimal(number) {
  return new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(number);
}

const faces = new Set();
let ticking = 0;

/** Keeps the text of an element right, every second, for as long as it is on the page. */
export function everySecond(element, draw) {
  draw(element);
  faces.add([element, draw]);
  start();
  return element;
}

function start() {
  if (ticking || document.hidden || !faces.size) return;
  ticking = setTimeout(tick, SECOND - (now() % SECOND));
}

function tick() {
  ticking = 0;
  for (const face of faces) {
    const [element, draw] = face;
    if (element.isConnected) draw(element);
    else faces.delete(face);
  }
  start();
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(ticking);
  ticking = 0;
  if (!document.hidden) tick();
});
