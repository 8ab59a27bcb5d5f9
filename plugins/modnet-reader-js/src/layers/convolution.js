/** The layers of modnet-conv. Images are (batch, height, width, channels). */

import { flag, ignored, oneOf, padding, perAxis, whole } from "../options.js";
import { addProduct, fillRows } from "../product.js";
import { Tensor, sizeOf, zerosLike } from "../tensor.js";
import { globalPool, part } from "./shapes.js";
import { expect, withBias } from "./types.js";
import { MANY, asThree, countsOf, filled, imageShape, maskOfWindows, movedToOwnStart, windowsOf } from "./windows.js";

/** @typedef {import("./types.js").LayerType} LayerType */
/** @typedef {import("./types.js").Options} Options */
/** @typedef {import("./windows.js").Window} Window */
/** @typedef {import("../tensor.js").Floats} Floats */

/** @param {Options} options */
const howOf = (options) => ({
  kernel: options.kernel_size,
  stride: options.stride,
  dilation: options.dilation,
  padding: options.padding,
});

/** @param {number} axes */
const windowed = (axes) => ({
  kernel_size: perAxis(axes, 1),
  stride: perAxis(axes, 1, 1),
  dilation: perAxis(axes, 1, 1),
  padding: padding(axes, "valid"),
});

const weights = { bias: flag(true), weight_initializer: ignored, bias_initializer: ignored };

/**
 * What all windows of one line see: (count, kernel elements * channels), with zeros for the padding.
 *
 * @param {Floats} patches filled in
 * @param {Floats} x
 * @param {number} start of the sample in x
 * @param {Window[]} windows three
 * @param {number} channels
 * @param {number} deep the place of the windows along the first axis
 * @param {number} down along the second
 * @param {number} first of the channels that are seen
 * @param {number} seen how many of them
 */
function look(patches, x, start, windows, channels, deep, down, first, seen) {
  const [d, h, w] = windows;
  let to = 0;
  for (let across = 0; across < w.count; across++) {
    for (let i = 0; i < d.kernel; i++) {
      const z = deep * d.stride + i * d.dilation - d.before;
      for (let j = 0; j < h.kernel; j++) {
        const y = down * h.stride + j * h.dilation - h.before;
        const isInside = z >= 0 && z < d.size && y >= 0 && y < h.size;
        const line = start + (z * h.size + y) * w.size * channels + first;
        for (let k = 0; k < w.kernel; k++) {
          const column = across * w.stride + k * w.dilation - w.before;
          if (isInside && column >= 0 && column < w.size) {
            const from = line + column * channels;
            for (let c = 0; c < seen; c++) patches[to + c] = x[from + c];
          } else {
            for (let c = 0; c < seen; c++) patches[to + c] = 0;
          }
          to += seen;
        }
      }
    }
  }
}

/**
 * y += the correlation of x with a weight for each group.
 *
 * @param {Tensor} x (batch, ..., channels)
 * @param {Window[]} windows
 * @param {Floats[]} groups the weight of each, (kernel elements * channels / groups, outputs / groups)
 * @param {Tensor} y (batch, ..., outputs)
 */
function correlate(x, windows, groups, y) {
  const three = asThree(windows);
  const [d, h, w] = three;
  const channels = /** @type {number} */ (x.shape.at(-1));
  const outputs = /** @type {number} */ (y.shape.at(-1));
  const seen = channels / groups.length;
  const own = outputs / groups.length;
  const inner = d.kernel * h.kernel * w.kernel * seen;
  const patches = new x.data.constructor(w.count * inner);
  const products = groups.length > 1 ? new x.data.constructor(w.count * own) : null;
  const size = sizeOf(x.shape.slice(1));
  let to = 0;
  for (let sample = 0; sample < x.shape[0]; sample++) {
    for (let deep = 0; deep < d.count; deep++) {
      for (let down = 0; down < h.count; down++, to += w.count * outputs) {
        groups.forEach((weight, group) => {
          look(patches, x.data, sample * size, three, channels, deep, down, group * seen, seen);
          if (products === null) {
            addProduct(patches, 0, w.count, inner, weight, own, y.data, to);
            return;
          }
          products.fill(0);
          addProduct(patches, 0, w.count, inner, weight, own, products, 0);
          for (let at = 0; at < products.length; at++) {
            y.data[to + Math.floor(at / own) * outputs + group * own + (at % own)] += products[at];
          }
        });
      }
    }
  }
}

