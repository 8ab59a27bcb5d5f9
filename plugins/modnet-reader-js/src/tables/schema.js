/** The table that a model was trained on: its rows as numbers, and its predictions by name (data/schema.py). */

import { DataError, ModelFileError, ShapeError } from "../errors.js";
import { Tensor } from "../tensor.js";
import { nearest, shapeText, shorten, show } from "../words.js";
import { Column, generalText } from "./column.js";
import { checkSchema } from "./checks.js";
import { boundsOf, setsOf } from "./intervals.js";

/** @typedef {import("./column.js").Fault} Fault */

/** What stands for a missing value, where the file does not say it. */
const MISSING_VALUES = [""];

export class Schema {
  /** @param {Record<string, any>} plain `schema` of a file */
  constructor(plain) {
    checkSchema(plain);
    const missing = plain.missing_values ?? MISSING_VALUES;
    const read = (/** @type {any} */ group) =>
      new Map(
        Object.entries(group ?? {}).map(([name, columns]) => [
          name,
          columns.map((/** @type {any} */ column) => new Column(column, missing)),
        ]),
      );
    /** Network input -> its columns. @type {Map<string, Column[]>} */
    this.inputs = read(plain.inputs);
    /** Network output -> its columns. @type {Map<string, Column[]>} */
    this.targets = read(plain.targets);
    /** The columns that a prediction needs, in order. */
    this.names = [...new Set([...this.inputs.values()].flat().map((column) => column.name))];
    this.targetNames = [...this.targets.values()].flat().map((column) => column.name);
  }

  /**
   * Compares the columns with the shapes of the network's inputs and outputs.
   * @param {Map<string, (number | null)[]>} inputs
   * @param {Map<string, (number | null)[]>} outputs
   */
  check(inputs, outputs) {
    for (const [name, columns] of this.inputs) {
      const width = widthOf(columns);
      const shape = inputs.get(name);
      const fits = shape?.length === 1 && (shape[0] === null || shape[0] === width);
      if (!fits)
        throw new ModelFileError(
          `schema: the columns of the input ${show(name)} give (${width},), and the network has ${shape ? shapeText(shape) : "no such input"}`,
        );
    }
    for (const [name, columns] of this.targets) {
      const shape = outputs.get(name);
      if (!shape) throw new ModelFileError(`schema: the network has no output ${show(name)}`);
      if (!fitsTarget(columns, shape))
        throw new ModelFileError(
          `schema: the output ${show(name)} of shape ${shapeText(shape)} does not fit its target`,
        );
    }
  }

  /**
   * Rows as arrays for the network's inputs.
   *
   * @param {Map<string, any[]>} table column -> a value for each row
   * @param {number} count of rows
   * @param {boolean} asksForAll whether values that were replaced, or are outside, are told of
   * @returns {{ arrays: Record<string, Tensor>, faults: Fault[], notes: Fault[] }}
   */
  encode(table, count, asksForAll) {
    this.require(table);
    /** @type {Fault[]} */
    const faults = [];
    /** @type {Fault[]} */
    const notes = [];
    /** @type {Record<string, Tensor>} */
    const arrays = {};
    for (const [name, columns] of this.inputs) {
      const width = widthOf(columns);
      const data = new Float64Array(count * width);
      let start = 0;
      for (const column of columns) {
        const note = (
          /** @type {number} */ row,
          /** @type {string | null} */ value,
          /** @type {string} */ message,
          /** @type {Fault["kind"]} */ kind = "fault",
        ) => (kind === "fault" ? faults : notes).push({ row, column: column.name, value, message, kind });
        column.encode({ values: /** @type {any[]} */ (table.get(column.name)), note, asksForAll }, data, start, width);
        start += column.width;
      }
      arrays[name] = new Tensor(data, [count, width]);
    }
    return { arrays, faults: inOrder(faults), notes };
  }

  /** @param {Map<string, any[]>} table */
  require(table) {
    const missing = this.names.filter((name) => !table.has(name));
    if (!missing.length) return;
    const asked = new Set(this.names);
    const others = [...table.keys()].filter((name) => !asked.has(name));
    const near = missing.slice(0, 12).map((name) => [name, nearest(name, others)]);
    const meant = near
      .filter(([, found]) => found !== null)
      .map(([name, found]) => `no column ${show(name)} (did you mean ${show(found)}?)`);
    const absent = missing.filter((name) => !near.some(([other, found]) => other === name && found !== null));
    if (absent.length) meant.push(`no column${absent.length > 1 ? "s" : ""} ${shorten(absent.map(show))}`);
    const problems = missing.map((column) => ({
      row: null,
      column,
      value: null,
      message: `no column ${show(column)}`,
      kind: "fault",
    }));
    throw new DataError(`${meant.join(", ")}; the columns are ${shorten(table.keys())}`, problems);
  }

