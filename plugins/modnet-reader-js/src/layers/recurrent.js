/** The layers of modnet-recurrent. Gates stand side by side in the order of torch. */

import { flag, ignored, layer, oneOf, real, whole } from "../options.js";
import { addProduct, fillRows } from "../product.js";
import { Tensor, zerosLike } from "../tensor.js";
import { masking } from "./shapes.js";
import { expect, featuresOf } from "./types.js";

/** @typedef {import("./types.js").LayerType} LayerType */
/** @typedef {import("./types.js").Options} Options */
/** @typedef {import("./types.js").Found} Found */
/** @typedef {import("../tensor.js").Floats} Floats */

/**
 * A step of a sample: from what x and the biases give to the gates, and the product with the state, to the states behind it.
 * @callback Advance
 * @param {Floats} gates
 * @param {number} g where the gates of the step begin
 * @param {Floats} product
 * @param {number} p where that of the sample begins
 * @param {Floats[]} states are changed
 * @param {number} s where those of the sample begin
 * @param {number} size
 * @param {Options} options
 * @param {Found} arrays
 */

const common = {
  hidden_size: whole(1),
  bias: flag(true),
  return_sequences: flag(true),
  reverse: flag(false),
  train_initial_state: flag(false),
  weight_initializer: ignored,
  hidden_initializer: ignored,
  bias_initializer: ignored,
};

/** @param {number} x */
const logistic = (x) => 1 / (1 + Math.exp(-x));

/**
 * @param {string[]} states
 * @param {number} gateCount
 * @param {Record<string, import("../options.js").Checker>} options
 * @param {Advance} advance
 * @param {boolean} [hasHiddenBias]
 * @returns {LayerType}
 */
function recurrent(states, gateCount, options, advance, hasHiddenBias = false) {
  /** How many of the states a sequence ends with. @param {Options} chosen */
  const returned = (chosen) => (chosen.return_state ? 2 : 1);
  return {
    inputs: [1, 2],
    options: { ...common, ...options },
    shape(chosen, shape, initial) {
      expect(shape.length === 2, "sequences, samples of shape (time, features)");
      featuresOf(shape);
      const size = chosen.hidden_size;
      expect(
        !initial || (initial.length === 1 && initial[0] === states.length * size),
        `an initial state of shape (${states.length * size},)`,
      );
      return chosen.return_sequences ? [shape[0], size] : [returned(chosen) * size];
    },
    parameters(chosen, shape) {
      const size = chosen.hidden_size;
      const columns = gateCount * size;
      return {
        weight_input: [featuresOf(shape), columns],
        weight_hidden: [size, columns],
        ...(chosen.bias ? { bias: [columns], ...(hasHiddenBias ? { bias_hidden: [size] } : {}) } : {}),
        ...(chosen.train_initial_state ? Object.fromEntries(states.map((name) => [`initial_${name}`, [size]])) : {}),
      };
    },
    run:
      (chosen, arrays) =>
      ([x, initial], step) => {
        const kept = initialStates(x, initial, states, chosen, arrays);
        return goThrough(x, kept, step, chosen, arrays, gateCount, advance, returned(chosen));
      },
  };
}

/**
 * The states before the first step, (batch, hidden) each.
 * @param {Tensor} x
 * @param {Tensor | undefined} given side by side
 * @param {string[]} names
 * @param {Options} options
 * @param {Found} arrays
 * @returns {Floats[]}
 */
function initialStates(x, given, names, options, arrays) {
  const size = options.hidden_size;
  return names.map((name, number) => {
    const state = zerosLike(x, [x.shape[0], size]).data;
    const learned = arrays[`initial_${name}`];
    if (learned) fillRows(state, learned);
    for (let sample = 0; given && sample < x.shape[0]; sample++) {
      const start = (sample * names.length + number) * size;
      state.set(given.data.subarray(start, start + size), sample * size);
    }
    return state;
  });
}

/**
 * @param {Tensor} x (batch, time, features)
 * @param {Floats[]} states
 * @param {import("./types.js").Step} step
 * @param {Options} options
 * @param {Found} arrays
 * @param {number} gateCount
 * @param {Advance} advance
 * @param {number} returned
 */