/**
 * The columns of a weight that belong to each group.
 * @param {Floats} weight (inner, outputs)
 * @param {number} groups
 * @param {number} outputs
 * @returns {Floats[]}
 */
function columnsOf(weight, groups, outputs) {
  if (groups === 1) return [weight];
  const own = outputs / groups;
  return Array.from({ length: groups }, (_, group) => {
    const part = /** @type {Floats} */ (new /** @type {any} */ (weight.constructor)(weight.length / groups));
    for (let at = 0; at < part.length; at++)
      part[at] = weight[Math.floor(at / own) * outputs + group * own + (at % own)];
    return part;
  });
}

/**
 * @param {number} axes
 * @returns {LayerType}
 */
function convolution(axes) {
  return {
    options: { out_channels: whole(1), ...windowed(axes), groups: whole(1, 1), ...weights },
    shape(options, shape) {
      const { sizes, channels } = imageShape(shape, axes);
      expect(
        channels % options.groups === 0 && options.out_channels % options.groups === 0,
        `channels that groups = ${options.groups} divides`,
      );
      return [...countsOf(sizes, (known) => windowsOf(known, howOf(options))), options.out_channels];
    },
    parameters(options, shape) {
      const weight = [...options.kernel_size, imageShape(shape, axes).channels / options.groups, options.out_channels];
      return withBias(options, weight, options.out_channels);
    },
    run(options, { weight, bias }) {
      const groups = columnsOf(weight, options.groups, options.out_channels);
      return axes === 1 ? alongTime(options, 0, run) : ([x]) => run(x, windowsOf(x.shape.slice(1, -1), howOf(options)));

      /** @param {Tensor} x @param {Window[]} windows */
      function run(x, windows) {
        const y = zerosLike(x, [x.shape[0], ...windows.map((window) => window.count), options.out_channels]);
        if (bias) fillRows(y.data, bias);
        correlate(x, windows, groups, y);
        return y;
      }
    },
  };
}

/**
 * A layer along time, by masks: with one, padding is that of each sequence and not of the longest.
 *
 * @param {Options} options
 * @param {number} value of the steps that a mask leaves out
 * @param {(x: Tensor, windows: Window[], seen: import("./types.js").Mask | null) => Tensor} run
 * @returns {import("./types.js").Run}
 */
function alongTime(options, value, run) {
  const how = howOf(options);
  return ([x], step) => {
    const mask = step.masks[0];
    const windows = windowsOf([x.shape[1]], how);
    if (!mask) return run(x, windows, null);
    step.mask = maskOfWindows(mask, windows[0], how.padding === null);
    if (how.padding !== null || how.stride[0] === 1) return run(filled(x, mask, value), windows, mask);
    const { moved, seen } = movedToOwnStart(x, mask, windows[0]);
    return run(filled(moved, seen, value), windowsOf([moved.shape[1]], { ...how, padding: [[0, 0]] }), seen);
  };
}

/** @type {LayerType} */
const depthwise = {
  options: { ...windowed(2), depth_multiplier: whole(1, 1), ...weights },
  shape(options, shape) {
    const { sizes, channels } = imageShape(shape, 2);
    return [...countsOf(sizes, (known) => windowsOf(known, howOf(options))), channels * options.depth_multiplier];
  },
  parameters(options, shape) {
    const outputs = imageShape(shape, 2).channels * options.depth_multiplier;
    const weight = [...options.kernel_size, outputs];
    return withBias(options, weight, outputs);
  },
  run:
    (options, { weight, bias }) =>
    ([x]) => {
      const [down, across] = windowsOf(x.shape.slice(1, -1), howOf(options));
      const channels = x.shape[3];
      const times = options.depth_multiplier;
      const outputs = channels * times;
      const y = zerosLike(x, [x.shape[0], down.count, across.count, outputs]);
      if (bias) fillRows(y.data, bias);
      let to = 0;
      for (let sample = 0; sample < x.shape[0]; sample++) {
        for (let p = 0; p < down.count; p++) {
          for (let q = 0; q < across.count; q++, to += outputs) {
            eachTap(down, across, p, q, (row, column, tap) => {
              const from = ((sample * down.size + row) * across.size + column) * channels;
              for (let o = 0; o < outputs; o++)
                y.data[to + o] += x.data[from + Math.floor(o / times)] * weight[tap * outputs + o];
            });
          }
        }
      }
      return y;
    },
};

