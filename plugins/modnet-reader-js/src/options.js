/** What the options of a layer may be. Each of these makes a checker: from a value in a file to the one that is used. */

import { ModelFileError } from "./errors.js";
import { show } from "./words.js";

/**
 * @typedef {(value: any, where: string) => any} Checker is given undefined where the file has no such option
 */

/**
 * @param {string} expected
 * @param {any} value
 * @param {string} where
 * @returns {never}
 */
function refuse(expected, value, where) {
  throw new ModelFileError(`${where}: expected ${expected}, found ${show(value)}`);
}

/**
 * @param {(value: any) => boolean} fits
 * @param {string} expected
 * @param {any} [otherwise] what stands for an option that is not in the file; undefined if it has to be
 * @returns {Checker}
 */
export function checked(fits, expected, otherwise) {
  return (value, where) => {
    const found = value === undefined ? otherwise : value;
    return found !== undefined && fits(found) ? found : refuse(expected, found, where);
  };
}

/** @param {number} least */
const isWhole = (least) => (/** @type {any} */ value) => Number.isSafeInteger(value) && value >= least;

/**
 * A whole number.
 * @param {number} least
 * @param {number} [otherwise]
 */
export const whole = (least, otherwise) => checked(isWhole(least), `a whole number from ${least} on`, otherwise);

/**
 * A whole number, or nothing.
 * @param {number} least
 */
export const wholeOrNothing = (least) =>
  checked((value) => value === null || isWhole(least)(value), `a whole number from ${least} on, or nothing`, null);

/** @param {number} [otherwise] */
export const real = (otherwise) => checked((value) => typeof value === "number", "a number", otherwise);

/** @param {boolean} [otherwise] */
export const flag = (otherwise) => checked((value) => typeof value === "boolean", "true or false", otherwise);

/**
 * One of several texts, by default the first.
 * @param {string[]} texts
 */
export const oneOf = (...texts) =>
  checked((value) => texts.includes(value), `one of ${texts.map(show).join(", ")}`, texts[0]);

/**
 * A number for each axis, or one for all; becomes a list.
 * @param {number} axes
 * @param {number} least
 * @param {number | null} [otherwise] null stays null
 * @returns {Checker}
 */
export function perAxis(axes, least, otherwise) {
  const fits = (/** @type {any} */ value) =>
    isWhole(least)(value) ||
    (otherwise === null && value === null) ||
    (axes > 1 && Array.isArray(value) && value.length === axes && value.every(isWhole(least)));
  const check = checked(fits, `a whole number from ${least} on${axes > 1 ? `, or ${axes} of them` : ""}`, otherwise);
  return (value, where) => {
    const found = check(value, where);
    return typeof found === "number" ? Array(axes).fill(found) : found;
  };
}

/**
 * Padding: "same", which becomes null, or else a list of [before, after] for each axis.
 * @param {number} axes
 * @param {any} otherwise
 * @returns {Checker}
 */
export function padding(axes, otherwise) {
  return (value = otherwise, where) => {
    const found = sides(value, axes);
    return found === undefined ? refuse("a padding", value, where) : found;
  };
}

/**
 * @param {any} value
 * @param {number} axes
 */
function sides(value, axes) {
  const isSize = isWhole(0);
  const isPair = (/** @type {any} */ pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isSize);
  if (value === "same") return null;
  if (value === "valid") return Array(axes).fill([0, 0]);
  if (isSize(value)) return Array(axes).fill([value, value]);
  if (axes === 1) return isPair(value) ? [value] : undefined;
  if (!Array.isArray(value) || value.length !== axes) return undefined;
  if (value.every(isSize)) return value.map((side) => [side, side]);
  return value.every(isPair) ? value : undefined;
}

/** Only training needs it. @type {Checker} */
export const ignored = () => undefined;

/** A list of nodes. @type {Checker} */
export const nodes = checked(Array.isArray, "a list of nodes");

/** A list of nodes that may be empty. @type {Checker} */
export const nodesOrNone = checked(Array.isArray, "a list of nodes", []);

/** A layer. @type {Checker} */
export const layer = checked((value) => typeof value === "string" || typeof value?.type === "string", "a layer");

/** A shape, in which one axis may be -1. @type {Checker} */
export const shape = checked(
  (value) =>
    Array.isArray(value) &&
    value.every((axis) => isWhole(-1)(axis) && axis !== 0) &&
    value.filter((axis) => axis < 0).length < 2,
  "a shape",
);
