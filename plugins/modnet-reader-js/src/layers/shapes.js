/** Layers that change the shape of a sample, take a part of it, join several, or go over all of it; and composites. */

import { ModelFileError, ShapeError } from "../errors.js";
import { checked, flag, ignored, layer, nodes, nodesOrNone, real, shape as shapeOption, whole } from "../options.js";
import { Tensor, sizeOf, zerosLike } from "../tensor.js";
import { shapeText } from "../words.js";
import { expect } from "./types.js";

/** @typedef {import("./types.js").LayerType} LayerType */
/** @typedef {import("./types.js").Mask} Mask */
/** @typedef {import("./types.js").Shape} Shape */

/** @type {LayerType} */
const flatten = {
  shape(_, shape) {
    expect(!shape.includes(null), "a fixed size of every axis");
    return [sizeOf(/** @type {number[]} */ (shape))];
  },
  run:
    () =>
    ([x], step) => {
      step.mask = null;
      return x.reshaped([x.shape[0], sizeOf(x.shape.slice(1))]);
    },
};

/**
 * The shape of a sample, where -1 stands for what the others leave.
 * @param {number[]} wanted
 * @param {Shape} shape
 * @returns {Shape}
 */
function reshapedShape(wanted, shape) {
  const size = sizeOf(/** @type {number[]} */ (shape.filter((axis) => axis !== null)));
  const fixed = sizeOf(wanted.filter((axis) => axis !== -1));
  const isFree = wanted.includes(-1);
  expect(isFree || !shape.includes(null), "a fixed size of every axis");
  expect(isFree ? size % fixed === 0 : size === fixed, `samples of ${isFree ? "a multiple of " : ""}${fixed} elements`);
  return wanted.map((axis) => (axis !== -1 ? axis : shape.includes(null) ? null : size / fixed));
}

/** @type {LayerType} */
const reshape = {
  options: { shape: shapeOption },
  shape: (options, shape) => reshapedShape(options.shape, shape),
  run:
    (options) =>
    ([x], step) => {
      const y = x.reshaped([x.shape[0], .../** @type {number[]} */ (reshapedShape(options.shape, x.shape.slice(1)))]);
      if (step.masks[0]) step.mask = maskOfSteps(step.masks[0], sizeOf(x.shape.slice(2)), sizeOf(y.shape.slice(2)));
      return y;
    },
};

/**
 * The mask of steps of `after` numbers, from that of steps of `before`; null if they do not align.
 * @param {Mask} mask
 * @param {number} before
 * @param {number} after
 * @returns {Mask | null}
 */
function maskOfSteps(mask, before, after) {
  const [batch, time] = mask.shape;
  if (after && before % after === 0) {
    const times = before / after;
    const data = new Uint8Array(mask.data.length * times).map((_, at) => mask.data[Math.floor(at / times)]);
    return { data, shape: [batch, time * times] };
  }
  const joined = after / before;
  if (!before || after % before || time % joined) return null;
  const data = new Uint8Array(mask.data.length / joined);
  mask.data.forEach((counts, at) => {
    data[Math.floor(at / joined)] ||= counts;
  });
  return { data, shape: [batch, time / joined] };
}

/**
 * The part of an array between two places along an axis.
 * @param {Tensor} x
 * @param {number} axis of the array
 * @param {number} start
 * @param {number} stop
 */
function part(x, axis, start, stop) {
  const inner = sizeOf(x.shape.slice(axis + 1));
  const y = zerosLike(x, x.shape.with(axis, stop - start));
  const length = (stop - start) * inner;
  for (let outer = 0, from = start * inner; outer * length < y.data.length; outer++, from += x.shape[axis] * inner) {
    y.data.set(x.data.subarray(from, from + length), outer * length);
  }
  return y;
}

/**
 * The places that numpy's x[start:stop] means.
 * @param {number} size
 * @param {import("./types.js").Options} options
 * @returns {[number, number]}
 */