/**
 * The places of a window that lie on the axis: a window may be any times as large as what it is moved over.
 * @param {Window} window
 * @param {number} place of the window
 */
function inside({ size, kernel, stride, dilation, before }, place) {
  const start = before - place * stride;
  return [Math.max(0, Math.ceil(start / dilation)), Math.min(kernel, Math.ceil((start + size) / dilation))];
}

/**
 * Calls for each element of an image in a window, with its place in the window.
 * @param {Window} down
 * @param {Window} across
 * @param {number} p
 * @param {number} q
 * @param {(row: number, column: number, tap: number) => void} call
 */
function eachTap(down, across, p, q, call) {
  const [top, bottom] = inside(down, p);
  const [left, right] = inside(across, q);
  for (let i = top; i < bottom; i++) {
    const row = p * down.stride + i * down.dilation - down.before;
    for (let j = left; j < right; j++) {
      call(row, q * across.stride + j * across.dilation - across.before, i * across.kernel + j);
    }
  }
}

/** @type {LayerType} */
const separable = {
  options: {
    out_channels: whole(1),
    ...windowed(2),
    depth_multiplier: whole(1, 1),
    bias: flag(true),
    depthwise_initializer: ignored,
    pointwise_initializer: ignored,
  },
  expand(options) {
    const { kernel_size, stride, dilation, depth_multiplier, out_channels, bias } = options;
    const sides = options.padding ?? "same";
    return [
      {
        type: "depthwise_conv2d",
        name: "depthwise",
        kernel_size,
        stride,
        dilation,
        padding: sides,
        depth_multiplier,
        bias: false,
      },
      { type: "conv2d", name: "pointwise", kernel_size: 1, out_channels, bias },
    ];
  },
};

/**
 * The windows on the output of a transposed convolution, one for each element of its input.
 * @param {number[]} counts
 * @param {Options} options
 * @returns {Window[]}
 */
function spreadWindows(counts, options) {
  return counts.map((count, axis) => {
    const kernel = options.kernel_size[axis],
      stride = options.stride[axis],
      dilation = options.dilation[axis];
    const reach = (kernel - 1) * dilation;
    const whole = (count - 1) * stride + reach + 1;
    let [before, after] = options.padding?.[axis] ?? [0, 0];
    let size = whole - before - after + options.output_padding[axis];
    if (options.padding === null) {
      size = count * stride;
      before = Math.floor(Math.max(0, whole - size) / 2);
    }
    expect(size >= 1, "a larger axis: with this padding, nothing is left of the output");
    after = whole - size - before;
    return { size, kernel, stride, dilation, before, after, reach, count };
  });
}

