/** What a file says that it needs, compared with what this reader has, before anything of it is built. */

import { ModelFileError, NotSupported } from "./errors.js";
import { DISTRIBUTIONS, typeOf } from "./layers/index.js";
import { show } from "./words.js";

/**
 * @param {boolean} isRight
 * @param {string} message
 */
function require(isRight, message) {
  if (!isRight) throw new ModelFileError(message);
}

/** @param {any} value @returns {boolean} */
const isMap = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** @param {any} value @returns {boolean} */
const isTexts = (value) => Array.isArray(value) && value.every((item) => typeof item === "string");

/** The keys of a header that have a map, or nothing. */
const MAPS = ["made_by", "schema", "history", "metrics", "results", "metadata", "data", "training"];

/**
 * The network of a header, when all that it names is here.
 *
 * @param {Record<string, any>} header
 * @returns {Record<string, any>} `spec`
 */
export function specOf(header) {
  const features = header.features ?? [];
  require(isTexts(features), "features: expected a list of texts");
  require(!features.length, `the file needs a later reader: it uses ${features.map(show).join(", ")}`);
  for (const key of MAPS) require(isMap(header[key] ?? {}), `${key}: expected a map, found ${show(header[key])}`);
  const { spec } = header;
  require(isMap(spec) && isMap(spec.network) && Array.isArray(spec.network.layers), "there is no network in the file");
  require(!spec.training?.callbacks?.length, "callbacks are not allowed in a model file");
  const needs = needsOf(header.needs);
  const missing = new Map();
  for (const [place, layer] of spec.network.layers.entries()) collectMissing(layer, `layers[${place}]`, needs, missing);
  if (missing.size) {
    throw new NotSupported(
      [...missing].map(
        ([what, places]) => `${what} (network.${places.slice(0, 3).join(", ")}${places.length > 3 ? " ..." : ""})`,
      ),
    );
  }
  return spec;
}

/**
 * `KIND TYPE` -> where the component comes from.
 * @param {any} rows
 * @returns {Map<string, { distribution: string, version: number, release: string }>}
 */
function needsOf(rows) {
  const found = new Map();
  require(Array.isArray(rows), "needs: expected a list");
  for (const row of rows) {
    const isRow =
      isMap(row) &&
      typeof row.distribution === "string" &&
      typeof row.version === "string" &&
      Array.isArray(row.components);
    require(isRow, "needs: expected maps of distribution, version and components");
    for (const component of row.components) {
      const isComponent =
        isMap(component) &&
        typeof component.kind === "string" &&
        typeof component.type === "string" &&
        Number.isSafeInteger(component.version);
      require(isComponent, "needs: expected components with kind, type and version");
      require(component.kind !== "callback", "callbacks are not allowed in a model file");
      const name = `${component.kind} ${component.type}`;
      found.set(name, { distribution: row.distribution, version: component.version, release: row.version });
    }
  }
  return found;
}

/** The options that may hold further layers. */
const WITHIN = ["activation", "layers", "shortcut", "layer"];

/** Those that are lists. */
const LISTS = ["layers", "shortcut"];

/**
 * Notes what a node, and what stands in it, needs that is not here.
 *
 * @param {any} node
 * @param {string} place
 * @param {ReturnType<typeof needsOf>} needs
 * @param {Map<string, string[]>} missing what -> the places where it is needed
 */
function collectMissing(node, place, needs, missing) {
  const table = typeof node === "string" ? { type: node } : node;
  require(isMap(table) &&
    typeof table.type === "string", `network.${place}: expected a node with a type, found ${show(node)}`);
  const what = missingOf(bareName(table.type), needs);
  if (what) missing.set(what, [...(missing.get(what) ?? []), place]);
  for (const option of WITHIN) {
    const value = table[option] ?? null;
    const isList = Array.isArray(value) && LISTS.includes(option);
    const inner = isList ? value : value === null ? [] : [value];
    inner.forEach((one, number) => {
      // Of a layer that is not here nobody knows whether this is a list of nodes.
      if (what && typeof one?.type !== "string") return;
      collectMissing(one, `${place}.${option}${isList ? `[${number}]` : ""}`, needs, missing);
    });
  }
}

/** The type of a component that was chosen by `conv2d@modnet-conv`. @param {string} type */
export function bareName(type) {
  return type.split("@")[0];
}

/**
 * What is missing of a type, in words; "" if it is here.
 * @param {string} type
 * @param {ReturnType<typeof needsOf>} needs
 */
function missingOf(type, needs) {
  const need = needs.get(`layer ${type}`) ?? needs.get(`activation ${type}`);
  require(need !== undefined, `${show(type)} is not listed in the file's needs`);
  const { distribution, version, release } = /** @type {NonNullable<typeof need>} */ (need);
  const isHere = Object.hasOwn(DISTRIBUTIONS, distribution) && Object.hasOwn(DISTRIBUTIONS[distribution], type);
  if (!isHere) return `${type} of ${distribution || "the program that saved it"}`;
  const known = typeOf(type)?.version ?? 1;
  return version === known
    ? ""
    : `${type} in version ${version} (${distribution} ${release}); this reader has version ${known}`;
}
