/** @modnet/reader: reads model files of modnet and predicts. */

export { DataError, ModelFileError, NotSupported, ShapeError } from "./errors.js";
export { Network, load } from "./network.js";
export { Tensor } from "./tensor.js";
