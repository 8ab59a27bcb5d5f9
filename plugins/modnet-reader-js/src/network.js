/** A network that predicts. */

import { readFile } from "./container.js";
import { DataError, ModelFileError } from "./errors.js";
import { Graph } from "./graph.js";
import { specOf } from "./spec.js";
import { Schema, inOrder } from "./tables/schema.js";
import { rowsOf } from "./tables/rows.js";
import { Tensor, tensorOf } from "./tensor.js";
import { legible, show } from "./words.js";

/** @typedef {import("./tables/column.js").Fault} Fault */

/**
 * The network of a model file.
 *
 * @param {Uint8Array | ArrayBuffer | ArrayBufferView | Blob | Response | Promise<any>} source its bytes, or what has them
 * @returns {Promise<Network>}
 */
export async function load(source) {
  const bytes = await bytesOf(await source);
  return new Network(readFile(bytes), bytes.length);
}

/**
 * @param {any} source
 * @returns {Promise<Uint8Array>}
 */
async function bytesOf(source) {
  // A view, also of a Uint8Array: a Buffer of node is one, with methods of its own.
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (typeof source?.arrayBuffer === "function") {
    if (source.ok === false)
      throw new ModelFileError(`the model could not be fetched: ${source.status} ${source.statusText} (${source.url})`);
    return new Uint8Array(await source.arrayBuffer());
  }
  const isBuffer = Object.prototype.toString.call(source).endsWith("ArrayBuffer]"); // also one of another window
  if (isBuffer) return new Uint8Array(source);
  throw new TypeError(
    `load: expected the bytes of a model file, or a Response or Blob with them; found ${show(source)}`,
  );
}

export class Network {
  /**
   * @param {ReturnType<typeof readFile>} file
   * @param {number} length of the file
   */
  constructor({ header, id, arrays }, length) {
    const spec = specOf(header);
    const dtype = spec.network.dtype ?? "float32";
    if (!["float32", "float64"].includes(dtype))
      throw new ModelFileError(`network.dtype: expected float32 or float64, found ${show(dtype)}`);
    /** The digest of the file's header, which stands for all of its bytes. */
    this.id = id;
    /** What the file says: spec, schema, history, metrics, metadata ... */
    this.header = header;
    this.dtype = dtype;
    this.floats = dtype === "float64" ? Float64Array : Float32Array;
    this.graph = new Graph(spec, arrays, length, this.floats);
    this.schema = header.schema ? new Schema(header.schema) : null;
    this.schema?.check(
      this.graph.inputs,
      new Map([...this.graph.outputs].map(([name, slot]) => [name, this.graph.shapes[slot]])),
    );
  }

  /** Input name -> the shape of a sample; null for an axis that varies. */
  get inputs() {
    return Object.fromEntries(this.graph.inputs);
  }

  /** Output name -> the shape of a sample. */
  get outputs() {
    return Object.fromEntries([...this.graph.outputs].map(([name, slot]) => [name, this.graph.shapes[slot]]));
  }

  /** The columns that a prediction needs, in order; empty for a network that was trained on arrays. */
  get columns() {
    return this.schema?.names ?? [];
  }

  /** Output name -> the names of its classes, if it has any. */
  get classes() {
    const named = [...(this.schema?.targets ?? [])].filter(([, columns]) => columns[0].categories.length);
    return Object.fromEntries(named.map(([name, columns]) => [name, columns[0].categories]));
  }

  /**
   * The outputs for arrays.
   *
   * @param {any} x a batch of samples: lists, a typed array of whole samples, or { data, shape }; for several inputs an
   *   object of these by name
   * @returns {any} a `Tensor`, or for several outputs an object of them
   */
  forward(x) {
    const outputs = this.compute(x);
    for (const [name, output] of outputs) refuseNaN(name, output, outputs.size > 1);
    return outputs.size > 1 ? Object.fromEntries(outputs) : [...outputs.values()][0];
  }

  /**
   * @param {any} x
   * @returns {Map<string, Tensor>} in which there may be nan
   */
  compute(x) {
    const names = [...this.graph.inputs.keys()];
    const isNamed =
      x !== null && typeof x === "object" && !Array.isArray(x) && !ArrayBuffer.isView(x) && !ArrayBuffer.isView(x.data);
    if (names.length > 1 && !isNamed)
      throw new DataError(`the network has ${names.length} inputs; give an object with ${names.map(show).join(", ")}`);
    const given = isNamed ? x : { [names[0]]: x };
    for (const name of Object.keys(given)) {
      if (!this.graph.inputs.has(name))
        throw new DataError(`no input of the network is called ${show(name)}; it has ${names.map(show).join(", ")}`);
    }
    const tensors = [...this.graph.inputs].map(([name, shape]) => {
      if (given[name] === undefined) throw new DataError(`the network needs the input ${show(name)}`);
      return tensorOf(given[name], shape, `input ${show(name)}`, this.floats);
    });
    if (new Set(tensors.map((tensor) => tensor.shape[0])).size > 1) throw new DataError("the inputs differ in length");
    return this.graph.run(tensors);
  }

