/** Rows in the forms in which programs have them, and predictions in the same form (data/forms.py). */

import { DataError } from "../errors.js";
import { show } from "../words.js";

/**
 * @typedef {object} Rows
 * @property {Map<string, any[]>} table column -> values
 * @property {number} count
 * @property {(found: Record<string, any[]>, lacking: Set<number>) => any} answer predictions, null for rows without one
 */

/** @type {(value: any) => boolean} */
const isRecord = (value) =>
  value !== null &&
  typeof value === "object" &&
  !Array.isArray(value) &&
  !ArrayBuffer.isView(value) &&
  !(value instanceof Date);

/** @type {(value: any) => boolean} */
const isList = (value) => Array.isArray(value) || ArrayBuffer.isView(value);

/**
 * @param {any} rows a record, a list of records, columns, or a list of lists in the order of the names
 * @param {string[]} names of the columns that are needed
 * @param {Set<string>} labels the columns in which a value may be a list of texts
 * @returns {Rows}
 */
export function rowsOf(rows, names, labels) {
  if (Array.isArray(rows) && rows.every(isRecord)) return records(rows, names);
  if (Array.isArray(rows) && rows.every(isList)) return lists(rows, names);
  if (!isRecord(rows)) {
    throw new DataError(
      `the network predicts for rows of a table: a record, a list of records, or columns with a list of values each; found ${show(rows)}`,
    );
  }
  const isOne =
    names.some((name) => name in rows) &&
    names.every((name) => !(name in rows) || !isList(rows[name]) || (labels.has(name) && isTexts(rows[name])));
  if (!isOne) return columns(rows);
  return { ...records([rows], names), answer: (found, lacking) => answerRecords(found, lacking, 1)[0] };
}

/** @param {any} value */
const isTexts = (value) => Array.isArray(value) && value.every((item) => typeof item === "string");

/**
 * @param {Record<string, any>[]} given
 * @param {string[]} names
 * @returns {Rows}
 */
function records(given, names) {
  const keys = given.length ? new Set(given.flatMap((record) => Object.keys(record))) : names;
  const table = new Map([...keys].map((key) => [key, given.map((record) => record[key])]));
  return { table, count: given.length, answer: (found, lacking) => answerRecords(found, lacking, given.length) };
}

/**
 * @param {Record<string, any[]>} found
 * @param {Set<number>} lacking
 * @param {number} count
 */
function answerRecords(found, lacking, count) {
  const columns = Object.entries(found);
  return Array.from({ length: count }, (_, row) =>
    lacking.has(row) ? null : Object.fromEntries(columns.map(([name, values]) => [name, values[row]])),
  );
}

/**
 * @param {any[][]} given
 * @param {string[]} names
 * @returns {Rows}
 */
function lists(given, names) {
  const wrong = given.find((row) => row.length !== names.length);
  if (wrong)
    throw new DataError(
      `expected ${names.length} values in each row, for the columns ${names.join(", ")}; found ${wrong.length}`,
    );
  const table = new Map(names.map((name, place) => [name, given.map((row) => row[place])]));
  return { table, count: given.length, answer: answerColumns };
}

/**
 * @param {Record<string, any>} given
 * @returns {Rows}
 */
function columns(given) {
  const table = new Map(
    Object.entries(given).map(([name, values]) => {
      if (!isList(values))
        throw new DataError(`column ${name}: expected a list with a value for each row, found ${show(values)}`);
      return [name, Array.from(values)];
    }),
  );
  const lengths = new Set([...table.values()].map((values) => values.length));
  if (lengths.size > 1)
    throw new DataError(
      `the columns differ in length: ${[...table].map(([name, values]) => `${name} has ${values.length}`).join(", ")}`,
    );
  return { table, count: [...lengths][0] ?? 0, answer: answerColumns };
}

/**
 * @param {Record<string, any[]>} found
 * @param {Set<number>} lacking
 */
function answerColumns(found, lacking) {
  if (!lacking.size) return found;
  return Object.fromEntries(
    Object.entries(found).map(([name, values]) => [
      name,
      values.map((value, row) => (lacking.has(row) ? null : value)),
    ]),
  );
}
