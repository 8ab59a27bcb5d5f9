/** Dense layers, embeddings, and what scales and normalizes. */

import { DataError } from "../errors.js";
import { flag, ignored, real, whole, wholeOrNothing } from "../options.js";
import { addProduct, fillRows } from "../product.js";
import { Tensor, sizeOf, zerosLike } from "../tensor.js";
import { expect, featuresOf, withBias } from "./types.js";

/** @typedef {import("./types.js").LayerType} LayerType */
/** @typedef {import("./types.js").Shape} Shape */

/** @type {LayerType} */
const linear = {
  options: { out_features: whole(1), bias: flag(true), weight_initializer: ignored, bias_initializer: ignored },
  shape(options, shape) {
    expect(shape.length === 1 || shape.length === 2, "samples of shape (features,) or (time, features)");
    featuresOf(shape);
    return [...shape.slice(0, -1), options.out_features];
  },
  parameters(options, shape) {
    const weight = [featuresOf(shape), options.out_features];
    return withBias(options, weight, options.out_features);
  },
  run:
    (options, { weight, bias }) =>
    ([x], step) => {
      if (x.shape.length === 2) step.mask = null; // its last axis, the steps, is mixed here
      const inner = /** @type {number} */ (x.shape.at(-1));
      const y = zerosLike(x, [...x.shape.slice(0, -1), options.out_features]);
      if (bias) fillRows(y.data, bias);
      addProduct(x.data, 0, sizeOf(x.shape.slice(0, -1)), inner, weight, options.out_features, y.data, 0);
      return y;
    },
};

/** @param {import("./types.js").Options} options */
const vectorSize = (options) =>
  options.embedding_size ?? Math.min(600, roundHalfEven(1.6 * options.vocabulary_size ** 0.56));

/** As Python rounds. @param {number} x */
const roundHalfEven = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** @type {LayerType} */
const embedding = {
  options: {
    vocabulary_size: whole(1),
    embedding_size: wholeOrNothing(1),
    padding: wholeOrNothing(0),
    weight_initializer: ignored,
  },
  shape: (options, shape) => [...shape, vectorSize(options)],
  parameters: (options) => ({ weight: [options.vocabulary_size, vectorSize(options)] }),
  run:
    (options, { weight }) =>
    ([x], step) => {
      const ids = x.exact ?? x.data;
      const size = vectorSize(options);
      const y = zerosLike(x, [...x.shape, size]);
      for (let at = 0; at < ids.length; at++) {
        const id = ids[at];
        if (!Number.isInteger(id)) throw new DataError(`embedding: expected whole numbers (ids), found ${id}`);
        if (id < 0 || id >= options.vocabulary_size) {
          throw new DataError(`embedding: found the id ${id}, expected 0 to ${options.vocabulary_size - 1}`);
        }
        y.data.set(weight.subarray(id * size, (id + 1) * size), at * size);
      }
      if (options.padding !== null && x.shape.length === 2) {
        step.mask = { data: Uint8Array.from(ids, (id) => (id === options.padding ? 0 : 1)), shape: x.shape };
      }
      return y;
    },
};

/** @param {Shape} shape */
function scalingState(shape) {
  const features = [featuresOf(shape)];
  return { mean: features, deviation: features, samples: [], mean_rest: features };
}

/** @type {LayerType} */
const standardize = {
  options: { robust: flag(false), clip: flag(false) },
  state(options, shape) {
    const state = scalingState(shape);
    return options.clip ? { ...state, lowest: state.mean, highest: state.mean } : state;
  },
  optional: ["mean_rest"],
  run:
    (options, { mean, deviation, samples, mean_rest: rest, lowest, highest }) =>
    ([x]) => {
      const y = zerosLike(x, x.shape);
      const clips = options.clip && samples[0];
      const width = mean.length;
      for (let at = 0, feature = 0; at < y.data.length; at++, feature = feature + 1 === width ? 0 : feature + 1) {
        // A mean that needs more digits than the network has is taken from the number as it was given.
        const far = rest !== undefined && rest[feature] !== 0;
        const distance = far ? (x.exact ?? x.data)[at] - (mean[feature] + rest[feature]) : x.data[at] - mean[feature];
        const value = distance / deviation[feature];
        y.data[at] = clips ? Math.min(Math.max(value, lowest[feature]), highest[feature]) : value;
      }
      return y;
    },
};

/** @type {LayerType} */
const unstandardize = {
  state: (_, shape) => scalingState(shape),
  optional: ["mean_rest"],
  isLast: true,
  run:
    (_, { mean, deviation, mean_rest: rest }) =>
    ([x]) => {
      const y = zerosLike(x, x.shape);
      for (let at = 0; at < y.data.length; at++) {
        const feature = at % mean.length;
        y.data[at] = x.data[at] * deviation[feature] + (mean[feature] + (rest ? rest[feature] : 0));
      }
      return y;
    },
};

/** @type {LayerType} */
const batchNorm = {
  options: { momentum: ignored, epsilon: real(1e-5) },
  parameters: (_, shape) => ({ scale: [featuresOf(shape)], shift: [featuresOf(shape)] }),
  state: (_, shape) => ({ running_mean: [featuresOf(shape)], running_variance: [featuresOf(shape)] }),
  run: (options, { scale, shift, running_mean: mean, running_variance: variance }) => {
    const factors = Float64Array.from(scale, (value, place) => value / Math.sqrt(variance[place] + options.epsilon));
    return ([x]) => {
      const y = zerosLike(x, x.shape);
      for (let at = 0; at < y.data.length; at += factors.length) {
        for (let f = 0; f < factors.length; f++) y.data[at + f] = (x.data[at + f] - mean[f]) * factors[f] + shift[f];
      }
      return y;
    };
  },
};