function bounds(size, { start, stop }) {
  const place = (/** @type {number | null} */ at, /** @type {number} */ otherwise) =>
    at === null ? otherwise : Math.min(Math.max(at < 0 ? at + size : at, 0), size);
  const first = place(start, 0);
  return [first, Math.max(first, place(stop, size))];
}

const place = checked((value) => value === null || Number.isSafeInteger(value), "a whole number, or nothing", null);
const axisOption = checked(Number.isSafeInteger, "a whole number", -1);

/** @type {LayerType} */
const slice = {
  options: { axis: axisOption, start: place, stop: place },
  shape(options, shape) {
    expect(options.axis >= -shape.length && options.axis < shape.length, `samples with an axis ${options.axis}`);
    return shape.map((size, axis) => {
      if (size === null || axis !== (options.axis + shape.length) % shape.length) return size;
      const [start, stop] = bounds(size, options);
      expect(stop > start, `an axis ${options.axis} with elements in that part`);
      return stop - start;
    });
  },
  run:
    (options) =>
    ([x], step) => {
      const axis = options.axis >= 0 ? options.axis + 1 : x.shape.length + options.axis;
      const [start, stop] = bounds(x.shape[axis], options);
      const mask = step.masks[0];
      if (mask && axis === 1) {
        const isFromEnd = (options.start ?? 0) < 0 || (options.stop ?? 0) < 0; // in which padding is counted
        const asTensor = new Tensor(mask.data, mask.shape);
        step.mask = isFromEnd ? null : part(asTensor, 1, start, stop);
      }
      return part(x, axis, start, stop);
    },
};

/**
 * The shape that all inputs have.
 * @param {Shape[]} shapes
 * @returns {Shape}
 */
function oneShape(shapes) {
  const isOne = shapes.every((shape) => shape.length === shapes[0].length);
  expect(isOne, "inputs of the same shape");
  return shapes[0].map((_, axis) => {
    const sizes = shapes.map((shape) => shape[axis]).filter((size) => size !== null);
    expect(new Set(sizes).size <= 1, "inputs of the same shape");
    return sizes[0] ?? null;
  });
}

/**
 * @param {(total: number, x: number) => number} combine
 * @returns {LayerType}
 */
const combining = (combine) => ({
  inputs: [2, null],
  shape: (_, ...shapes) => oneShape(shapes),
  run:
    () =>
    ([first, ...others]) => {
      const y = new Tensor(first.data.slice(), first.shape);
      for (const x of others) {
        if (x.shape.join() !== first.shape.join())
          throw new ShapeError(
            `expects inputs of the same shape, found ${shapeText(first.shape)} and ${shapeText(x.shape)}`,
          );
        for (let at = 0; at < y.data.length; at++) y.data[at] = combine(y.data[at], x.data[at]);
      }
      return y;
    },
});

/** @type {LayerType} */
const concatenate = {
  inputs: [2, null],
  options: { axis: axisOption },
  shape(options, ...shapes) {
    const count = shapes[0].length;
    expect(
      shapes.every((shape) => shape.length === count && options.axis >= -count && options.axis < count),
      `samples with an axis ${options.axis}`,
    );
    const axis = (options.axis + count) % count;
    const sizes = shapes.map((shape) => shape[axis]);
    const total = sizes.includes(null) ? null : sizeOfAll(/** @type {number[]} */ (sizes));
    return oneShape(shapes.map((shape) => shape.with(axis, null))).with(axis, total);
  },
  run: (options) => (inputs, step) => {
    const axis = options.axis >= 0 ? options.axis + 1 : inputs[0].shape.length + options.axis;
    const others = inputs.map((x) => x.shape.with(axis, 0).join());
    if (new Set(others).size > 1) throw new ShapeError(`expects inputs that differ only in axis ${options.axis}`);
    if (axis === 1 && step.masks.some((mask) => mask)) {
      const whole = inputs.map(
        (x, number) =>
          step.masks[number] ?? { data: new Uint8Array(x.shape[0] * x.shape[1]).fill(1), shape: x.shape.slice(0, 2) },
      );
      step.mask = joined(
        whole.map((mask) => new Tensor(mask.data, mask.shape)),
        1,
      );
    } else if (axis === 1) {
      step.mask = null;
    }
    return joined(inputs, axis);
  },
};

