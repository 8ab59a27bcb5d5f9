/** What a file may say of the columns of its table (docs/format.md, `schema`), before anything is made of it. */

import { ModelFileError } from "../errors.js";
import { show } from "../words.js";
import { WIDTHS, parseDate } from "./dates.js";
import { LONGEST_NGRAM } from "./texts.js";

const KINDS = ["number", "category", "boolean", "date", "text", "labels"];

/** @type {(value: any) => boolean} */
const isText = (value) => typeof value === "string";

/** @type {(value: any) => boolean} */
const isTexts = (value) => Array.isArray(value) && value.every(isText);

/** @type {(value: any) => boolean} */
const isNumber = (value) => Number.isFinite(value);

/** @type {(value: any) => boolean} */
const isMap = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** @type {(...texts: string[]) => (value: any) => boolean} */
const oneOf =
  (...texts) =>
  (value) =>
    texts.includes(value);

/** @type {(check: (value: any) => boolean) => (value: any) => boolean} */
const orNothing = (check) => (value) => value === null || check(value);

/** @type {(value: any) => boolean} */
const isNumberFormat = (value) =>
  isMap(value) &&
  oneOf(".", ",")(value.decimal ?? ".") &&
  oneOf("", ",", ".", " ", "'")(value.thousands ?? "") &&
  isText(value.unit ?? "");

/** @type {(value: any) => boolean} */
const isDateFormat = (value) => isMap(value) && isText(value.date_format);

/** @type {(value: any) => boolean} */
const isShare = (value) => isNumber(value) && value > 0 && value < 1;

/** @type {(value: any) => boolean} */
const isRange = (value) =>
  Array.isArray(value) &&
  value.length === 2 &&
  value.every(Number.isSafeInteger) &&
  value[0] >= 1 &&
  value[0] <= value[1] &&
  value[1] <= LONGEST_NGRAM;

/** Key of a column -> whether a value is right. @type {Record<string, (value: any) => boolean>} */
const COLUMN = {
  name: isText,
  kind: oneOf(...KINDS),
  categories: (value) => isTexts(value) && new Set(value).size === value.length,
  encoding: oneOf("one_hot", "ordinal", "embedding"),
  missing: isText,
  fill: orNothing((value) => isNumber(value) || isText(value)),
  unknown: oneOf("error", "code"),
  number_format: orNothing(isNumberFormat),
  date_format: orNothing(isDateFormat),
  parts: (value) => isTexts(value) && value.every((/** @type {string} */ part) => Object.hasOwn(WIDTHS, part)),
  buckets: (value) => Number.isSafeInteger(value) && value >= 0,
  ngrams: isRange,
  separator: isText,
  missing_values: isTexts,
  lowest: orNothing((value) => isNumber(value) || isText(value)),
  highest: orNothing((value) => isNumber(value) || isText(value)),
  quantiles: (value) => Array.isArray(value) && value.every(isShare) && new Set(value).size === value.length,
  interval: orNothing((value) => isMap(value) && isShare(value.coverage)),
};

const SCHEMA = ["inputs", "targets", "missing_values", "weights"];

/**
 * @param {boolean} isRight
 * @param {string} where
 * @param {string} what
 */
function require(isRight, where, what) {
  if (!isRight) throw new ModelFileError(`${where}: ${what}`);
}

/**
 * @param {Record<string, any>} plain
 */
export function checkSchema(plain) {
  for (const key of Object.keys(plain)) require(SCHEMA.includes(key), "schema", `unknown key ${show(key)}`);
  require(isTexts(plain.missing_values ?? []), "schema.missing_values", "expected a list of texts");
  for (const group of ["inputs", "targets"]) {
    require(isMap(plain[group] ?? {}), `schema.${group}`, "expected a map of columns");
    for (const [name, columns] of Object.entries(plain[group] ?? {})) {
      require(Array.isArray(columns) && columns.length > 0, `schema.${group}`, `${show(name)} has no columns`);
      columns.forEach((/** @type {any} */ column, /** @type {number} */ place) =>
        checkColumn(column, `schema.${group}.${name}[${place}]`),
      );
    }
  }
}

/**
 * @param {any} column
 * @param {string} where
 */
function checkColumn(column, where) {
  require(isMap(column) &&
    isText(column.name) &&
    isText(column.kind), where, "expected a column with a name and a kind");
  for (const [key, value] of Object.entries(column)) {
    require(Object.hasOwn(COLUMN, key), where, `unknown key ${show(key)}`);
    require(COLUMN[key](value), where, `${key} may not be ${show(value)}`);
  }
  const { kind, categories = [], separator = "", parts = [], buckets = 0, quantiles = [], fill = null } = column;
  const hasCategories = ["category", "boolean", "labels"].includes(kind);
  require(hasCategories ===
    categories.length > 0, where, "expected categories if kind is category, boolean or labels, and only then");
  require(kind !== "boolean" || categories.length === 2, where, "a boolean has two categories");
  const fits =
    (kind === "labels") === (separator !== "") &&
    (kind === "date") === parts.length > 0 &&
    (kind === "text") === buckets > 0;
  require(fits, where, "expected separator for labels, parts for a date and buckets for a text, and only there");
  const isFill = hasCategories
    ? categories.includes(fill)
    : kind === "date"
      ? parseDate(String(fill)) !== null
      : kind === "number" && isNumber(fill);
  require(fill === null || isFill, where, `fill may not be ${show(fill)}`);
  require(!quantiles.length ||
    (kind === "number" && quantiles.length > 1), where, "expected two quantiles or more, of a number");
  checkRange(column, where);
  checkInterval(column, where);
}

/**
 * @param {any} column
 * @param {string} where
 */
function checkRange({ kind, lowest = null, highest = null }, where) {
  if (lowest === null && highest === null) return;
  const [low, high] =
    kind === "date"
      ? [parseDate(String(lowest)), parseDate(String(highest))].map((time) => time && time.day + time.micros / 8.64e10)
      : [lowest, highest];
  const isRange = ["number", "date"].includes(kind) && isNumber(low) && isNumber(high) && low <= high;
  require(isRange, where, `lowest and highest may not be ${show(lowest)} and ${show(highest)}`);
}

/**
 * @param {any} column
 * @param {string} where
 */
function checkInterval({ kind, interval }, where) {
  if (!interval) return;
  const { margin = null, threshold = null } = interval;
  const isNumbers = kind === "number" && isNumber(margin) && threshold === null;
  const isClasses = kind === "category" && isNumber(threshold) && threshold >= 0 && threshold <= 1 && margin === null;
  require(isNumbers ||
    isClasses, where, "an interval is of a number, with a margin, or of a category, with a threshold");
}
