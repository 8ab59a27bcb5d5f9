/** From the layers of a file to nodes in order: composites are replaced, names resolved, shapes inferred. */

import { ModelFileError } from "./errors.js";
import { typeOf } from "./layers/index.js";
import { forMembers, meanOf, partsOf } from "./layers/shapes.js";
import { bareName } from "./spec.js";
import { show, shapeText } from "./words.js";

/** @typedef {import("./tensor.js").Tensor} Tensor */
/** @typedef {import("./tensor.js").Shape} Shape */
/** @typedef {import("./layers/types.js").LayerType} LayerType */
/** @typedef {import("./layers/types.js").Mask} Mask */
/** @typedef {{ x: Tensor, mask: Mask | null }} Value */

/** The most nodes of a small file, and the bytes of a larger one for each further node (docs/format.md). */
const NODE_LIMIT = 10_000;
const BYTES_FOR_A_NODE = 256;

/** The options that any node may have; the last of them only training needs. */
const OF_NODE = [
  "type",
  "name",
  "inputs",
  "activation",
  "shares",
  "trainable",
  "l1",
  "l2",
  "learning_rate",
  "weight_decay",
];

/** What names of nodes and inputs are made of. */
const NAME = /^[A-Za-z0-9_-]+$/;

/**
 * @typedef {object} Node
 * @property {string} name
 * @property {LayerType} type
 * @property {Record<string, any>} options
 * @property {number[]} inputs slots: first those of the network's inputs, then one for each node
 * @property {Shape[]} shapes of the inputs
 * @property {Shape} shape
 * @property {Node} owner whose arrays it uses: itself, unless it shares those of another
 * @property {boolean} isLast whether it stands behind the mean over the members of an ensemble
 * @property {boolean} isApart whether each member has values of its own
 * @property {(import("./layers/types.js").Run | undefined)[]} runs one, or one for each member
 *
 * @typedef {{ prefix: string, names: Map<string, number> }} Scope
 */

export class Graph {
  /**
   * @param {Record<string, any>} spec of the file
   * @param {Map<string, import("./container.js").FileArray>} arrays
   * @param {number} bytes of the file
   * @param {import("./tensor.js").FloatsConstructor} Floats
   */
  constructor(spec, arrays, bytes, Floats) {
    const { network, nodes } = spec;
    this.members = network.members ?? 1;
    check(
      Number.isSafeInteger(this.members) && this.members >= 1 && this.members <= 10_000,
      `members: found ${show(this.members)}`,
    );
    this.inputs = inputShapes(network.input);
    const builder = new Builder(this.inputs, NODE_LIMIT + Math.floor(bytes / BYTES_FOR_A_NODE));
    this.outputs = builder.build(network.layers, network.outputs, nodes);
    this.nodes = builder.nodes;
    this.shapes = builder.shapes;
    markLast(this);
    bind(this, arrays, Floats);
  }

  /**
   * The outputs for inputs in order.
   * @param {Tensor[]} inputs
   * @returns {Map<string, Tensor>}
   */
  run(inputs) {
    /** @type {(Value | Value[])[]} */
    const values = inputs.map((x) => ({ x, mask: null }));
    const readers = this.lastReaders();
    this.nodes.forEach((node, number) => {
      const given = node.inputs.map((slot) => (node.isLast ? joined(values[slot]) : values[slot]));
      values.push(
        node.isApart
          ? node.runs.map((run, member) =>
              runNode(
                run,
                given.map((value) => (Array.isArray(value) ? value[member] : value)),
              ),
            )
          : runNode(node.runs[0], /** @type {Value[]} */ (given)),
      );
      for (const slot of readers[number]) values[slot] = []; // nothing reads it any more
    });
    return new Map([...this.outputs].map(([name, slot]) => [name, joined(values[slot]).x]));
  }

  /** For each node the slots that nothing behind it reads. @returns {number[][]} */
  lastReaders() {
    if (this.released) return this.released;
    const last = new Map();
    this.nodes.forEach((node, number) => node.inputs.forEach((slot) => last.set(slot, number)));
    for (const slot of this.outputs.values()) last.delete(slot);
    this.released = this.nodes.map(() => /** @type {number[]} */ ([]));
    for (const [slot, number] of last) this.released[number].push(slot);
    return this.released;
  }
}

/**
 * The mean over the members, if each has a value of its own.
 * @param {Value | Value[]} value
 * @returns {Value}
 */
function joined(value) {
  return Array.isArray(value) ? { x: meanOf(value.map(({ x }) => x)), mask: value[0].mask } : value;
}

/**
 * @param {import("./layers/types.js").Run | undefined} run
 * @param {Value[]} given
 * @returns {Value}
 */
