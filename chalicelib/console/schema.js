/** JSON Schema, as far as a form can show it: the rest is typed in as JSON. */

import { Digits, inline, number, parse } from "./exact.js";
import { t } from "./i18n.js";

/** Returns the forms that an input may have: each {name, title, description, fields}. */
export function forms(schema) {
  const alternatives = schema.anyOf ?? schema.oneOf ?? [schema];
  return alternatives.map((one) => form(resolve(one, schema), schema));
}

function resolve(schema, root) {
  const name = /^#\/\$defs\/(.+)$/.exec(schema.$ref ?? "")?.[1];
  return name ? { ...root.$defs[name], ...schema, $ref: undefined } : schema;
}

function form(schema, root) {
  const { title, description, properties, required = [], examples = [] } = schema;
  const example = examples[0] ?? {};
  if (!properties) {
    return { title, description, fields: [{ name: null, kind: "json", schema, isRequired: true, example: examples[0] }] };
  }
  const fields = Object.entries(properties).map(([name, property]) => {
    const own = withoutNull(resolve(property, root), root);
    return { name, kind: kind(own, root), schema: own, isRequired: required.includes(name), example: example[name] };
  });
  return { title, description, fields };
}

/** Returns the one alternative to null, if it is one: the field is optional then. */
function withoutNull(schema, root) {
  const others = (schema.anyOf ?? []).filter((one) => one.type !== "null");
  return others.length === 1 ? { ...schema, ...resolve(others[0], root), anyOf: undefined } : schema;
}

function kind(schema, root) {
  if (schema.enum || "const" in schema) return "choice";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "string") return "text";
  if (schema.type === "boolean") return "yesno";
  if (schema.type !== "array" || !schema.items) return "json";
  const item = resolve(schema.items, root);
  if (item.enum) return "json";
  return { integer: "numbers", number: "numbers", string: "lines" }[item.type] ?? "json";
}

/** Tells whether a form can show an input: it has all fields that are there or must be. */
export function fits({ fields }, input) {
  const names = fields.map(({ name }) => name);
  return (
    names.includes(null) ||
    (Object.keys(input).every((name) => names.includes(name)) &&
      fields.every(({ name, isRequired }) => !isRequired || name in input))
  );
}

/** Returns what a field shows of a value. */
export function write(kind, value) {
  if (value === undefined || value === null) return "";
  if (kind === "numbers" || kind === "lines") return value.map(plain).join("\n");
  return kind === "json" ? inline(value) : plain(value);
}

function plain(value) {
  return typeof value === "string" ? value : inline(value);
}

/** What a person typed is no value at all. */
export class Unreadable extends Error {}

/** Returns the value of a text; undefined: none was given. Throws Unreadable. */
export function read(kind, text) {
  const trimmed = text.trim();
  if (kind === "text") return text === "" ? undefined : text;
  if (!trimmed) return undefined;
  if (kind === "number") return one(trimmed);
  if (kind === "numbers") return numbers(trimmed);
  if (kind === "lines") return trimmed.split("\n").map((line) => line.trim()).filter(Boolean);
  try {
    return parse(trimmed);
  } catch {
    throw new Unreadable(t("form.noJson"));
  }
}

/** Reads one number: thousands may be apart, and the comma may be a decimal one. */
function one(text) {
  return number(text.replace(/\s/g, "").replace(/^(-?\d+),(\d+)$/, "$1.$2").replace("\u2212", "-"));
}

/** Reads many numbers, apart by spaces, lines or semicolons. */
function numbers(text) {
  const parts = text.split(/[\s;]+|,\s+/).filter(Boolean).map((part) => part.replace("\u2212", "-"));
  const unclear = parts.find((part) => /\d,\d/.test(part));
  // Is 1,5 one number or two? Only the person knows.
  if (unclear) throw new Unreadable(t("form.comma", unclear));
  return parts.map((part) => number(part.replace(/,$/, "")));
}

/** Returns in words what a schema demands of a number or a list. */
export function limits({ kind, schema }) {
  if (kind === "number") return range(schema.minimum, schema.maximum, "form.range");
  if (kind === "numbers" || kind === "lines") return range(schema.minItems, schema.maxItems, "form.items");
  if (kind === "text") return range(schema.minLength, schema.maxLength, "form.length");
  return "";
}

function range(least, most, text) {
  const show = (limit) => (limit instanceof Digits ? Number(limit.text) : undefined);
  return least || most ? t(text, show(least), show(most)) : "";
}