function goThrough(x, states, step, options, arrays, gateCount, advance, returned) {
  const [batch, time, features] = x.shape;
  const size = options.hidden_size;
  const columns = gateCount * size;
  const mask = step.masks[0];
  const gates = zerosLike(x, [batch, time, columns]).data;
  if (options.bias) fillRows(gates, arrays.bias);
  addProduct(x.data, 0, batch * time, features, arrays.weight_input, columns, gates, 0);
  const y = options.return_sequences ? zerosLike(x, [batch, time, size]) : zerosLike(x, [batch, returned * size]);
  const product = zerosLike(x, [batch, columns]).data;
  for (let count = 0; count < time; count++) {
    product.fill(0);
    addProduct(states[0], 0, batch, size, arrays.weight_hidden, columns, product, 0);
    for (let sample = 0; sample < batch; sample++) {
      const at = sample * time + (options.reverse ? time - 1 - count : count);
      if (mask && !mask.data[at]) continue; // leaves the states as they were; its output is 0
      advance(gates, at * columns, product, sample * columns, states, sample * size, size, options, arrays);
      if (options.return_sequences) copy(states[0], sample * size, y.data, at * size, size);
    }
  }
  for (let number = 0; !options.return_sequences && number < returned; number++) {
    for (let sample = 0; sample < batch; sample++) {
      copy(states[number], sample * size, y.data, (sample * returned + number) * size, size);
    }
  }
  if (!options.return_sequences) step.mask = null;
  return y;
}

/** @param {Floats} from @param {number} start @param {Floats} to @param {number} at @param {number} size */
function copy(from, start, to, at, size) {
  for (let j = 0; j < size; j++) to[at + j] = from[start + j];
}

/** @type {Advance} */
function advanceRNN(gates, g, product, p, [hidden], s, size, options) {
  const isTanh = options.nonlinearity === "tanh";
  for (let j = 0; j < size; j++) {
    const sum = gates[g + j] + product[p + j];
    hidden[s + j] = isTanh ? Math.tanh(sum) : Math.max(sum, 0);
  }
}

/** @type {Advance} */
function advanceLSTM(gates, g, product, p, [hidden, cell], s, size) {
  for (let j = 0; j < size; j++) {
    const input = logistic(gates[g + j] + product[p + j]);
    const forget = logistic(gates[g + size + j] + product[p + size + j]);
    const renewed = Math.tanh(gates[g + 2 * size + j] + product[p + 2 * size + j]);
    const output = logistic(gates[g + 3 * size + j] + product[p + 3 * size + j]);
    cell[s + j] = forget * cell[s + j] + input * renewed;
    hidden[s + j] = output * Math.tanh(cell[s + j]);
  }
}

/** @type {Advance} */
function advanceGRU(gates, g, product, p, [hidden], s, size, options, arrays) {
  for (let j = 0; j < size; j++) {
    const reset = logistic(gates[g + j] + product[p + j]);
    const keep = logistic(gates[g + size + j] + product[p + size + j]);
    const inner = product[p + 2 * size + j] + (options.bias ? arrays.bias_hidden[j] : 0);
    const renewed = Math.tanh(gates[g + 2 * size + j] + reset * inner);
    hidden[s + j] = renewed + keep * (hidden[s + j] - renewed);
  }
}

/** @type {LayerType} */
const bidirectional = {
  options: { layer, merge: oneOf("concatenate", "add", "multiply") },
  expand({ layer: inner, merge }, inputs) {
    const table = typeof inner === "string" ? { type: inner } : inner;
    return [
      { ...table, name: "forward", inputs },
      { ...table, reverse: true, name: "backward", inputs },
      { type: merge, inputs: ["forward", "backward"] },
    ];
  },
};

/** @type {Record<string, LayerType>} */
export const RECURRENT = {
  rnn: recurrent(["hidden"], 1, { nonlinearity: oneOf("tanh", "relu") }, advanceRNN),
  lstm: recurrent(["hidden", "cell"], 4, { forget_bias: real(1), return_state: flag(false) }, advanceLSTM),
  gru: recurrent(["hidden"], 3, {}, advanceGRU, true),
  bidirectional,
  masking,
};