/** @type {LayerType} */
const transposed = {
  options: {
    out_channels: whole(1),
    ...windowed(2),
    output_padding: perAxis(2, 0, 0),
    groups: whole(1, 1),
    ...weights,
  },
  shape(options, shape) {
    const { sizes, channels } = imageShape(shape, 2);
    expect(channels % options.groups === 0, `channels that groups = ${options.groups} divides`);
    const found = spreadWindows(
      sizes.map((size) => size ?? MANY),
      options,
    );
    return [...sizes.map((size, axis) => (size === null ? null : found[axis].size)), options.out_channels];
  },
  parameters(options, shape) {
    const weight = [...options.kernel_size, options.out_channels / options.groups, imageShape(shape, 2).channels];
    return withBias(options, weight, options.out_channels);
  },
  run:
    (options, { weight, bias }) =>
    ([x]) => {
      const [batch, height, width, channels] = x.shape;
      const [down, across] = spreadWindows([height, width], options);
      const outputs = options.out_channels;
      const own = outputs / options.groups;
      const seen = channels / options.groups;
      const y = zerosLike(x, [batch, down.size, across.size, outputs]);
      if (bias) fillRows(y.data, bias);
      for (let place = 0; place < batch * height * width; place++) {
        const p = Math.floor(place / width) % height;
        const sample = Math.floor(place / (width * height));
        eachTap(down, across, p, place % width, (row, column, tap) => {
          const to = ((sample * down.size + row) * across.size + column) * outputs;
          for (let o = 0; o < outputs; o++) {
            const first = Math.floor(o / own) * seen;
            const line = (tap * own + (o % own)) * channels;
            let total = 0;
            for (let c = first; c < first + seen; c++) total += x.data[place * channels + c] * weight[line + c];
            y.data[to + o] += total;
          }
        });
      }
      return y;
    },
};

/**
 * @param {number} axes
 * @param {boolean} isMean the mean of a window, or else the greatest
 * @returns {LayerType}
 */
function pool(axes, isMean) {
  const own = { pool_size: perAxis(axes, 1, 2), stride: perAxis(axes, 1, null), padding: padding(axes, "valid") };
  /** @param {Options} options */
  const asWindowed = (options) => ({
    kernel_size: options.pool_size,
    stride: options.stride ?? options.pool_size,
    dilation: Array(axes).fill(1),
    padding: options.padding,
  });
  return {
    options: isMean ? { ...own, count_padding: flag(false) } : own,
    shape(options, shape) {
      const { sizes, channels } = imageShape(shape, axes);
      return [...countsOf(sizes, (known) => windowsOf(known, howOf(asWindowed(options)))), channels];
    },
    run(options) {
      const how = asWindowed(options);
      const run = (/** @type {Tensor} */ x, /** @type {Window[]} */ windows, /** @type {any} */ seen = null) =>
        pooled(x, windows, isMean, options.count_padding, seen);
      return axes === 1
        ? alongTime(how, isMean ? 0 : -Infinity, run)
        : ([x]) => run(x, windowsOf(x.shape.slice(1, -1), howOf(how)));
    },
  };
}

/**
 * @param {Tensor} x
 * @param {Window[]} windows
 * @param {boolean} isMean
 * @param {boolean} countsPadding
 * @param {import("./types.js").Mask | null} seen the steps that count, along time
 */
function pooled(x, windows, isMean, countsPadding, seen) {
  const [, down, across] = asThree(windows);
  const channels = /** @type {number} */ (x.shape.at(-1));
  const y = zerosLike(x, [x.shape[0], ...windows.map((window) => window.count), channels]);
  let to = 0;
  for (let sample = 0; sample < x.shape[0]; sample++) {
    for (let p = 0; p < down.count; p++) {
      for (let q = 0; q < across.count; q++, to += channels) {
        let number = 0;
        if (!isMean) y.data.fill(-Infinity, to, to + channels);
        eachTap(down, across, p, q, (row, column) => {
          const from = ((sample * down.size + row) * across.size + column) * channels;
          number += seen ? seen.data[sample * across.size + column] : 1;
          for (let c = 0; c < channels; c++) {
            const value = x.data[from + c];
            if (isMean) y.data[to + c] += value;
            else if (value > y.data[to + c] || Number.isNaN(value)) y.data[to + c] = value;
          }
        });
        const divisor = countsPadding ? down.kernel * across.kernel : Math.max(number, 1);
        for (let c = to; c < to + channels; c++) {
          if (isMean) y.data[c] /= divisor;
          else if (seen && y.data[c] === -Infinity) y.data[c] = 0; // a window without any step
        }
      }
    }
  }
  return y;
}

