/** Texts as hashed n-grams (data/text_hashing.py), and several labels in one text (data/labels.py). */

import { casefold, strip, words } from "./values.js";

/** The lengths of n-grams, from the shortest to the longest, where a file does not say. */
export const NGRAMS = [3, 4];
/** Of an n-gram. */
export const LONGEST_NGRAM = 16;
const LONGEST = 1000;

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

const utf8 = new TextEncoder();

/** CRC-32 (ISO 3309) of the UTF-8 bytes. @param {string} text */
function crc32(text) {
  let value = 0xffffffff;
  for (const byte of utf8.encode(text)) value = CRC[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/**
 * Writes a text as a point on the unit sphere; an empty text leaves the zeros.
 * @param {string} text
 * @param {Float64Array} out
 * @param {number} at
 * @param {number} buckets
 * @param {number[]} ngrams the lengths of the n-grams, from the shortest to the longest
 */
export function hashText(text, out, at, buckets, ngrams) {
  const inner = words(casefold([...text].slice(0, LONGEST).join("")));
  if (inner === "") return;
  const signs = [...` ${inner} `];
  let length = 0;
  for (let n = ngrams[0]; n <= ngrams[1]; n++) {
    for (let start = 0; start + n <= signs.length; start++) {
      const hash = crc32(signs.slice(start, start + n).join(""));
      out[at + ((hash >>> 1) % buckets)] += hash & 1 ? 1 : -1;
    }
  }
  for (let bucket = 0; bucket < buckets; bucket++) length += out[at + bucket] ** 2;
  for (let bucket = 0; bucket < buckets && length > 0; bucket++) out[at + bucket] /= Math.sqrt(length);
}

const ITEM = /\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^,'"]+))\s*(?:,|$)/g;

/**
 * The labels of a text, without blanks at their ends.
 * @param {string} text
 * @param {string} separator
 * @returns {string[]}
 */
export function splitLabels(text, separator) {
  const parts = text.startsWith("[") && text.endsWith("]") ? listItems(text) : text.split(separator);
  return parts.map(strip).filter((label) => label !== "");
}

/** The items of a list in brackets. @param {string} text @returns {string[]} */
function listItems(text) {
  try {
    const items = /** @type {any[]} */ (JSON.parse(text));
    return items
      .filter((item) => item !== null)
      .map((item) => (typeof item === "string" ? item : JSON.stringify(item)));
  } catch {
    return [...text.slice(1, -1).matchAll(ITEM)].map(([, first, second, third]) => first ?? second ?? third ?? "");
  }
}
