/**
 * MessagePack as the header of a model file has it: nil, bool, int, float, text, and lists and maps of these. A bin may
 * stand in it (the digests); extension types may not.
 */

import { ModelFileError } from "./errors.js";

const DEPTH_LIMIT = 64;
const VALUE_LIMIT = 500_000;

const texts = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads one object and gives it with the place behind it. Nothing is allocated on the word of the bytes: a list grows
 * as its items are found.
 *
 * @param {Uint8Array} bytes
 * @param {number} end of what may be read
 * @returns {{ value: any, end: number }}
 */
export function decode(bytes, end) {
  const decoder = new Decoder(bytes, end);
  const value = decoder.value(1);
  return { value, end: decoder.at };
}

class Decoder {
  /**
   * @param {Uint8Array} bytes
   * @param {number} end
   */
  constructor(bytes, end) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = end;
    this.at = 0;
    this.count = 0;
  }

  /**
   * Moves over so many bytes and gives where they start.
   * @param {number} length
   */
  take(length) {
    const start = this.at;
    if (length > this.end - start)
      throw new ModelFileError(`the header is cut, or longer than it may be, at byte ${start}`);
    this.at += length;
    return start;
  }

  /**
   * @param {number} depth of the containers around it
   * @returns {any}
   */
  value(depth) {
    if (++this.count > VALUE_LIMIT) throw new ModelFileError(`the header has more than ${VALUE_LIMIT} values`);
    const head = this.bytes[this.take(1)];
    if (head < 0x80) return head;
    if (head < 0x90) return this.map(head & 15, depth);
    if (head < 0xa0) return this.list(head & 15, depth);
    if (head < 0xc0) return this.text(head & 31);
    if (head >= 0xe0) return head - 256;
    return this.long(head, depth);
  }

  /**
   * An object whose first byte says its type alone.
   * @param {number} head
   * @param {number} depth
   */
  long(head, depth) {
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.bin(this.unsigned(1 << (head - 0xc4)));
      case 0xca:
        return this.view.getFloat32(this.take(4));
      case 0xcb:
        return this.view.getFloat64(this.take(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.unsigned(1 << (head - 0xcc));
      case 0xcf:
        return number(this.view.getBigUint64(this.take(8)));
      case 0xd0:
        return this.view.getInt8(this.take(1));
      case 0xd1:
        return this.view.getInt16(this.take(2));
      case 0xd2:
        return this.view.getInt32(this.take(4));
      case 0xd3:
        return number(this.view.getBigInt64(this.take(8)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.text(this.unsigned(1 << (head - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.list(this.unsigned(2 << (head - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.map(this.unsigned(2 << (head - 0xde)), depth);
      default:
        throw new ModelFileError(`the header has an object of a type that it may not have, at byte ${this.at - 1}`);
    }
  }

  /** @param {number} width in bytes */
  unsigned(width) {
    const at = this.take(width);
    return width === 1 ? this.bytes[at] : width === 2 ? this.view.getUint16(at) : this.view.getUint32(at);
  }

  /** @param {number} length */
  bin(length) {
    const at = this.take(length);
    return this.bytes.slice(at, at + length);
  }

  /** @param {number} length */
  text(length) {
    const at = this.take(length);
    try {
      return texts.decode(this.bytes.subarray(at, at + length));
    } catch {
      throw new ModelFileError(`the header has a text that is not UTF-8, at byte ${at}`);
    }
  }

  /**
   * @param {number} count
   * @param {number} depth
   */
  list(count, depth) {
    this.enter(count, depth);
    const found = [];
    for (let item = 0; item < count; item++) found.push(this.value(depth + 1));
    return found;
  }

  /**
   * @param {number} count
   * @param {number} depth
   */
  map(count, depth) {
    this.enter(2 * count, depth);
    /** @type {Record<string, any>} */
    const found = Object.create(null); // so that a key such as `__proto__` is a key like others
    for (let pair = 0; pair < count; pair++) {
      const key = this.value(depth + 1);
      if (typeof key !== "string") throw new ModelFileError("the header has a key that is not text");
      if (key in found) throw new ModelFileError(`the header has the key ${JSON.stringify(key)} twice`);
      found[key] = this.value(depth + 1);
    }
    return found;
  }

  /**
   * @param {number} values
   * @param {number} depth
   */
  enter(values, depth) {
    if (depth > DEPTH_LIMIT) throw new ModelFileError(`the header is nested more than ${DEPTH_LIMIT} deep`);
    if (values > this.end - this.at)
      throw new ModelFileError(`the header is cut, or longer than it may be, at byte ${this.at}`);
  }
}

/**
 * A number where it is exact, else the big integer.
 * @param {bigint} value
 */
function number(value) {
  return BigInt.asIntN(54, value) === value ? Number(value) : value;
}