/** @type {LayerType} */
const upsample = {
  options: { scale_factor: perAxis(2, 1, 2), mode: oneOf("nearest", "bilinear") },
  shape(options, shape) {
    const { sizes, channels } = imageShape(shape, 2);
    return [...sizes.map((size, axis) => (size === null ? null : size * options.scale_factor[axis])), channels];
  },
  run:
    (options) =>
    ([x]) => {
      const [batch, height, width, channels] = x.shape;
      const [down, across] = options.scale_factor;
      const y = zerosLike(x, [batch, height * down, width * across, channels]);
      const rows = sourcesOf(height, down, options.mode);
      const columns = sourcesOf(width, across, options.mode);
      let to = 0;
      for (let sample = 0; sample < batch; sample++) {
        for (const [top, bottom, below] of rows) {
          for (const [left, right, beside] of columns) {
            for (let c = 0; c < channels; c++) {
              const at = (/** @type {number} */ row, /** @type {number} */ column) =>
                x.data[((sample * height + row) * width + column) * channels + c];
              const upper = at(top, left) * (1 - beside) + (beside ? at(top, right) * beside : 0);
              const lower = below ? at(bottom, left) * (1 - beside) + (beside ? at(bottom, right) * beside : 0) : 0;
              y.data[to++] = upper * (1 - below) + lower * below;
            }
          }
        }
      }
      return y;
    },
};

/**
 * For each place along an axis of the output: the two places of the input that it is made of, and the second's share.
 * @param {number} size
 * @param {number} factor
 * @param {string} mode
 * @returns {[number, number, number][]}
 */
function sourcesOf(size, factor, mode) {
  return Array.from({ length: size * factor }, (_, at) => {
    if (mode === "nearest") return [Math.floor(at / factor), 0, 0];
    const place = Math.min(Math.max((at + 0.5) / factor - 0.5, 0), size - 1);
    const first = Math.floor(place);
    return [first, Math.min(first + 1, size - 1), place - first];
  });
}

/** @type {LayerType} */
const zeroPad = {
  options: { padding: padding(2, 1) },
  shape(options, shape) {
    const { sizes, channels } = imageShape(shape, 2);
    return [
      ...sizes.map((size, axis) => (size === null ? null : size + options.padding[axis][0] + options.padding[axis][1])),
      channels,
    ];
  },
  run:
    (options) =>
    ([x]) => {
      const [batch, height, width, channels] = x.shape;
      const [[top, bottom], [left, right]] = options.padding;
      const wide = left + width + right;
      const y = zerosLike(x, [batch, top + height + bottom, wide, channels]);
      for (let line = 0; line < batch * height; line++) {
        const row = Math.floor(line / height) * y.shape[1] + top + (line % height);
        y.data.set(
          x.data.subarray(line * width * channels, (line + 1) * width * channels),
          (row * wide + left) * channels,
        );
      }
      return y;
    },
};

/** In prediction the part in the middle. @type {LayerType} */
const randomCrop = {
  options: { height: whole(1), width: whole(1) },
  shape(options, shape) {
    const {
      sizes: [height, width],
      channels,
    } = imageShape(shape, 2);
    expect(
      (height ?? 0) >= options.height && (width ?? 0) >= options.width,
      "an image that is not smaller than the part",
    );
    return [options.height, options.width, channels];
  },
  run:
    (options) =>
    ([x]) => {
      const top = Math.floor((x.shape[1] - options.height) / 2);
      const left = Math.floor((x.shape[2] - options.width) / 2);
      return part(part(x, 1, top, top + options.height), 2, left, left + options.width);
    },
};

/** @type {Record<string, LayerType>} */
export const CONVOLUTION = {
  conv1d: convolution(1),
  conv2d: convolution(2),
  conv3d: convolution(3),
  conv_transpose2d: transposed,
  depthwise_conv2d: depthwise,
  separable_conv2d: separable,
  max_pool1d: pool(1, false),
  max_pool2d: pool(2, false),
  average_pool1d: pool(1, true),
  average_pool2d: pool(2, true),
  global_max_pool: globalPool(false),
  upsample2d: upsample,
  zero_pad2d: zeroPad,
  random_crop: randomCrop,
  random_flip: { options: { direction: ignored, probability: ignored } },
  random_shift: { options: { distance: ignored } },
};
