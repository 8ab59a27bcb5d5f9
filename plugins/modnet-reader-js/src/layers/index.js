/** All layers and activations that this reader has. */

import { ACTIVATIONS } from "./activations.js";
import { CONVOLUTION } from "./convolution.js";
import { DENSE } from "./dense.js";
import { RECURRENT } from "./recurrent.js";
import { CHAIN, SHAPES, chain } from "./shapes.js";

/** Distribution -> type -> what it gives. @type {Record<string, Record<string, import("./types.js").LayerType>>} */
export const DISTRIBUTIONS = {
  "modnet-core": { ...ACTIVATIONS, ...DENSE, ...SHAPES },
  "modnet-conv": CONVOLUTION,
  "modnet-recurrent": RECURRENT,
};

const ALL = new Map(Object.values(DISTRIBUTIONS).flatMap((types) => Object.entries(types)));

/**
 * The layer or activation of a name; undefined if there is none.
 * @param {string} type
 */
export function typeOf(type) {
  return type === CHAIN ? chain : ALL.get(type);
}
