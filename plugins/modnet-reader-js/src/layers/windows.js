/** Where windows lie along the axes of an image (modnet-conv, geometry.py). All images have three axes here. */

import { expect } from "./types.js";

/** @typedef {import("./types.js").Shape} Shape */

/**
 * The windows along one axis.
 * @typedef {object} Window
 * @property {number} size of the axis
 * @property {number} kernel
 * @property {number} stride
 * @property {number} dilation
 * @property {number} before zeros that are added at its start
 * @property {number} after
 * @property {number} reach from the first element of a window to its last
 * @property {number} count how many windows there are
 */

/** A size that stands for a variable one where only the others matter. */
export const MANY = 1 << 20;

/**
 * The windows along axes of these sizes.
 * @param {number[]} sizes
 * @param {{ kernel: number[], stride: number[], dilation: number[], padding: number[][] | null }} how null for "same"
 * @returns {Window[]}
 */
export function windowsOf(sizes, { kernel, stride, dilation, padding }) {
  return sizes.map((size, axis) => {
    const reach = (kernel[axis] - 1) * dilation[axis];
    let [before, after] = padding?.[axis] ?? [0, 0];
    if (padding === null) {
      const total = Math.max(0, (Math.ceil(size / stride[axis]) - 1) * stride[axis] + reach + 1 - size);
      before = Math.floor(total / 2);
      after = total - before;
    }
    expect(
      size > 0 && size + before + after > reach,
      `an axis of at least ${reach + 1 - before - after}, as wide as its windows`,
    );
    const count = Math.floor((size + before + after - reach - 1) / stride[axis]) + 1;
    return { size, kernel: kernel[axis], stride: stride[axis], dilation: dilation[axis], before, after, reach, count };
  });
}

/**
 * The sizes of a sample's axes and its channels.
 * @param {Shape} shape
 * @param {number} axes
 */
export function imageShape(shape, axes) {
  expect(shape.length === axes + 1, `samples with ${axes} axes and channels`);
  const channels = shape[axes];
  expect(channels !== null, "a last axis (channels) of fixed size");
  return { sizes: shape.slice(0, axes), channels: /** @type {number} */ (channels) };
}

/**
 * The number of windows along each axis of a sample; null where that varies.
 * @param {(number | null)[]} sizes
 * @param {(sizes: number[]) => Window[]} windows
 */
export function countsOf(sizes, windows) {
  const found = windows(sizes.map((size) => size ?? MANY));
  return sizes.map((size, axis) => (size === null ? null : found[axis].count));
}

/** An axis of 1 with a window of 1. @type {Window} */
const SINGLE = { size: 1, kernel: 1, stride: 1, dilation: 1, before: 0, after: 0, reach: 0, count: 1 };

/**
 * The windows of one or two axes as those of three.
 * @param {Window[]} windows
 */
export function asThree(windows) {
  return [SINGLE, SINGLE, SINGLE, ...windows].slice(-3);
}

// Sequences of different lengths

/** @typedef {import("./types.js").Mask} Mask */

/**
 * Up to the last step of a sequence that counts.
 * @param {Mask} mask
 * @param {number} sample
 */
function lengthOf(mask, sample) {
  const time = mask.shape[1];
  return mask.data.subarray(sample * time, (sample + 1) * time).lastIndexOf(1) + 1;
}

/**
 * The mask of windows: a sequence that ends early has as many as it would have by itself.
 * @param {Mask} mask
 * @param {Window} window
 * @param {boolean} isSame padding
 * @returns {Mask}
 */
export function maskOfWindows(mask, window, isSame) {
  const batch = mask.shape[0];
  const data = new Uint8Array(batch * window.count);
  for (let sample = 0; sample < batch; sample++) {
    const length = lengthOf(mask, sample);
    const fit = Math.floor((length + window.before + window.after - window.reach - 1) / window.stride) + 1;
    const count = isSame ? Math.ceil(length / window.stride) : length ? Math.max(fit, 0) : 0;
    data.fill(1, sample * window.count, sample * window.count + Math.min(count, window.count));
  }
  return { data, shape: [batch, window.count] };
}

/**
 * Sequences with a value in place of the steps that a mask leaves out.
 * @param {import("../tensor.js").Tensor} x
 * @param {Mask} mask
 * @param {number} value
 */
export function filled(x, mask, value) {
  const y = new /** @type {any} */ (x.constructor)(x.data.slice(), x.shape);
  const channels = x.shape[2];
  mask.data.forEach((counts, step) => {
    if (!counts) y.data.fill(value, step * channels, (step + 1) * channels);
  });
  return y;
}

/**
 * Sequences moved to where their own windows begin, for "same" padding with strides, whose part in front depends on the
 * length of each: then no padding is needed.
 * @param {import("../tensor.js").Tensor} x (batch, time, channels)
 * @param {Mask} mask
 * @param {Window} window
 */
export function movedToOwnStart(x, mask, window) {
  const [batch, time, channels] = x.shape;
  const length = (window.count - 1) * window.stride + window.reach + 1;
  const data = new x.data.constructor(batch * length * channels);
  const seen = new Uint8Array(batch * length);
  for (let sample = 0; sample < batch; sample++) {
    const own = lengthOf(mask, sample);
    const count = Math.ceil(own / window.stride);
    const before = Math.floor(Math.max(0, (count - 1) * window.stride + window.reach + 1 - own) / 2);
    for (let to = 0; to < length; to++) {
      const from = to - before;
      const source = sample * time + Math.min(Math.max(from, 0), time - 1);
      data.set(x.data.subarray(source * channels, (source + 1) * channels), (sample * length + to) * channels);
      seen[sample * length + to] = from >= 0 && from < time ? mask.data[source] : 0;
    }
  }
  const moved = new /** @type {any} */ (x.constructor)(data, [batch, length, channels]);
  return { moved, seen: { data: seen, shape: [batch, length] } };
}
