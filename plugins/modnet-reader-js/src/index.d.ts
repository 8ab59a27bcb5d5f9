/** @modnet/reader: reads model files of modnet and predicts. */

/** The shape of a sample; null for an axis that varies. */
export type Shape = (number | null)[];

export type Numbers = readonly (number | boolean | Numbers | ArrayLike<number>)[];

/** A batch of samples: lists, a typed array of whole samples, or numbers with a shape (batch, ...). */
export type ArrayInput = Numbers | ArrayBufferView | { data: ArrayBufferView; shape: number[] };

export class Tensor {
  constructor(data: Float32Array | Float64Array, shape: number[]);
  /** The last axis varies fastest. */
  readonly data: Float32Array | Float64Array;
  /** (batch, ...) */
  readonly shape: number[];
  /** The numbers as lists in lists. */
  toArray(): any[];
}

/** A value of a table; null, undefined and nan stand for a missing one. */
export type Value = string | number | bigint | boolean | Date | string[] | null | undefined;

export type Rec = Record<string, Value>;

/** Something about a value of a table, or about a whole column. */
export interface Fault {
  /** Counted from 0; null for a whole column. */
  row: number | null;
  column: string;
  /** As text; null for a missing one. */
  value: string | null;
  message: string;
  kind: "fault" | "replaced" | "outside" | "ignored";
}

export interface PredictOptions {
  /** Receives what was replaced, is outside of what training had, or is ignored. */
  report?: Fault[];
  /** "none": rows that cannot be used have the prediction null, and are no error. */
  faults?: "raise" | "none";
}

/** A column of the table that a model was trained on. */
export interface Column {
  readonly name: string;
  readonly kind: "number" | "category" | "boolean" | "date" | "text" | "labels";
  readonly categories: string[];
  /** The range of training: numbers, or dates in ISO 8601; null where it is not known. */
  readonly lowest: number | string | null;
  readonly highest: number | string | null;
}

export interface Schema {
  /** Network input -> its columns. */
  readonly inputs: ReadonlyMap<string, Column[]>;
  /** Network output -> its columns. */
  readonly targets: ReadonlyMap<string, Column[]>;
}

export class Network {
  private constructor();
  /** The SHA-256 of the file's header, which stands for all of its bytes. */
  readonly id: string;
  /** What the file says of the network, its training and its data. */
  readonly header: Record<string, any>;
  readonly dtype: "float32" | "float64";
  readonly inputs: Record<string, Shape>;
  readonly outputs: Record<string, Shape>;
  /** Null for a network that was trained on arrays. */
  readonly schema: Schema | null;
  /** The columns that a prediction needs, in order. */
  readonly columns: string[];
  /** Output name -> the names of its classes, if it has any. */
  readonly classes: Record<string, string[]>;

  /** The outputs for arrays: one, or for several outputs an object of them. */
  forward(x: ArrayInput | Record<string, ArrayInput>): any;

  /** The predictions for rows of a table, in their form; null stands for a row without one. */
  predict(row: Rec, options?: PredictOptions): any;
  predict(rows: readonly Rec[], options?: PredictOptions): any[];
  predict(columns: Record<string, ArrayLike<any>>, options?: PredictOptions): Record<string, any[]>;
  predict(x: ArrayInput | Record<string, ArrayInput>): any;

  /** What `forward` gives, as `predict` names it: column -> a value for each row. */
  decode(outputs: Tensor | Record<string, Tensor>): Record<string, any[]>;
}

type Source = ArrayBuffer | ArrayBufferView | Blob | Response;

/** The network of a model file, from its bytes, or from a response or blob with them. */
export function load(source: Source | Promise<Source>): Promise<Network>;

/** A file that is damaged, or no model file, or one of a later modnet. */
export class ModelFileError extends Error {}

/** A model with layers that this reader does not have. */
export class NotSupported extends ModelFileError {
  readonly missing: string[];
}

/** An array of a shape that the network does not take. */
export class ShapeError extends Error {}

/** Data that cannot be used. */
export class DataError extends Error {
  /** The values of a table that are at fault. */
  readonly problems: Fault[];
}
