import { printable } from "./words.js";

const MESSAGE_LIMIT = 4000;

/** A file that is damaged, or no model file, or one of a later modnet. */
export class ModelFileError extends Error {
  name = "ModelFileError";

  /** @param {string} message in which names of a stranger's file may stand */
  constructor(message) {
    super(printable(message.slice(0, MESSAGE_LIMIT)).slice(0, MESSAGE_LIMIT));
  }
}

/** A model with layers, or options of layers, that this reader does not have; `missing` has them. */
export class NotSupported extends ModelFileError {
  name = "NotSupported";

  /** @param {string[]} missing */
  constructor(missing) {
    super(`this reader does not have: ${missing.join("; ")}`);
    this.missing = missing;
  }
}

/** An array of a shape that the network does not take. */
export class ShapeError extends Error {
  name = "ShapeError";
}

/** Data that cannot be used; `problems` has each value of a table that is at fault. */
export class DataError extends Error {
  name = "DataError";

  /**
   * @param {string} message
   * @param {object[]} problems
   */
  constructor(message, problems = []) {
    super(message);
    this.problems = problems;
  }
}
