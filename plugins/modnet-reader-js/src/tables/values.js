/** What single values mean: which texts are plain numbers, and which spellings are the same value (data/values.py). */

/** What Python takes for blanks. */
const BLANK = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";

const ENDS = new RegExp(`^[${BLANK}]+|[${BLANK}]+$`, "g");
const BLANKS = new RegExp(`[${BLANK}]+`, "g");

/** @param {string} text */
export const strip = (text) => text.replace(ENDS, "");

const PLAIN = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

/**
 * Whether this is a plain number: finite, decimal, in ASCII, and no code such as 00501.
 * @param {string} text
 */
export function isNumber(text) {
  const bare = text.replace(/^[\t-\r\x1c- ]+|[\t-\r\x1c- ]+$/g, "");
  return PLAIN.test(bare) && Number.isFinite(Number(bare)) && !isCode(text);
}

/** Whether this begins with a zero before another digit. @param {string} text */
export function isCode(text) {
  return /^0[0-9]/.test(strip(text).replace(/^[+-]+/, ""));
}

/**
 * A value as the text by which it is known as a category, as `text_of` of modnet writes it.
 * @param {any} value a text, number, big integer, truth value or date
 * @returns {string}
 */
export function textOf(value) {
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberValueText(value);
  return value instanceof Date ? dateText(value) : String(value);
}

/** @param {number} value */
function numberValueText(value) {
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 53) return String(value + 0);
  const text = floatText(value);
  if (!Number.isInteger(value)) return text;
  const canonical = numberText(text);
  return /[e.]/.test(canonical) ? text : canonical;
}

/** A number as Python writes a float. @param {number} value */
function floatText(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const [mantissa, power] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** The day, and the time of day if it is not midnight, in UTC. @param {Date} value */
function dateText(value) {
  const iso = value.toISOString(); // 2024-01-05T14:05:00.000Z
  const [day, time] = [iso.slice(0, -14), iso.slice(-13, -1)];
  if (time === "00:00:00.000") return day;
  return `${day} ${time.endsWith(".000") ? time.slice(0, 8) : `${time}000`}`;
}

const MOST_DIGITS = 21;

/**
 * One spelling for all spellings of a plain number: `2` for `2.0`, `+2`, `2e0`.
 * @param {string} text
 */
function numberText(text) {
  const [mantissa, exponent = ""] = strip(text).toLowerCase().split("e");
  const [whole, part = ""] = mantissa.replace(/^[+-]+/, "").split(".");
  const digits = (whole + part).replace(/^0+/, "");
  const kept = digits.replace(/0+$/, "");
  const power = (exponent ? Number(exponent) : 0) - part.length + digits.length - kept.length;
  return kept ? (mantissa.startsWith("-") ? "-" : "") + written(kept, power) : "0";
}

/**
 * Digits times a power of ten.
 * @param {string} digits
 * @param {number} power
 */
function written(digits, power) {
  if ((power >= 0 && power <= MOST_DIGITS - digits.length) || power === 0) return digits + "0".repeat(power);
  if (power >= -MOST_DIGITS && power < 0) {
    const padded = digits.padStart(1 - power, "0");
    return `${padded.slice(0, power)}.${padded.slice(power)}`;
  }
  return `${digits[0]}${digits[1] ? "." : ""}${digits.slice(1)}e${power + digits.length - 1}`;
}

/** Small letters for comparisons: as Python's `casefold`. @param {string} text */
export function casefold(text) {
  if (/^[\x00-\x7f]*$/.test(text)) return text.toLowerCase();
  return [...text].map(foldSign).join("");
}

/** @param {string} sign */
function foldSign(sign) {
  if (sign === "\u0131") return sign; // a dotless i, whose capital letter is that of i
  if (/\p{Script=Cherokee}/u.test(sign)) return sign.toUpperCase(); // its small letters came later
  return [...sign.toLowerCase().toUpperCase()].map((letter) => letter.toLowerCase()).join("");
}

/** The key by which two spellings are the same category. @param {string} text */
export function categoryKey(text) {
  return isNumber(text) ? numberText(text) : casefold(words(text));
}

/** The text with single blanks, and none at its ends. @param {string} text */
export function words(text) {
  return strip(text.replace(BLANKS, " "));
}

// In ASCII

/** Character -> what it stands for in a number or a date. @type {Record<string, string>} */
const SIGNS = {
  "\u2212": "-",
  "\u2010": "-",
  "\u2011": "-",
  "\u2012": "-",
  "\u2013": "-",
  "\ufe63": "-",
  "\uff0d": "-",
  "\uff0b": "+",
  "\u2019": "'",
  "\u066b": ".",
  "\u066c": ",",
  "\uff0e": ".",
  "\uff0c": ",",
  "\uff05": "%",
  "\u066a": "%",
  "\u200b": "",
  "\ufeff": "",
  "\u200e": "",
  "\u200f": "",
};

const DIGIT = /\p{Nd}/u;

/**
 * The text without blanks at its ends, with the digits, blanks, minus signs and marks of ASCII.
 * @param {string} text
 */
export function inAscii(text) {
  if (/^[\x21-\x7e]*$/.test(text)) return text;
  const signs = [...text].map((sign) => {
    if (sign <= "\x7f") return sign;
    if (sign in SIGNS) return SIGNS[sign];
    if (DIGIT.test(sign)) return String(digitOf(/** @type {number} */ (sign.codePointAt(0))));
    return strip(sign) === "" ? " " : sign;
  });
  return strip(signs.join(""));
}

/** The value of a digit of any script: they stand in tens, the zero first. @param {number} code */
function digitOf(code) {
  let before = 0;
  while (DIGIT.test(String.fromCodePoint(code - before - 1))) before++;
  return before % 10;
}
