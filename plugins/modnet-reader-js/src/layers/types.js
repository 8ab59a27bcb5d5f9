/**
 * What a kind of layer gives; the tables beside this file are of these.
 *
 * @typedef {import("../tensor.js").Tensor} Tensor
 * @typedef {import("../tensor.js").Shape} Shape
 * @typedef {Record<string, any>} Options
 * @typedef {Record<string, number[]>} Arrays name -> shape
 * @typedef {Record<string, import("../tensor.js").Floats>} Found name -> array
 *
 * @typedef {object} Mask which steps of sequences count
 * @property {Uint8Array} data
 * @property {number[]} shape (batch, time)
 *
 * @typedef {object} Step what a layer sees while it runs
 * @property {(Mask | null)[]} masks of its inputs
 * @property {Mask | null} mask of its output: at first what its inputs have in common; a layer may set it
 *
 * @typedef {(inputs: Tensor[], step: Step) => Tensor} Run
 *
 * @typedef {object} LayerType
 * @property {"layer" | "activation"} [kind] "layer" where it is not said
 * @property {number} [version] of the component; 1 where it is not said
 * @property {Record<string, import("../options.js").Checker>} [options]
 * @property {[number, number | null]} [inputs] how many it takes: one where it is not said
 * @property {(options: Options, inputs: string[]) => any[]} [expand] of a composite: the nodes that it stands for
 * @property {(options: Options, ...shapes: Shape[]) => Shape} [shape] of the output; that of the input where it is not said
 * @property {(options: Options, ...shapes: any[]) => Arrays} [parameters]
 * @property {(options: Options, ...shapes: any[]) => Arrays} [state]
 * @property {string[]} [optional] the arrays that a file may lack
 * @property {boolean} [isLast] whether it stands behind the mean over the members of an ensemble
 * @property {(options: Options, arrays: Found, shapes: Shape[]) => Run} [run] undefined for one that changes nothing
 */

import { ModelFileError } from "../errors.js";

/**
 * @param {boolean} isRight
 * @param {string} expected
 */
export function expect(isRight, expected) {
  if (!isRight) throw new ModelFileError(`expects ${expected}`);
}

/**
 * The arrays of a layer that has a weight and, where its options say so, a bias.
 * @param {Options} options
 * @param {number[]} weight
 * @param {number} outputs
 * @returns {Arrays}
 */
export function withBias(options, weight, outputs) {
  return options.bias ? { weight, bias: [outputs] } : { weight };
}

/**
 * The size of the last axis.
 * @param {Shape} shape
 * @returns {number}
 */
export function featuresOf(shape) {
  const size = shape.at(-1);
  if (typeof size !== "number") throw new ModelFileError("expects a last axis of fixed size");
  return size;
}