function runNode(run, given) {
  if (!run) return given[0];
  const masks = given.map(({ mask }) => mask);
  const step = { masks, mask: commonMask(masks) };
  const x = run(
    given.map((value) => value.x),
    step,
  );
  const mask = step.mask;
  // What combines all steps, or makes other steps, has no mask.
  return { x, mask: mask && x.shape.length > 1 && x.shape[1] === mask.shape[1] ? mask : null };
}

/**
 * The steps that count in all masks of the length of the first.
 * @param {(Mask | null)[]} masks
 * @returns {Mask | null}
 */
function commonMask(masks) {
  /** @type {Mask | null} */
  let common = null;
  for (const mask of masks) {
    if (!mask || mask === common) continue;
    if (common === null) {
      common = mask;
    } else if (mask.shape.join() === common.shape.join()) {
      const data = /** @type {Uint8Array} */ (common.data).map((counts, at) => counts & mask.data[at]);
      common = { data, shape: mask.shape };
    }
  }
  return common;
}

/**
 * @param {boolean} isRight
 * @param {string} message
 */
function check(isRight, message) {
  if (!isRight) throw new ModelFileError(message);
}

/**
 * Input name -> the shape of a sample.
 * @param {any} input
 * @returns {Map<string, Shape>}
 */
function inputShapes(input) {
  /** @type {[string, any][]} */
  const named = Array.isArray(input) ? [["input", input]] : Object.entries(input ?? {});
  check(named.length > 0, "network.input: expected a shape, or a map of shapes");
  return new Map(
    named.map(([name, shape]) => {
      check(NAME.test(name), `network.input: a name consists of letters, digits, _ and -; found ${show(name)}`);
      check(Array.isArray(shape), `network.input: expected a shape, found ${show(shape)}`);
      return [
        name,
        shape.map((/** @type {any} */ axis) => {
          if (axis === "variable" || axis === null) return null;
          check(Number.isSafeInteger(axis) && axis >= 0, `network.input: expected a size, found ${show(axis)}`);
          return axis;
        }),
      ];
    }),
  );
}

class Builder {
  /**
   * @param {Map<string, Shape>} inputs
   * @param {number} most nodes
   */
  constructor(inputs, most) {
    this.inputs = inputs;
    this.most = most;
    /** @type {Node[]} */
    this.nodes = [];
    this.pending = 0; // nodes in lists that have not been added yet
    this.shapes = [...inputs.values()];
    /** @type {Map<string, [number, number]>} the nodes that a name stands for */
    this.spans = new Map();
  }

  /**
   * @param {any[]} layers
   * @param {any} outputs
   * @param {any} names of the nodes, as the file has them
   * @returns {Map<string, number>} output name -> slot
   */
  build(layers, outputs, names) {
    const scope = { prefix: "", names: new Map([...this.inputs.keys()].map((name, slot) => [name, slot])) };
    const given = /** @type {string[][]} */ ([]);
    const last = this.place(layers, scope, this.inputs.size === 1 ? 0 : null, given);
    if (names !== undefined && names !== null) {
      check(JSON.stringify(names) === JSON.stringify(given), "spec.nodes are not the names that the nodes have");
    }
    if (outputs === null || outputs === undefined) return new Map([["output", last]]);
    check(Array.isArray(outputs) && outputs.length > 0, "network.outputs: expected a list of nodes");
    return new Map(outputs.map((/** @type {any} */ name) => [name, this.slot(name, scope, "network.outputs")]));
  }

  /**
   * @param {any} name
   * @param {Scope} scope
   * @param {string} where
   * @returns {number}
   */
  slot(name, scope, where) {
    const slot = scope.names.get(name);
    if (slot === undefined) throw new ModelFileError(`${where}: no node is called ${show(name)}`);
    return slot;
  }

  /**
   * Adds nodes one after the other; gives the slot of the last.
   * @param {any[]} layers
   * @param {Scope} scope
   * @param {number | null} previous
   * @param {string[][]} [given] gets the names of each node
   * @returns {number}
   */
  place(layers, scope, previous, given = []) {
    this.pending += layers.length;
    const tables = layers.map((layer) => (typeof layer === "string" ? { type: layer } : layer));
    const chosen = new Set(tables.map((table) => table.name).filter((name) => typeof name === "string"));
    const counts = new Map();
    for (const table of tables) {
      if (this.nodes.length + this.pending > this.most)
        throw new ModelFileError(`there are more nodes than the limit of ${this.most}`);
      this.pending--;
      const name = table.name ?? automaticName(standsFor(table), counts, chosen);
      check(
        typeof name === "string" && NAME.test(name),
        `a name consists of letters, digits, _ and -; found ${show(name)}`,
      );
      const names = [name];
      previous = this.add(table, scope, name, this.sources(table, scope, previous));
      if (table.activation) {
        const activation = typeof table.activation === "string" ? { type: table.activation } : table.activation;
        check(
          typeOf(bareName(activation.type))?.kind === "activation",
          `${name}: ${show(activation.type)} is no activation`,
        );
        names.push(automaticName(bareName(activation.type), counts, chosen));
        previous = this.add(activation, scope, names[1], [previous]);
        setDefault(scope.names, names[1], previous);
      }
      setDefault(scope.names, name, previous);
      given.push(names);
    }
    if (previous === null) throw new ModelFileError("a network needs at least one node");
    return previous;
  }

