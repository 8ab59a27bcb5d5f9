/** Intervals of numbers and sets of classes (data/intervals.py). */

/** @typedef {{ coverage: number, margin: number | null, threshold: number | null }} Interval */
/** @typedef {import("../tensor.js").Tensor} Tensor */

/**
 * The lower and the upper bound of each row; rounding makes no interval smaller.
 * @param {Interval} interval
 * @param {Tensor} output
 * @param {number} place of the target among the numbers
 * @param {number[]} quantiles
 * @returns {[number[], number[]]}
 */
export function boundsOf(interval, output, place, quantiles) {
  const tail = (1 - interval.coverage) / 2;
  const [first, last] = quantiles.length
    ? [nearestPlace(quantiles, tail), nearestPlace(quantiles, 1 - tail)]
    : [place, place];
  const margin = interval.margin ?? 0;
  const [rows, width] = output.shape;
  const isSingle = output.data instanceof Float32Array;
  const found = Array.from({ length: rows }, (_, row) => {
    const low = output.data[row * width + first] - margin;
    const high = output.data[row * width + last] + margin;
    const ends = [Math.min(low, high), Math.max(low, high)];
    return isSingle ? [-roundedUp(-ends[0]), roundedUp(ends[1])] : ends;
  });
  return [found.map(([low]) => low), found.map(([, high]) => high)];
}

/** @param {number[]} quantiles @param {number} wanted */
function nearestPlace(quantiles, wanted) {
  let best = 0;
  quantiles.forEach((quantile, at) => {
    if (Math.abs(quantile - wanted) < Math.abs(quantiles[best] - wanted)) best = at;
  });
  return best;
}

const single = new Float32Array(1);
const bits = new Int32Array(single.buffer);

/** The least number of float32 that is not below this one. @param {number} exact */
function roundedUp(exact) {
  single[0] = exact;
  if (single[0] >= exact) return single[0];
  bits[0] += single[0] < 0 ? -1 : 1;
  return single[0];
}

/**
 * The places of the classes in the set of each row; the most probable one always is.
 * @param {Interval} interval
 * @param {Tensor} output
 * @returns {number[][]}
 */
export function setsOf(interval, output) {
  const [rows, width] = output.shape;
  return Array.from({ length: rows }, (_, row) => {
    const given = /** @type {number[]} */ (Array.from(output.data.subarray(row * width, (row + 1) * width)));
    const probabilities = width === 1 ? [1 - given[0], given[0]] : given;
    const best = probabilities.indexOf(Math.max(...probabilities));
    return probabilities.flatMap((probability, place) =>
      probability >= (interval.threshold ?? 0) || place === best ? [place] : [],
    );
  });
}
