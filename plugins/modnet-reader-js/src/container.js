/** The bytes of a model file: header, digests, arrays (docs/format.md, "Layout" and "What a reader checks"). */

import { ModelFileError } from "./errors.js";
import { decode } from "./msgpack.js";
import { sha256 } from "./sha256.js";
import { show } from "./words.js";

const VERSION = 1;
const MAGIC = [0xa6, 0x6d, 0x6f, 0x64, 0x6e, 0x65, 0x74]; // "modnet", from byte 1 on
const ID_LENGTH = 34;
const ALIGNMENT = 64;
const FRAME_LENGTH = 5;
const CHUNK_LENGTH = 4 << 20;
const HEADER_LIMIT = 16 << 20;
const SEGMENT_COUNT_LIMIT = 1024;
const VIEW_LIMIT = 2 ** 32 - ALIGNMENT;
const NAME_LIMIT = 512;
const DIMENSION_LIMIT = 32;

/** dtype -> its bytes. @type {Record<string, number>} */
const SIZES = {
  float16: 2,
  float32: 4,
  float64: 8,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  bool: 1,
};

const SEGMENT_KEYS = "dtype group length offset sha256";

/** The groups of arrays that make up a network; a checkpoint has others, which are left alone. */
const NETWORK_GROUPS = ["parameters", "state"];

const utf8 = new TextEncoder();

/**
 * An array of a file.
 * @typedef {{ data: Float32Array | Float64Array, shape: number[], dtype: string }} FileArray
 *
 * @typedef {object} Segment
 * @property {string} group
 * @property {string} dtype
 * @property {number} offset from the start of the file
 * @property {number} length in bytes
 * @property {Uint8Array} sha256
 * @property {{ name: string, offset: number, shape: number[] }[]} views
 */

/**
 * Takes a file apart.
 *
 * @param {Uint8Array} bytes
 * @returns {{ header: Record<string, any>, id: string, arrays: Map<string, FileArray> }} `GROUP NAME` -> array, of the network
 */
export function readFile(bytes) {
  checkMagic(bytes);
  const { value: header, end } = decode(bytes, Math.min(bytes.length, HEADER_LIMIT));
  if (Object.keys(header)[0] !== "modnet") throw new ModelFileError("the first key of the header is not modnet");
  const id = checkId(bytes, end);
  const start = nextPayload(end + ID_LENGTH);
  const segments = segmentsOf(header.segments, start);
  addViews(header.views, segments, start);
  checkFrames(bytes, segments, end + ID_LENGTH);
  const arrays = new Map();
  for (const segment of segments) {
    if (NETWORK_GROUPS.includes(segment.group)) addArrays(bytes, segment, arrays);
  }
  return { header, id, arrays };
}

/** @param {Uint8Array} bytes */
function checkMagic(bytes) {
  const isMap = bytes[0] >= 0x81 && bytes[0] <= 0x8f;
  if (!isMap || !MAGIC.every((byte, place) => bytes[place + 1] === byte)) {
    throw new ModelFileError("this is no model file: it does not begin as one");
  }
  if (bytes.length < 9) throw new ModelFileError("the file is cut: it ends before its version");
  const version = bytes[8];
  if (version > VERSION && version < 0x80) {
    throw new ModelFileError(
      `the file has format version ${version}, and this reader knows ${VERSION}; update @modnet/reader`,
    );
  }
  if (version !== VERSION) throw new ModelFileError(`byte 8 is no format version: ${version}`);
}

/**
 * Compares the digest of the header.
 * @param {Uint8Array} bytes
 * @param {number} end of the header
 * @returns the id of the file, in hexadecimal digits
 */
