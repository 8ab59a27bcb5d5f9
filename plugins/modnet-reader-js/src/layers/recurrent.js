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
 * One step of all samples: from what x and the biases give to the gates, and the states, to the states after it.
 * @typedef {(gates: Floats, product: Floats, states: Floats[], size: number, options: Options, arrays: Found) => void} Advance
 */

const common = {
  hidden_size: whole(1), bias: flag(true), return_sequences: flag(true), reverse: flag(false), train_initial_state: flag(false),
  weight_initializer: ignored, hidden_initializer: ignored, bias_initializer: ignored,
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
      expect(!initial || (initial.length === 1 && initial[0] === states.length * size), `an initial state of shape (${states.length * size},)`);
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
    run: (chosen, arrays) => ([x, initial], step) => {
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
  const product = zerosLike(x, [columns]).data;
  for (let sample = 0; sample < batch; sample++) {
    const own = states.map((state) => state.subarray(sample * size, (sample + 1) * size));
    for (let count = 0; count < time; count++) {
      const at = sample * time + (options.reverse ? time - 1 - count : count);
      if (mask && !mask.data[at]) continue; // leaves the states as they were; its output is 0
      product.fill(0);
      addProduct(own[0], 0, 1, size, arrays.weight_hidden, columns, product, 0);
      advance(gates.subarray(at * columns, (at + 1) * columns), product, own, size, options, arrays);
      if (options.return_sequences) y.data.set(own[0], at * size);
    }
    for (let number = 0; !options.return_sequences && number < returned; number++) {
      y.data.set(own[number], (sample * returned + number) * size);
    }
  }
  if (!options.return_sequences) step.mask = null;
  return y;
}

/** @type {Advance} */
function advanceRNN(gates, product, [hidden], size, options) {
  for (let j = 0; j < size; j++) {
    const sum = gates[j] + product[j];
    hidden[j] = options.nonlinearity === "tanh" ? Math.tanh(sum) : Math.max(sum, 0);
  }
}

/** @type {Advance} */
function advanceLSTM(gates, product, [hidden, cell], size) {
  for (let j = 0; j < size; j++) {
    const i = logistic(gates[j] + product[j]);
    const f = logistic(gates[size + j] + product[size + j]);
    const g = Math.tanh(gates[2 * size + j] + product[2 * size + j]);
    const o = logistic(gates[3 * size + j] + product[3 * size + j]);
    cell[j] = f * cell[j] + i * g;
    hidden[j] = o * Math.tanh(cell[j]);
  }
}

/** @type {Advance} */
function advanceGRU(gates, product, [hidden], size, options, arrays) {
  for (let j = 0; j < size; j++) {
    const r = logistic(gates[j] + product[j]);
    const z = logistic(gates[size + j] + product[size + j]);
    const inner = product[2 * size + j] + (options.bias ? arrays.bias_hidden[j] : 0);
    const renewed = Math.tanh(gates[2 * size + j] + r * inner);
    hidden[j] = renewed + z * (hidden[j] - renewed);
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
