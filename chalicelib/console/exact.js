/** JSON whose numbers keep every digit: JSON.parse would round what does not fit a double. */

/** A number, as it was written. */
export class Digits {
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

const TOKEN = /\s*(?:([{}[\],:])|("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)|(true|false|null))/y;
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const sources = new WeakMap();

/** Reads a document. Throws SyntaxError. */
export function parse(text) {
  let at = 0;
  let token;

  function next() {
    TOKEN.lastIndex = at;
    token = TOKEN.exec(text);
    if (!token) throw new SyntaxError(`No JSON at ${at}`);
    at = TOKEN.lastIndex;
    return token[1];
  }

  function value() {
    const [whole, mark, string, number, word] = token;
    if (string) return JSON.parse(string);
    if (number) {
      if (!NUMBER.test(number)) throw new SyntaxError(`No number: ${number}`);
      return new Digits(number);
    }
    if (word) return JSON.parse(word);
    const start = at - whole.trimStart().length;
    if (mark === "[") return noted(list(), start);
    if (mark === "{") return noted(object(), start);
    throw new SyntaxError(`Unexpected ${mark}`);
  }

  function noted(made, start) {
    sources.set(made, text.slice(start, at));
    return made;
  }

  function list() {
    const made = [];
    if (next() === "]") return made;
    for (;;) {
      made.push(value());
      if (follows("]")) return made;
      next();
    }
  }

  function object() {
    const made = Object.create(null);
    if (next() === "}") return made;
    for (;;) {
      if (!token[2]) throw new SyntaxError(`No name at ${at}`);
      const name = JSON.parse(token[2]);
      if (next() !== ":") throw new SyntaxError(`No colon at ${at}`);
      next();
      made[name] = value();
      if (follows("}")) return made;
      next();
    }
  }

  /** Tells whether a list or an object ends here; otherwise there must be a comma. */
  function follows(end) {
    const mark = next();
    if (mark !== end && mark !== ",") throw new SyntaxError(`No comma at ${at}`);
    return mark === end;
  }

  next();
  const whole = value();
  if (text.slice(at).trim()) throw new SyntaxError(`More than one document, at ${at}`);
  return whole;
}

/** Returns a parsed value as the text that it was read from. */
export function source(value) {
  if (value !== null && typeof value === "object" && sources.has(value)) return sources.get(value);
  return stringify(value);
}

export function stringify(value) {
  if (value instanceof Digits) return value.text;
  if (Array.isArray(value)) return `[${value.map(stringify).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}:${stringify(one)}`);
  return `{${members.join(",")}}`;
}

/** Returns a value for people: in one line if it is short, else indented. */
export function pretty(value, indent = "") {
  const flat = inline(value);
  if (value === null || typeof value !== "object" || value instanceof Digits || flat.length <= 72) {
    return flat;
  }
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    return `[\n${value.map((one) => deeper + pretty(one, deeper)).join(",\n")}\n${indent}]`;
  }
  const members = Object.entries(value).map(
    ([name, one]) => `${deeper}${JSON.stringify(name)}: ${pretty(one, deeper)}`,
  );
  return `{\n${members.join(",\n")}\n${indent}}`;
}

/** Returns a value in one line, with spaces to read it by. */
export function inline(value) {
  if (value instanceof Digits) return value.text;
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${inline(one)}`);
  return members.length ? `{${members.join(", ")}}` : "{}";
}

/** Reads what a person typed as a number; what is none stays a string, for the service to judge. */
export function number(text) {
  return NUMBER.test(text) ? new Digits(text) : text;
}