  /**
   * Column -> a value for each row, of a network's outputs.
   * @param {Map<string, Tensor>} outputs
   * @returns {Record<string, any[]>}
   */
  decode(outputs) {
    const isSeveral = [...this.targets.values()].filter(([column]) => column.kind !== "number").length > 1;
    /** @type {Record<string, any[]>} */
    const found = {};
    for (const [name, output] of outputs) {
      const columns = this.targets.get(name);
      if (!columns) {
        Object.assign(found, untargeted(name, output));
        continue;
      }
      if (!fitsTarget(columns, output.shape.slice(1)))
        throw new ShapeError(
          `output ${show(name)}: an array of shape ${shapeText(output.shape)} does not fit its target`,
        );
      if (columns[0].kind === "number") Object.assign(found, numbersOf(columns, output));
      else Object.assign(found, classesOf(columns[0], output, isSeveral));
    }
    return Object.assign(found, this.intervals(outputs, found));
  }

  /**
   * The columns `lower` and `upper`, or `set`, of the targets that have intervals.
   * @param {Map<string, Tensor>} outputs
   * @param {Record<string, any[]>} found
   */
  intervals(outputs, found) {
    const all = [...outputs].flatMap(([name, output]) =>
      (this.targets.get(name) ?? [])
        .map((column, place) => ({ column, place, output }))
        .filter(({ column }) => column.interval),
    );
    const isAlone = all.length === 1 && !["lower", "upper", "set"].some((name) => name in found);
    /** @type {Record<string, any[]>} */
    const made = {};
    for (const { column, place, output } of all) {
      const prefix = isAlone ? "" : `${column.name}_`;
      if (column.kind === "number") {
        const [lower, upper] = boundsOf(column.interval, output, place, column.quantiles);
        made[`${prefix}lower`] = lower;
        made[`${prefix}upper`] = upper;
      } else {
        made[`${prefix}set`] = setsOf(column.interval, output).map((places) =>
          places.map((at) => column.categories[at]),
        );
      }
    }
    return made;
  }
}

/** Faults in the order of their rows. @param {Fault[]} faults */
export function inOrder(faults) {
  return [...faults].sort((a, b) => (a.row ?? -1) - (b.row ?? -1));
}

/** How many numbers columns give together. @param {Column[]} columns */
function widthOf(columns) {
  return columns.reduce((total, column) => total + column.width, 0);
}

/**
 * Whether an output of this shape gives what the columns of its target have.
 * @param {Column[]} columns
 * @param {(number | null)[]} shape
 */
function fitsTarget(columns, shape) {
  const [column] = columns;
  const classes = column.categories.length;
  const width = column.quantiles.length || classes || columns.length;
  return shape.length === 1 && (shape[0] === width || (shape[0] === 1 && classes === 2 && column.kind !== "labels"));
}

/** The numbers of a column of an output. @param {Tensor} output @param {number} place @returns {number[]} */
function columnOf(output, place) {
  const width = output.shape[1];
  return Array.from({ length: output.shape[0] }, (_, row) => output.data[row * width + place]);
}

/** @param {string} name @param {Tensor} output */
function untargeted(name, output) {
  if (output.shape.length !== 2) return { [name]: output.toArray() };
  if (output.shape[1] === 1) return { [name]: columnOf(output, 0) };
  return Object.fromEntries(
    Array.from({ length: output.shape[1] }, (_, place) => [`${name}_${place}`, columnOf(output, place)]),
  );
}

/** @param {Column[]} columns @param {Tensor} output */
function numbersOf(columns, output) {
  const [column] = columns;
  if (!column.quantiles.length)
    return Object.fromEntries(columns.map(({ name }, place) => [name, columnOf(output, place)]));
  const named = column.quantiles.map((quantile, place) => [
    quantile === 0.5 ? column.name : `${column.name}_${generalText(quantile, 6)}`,
    columnOf(output, place),
  ]);
  return Object.fromEntries([
    ...named.filter(([name]) => name === column.name),
    ...named.filter(([name]) => name !== column.name),
  ]);
}

/**
 * The most probable class of each row, or its labels, and the probability of each.
 * @param {Column} column
 * @param {Tensor} output
 * @param {boolean} isSeveral
 */
function classesOf(column, output, isSeveral) {
  const { categories, name } = column;
  const [rows, width] = output.shape;
  const isSingle = width < categories.length;
  const chosen = Array.from({ length: rows }, (_, row) => {
    const given = output.data.subarray(row * width, (row + 1) * width);
    if (column.kind === "labels") return labelsText(column, given);
    return categories[isSingle ? Number(given[0] > 0.5) : greatest(given)];
  });
  const shown = isSingle ? categories.slice(1) : categories;
  const probabilities = shown.map((category, place) => [
    isSeveral ? `P(${name}=${category})` : `P(${category})`,
    columnOf(output, place),
  ]);
  return Object.fromEntries([[name, chosen], ...probabilities]);
}

/** @param {Column} column @param {any} given */
function labelsText(column, given) {
  const blank = column.separator === "|" ? "" : " ";
  return column.categories.filter((_, place) => given[place] > 0.5).join(column.separator + blank);
}

/** @param {ArrayLike<number>} numbers */
export function greatest(numbers) {
  let best = 0;
  for (let at = 1; at < numbers.length; at++) if (numbers[at] > numbers[best]) best = at;
  return best;
}
