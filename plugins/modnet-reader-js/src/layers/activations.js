/** The activations. Formulas and sources are those of the reference of modnet. */

import { flag, ignored, oneOf, real } from "../options.js";
import { zerosLike } from "../tensor.js";
import { featuresOf } from "./types.js";

/** @typedef {import("./types.js").LayerType} LayerType */

/**
 * An activation of single numbers.
 * @param {(x: number, options: import("./types.js").Options) => number} function_
 * @param {Record<string, import("../options.js").Checker>} [options]
 * @returns {LayerType}
 */
function each(function_, options = {}) {
  return {
    kind: "activation",
    options,
    run:
      (chosen) =>
      ([x]) => {
        const y = zerosLike(x, x.shape);
        const from = x.data;
        const to = y.data;
        for (let at = 0; at < to.length; at++) to[at] = function_(from[at], chosen);
        return y;
      },
  };
}

/** @param {number} x */
const logistic = (x) => 1 / (1 + Math.exp(-x));

/** @param {number} x */
const clippedSix = (x) => Math.min(Math.max(x + 3, 0), 6) / 6;

/** @param {number} x */
function mish(x) {
  const e = Math.exp(Math.min(x, 20)); // from 20 on the factor is 1 to the last digit
  const n = e * (e + 2);
  return (x * n) / (n + 2);
}

// P(t) in Q(z) = exp(-z^2 / 2) P(t) / (1 + z), t = (z - 4.5) / (z + 4.5): the probability that a standard normal
// variable exceeds z >= 0. The coefficients are those of modnet (activations/gated.py).
const TAIL = [
  0.46641865659290194, -0.09445675888818722, 0.023842964769118454, 0.01892265666275088, -0.030376890965771113,
  0.0226163104460836, -0.01059108533717731, 0.002711246116676665, 0.00011925569908570023, -0.00035300190972458584,
  7.095203965488957e-5, 3.383567595736493e-5, -1.4895587821463646e-5, -3.5877582033965104e-6, 2.548949057992058e-6,
  5.295445157327417e-7, -4.235529176437766e-7, -1.1128857560242381e-7, 6.33660541891372e-8, 2.5522903616386086e-8,
  -5.307041609609546e-9, -3.935973820915269e-9, -4.769207616896135e-10,
];

/** The cumulative function of the standard normal distribution. @param {number} x */
function normal(x) {
  const z = Math.min(Math.abs(x), 39);
  const t = (z - 4.5) / (z + 4.5);
  let tail = 0;
  for (let power = TAIL.length - 1; power >= 0; power--) tail = tail * t + TAIL[power];
  tail *= Math.exp((-z * z) / 2) / (1 + z);
  return x >= 0 ? 1 - tail : tail;
}

/** @param {number} x @param {import("./types.js").Options} options */
function gelu(x, options) {
  if (Number.isNaN(x) || x === -Infinity) return x === -Infinity ? -0 : x;
  return x * (options.form === "exact" ? normal(x) : logistic(2 * Math.sqrt(2 / Math.PI) * x * (1 + 0.044715 * x * x)));
}

const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;

/** @param {number} x @param {number} alpha */
const elu = (x, alpha) => (x > 0 ? x : alpha * Math.expm1(x));

/**
 * Softmax or its logarithm, over the last axis. Padded steps, where the last axis is time, count for nothing.
 * @param {boolean} isLog
 * @returns {LayerType}
 */
function overClasses(isLog) {
  return {
    kind: "activation",
    run:
      () =>
      ([x], step) => {
        const y = zerosLike(x, x.shape);
        const width = x.shape.at(-1) ?? 1;
        const mask = step.masks[0];
        const counts = mask && x.shape.length === 2 && mask.shape[1] === width ? mask.data : null;
        const lowest = x.data instanceof Float32Array ? -8.5e37 : -4.4e307;
        for (let start = 0; start < y.data.length; start += width)
          softmaxRow(x.data, y.data, start, width, counts, isLog, lowest);
        return y;
      },
  };
}

/**
 * @param {any} x
 * @param {any} y
 * @param {number} start
 * @param {number} width
 * @param {Uint8Array | null} counts
 * @param {boolean} isLog
 * @param {number} lowest what a padded step has
 */
function softmaxRow(x, y, start, width, counts, isLog, lowest) {
  const end = start + width;
  let greatest = -Infinity;
  for (let at = start; at < end; at++) {
    y[at] = counts && !counts[at] ? lowest : x[at];
    if (y[at] > greatest || Number.isNaN(y[at])) greatest = y[at];
  }
  let total = 0;
  for (let at = start; at < end; at++) total += Math.exp(y[at] - greatest);
  const log = Math.log(total);
  for (let at = start; at < end; at++) {
    if (isLog) y[at] = y[at] - greatest - log;
    else y[at] = counts && !counts[at] ? 0 : Math.exp(y[at] - greatest) / total;
  }
}

/** @type {LayerType} */
const prelu = {
  kind: "activation",
  options: { shared: flag(false), alpha_initializer: ignored },
  parameters: (options, shape) => ({ alpha: options.shared ? [] : [featuresOf(shape)] }),
  run:
    (_, { alpha }) =>
    ([x]) => {
      const y = zerosLike(x, x.shape);
      for (let at = 0; at < y.data.length; at++)
        y.data[at] = x.data[at] > 0 ? x.data[at] : x.data[at] * alpha[at % alpha.length];
      return y;
    },
};

/** Written out, since most nodes of most networks are of these. @type {LayerType} */
const relu = {
  kind: "activation",
  run:
    () =>
    ([x]) => {
      const y = zerosLike(x, x.shape);
      const from = x.data;
      const to = y.data;
      for (let at = 0; at < to.length; at++) to[at] = from[at] < 0 ? 0 : from[at]; // nan stays
      return y;
    },
};

/** @type {Record<string, LayerType>} */
export const ACTIVATIONS = {
  elu: each((x, { alpha }) => elu(x, alpha), { alpha: real(1) }),
  gelu: each(gelu, { form: oneOf("exact", "tanh") }),
  hard_sigmoid: each(clippedSix),
  hard_swish: each((x) => x * clippedSix(x)),
  identity: { kind: "activation" },
  leaky_relu: each((x, options) => Math.max(x, x * options.negative_slope), { negative_slope: real(0.01) }),
  log_softmax: overClasses(true),
  mish: each(mish),
  prelu,
  relu,
  selu: each((x) => SELU_SCALE * elu(x, SELU_ALPHA)),
  sigmoid: each(logistic),
  silu: each((x) => x * logistic(x)),
  softmax: overClasses(false),
  softplus: each((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  tanh: each(Math.tanh),
};