/**
 * The last axes of a sample.
 * @param {Shape} shape
 * @param {number} count
 * @returns {number[]}
 */
function lastAxes(shape, count) {
  const last = shape.slice(-count);
  expect(last.length === count && !last.includes(null), `samples with ${count} last axes of fixed size`);
  return /** @type {number[]} */ (last);
}

/**
 * What normalizes each sample by itself.
 * @param {boolean} centres
 * @param {number} epsilon
 * @returns {LayerType}
 */
function sampleNorm(centres, epsilon) {
  /** @param {import("./types.js").Options} options */
  const axesOf = (options) => options.axes ?? 1;
  return {
    options: centres ? { axes: whole(1, 1), epsilon: real(epsilon) } : { epsilon: real(epsilon) },
    parameters(options, shape) {
      const axes = lastAxes(shape, axesOf(options));
      return /** @type {import("./types.js").Arrays} */ (centres ? { scale: axes, shift: axes } : { scale: axes });
    },
    run:
      (options, { scale, shift }) =>
      ([x], step) => {
        const y = zerosLike(x, x.shape);
        const width = scale.length;
        const counts = countedElements(step.masks[0], x, axesOf(options));
        for (let start = 0; start < y.data.length; start += width) {
          normalizeRow(x.data, y.data, start, width, centres, options.epsilon, counts);
          for (let at = 0; at < width; at++)
            y.data[start + at] = y.data[start + at] * scale[at] + (shift ? shift[at] : 0);
        }
        return y;
      },
  };
}

/**
 * Which numbers of an array count, where time is among the axes that are normalized; null for all.
 * @param {import("./types.js").Mask | null} mask
 * @param {Tensor} x
 * @param {number} axes
 */
function countedElements(mask, x, axes) {
  if (mask === null || x.shape.length - axes > 1 || !mask.data.includes(0)) return null;
  const size = x.data.length / mask.data.length;
  return (/** @type {number} */ at) => mask.data[Math.floor(at / size)];
}

/**
 * @param {any} x
 * @param {any} y
 * @param {number} start
 * @param {number} width
 * @param {boolean} centres
 * @param {number} epsilon
 * @param {((at: number) => number) | null} counts
 */
function normalizeRow(x, y, start, width, centres, epsilon, counts) {
  let number = width;
  if (counts) {
    number = 0;
    for (let at = start; at < start + width; at++) number += counts(at);
    number = Math.max(number, 1);
  }
  let mean = 0;
  for (let at = start; centres && at < start + width; at++) mean += counts ? x[at] * counts(at) : x[at];
  mean /= number;
  let squares = 0;
  for (let at = start; at < start + width; at++)
    squares += counts ? counts(at) * (x[at] - mean) ** 2 : (x[at] - mean) ** 2;
  const inverse = 1 / Math.sqrt(squares / number + epsilon);
  for (let at = start; at < start + width; at++) y[at] = (x[at] - mean) * inverse;
}

/** @type {LayerType} */
const piecewiseEncoding = {
  options: { bins: whole(1, 16) },
  shape: (options, shape) => [...shape.slice(0, -1), featuresOf(shape) * options.bins],
  state: (options, shape) => ({
    left: [featuresOf(shape), options.bins],
    slope: [featuresOf(shape), options.bins],
    samples: [],
  }),
  run:
    ({ bins }, { left, slope }) =>
    ([x]) => {
      const y = zerosLike(x, [...x.shape.slice(0, -1), (x.shape.at(-1) ?? 0) * bins]);
      for (let at = 0; at < y.data.length; at++) {
        const bin = at % left.length;
        y.data[at] = Math.min(Math.max((x.data[Math.floor(at / bins)] - left[bin]) * slope[bin], 0), 1);
      }
      return y;
    },
};

/** @type {LayerType} */
const temperature = {
  options: { independent: flag(false) },
  state: () => ({ temperature: [] }),
  isLast: true,
  run:
    (options, arrays) =>
    ([x]) => {
      const y = zerosLike(x, x.shape);
      const t = arrays.temperature[0];
      const width = x.shape.at(-1) ?? 1;
      const isDouble = x.data instanceof Float64Array;
      const least = isDouble ? 2 ** -1022 : 2 ** -126; // a probability below has underflowed
      const rest = isDouble ? 2 ** -54 : 2 ** -25; // one that is 1 has been rounded from less than that
      const power = (/** @type {number} */ p) => Math.log(Math.max(p, least)) / t;
      for (let start = 0; start < y.data.length; start += width) {
        if (options.independent || width === 1) {
          for (let at = start; at < start + width; at++) {
            y.data[at] = 1 / (1 + Math.exp(Math.log(Math.max(1 - x.data[at], rest)) / t - power(x.data[at])));
          }
          continue;
        }
        let greatest = -Infinity;
        for (let at = start; at < start + width; at++) greatest = Math.max(greatest, power(x.data[at]));
        let total = 0;
        for (let at = start; at < start + width; at++) total += Math.exp(power(x.data[at]) - greatest);
        for (let at = start; at < start + width; at++) y.data[at] = Math.exp(power(x.data[at]) - greatest) / total;
      }
      return y;
    },
};

/** @type {Record<string, LayerType>} */
export const DENSE = {
  linear,
  embedding,
  standardize,
  unstandardize,
  batch_norm: batchNorm,
  layer_norm: sampleNorm(true, 1e-5),
  rms_norm: sampleNorm(false, 1e-6),
  piecewise_encoding: piecewiseEncoding,
  temperature,
};