  /**
   * The slots that a node reads.
   * @param {any} table
   * @param {Scope} scope
   * @param {number | null} previous
   * @returns {number[]}
   */
  sources(table, scope, previous) {
    if (table.inputs !== undefined && table.inputs !== null) {
      check(Array.isArray(table.inputs), `inputs: expected a list, found ${show(table.inputs)}`);
      return table.inputs.map((/** @type {any} */ name) => this.slot(name, scope, "inputs"));
    }
    if (previous === null)
      throw new ModelFileError("the network has several inputs, and a node does not say which one it reads");
    return [previous];
  }

  /**
   * Adds a node, or those of a composite; gives the slot of its output.
   * @param {any} table
   * @param {Scope} scope
   * @param {string} ownName
   * @param {number[]} inputs
   * @returns {number}
   */
  add(table, scope, ownName, inputs) {
    const name = scope.prefix + ownName;
    const first = this.nodes.length;
    const { type, options } = layerOf(table, name);
    const [fewest, most] = type.inputs ?? (type.expand ? [1, null] : [1, 1]);
    check(
      inputs.length >= fewest && (most === null || inputs.length <= most),
      `${name}: found ${inputs.length} inputs`,
    );
    let slot;
    if (type.expand) {
      const inner = inputs.length === 1 ? ["input"] : inputs.map((_, number) => `input_${number + 1}`);
      const within = { prefix: `${name}.`, names: new Map(inner.map((input, number) => [input, inputs[number]])) };
      slot = this.place(type.expand(options, inner), within, inputs[0]);
    } else {
      slot = this.append(name, type, options, inputs);
    }
    this.spans.set(name, [first, this.nodes.length]);
    check(typeof (table.shares ?? "") === "string", `${name}: shares: expected a name, found ${show(table.shares)}`);
    if (table.shares) this.share(scope.prefix + table.shares, name, first);
    return slot;
  }

  /**
   * @param {string} name
   * @param {LayerType} type
   * @param {Record<string, any>} options
   * @param {number[]} inputs
   */
  append(name, type, options, inputs) {
    const shapes = inputs.map((slot) => this.shapes[slot]);
    const shape = told(name, shapes, () => type.shape?.(options, ...shapes) ?? shapes[0]);
    /** @type {Node} */
    const node = {
      name,
      type,
      options,
      inputs,
      shapes,
      shape,
      owner: /** @type {any} */ (null),
      isLast: false,
      isApart: false,
      runs: [],
    };
    node.owner = node;
    this.nodes.push(node);
    this.shapes.push(node.shape);
    return this.shapes.length - 1;
  }

  /**
   * Lets the nodes of a name use the arrays of others.
   * @param {string} target
   * @param {string} name
   * @param {number} first
   */
  share(target, name, first) {
    const [start, end] = this.spans.get(target) ?? [0, 0];
    const ours = this.nodes.slice(first);
    const theirs = this.nodes.slice(start, end);
    const isSame =
      target !== name && ours.length === theirs.length && ours.every((node, place) => node.type === theirs[place].type);
    check(isSame, `${name}: shares ${show(target)}, which is no earlier node of the same type`);
    ours.forEach((node, place) => {
      node.owner = theirs[place].owner;
    });
  }
}

/**
 * @param {Map<string, number>} names
 * @param {string} name
 * @param {number} slot
 */
function setDefault(names, name, slot) {
  if (!names.has(name)) names.set(name, slot);
}

/**
 * The type and a number, which counts the nodes of the type that have no name.
 * @param {string} type
 * @param {Map<string, number>} counts
 * @param {Set<string>} chosen the names that are taken
 */
function automaticName(type, counts, chosen) {
  for (;;) {
    const count = (counts.get(type) ?? 0) + 1;
    counts.set(type, count);
    if (!chosen.has(`${type}_${count}`)) return `${type}_${count}`;
  }
}

/** The type by which a node is called. @param {any} table */
function standsFor(table) {
  return bareName(table.type === FOR_MEMBERS ? tableOf(table.layer).type : table.type);
}

/** The type of the node that `per_member` stands for, which no file has. */
const FOR_MEMBERS = "(members)";

/** @param {any} layer */
const tableOf = (layer) => (typeof layer === "string" ? { type: layer } : layer);