function checkId(bytes, end) {
  if (bytes.length < end + ID_LENGTH)
    throw new ModelFileError("the file is cut: it ends before the digest of its header");
  if (bytes[end] !== 0xc4 || bytes[end + 1] !== 32)
    throw new ModelFileError("the digest of the header is not where it has to be");
  const digest = bytes.subarray(end + 2, end + ID_LENGTH);
  if (!areEqual(sha256(bytes.subarray(0, end)), digest))
    throw new ModelFileError("the header is damaged: its digest differs");
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
function areEqual(a, b) {
  return a.length === b.length && a.every((byte, place) => byte === b[place]);
}

/** The first place for a payload behind this one. @param {number} end */
function nextPayload(end) {
  return Math.ceil((end + FRAME_LENGTH) / ALIGNMENT) * ALIGNMENT;
}

/**
 * @param {any} rows
 * @param {number} start of the first payload
 * @returns {Segment[]}
 */
function segmentsOf(rows, start) {
  if (!Array.isArray(rows) || rows.length > SEGMENT_COUNT_LIMIT) {
    throw new ModelFileError(`segments: expected a list of at most ${SEGMENT_COUNT_LIMIT}`);
  }
  /** @type {Segment[]} */
  const made = [];
  rows.forEach((row, number) => {
    const where = `segments[${number}]`;
    if (row === null || typeof row !== "object" || Object.keys(row).sort().join(" ") !== SEGMENT_KEYS) {
      throw new ModelFileError(`${where}: expected a map of ${SEGMENT_KEYS}`);
    }
    const before = made.at(-1);
    const offset = before ? nextPayload(before.offset + before.length) : start;
    checkName(row.group, where);
    checkGroup(row, made, where);
    if (row.offset !== offset - start)
      throw new ModelFileError(`${where}: the offset is ${show(row.offset)}, expected ${offset - start}`);
    const isLength = Number.isInteger(row.length) && row.length >= 0 && row.length <= VIEW_LIMIT;
    if (!isLength || row.length % SIZES[row.dtype])
      throw new ModelFileError(`${where}: ${show(row.length)} is no length in bytes of ${row.dtype} elements`);
    if (!(row.sha256 instanceof Uint8Array) || row.sha256.length !== 32)
      throw new ModelFileError(`${where}: the sha256 is not 32 bytes`);
    made.push({ ...row, offset, views: [] });
  });
  return made;
}

/**
 * The segments of a group follow each other and have one dtype.
 * @param {any} row
 * @param {Segment[]} made
 * @param {string} where
 */
function checkGroup(row, made, where) {
  if (typeof row.dtype !== "string" || !Object.hasOwn(SIZES, row.dtype))
    throw new ModelFileError(`${where}: unknown dtype ${show(row.dtype)}`);
  const before = made.at(-1);
  if (before?.group === row.group) {
    if (before?.dtype !== row.dtype)
      throw new ModelFileError(`${where}: the group ${show(row.group)} has several dtypes`);
  } else if (made.some((segment) => segment.group === row.group)) {
    throw new ModelFileError(`${where}: the group ${show(row.group)} occurs twice`);
  }
}

/**
 * @param {any} name
 * @param {string} where
 */
function checkName(name, where) {
  if (typeof name !== "string" || !name || utf8.encode(name).length > NAME_LIMIT) {
    throw new ModelFileError(`${where}: expected a name of at most ${NAME_LIMIT} bytes, found ${show(name)}`);
  }
}

/**
 * Gives each segment its views, which have to fill it; the rows are in the order of the segments.
 * @param {any} rows
 * @param {Segment[]} segments
 * @param {number} start
 */
function addViews(rows, segments, start) {
  if (!Array.isArray(rows)) throw new ModelFileError("views: expected a list");
  /** @type {Set<string>} */
  const taken = new Set();
  let count = 0;
  segments.forEach((segment, number) => {
    let at = segment.offset;
    for (; count < rows.length && rows[count]?.[1] === number; count++) {
      at = addView(rows[count], segment, at, start, taken, `views[${count}]`);
    }
    const left = segment.offset + segment.length - at;
    if (left)
      throw new ModelFileError(
        `views[${count}]: the views before it leave ${left} bytes of segments[${number}] unused`,
      );
  });
  if (count < rows.length)
    throw new ModelFileError(`views[${count}]: no view, out of order, or in a segment that does not exist`);
}

/**
 * Gives a segment a view, and gives where it ends.
 * @param {any} row
 * @param {Segment} segment
 * @param {number} at where it has to begin
 * @param {number} start
 * @param {Set<string>} taken names, with their groups
 * @param {string} where
 */
function addView(row, { group, dtype, length, offset: first, views }, at, start, taken, where) {
  if (!Array.isArray(row) || row.length !== 4)
    throw new ModelFileError(`${where}: expected a list of name, segment, offset and shape`);
  const [name, , offset, shape] = row;
  checkName(name, where);
  if (offset !== at - start)
    throw new ModelFileError(`${where}: ${show(name)} starts at ${show(offset)}, expected ${at - start}`);
  const end = at + arrayLength(shape, SIZES[dtype], where);
  if (end > first + length) throw new ModelFileError(`${where}: ${show(name)} ends outside its segment`);
  if (taken.has(`${group}\0${name}`)) throw new ModelFileError(`${where}: ${show(name)} occurs twice in its group`);
  taken.add(`${group}\0${name}`);
  views.push({ name, offset: at, shape });
  return end;
}

/**
 * @param {any} shape
 * @param {number} size of an element
 * @param {string} where
 */
function arrayLength(shape, size, where) {
  if (!Array.isArray(shape) || shape.length > DIMENSION_LIMIT)
    throw new ModelFileError(`${where}: the shape is no list of at most ${DIMENSION_LIMIT} lengths`);
  let length = size;
  let whole = size; // with lengths of 0 counted as 1
  for (const axis of shape) {
    if (!Number.isInteger(axis) || axis < 0)
      throw new ModelFileError(`${where}: the shape has ${show(axis)} as a length`);
    length *= axis;
    whole *= axis || 1;
  }
  if (whole >= 2 ** 63) throw new ModelFileError(`${where}: the array is too large`);
  return length;
}

/**
 * Checks what stands between the payloads, and where the file ends.
 * @param {Uint8Array} bytes
 * @param {Segment[]} segments
 * @param {number} end of the second object
 */
function checkFrames(bytes, segments, end) {
  const last = segments.at(-1);
  const length = last ? last.offset + last.length : end;
  if (bytes.length < length)
    throw new ModelFileError(`the file is cut: it has ${bytes.length} bytes, and its header asks for ${length}`);
  if (bytes.length > length)
    throw new ModelFileError(`${bytes.length - length} bytes stand behind the end of the file`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  segments.forEach(({ offset, length: claim }, number) => {
    const frame = offset - FRAME_LENGTH;
    let isRight = bytes[frame] === 0xc6 && view.getUint32(frame + 1) === claim;
    for (let at = end; at < frame; at++) isRight &&= bytes[at] === 0xc0;
    if (!isRight) throw new ModelFileError(`the bytes before segments[${number}] are damaged`);
    end = offset + claim;
  });
}

/**
 * Adds the arrays of a segment, whose digest is compared.
 * @param {Uint8Array} bytes
 * @param {Segment} segment
 * @param {Map<string, FileArray>} arrays
 */
function addArrays(bytes, segment, arrays) {
  const payload = bytes.subarray(segment.offset, segment.offset + segment.length);
  const leaves = new Uint8Array(32 * Math.ceil(payload.length / CHUNK_LENGTH));
  for (let at = 0, leaf = 0; at < payload.length; at += CHUNK_LENGTH, leaf += 32) {
    leaves.set(sha256(payload.subarray(at, at + CHUNK_LENGTH)), leaf);
  }
  if (!areEqual(sha256(leaves), segment.sha256))
    throw new ModelFileError(`an array is damaged: the digest of ${show(segment.group)} differs`);
  for (const { name, offset, shape } of segment.views) {
    const count = shape.reduce((product, axis) => product * axis, 1);
    const length = count * SIZES[segment.dtype];
    const content = bytes.slice(offset, offset + length); // a copy, which starts where any element may
    arrays.set(`${segment.group} ${name}`, { data: numbers(content, segment.dtype), shape, dtype: segment.dtype });
  }
}

/**
 * @param {Uint8Array} content
 * @param {string} dtype
 */
function numbers(content, dtype) {
  const view = new DataView(content.buffer);
  if (dtype === "float32") return fill(new Float32Array(content.length / 4), (at) => view.getFloat32(4 * at, true));
  if (dtype === "float64") return fill(new Float64Array(content.length / 8), (at) => view.getFloat64(8 * at, true));
  if (dtype === "float16")
    return fill(new Float32Array(content.length / 2), (at) => half(view.getUint16(2 * at, true)));
  throw new ModelFileError(`the arrays of a network are floats, found ${dtype}`);
}

/**
 * @template {Float32Array | Float64Array} T
 * @param {T} array
 * @param {(at: number) => number} read
 */
function fill(array, read) {
  for (let at = 0; at < array.length; at++) array[at] = read(at);
  return array;
}

/** The number that 16 bits are (IEEE 754, binary16). @param {number} bits */
function half(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}