  /**
   * The predictions for rows of a table, in the form of the rows; for a network that was trained on arrays, those of
   * `forward`.
   *
   * @param {any} rows a record (column -> value), a list of records, columns with a list of values each, or a list of
   *   lists in the order of `columns`; null, undefined and nan stand for missing values
   * @param {{ report?: Fault[], faults?: "raise" | "none" }} [options] `report` receives a fault for each value that was
   *   replaced or is outside of what training had, and for each column that is ignored; with `faults: "none"` rows that
   *   cannot be used have the prediction null, and are no error
   * @returns {any}
   */
  predict(rows, { report, faults = "raise" } = {}) {
    if (faults !== "raise" && faults !== "none")
      throw new TypeError(`faults: expected "raise" or "none", found ${show(faults)}`);
    if (!this.schema?.inputs.size) {
      if (report || faults === "none")
        throw new DataError("report and faults are for rows of a table; this network was trained on arrays");
      return this.forward(rows);
    }
    const schema = this.schema;
    const labels = new Set(
      [...schema.inputs.values()]
        .flat()
        .filter((column) => column.kind === "labels")
        .map((column) => column.name),
    );
    const { table, count, answer } = rowsOf(rows, schema.names, labels);
    const encoded = schema.encode(table, count, report !== undefined);
    if (faults === "raise") refuse(encoded.faults);
    const found = [...encoded.faults];
    const outputs = this.compute(this.inRange(encoded.arrays, found));
    const rejected = new Set(found.map((fault) => fault.row));
    for (const [name, output] of outputs) found.push(...nanFaults(name, output, rejected));
    if (faults === "raise") refuse(inOrder(found));
    report?.push(...this.ignored(table), ...inOrder([...encoded.notes, ...found]));
    const lacking = /** @type {Set<number>} */ (new Set(found.map((fault) => fault.row)));
    return answer(schema.decode(outputs), lacking);
  }

  /**
   * The arrays, with zeros in place of numbers that float32 cannot hold, which are noted as faults.
   * @param {Record<string, Tensor>} arrays
   * @param {Fault[]} faults
   */
  inRange(arrays, faults) {
    if (this.dtype === "float64") return arrays;
    for (const [name, { data, shape }] of Object.entries(arrays)) {
      for (let at = 0; at < data.length; at++) {
        if (Number.isFinite(Math.fround(data[at]))) continue;
        const place = at % shape[1];
        let end = 0;
        const column = this.schema?.inputs.get(name)?.find((one) => (end += one.width) > place);
        const message = `${data[at]} is beyond what float32 can hold; rescale it, or train with dtype = "float64"`;
        faults.push({
          row: Math.floor(at / shape[1]),
          column: column?.name ?? name,
          value: String(data[at]),
          message,
          kind: "fault",
        });
        data[at] = 0;
      }
    }
    return arrays;
  }

  /**
   * The columns that a prediction does not need, but for the targets.
   * @param {Map<string, any[]>} table
   * @returns {Fault[]}
   */
  ignored(table) {
    const known = new Set([...this.columns, ...(this.schema?.targetNames ?? [])]);
    const message = "the model does not know this column, which is ignored";
    return [...table.keys()]
      .filter((name) => !known.has(name))
      .map((column) => ({ row: null, column, value: null, message, kind: "ignored" }));
  }

  /**
   * What `forward` gives, as `predict` names it: column -> a value for each row.
   * @param {any} outputs
   * @returns {Record<string, any[]>}
   */
  decode(outputs) {
    const named = outputs instanceof Tensor ? { [[...this.graph.outputs.keys()][0]]: outputs } : outputs;
    return (this.schema ?? new Schema({})).decode(new Map(Object.entries(named)));
  }
}

/**
 * @param {Fault[]} faults
 */
function refuse(faults) {
  if (!faults.length) return;
  const [first, second] = faults;
  const place = (/** @type {Fault} */ fault) => `row ${(fault.row ?? 0) + 1}, column ${legible(fault.column)}`;
  const more =
    faults.length > 1
      ? `; ${faults.length - 1} more fault${faults.length > 2 ? "s" : ""}, the next in ${place(second)}`
      : "";
  throw new DataError(`${place(first)}: ${first.message}${more}`, faults);
}

/**
 * The first row of an output that has nan, at least from some row on; -1 if there is none.
 * @param {Tensor} output
 */
function rowOfNaN(output) {
  const at = output.data.findIndex((/** @type {number} */ number) => Number.isNaN(number));
  return at < 0 ? -1 : Math.floor(at / (output.data.length / output.shape[0]));
}

/**
 * @param {string} name
 * @param {Tensor} output
 * @param {boolean} isNamed
 */
function refuseNaN(name, output, isNamed) {
  const row = rowOfNaN(output);
  if (row < 0) return;
  const which = isNamed ? ` (output ${show(name)})` : "";
  throw new DataError(
    `the prediction${which} for row ${row} is nan: its input has nan, or numbers became too large inside the network`,
  );
}

/**
 * @param {string} name
 * @param {Tensor} output
 * @param {Set<number | null>} rejected rows that are at fault already
 * @returns {Fault[]}
 */
function nanFaults(name, output, rejected) {
  if (rowOfNaN(output) < 0) return [];
  const width = output.data.length / output.shape[0];
  const rows = Array.from({ length: output.shape[0] }, (_, row) => row).filter(
    (row) =>
      !rejected.has(row) &&
      output.data.subarray(row * width, (row + 1) * width).some((/** @type {number} */ number) => Number.isNaN(number)),
  );
  const message = "the prediction is nan: numbers became too large inside the network";
  return rows.map((row) => ({ row, column: name, value: null, message, kind: "fault" }));
}
