/** Arrays of numbers with a shape, whose first axis is that of the samples. */

import { DataError, ShapeError } from "./errors.js";
import { shapeText, show } from "./words.js";

/** The most numbers of an array: more are in no typed array of any engine. */
const MOST = 2 ** 31;

/** @typedef {Float32Array | Float64Array} Floats */
/** @typedef {Float32ArrayConstructor | Float64ArrayConstructor} FloatsConstructor */
/** @typedef {(number | null)[]} Shape of one sample; null for an axis that varies */

export class Tensor {
  /**
   * @param {any} data a typed array, the last axis varies fastest
   * @param {number[]} shape
   * @param {Float64Array | null} exact the numbers as they were given, where `data` has fewer digits
   */
  constructor(data, shape, exact = null) {
    this.data = data;
    this.shape = shape;
    this.exact = exact;
  }

  /** The numbers as lists in lists. */
  toArray() {
    const nested = (/** @type {number} */ axis, /** @type {number} */ start, /** @type {number} */ size) => {
      if (axis === this.shape.length) return this.data[start];
      const step = size / (this.shape[axis] || 1);
      /** @type {any[]} */
      const items = [];
      for (let item = 0; item < this.shape[axis]; item++) items.push(nested(axis + 1, start + item * step, step));
      return items;
    };
    return nested(0, 0, this.data.length);
  }

  /**
   * The same numbers in another shape.
   * @param {number[]} shape
   */
  reshaped(shape) {
    return new Tensor(this.data, shape);
  }
}

/** @param {readonly number[]} shape */
export function sizeOf(shape) {
  return shape.reduce((product, axis) => product * axis, 1);
}

/**
 * A new array of zeros, of the kind of another.
 * @param {Tensor} like
 * @param {number[]} shape
 */
export function zerosLike(like, shape) {
  const size = sizeOf(shape);
  const tooMuch = `a layer would give ${size.toLocaleString("en-US")} numbers, more than an array can have`;
  if (size > MOST) throw new ShapeError(tooMuch);
  try {
    return new Tensor(new like.data.constructor(size), shape);
  } catch (error) {
    throw error instanceof RangeError ? new ShapeError(`${tooMuch} here: ${error.message}`) : error;
  }
}

/**
 * A caller's array as a tensor, checked against the shape of a sample, in the network's numbers.
 *
 * @param {any} given a tensor or anything with `data` and `shape`, a typed array with any number of samples, or lists
 * @param {Shape} shape of a sample
 * @param {string} what it is, for messages
 * @param {FloatsConstructor} Floats
 * @returns {Tensor}
 */
export function tensorOf(given, shape, what, Floats) {
  const { data, shape: found } = arrayOf(given, shape, what);
  const fits =
    found.length === shape.length + 1 && shape.every((axis, place) => axis === null || axis === found[place + 1]);
  if (!fits || data.length !== sizeOf(found)) {
    const single =
      found.length === shape.length && shape.every((axis, place) => axis === null || axis === found[place]);
    const hint = single ? "; this is a single sample: put it into a list of one" : "";
    throw new ShapeError(
      `${what}: expected an array of shape ${shapeText(["batch", ...shape].map(asAxis))}, found ${shapeText(found)}${hint}`,
    );
  }
  if (data instanceof Floats) return new Tensor(data, found);
  const converted = new Floats(data);
  if (Floats === Float64Array) return new Tensor(converted, found);
  const exact = data instanceof Float64Array ? data : Float64Array.from(data);
  for (let at = 0; at < exact.length; at++) {
    if (Number.isFinite(exact[at]) && !Number.isFinite(converted[at])) {
      throw new DataError(`${what}: ${exact[at]} is beyond what float32 can hold`);
    }
  }
  return new Tensor(converted, found, exact);
}

/** @param {any} axis */
const asAxis = (axis) => axis;

/**
 * @param {any} given
 * @param {Shape} shape
 * @param {string} what
 * @returns {{ data: any, shape: number[] }}
 */
function arrayOf(given, shape, what) {
  if (ArrayBuffer.isView(given) && !(given instanceof DataView)) {
    return { data: plain(given), shape: shapeOfFlat(/** @type {any} */ (given).length, shape, what) };
  }
  if (Array.isArray(given)) return ofLists(given, shape, what);
  if (given && ArrayBuffer.isView(given.data) && Array.isArray(given.shape)) {
    return { data: plain(given.data), shape: given.shape };
  }
  throw new DataError(`${what}: expected numbers in lists, a typed array, or { data, shape }; found ${show(given)}`);
}

/** @param {any} data */
function plain(data) {
  return data instanceof BigInt64Array || data instanceof BigUint64Array ? Float64Array.from(data, Number) : data;
}

/**
 * The shape of so many numbers, of whole samples.
 * @param {number} length
 * @param {Shape} shape
 * @param {string} what
 */
function shapeOfFlat(length, shape, what) {
  if (shape.includes(null)) {
    throw new ShapeError(
      `${what}: samples of shape ${shapeText(shape)} have an axis that varies; give { data, shape }`,
    );
  }
  const fixed = /** @type {number[]} */ (shape);
  const size = sizeOf(fixed);
  if (length % size) throw new ShapeError(`${what}: expected ${size} numbers for each sample, found ${length} in all`);
  return [length / size, ...fixed];
}

/**
 * @param {any[]} lists
 * @param {Shape} sample
 * @param {string} what
 */
function ofLists(lists, sample, what) {
  /** @type {number[]} */
  const shape = [];
  for (let item = /** @type {any} */ (lists); isList(item); item = item[0]) shape.push(item.length);
  if (!lists.length) return { data: new Float64Array(0), shape: [0, ...sample.map((axis) => axis ?? 0)] };
  const data = new Float64Array(sizeOf(shape));
  let at = 0;
  const add = (/** @type {any} */ item, /** @type {number} */ axis) => {
    if (axis === shape.length) {
      const isNumber = typeof item === "number" || typeof item === "boolean" || typeof item === "bigint";
      if (!isNumber)
        throw new DataError(
          `${what}: expected numbers, found ${isList(item) ? "lists of different depths" : show(item)}`,
        );
      data[at++] = Number(item);
      return;
    }
    if (!isList(item) || item.length !== shape[axis])
      throw new DataError(`${what}: expected an array of numbers, found rows of different lengths`);
    for (const inner of item) add(inner, axis + 1);
  };
  add(lists, 0);
  return { data, shape };
}

/** @param {any} item */
function isList(item) {
  return Array.isArray(item) || (ArrayBuffer.isView(item) && !(item instanceof DataView));
}