/**
 * What a node is, and its options.
 * @param {any} table
 * @param {string} name
 * @returns {{ type: LayerType, options: Record<string, any> }}
 */
function layerOf(table, name) {
  if (table.type === FOR_MEMBERS) {
    const inner = layerOf(tableOf(table.layer), name);
    check(!inner.type.expand, `${name}: a layer that stands for several nodes cannot be per_member`);
    return { type: forMembers(inner.type, inner.options, table.members, table.shared), options: {} };
  }
  const type = typeOf(bareName(table.type));
  if (!type) throw new ModelFileError(`${name}: unknown type ${show(table.type)}`);
  const known = type.options ?? {};
  for (const option of Object.keys(table)) {
    check(
      option in known || OF_NODE.includes(option),
      `${name}: this reader does not know the option ${show(option)} of ${table.type}`,
    );
  }
  const options = Object.fromEntries(
    Object.entries(known).map(([option, read]) => [option, read(table[option], `${name}.${option}`)]),
  );
  if (bareName(table.type) !== "per_member") return { type, options };
  return { type: { ...type, expand: (chosen, inputs) => [{ ...chosen, type: FOR_MEMBERS, inputs }] }, options };
}

/**
 * What a layer says of shapes, with its name before what is wrong.
 * @template T
 * @param {string} name
 * @param {Shape[]} shapes
 * @param {() => T} ask
 * @returns {T}
 */
function told(name, shapes, ask) {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof ModelFileError)) throw error;
    throw new ModelFileError(`${name}: ${error.message}; its input is ${shapes.map(shapeText).join(" and ")}`);
  }
}

/**
 * Marks the last layers before an output that stand behind the mean over the members.
 * @param {Graph} graph
 */
function markLast(graph) {
  if (graph.members === 1) return;
  for (let slot of graph.outputs.values()) {
    while (slot >= graph.inputs.size) {
      const node = graph.nodes[slot - graph.inputs.size];
      if (!node.type.isLast || node.inputs.length !== 1) break;
      node.isLast = true;
      [slot] = node.inputs;
    }
  }
}

/**
 * Gives each node its arrays, which have to be all that the file has.
 * @param {Graph} graph
 * @param {Map<string, import("./container.js").FileArray>} arrays
 * @param {import("./tensor.js").FloatsConstructor} Floats
 */
function bind(graph, arrays, Floats) {
  const left = new Set(arrays.keys());
  const dtype = Floats === Float64Array ? "float64" : "float32";
  const apart = graph.shapes.map(() => false);
  graph.nodes.forEach((node, number) => {
    const slot = graph.inputs.size + number;
    const parameters = told(node.name, node.shapes, () => node.type.parameters?.(node.options, ...node.shapes) ?? {});
    const state = told(node.name, node.shapes, () => node.type.state?.(node.options, ...node.shapes) ?? {});
    const isBehind = node.inputs.some((source) => apart[source]);
    node.isApart = graph.members > 1 && !node.isLast && (isBehind || Object.keys(parameters).length > 0);
    apart[slot] = node.isApart;
    const members = node.isApart ? graph.members : 0;
    /** @type {Record<string, import("./tensor.js").Floats>} */
    const found = {};
    for (const [group, wanted] of [
      ["parameters", parameters],
      ["state", state],
    ]) {
      for (const [name, shape] of Object.entries(wanted)) {
        const key = `${group} ${node.owner.name}.${name}`;
        const array = arrays.get(key);
        if (array === undefined && node.type.optional?.includes(name)) continue;
        const expected = members ? [members, ...shape] : shape;
        check(
          array?.shape.join() === expected.join() && array !== undefined,
          `the network asks for the array ${node.owner.name}.${name} of shape ${shapeText(expected)}, and the file has ${array ? shapeText(array.shape) : "none"}`,
        );
        check(
          array?.dtype === "float16" || array?.dtype === dtype,
          `the array ${node.owner.name}.${name} is ${array?.dtype}, and the network ${dtype}`,
        );
        left.delete(key);
        found[name] = inFloats(/** @type {any} */ (array).data, Floats);
      }
    }
    node.runs = Array.from({ length: Math.max(1, members) }, (_, member) =>
      node.type.run?.(node.options, members ? partsOf(found, member, members) : found, node.shapes),
    );
  });
  check(
    left.size === 0,
    `no node of the network asks for the arrays ${[...left]
      .slice(0, 10)
      .map((key) => key.split(" ")[1])
      .join(", ")}`,
  );
}

/**
 * @param {import("./tensor.js").Floats} data
 * @param {import("./tensor.js").FloatsConstructor} Floats
 */
function inFloats(data, Floats) {
  return data instanceof Floats ? data : new Floats(data);
}