/** @param {number[]} sizes */
const sizeOfAll = (sizes) => sizes.reduce((total, size) => total + size, 0);

/**
 * @param {Tensor[]} inputs
 * @param {number} axis of the arrays
 */
function joined(inputs, axis) {
  const y = zerosLike(inputs[0], inputs[0].shape.with(axis, sizeOfAll(inputs.map((x) => x.shape[axis]))));
  const outer = sizeOf(y.shape.slice(0, axis));
  let to = 0;
  for (let row = 0; row < outer; row++) {
    for (const x of inputs) {
      const length = sizeOf(x.shape.slice(axis));
      y.data.set(x.data.subarray(row * length, (row + 1) * length), to);
      to += length;
    }
  }
  return y;
}

/** @param {Shape} shape */
function channelsAlone(shape) {
  expect(shape.length >= 2, "samples with two axes or more: (time, features) or (height, width, channels)");
  return shape.slice(-1);
}

/**
 * One number for each channel of a sample.
 * @param {boolean} isMean the mean, or else the greatest
 * @returns {LayerType}
 */
const globalPool = (isMean) => ({
  shape: (_, shape) => channelsAlone(shape),
  run:
    () =>
    ([x], step) => {
      const channels = x.shape.at(-1) ?? 0;
      const y = zerosLike(x, [x.shape[0], channels]);
      const places = sizeOf(x.shape.slice(1, -1));
      const mask = step.masks[0];
      const steps = mask ? mask.shape[1] : 1;
      step.mask = null;
      for (let sample = 0; sample < x.shape[0]; sample++) {
        const totals = new Float64Array(channels).fill(isMean ? 0 : -Infinity);
        let counted = 0;
        for (let place = 0; place < places; place++) {
          if (mask && !mask.data[sample * steps + Math.floor((place * steps) / places)]) continue;
          counted++;
          const start = (sample * places + place) * channels;
          for (let c = 0; c < channels; c++) {
            totals[c] = isMean ? totals[c] + x.data[start + c] : Math.max(totals[c], x.data[start + c]);
          }
        }
        for (let c = 0; c < channels; c++)
          y.data[sample * channels + c] = !counted ? 0 : isMean ? totals[c] / counted : totals[c];
      }
      return y;
    },
});

/** @type {LayerType} */
const masking = {
  options: { value: real(0) },
  run:
    (options) =>
    ([x], step) => {
      const [batch, time, features] = x.shape;
      const data = new Uint8Array(batch * time);
      for (let at = 0; at < data.length; at++) {
        const counts = x.data
          .subarray(at * features, (at + 1) * features)
          .some((/** @type {number} */ number) => number !== options.value);
        data[at] = counts && (step.masks[0]?.data[at] ?? 1) ? 1 : 0;
      }
      step.mask = { data, shape: [batch, time] };
      return x;
    },
};

// Ensembles

/** @type {LayerType} */
const ensembleMean = {
  isLast: true,
  shape(_, shape) {
    expect(shape[0] !== null && shape[0] > 0, "samples of shape (members, ...)");
    return shape.slice(1);
  },
  run:
    () =>
    ([x]) =>
      meanOf(Array.from({ length: x.shape[1] }, (_, member) => memberOf(x, member))),
};

/**
 * One member's part of an array (batch, members, ...).
 * @param {Tensor} x
 * @param {number} member
 */
function memberOf(x, member) {
  return part(x, 1, member, member + 1).reshaped([x.shape[0], ...x.shape.slice(2)]);
}

/**
 * The mean of arrays.
 * @param {Tensor[]} all
 */
export function meanOf(all) {
  const y = zerosLike(all[0], all[0].shape);
  for (let at = 0; at < y.data.length; at++) {
    let total = 0;
    for (const x of all) total += x.data[at];
    y.data[at] = total / all.length;
  }
  return y;
}

