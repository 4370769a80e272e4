/** Making elements, changing a region of the page, and telling screen readers what changed. */

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  copy: "M8 8h11v11H8zM5 15V5h10",
  download: "M12 4v11m-5-5 5 5 5-5M5 20h14",
  again: "M19 12a7 7 0 1 1-2.1-5M19 4v4h-4",
  edit: "M5 19h4L19 9l-4-4L5 15z",
  back: "M19 12H5m6-6-6 6 6 6",
  check: "m5 13 4 4L19 7",
  stop: "M6 6l12 12M18 6 6 18",
  plus: "M12 5v14M5 12h14",
};

/** Returns a new element: `h("a", {href: "#", onclick: go}, "text", child)`. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Returns an icon; the words beside it, or the name of its button, say what it means. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Replaces the content of a region. What had the focus in it has it again, by its id. */
export function fill(region, ...children) {
  const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
  region.replaceChildren(...children.flat(Infinity).filter(Boolean));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  return region;
}

/** Tells screen readers. */
export function announce(text) {
  const region = document.getElementById("live");
  // The same text twice would be no change.
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}

/** Moves the focus to the heading of what is shown now. */
export function focusHeading(region) {
  const heading = region.querySelector("h1, h2");
  if (!heading) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}
