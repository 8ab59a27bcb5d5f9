/** How messages quote, shorten and suggest: as those of modnet itself. */

/** Characters that do not print, but for the blank. */
const CONTROL = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

/** @param {string} text */
export function printable(text) {
  return text.replace(CONTROL, (sign) => {
    const short = /** @type {Record<string, string>} */ ({ "\n": "\\n", "\r": "\\r", "\t": "\\t" })[sign];
    const code = /** @type {number} */ (sign.codePointAt(0)).toString(16);
    return (
      short ??
      (code.length <= 2
        ? `\\x${code.padStart(2, "0")}`
        : code.length <= 4
          ? `\\u${code.padStart(4, "0")}`
          : `\\U${code.padStart(8, "0")}`)
    );
  });
}

/**
 * A value as a message quotes it.
 * @param {any} value
 * @returns {string}
 */
export function show(value) {
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "string") {
    const signs = [...value];
    const short = signs.length <= 60 ? value : `${signs.slice(0, 57).join("")}...`;
    return `"${printable(short.replaceAll("\\", "\\\\").replaceAll('"', '\\"'))}"`;
  }
  if (Array.isArray(value)) {
    const inner = value.slice(0, 6).map(show).join(", ") + (value.length > 6 ? ", ..." : "");
    return inner.length <= 60 ? `[${inner}]` : `a list of ${value.length}`;
  }
  if (typeof value === "object")
    return typeof value.type === "string" ? `a table with type = ${show(value.type)}` : "a table";
  return String(value);
}

/** @param {string} name */
export function legible(name) {
  const signs = [...name];
  return printable(signs.slice(0, 80).join("")) + (signs.length > 80 ? "..." : "");
}

/**
 * A list of names for a message.
 * @param {Iterable<string>} names
 */
export function shorten(names) {
  const listed = [...names].map(legible);
  return listed.slice(0, 12).join(", ") + (listed.length > 12 ? `, ... (${listed.length} in all)` : "");
}

/**
 * @param {number} number
 * @param {string} noun
 */
export function counted(number, noun) {
  return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
}

/**
 * A shape as text; a variable axis is "any".
 * @param {readonly (number | null)[]} shape
 */
export function shapeText(shape) {
  const inner = shape.map((axis) => axis ?? "any").join(", ");
  return shape.length === 1 ? `(${inner},)` : `(${inner})`;
}

/**
 * `; did you mean "x"?`, or "" where nothing is near.
 * @param {string} name
 * @param {Iterable<string>} names
 */
export function didYouMean(name, names) {
  const found = nearest(name, names);
  return found === null ? "" : `; did you mean ${show(found)}?`;
}

const MOST_CANDIDATES = 2000;
const LONGEST_CANDIDATE = 64;

/** @param {string} name */
const keyOf = (name) => name.replace(/[_-]/g, "").toLowerCase();

/**
 * The name that was most likely meant, or null.
 * @param {string} name
 * @param {Iterable<string>} names
 */
export function nearest(name, names) {
  if (name.length > LONGEST_CANDIDATE) return null;
  const candidates = [...names].slice(0, MOST_CANDIDATES).filter((candidate) => candidate.length <= LONGEST_CANDIDATE);
  const folded = new Map(candidates.map((candidate) => [keyOf(candidate), candidate]));
  const key = keyOf(name);
  if (folded.has(key)) return folded.get(key) ?? null;
  let best = null;
  let most = 0.6;
  for (const [other, candidate] of folded) {
    if ((2 * Math.min(other.length, key.length)) / Math.max(1, other.length + key.length) < most) continue;
    const likeness = (2 * matching(other, key)) / Math.max(1, other.length + key.length);
    if (likeness > most || (likeness === most && (best === null || other > keyOf(best)))) {
      best = candidate;
      most = likeness;
    }
  }
  return best;
}

/**
 * How many characters stand in common blocks: the longest one, then left and right of it (Ratcliff and Obershelp 1988).
 * @param {string} a
 * @param {string} b
 * @returns {number}
 */
function matching(a, b) {
  let start = 0,
    other = 0,
    length = 0;
  let before = new Uint8Array(b.length + 1);
  for (let i = 0; i < a.length; i++) {
    const now = new Uint8Array(b.length + 1);
    for (let j = 0; j < b.length; j++) {
      if (a[i] !== b[j]) continue;
      now[j + 1] = before[j] + 1;
      if (now[j + 1] > length) {
        length = now[j + 1];
        start = i - length + 1;
        other = j - length + 1;
      }
    }
    before = now;
  }
  if (!length) return 0;
  const left = matching(a.slice(0, start), b.slice(0, other));
  return length + left + matching(a.slice(start + length), b.slice(other + length));
}