/** What `per_member` stands for: its layer, once for each member. @type {(inner: LayerType, options: import("./types.js").Options, members: number, isShared: boolean) => LayerType} */
export function forMembers(inner, options, members, isShared) {
  expect(members <= 10_000, "10,000 members at most");
  /** @param {Shape[]} shapes */
  const ofOne = (shapes) => {
    if (isShared) return shapes;
    expect(
      shapes.every((shape) => shape[0] === members),
      `samples of shape (members, ...) with ${members} members`,
    );
    return shapes.map((shape) => shape.slice(1));
  };
  /** @param {import("./types.js").Arrays | undefined} arrays */
  const withMembers = (arrays) =>
    Object.fromEntries(Object.entries(arrays ?? {}).map(([name, shape]) => [name, [members, ...shape]]));
  return {
    inputs: inner.inputs,
    shape: (_, ...shapes) => [members, ...(inner.shape?.(options, ...ofOne(shapes)) ?? ofOne(shapes)[0])],
    parameters: (_, ...shapes) => withMembers(inner.parameters?.(options, ...ofOne(shapes))),
    state: (_, ...shapes) => withMembers(inner.state?.(options, ...ofOne(shapes))),
    optional: inner.optional,
    run: (_, arrays, shapes) => {
      const runs = Array.from({ length: members }, (_, member) =>
        inner.run?.(options, partsOf(arrays, member, members), ofOne(shapes)),
      );
      return (inputs) => {
        const made = runs.map((run, member) => {
          const own = isShared ? inputs : inputs.map((x) => memberOf(x, member));
          return run ? run(own, { masks: own.map(() => null), mask: null }) : own[0];
        });
        return joined(
          made.map((y) => y.reshaped([y.shape[0], 1, ...y.shape.slice(1)])),
          1,
        );
      };
    },
  };
}

/**
 * One member's part of arrays that have the members as their first axis.
 * @param {import("./types.js").Found} arrays
 * @param {number} member
 * @param {number} members
 * @returns {import("./types.js").Found}
 */
export function partsOf(arrays, member, members) {
  const entries = Object.entries(arrays).map(([name, data]) => {
    const size = data.length / members;
    return [name, data.subarray(member * size, (member + 1) * size)];
  });
  return Object.fromEntries(entries);
}

// Composites

/** @type {LayerType} */
const residual = {
  options: { layers: nodes, shortcut: nodesOrNone },
  expand(options, [input]) {
    const found = [...options.layers, { type: "identity", name: "branch" }];
    if (!options.shortcut.length) return [...found, { type: "add", inputs: ["branch", input] }];
    found.push({ type: CHAIN, layers: options.shortcut, name: "shortcut", inputs: [input] });
    return [...found, { type: "add", inputs: ["branch", "shortcut"] }];
  },
};

/** The type of a list of nodes under a name, which no file has: composites are made of it. */
export const CHAIN = "(chain)";

/** @type {LayerType} */
const repeat = {
  options: { count: whole(1), layers: nodes },
  expand(options) {
    if (options.count > 10_000) throw new ModelFileError("repeat: expected a count of at most 10,000");
    return Array.from({ length: options.count }, (_, number) => ({
      type: CHAIN,
      layers: options.layers,
      name: `${number + 1}`,
    }));
  },
};

/** @type {Record<string, LayerType>} */
export const SHAPES = {
  add: combining((total, x) => total + x),
  multiply: combining((total, x) => total * x),
  concatenate,
  flatten,
  reshape,
  slice,
  global_average_pool: globalPool(true),
  dropout: { options: { rate: ignored, schedule: ignored } },
  gaussian_noise: { options: { standard_deviation: ignored } },
  ensemble_mean: ensembleMean,
  per_member: { inputs: [1, null], options: { layer, members: whole(1), shared: flag(false) } },
  residual,
  repeat,
};

/** @type {LayerType} */
export const chain = { options: { layers: nodes }, expand: (options) => options.layers };

/** Of modnet-recurrent and modnet-conv. */
export { globalPool, masking, part };
