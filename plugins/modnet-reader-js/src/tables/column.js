/** How a column of a table becomes numbers (data/column_schema.py). */

import { counted, didYouMean, shorten, show } from "../words.js";
import { WIDTHS, encodeDate, momentOfDate, parseDate } from "./dates.js";
import { PLAIN, parseNumber } from "./numbers.js";
import { NGRAMS, hashText, splitLabels } from "./texts.js";
import { categoryKey, isCode, isNumber, strip, textOf } from "./values.js";

/**
 * @typedef {object} Fault
 * @property {number | null} row
 * @property {string} column
 * @property {string | null} value as text; null for a missing one
 * @property {string} message
 * @property {"fault" | "replaced" | "outside" | "ignored"} kind
 *
 * @typedef {object} Rows the values of a column
 * @property {any[]} values
 * @property {(row: number, value: string | null, message: string, kind?: Fault["kind"]) => void} note
 * @property {boolean} asksForAll whether somebody asks for values that were replaced, or are outside
 */

/** What other spellings of a truth value mean, by their key. @type {Record<string, number>} */
const TRUTHS = { false: 0, no: 0, f: 0, n: 0, 0: 0, off: 0, true: 1, yes: 1, t: 1, y: 1, 1: 1, on: 1 };

const MOST_SUGGESTIONS = 20;
const FLOAT32 = 2 ** -23;

export class Column {
  /**
   * @param {Record<string, any>} plain as the file has it
   * @param {string[]} missingValues of the table
   */
  constructor(plain, missingValues) {
    /** @type {string} */
    this.name = plain.name;
    /** @type {string} */
    this.kind = plain.kind;
    /** @type {string[]} */
    this.categories = plain.categories ?? [];
    /** @type {string} */
    this.encoding = plain.encoding ?? "one_hot";
    /** @type {string} */
    this.missing = plain.missing ?? "error";
    /** @type {number | string | null} */
    this.fill = plain.fill ?? null;
    /** @type {string} */
    this.unknown = plain.unknown ?? "error";
    this.numberFormat = plain.number_format ? { ...PLAIN, ...plain.number_format } : null;
    /** @type {string} */
    this.dateFormat = plain.date_format?.date_format ?? "iso";
    /** @type {string[]} */
    this.parts = plain.parts ?? [];
    /** @type {number} */
    this.buckets = plain.buckets ?? 0;
    /** @type {number[]} */
    this.ngrams = plain.ngrams ?? NGRAMS;
    /** @type {string} */
    this.separator = plain.separator ?? "";
    this.lowest = plain.lowest ?? null;
    this.highest = plain.highest ?? null;
    /** @type {number[]} */
    this.quantiles = plain.quantiles ?? [];
    this.interval = plain.interval ?? null;
    /** @type {Map<string, number> | undefined} */
    this.keys = undefined;
    /** @type {Map<string, number> | undefined} */
    this.codes = undefined;
    this.index = new Map(this.categories.map((category, place) => [category, place]));
    const own = new Set([...this.categories, ...(["labels", "text"].includes(this.kind) ? [""] : [])]);
    const gaps = [...missingValues, ...(plain.missing_values ?? [])].filter((text) => !own.has(text));
    this.gapTexts = new Set(gaps);
    this.gapNumbers = new Set(gaps.filter(isNumber).map(Number));
  }

  get hasCategories() {
    return ["category", "boolean", "labels"].includes(this.kind);
  }

  /** How many numbers encode one value. */
  get width() {
    if (["category", "labels"].includes(this.kind) && this.encoding === "one_hot") return this.categories.length;
    if (this.kind === "date") return this.parts.reduce((total, part) => total + WIDTHS[part], 0);
    return this.buckets || 1;
  }

  /** Whether a missing value is refused. */
  get refusesGaps() {
    if (this.fill !== null) return false;
    return !(this.missing === "code" || (this.missing === "drop" && this.unknown === "code"));
  }

  /**
   * Whether there is no value.
   * @param {any} value
   */
  isGap(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return true;
    if (typeof value === "number") return this.gapNumbers.has(value);
    if (value instanceof Date) return Number.isNaN(value.getTime());
    if (typeof value !== "string") return false;
    if (this.gapTexts.has(value) || this.gapTexts.has(strip(value))) return true;
    return this.gapNumbers.size > 0 && isNumber(value) && this.gapNumbers.has(Number(value));
  }

  /**
   * Writes the values of rows as numbers.
   *
   * @param {Rows} rows
   * @param {Float64Array} out zeros
   * @param {number} start where the first row's numbers stand
   * @param {number} step from row to row
   */
  encode(rows, out, start, step) {
    const write = this.writer(rows);
    rows.values.forEach((value, row) => {
      const isGap = this.isGap(value);
      const text = isGap ? (typeof value === "string" || typeof value === "number" ? spelled(value) : null) : null;
      if (isGap && this.refusesGaps) {
        rows.note(row, text, this.gapMessage(text ?? ""));
        return;
      }
      if (isGap && rows.asksForAll) rows.note(row, text, this.replacedGap(text ?? ""), "replaced");
      write(isGap ? null : value, row, out, start + row * step);
    });
  }

  /**
   * What writes a value, null for a missing one.
   * @param {Rows} rows
   * @returns {(value: any, row: number, out: Float64Array, at: number) => void}
   */
  writer(rows) {
    if (this.kind === "number") return (value, row, out, at) => this.writeNumber(value, row, out, at, rows);
    if (this.kind === "date") return (value, row, out, at) => this.writeDate(value, row, out, at, rows);
    if (this.kind === "text")
      return (value, _, out, at) => {
        if (value !== null) hashText(textOf(value), out, at, this.buckets, this.ngrams);
      };
    const unknown = this.unknownMessages(rows);
    if (this.kind === "labels") return (value, row, out, at) => this.writeLabels(value, row, out, at, rows);
    return (value, row, out, at) => this.writeCategory(value, row, out, at, rows, unknown);
  }

  /** @param {any} value @param {number} row @param {Float64Array} out @param {number} at @param {Rows} rows */
  writeNumber(value, row, out, at, rows) {
    let number = value === null ? Number(this.fill ?? 0) : this.numberOf(value);
    if (!Number.isFinite(number)) {
      rows.note(row, textOf(value), `expected a number${this.written()}, found ${show(textOf(value))}`);
      number = 0;
    } else if (rows.asksForAll && this.lowest !== null) {
      const rounding = FLOAT32 * Math.max(Math.abs(this.lowest), Math.abs(this.highest));
      this.noteOutside(number < this.lowest - rounding || number > this.highest + rounding, row, value, rows);
    }
    out[at] = number;
  }

  /** @param {any} value */
  numberOf(value) {
    if (typeof value === "number") return value;
    if (typeof value === "boolean" || typeof value === "bigint") return Number(value);
    return value instanceof Date ? NaN : parseNumber(textOf(value), this.numberFormat ?? PLAIN);
  }

  /** @param {any} value @param {number} row @param {Float64Array} out @param {number} at @param {Rows} rows */
  writeDate(value, row, out, at, rows) {
    const found = value === null ? parseDate(String(this.fill ?? "1970-01-01")) : this.momentOf(value);
    if (found === null) {
      rows.note(row, textOf(value), `expected a date${this.written()}, found ${show(textOf(value))}`);
    } else if (rows.asksForAll && this.lowest !== null) {
      const [low, high] = [parseDate(String(this.lowest)), parseDate(String(this.highest))];
      this.noteOutside(
        low !== null && high !== null && (isBefore(found, low) || isBefore(high, found)),
        row,
        value,
        rows,
      );
    }
    encodeDate(found ?? { day: 0, micros: 0 }, this.parts, out, at);
  }

  /** @param {any} value */
  momentOf(value) {
    return value instanceof Date ? momentOfDate(value) : parseDate(textOf(value), this.dateFormat);
  }

  /** @param {boolean} isOutside @param {number} row @param {any} value @param {Rows} rows */
  noteOutside(isOutside, row, value, rows) {
    if (!isOutside) return;
    const [low, high] = this.rangeTexts();
    const text = value === null ? "" : textOf(value);
    rows.note(
      row,
      value === null ? null : text,
      `${text} is outside of what the model was trained on, ${low} to ${high}`,
      "outside",
    );
  }

  /** The lowest and the highest value of training. */
  rangeTexts() {
    const asText = (/** @type {any} */ value) =>
      this.kind === "date" ? String(value).replace(/T00:00:00$/, "") : generalText(value, 10);
    return [asText(this.lowest), asText(this.highest)];
  }

  /** @param {any} value @param {number} row @param {Float64Array} out @param {number} at @param {Rows} rows @param {(text: string) => string} unknown */
  writeCategory(value, row, out, at, rows, unknown) {
    let code =
      value === null ? (this.fill === null ? -1 : (this.index.get(String(this.fill)) ?? -1)) : this.codeOf(value);
    if (value !== null && code < 0) {
      const text = textOf(value);
      if (this.unknown === "error") rows.note(row, text, unknown(text));
      else if (rows.asksForAll) rows.note(row, text, unknown(text), "replaced");
    }
    if (this.kind === "boolean") out[at] = code < 0 ? 0.5 : code;
    else if (this.encoding === "one_hot") {
      if (code >= 0) out[at + code] = 1;
    } else out[at] = this.encoding === "ordinal" ? code : code + 1;
  }

  /**
   * The position of a value in the categories; -1 for others. The exact text goes first, then the only category with
   * its key, then what the text means as a truth value, then 00501 for 501.
   * @param {any} value
   * @returns {number}
   */
  codeOf(value) {
    const text = textOf(value);
    const exact = this.index.get(text);
    if (exact !== undefined) return exact;
    const key = categoryKey(text);
    const found = this.byKey().get(key) ?? (this.kind === "boolean" && Object.hasOwn(TRUTHS, key) ? TRUTHS[key] : -1);
    return found < 0 ? (this.byNumber().get(key) ?? -1) : found;
  }

  /** Key -> the position of the only category that has it. */
  byKey() {
    this.keys ??= onlyOnes(this.categories.map((category) => categoryKey(category)));
    return this.keys;
  }

  /** 501 -> the position of 00501: who reads codes as numbers loses their zeros. */
  byNumber() {
    this.codes ??= onlyOnes(
      this.categories.map((category) =>
        isCode(category) && /^[0-9]+$/.test(category) ? category.replace(/^0+/, "") || "0" : null,
      ),
    );
    return this.codes;
  }

  /** @param {any} value @param {number} row @param {Float64Array} out @param {number} at @param {Rows} rows */
  writeLabels(value, row, out, at, rows) {
    if (value === null) return;
    const text = Array.isArray(value) ? JSON.stringify(value) : textOf(value);
    const labels = splitLabels(text, this.separator);
    const wrong = [];
    for (const label of labels) {
      const code = this.codeOf(label);
      if (code >= 0) out[at + code] = 1;
      else wrong.push(label);
    }
    if (wrong.length && this.unknown === "error") {
      rows.note(
        row,
        text,
        `unknown label ${show(wrong[0])}; expected some of ${shorten(this.categories)}${didYouMean(wrong[0], this.categories)}`,
      );
    }
  }

  // Messages

  /** What a message says of an unknown category, each text looked at once. @param {Rows} rows */
  unknownMessages(rows) {
    /** @type {Map<string, string>} */
    const made = new Map();
    /** @type {number | null} */
    let count = null;
    return (/** @type {string} */ text) => {
      count ??= rows.values.filter((value) => !this.isGap(value) && this.codeOf(value) < 0).length;
      let message = made.get(text);
      if (message === undefined) {
        const near = made.size < MOST_SUGGESTIONS ? didYouMean(text, this.categories) : "";
        message =
          this.unknown === "error"
            ? this.unknownCategory(text, near, count, rows.values.length)
            : `unknown category ${show(text)}${near}; given the code of unknown ones`;
        made.set(text, message);
      }
      return message;
    };
  }

  /** @param {string} text @param {string} near @param {number} count @param {number} rows */
  unknownCategory(text, near, count, rows) {
    const more = count > 1 ? ` (${count.toLocaleString("en-US")} of ${counted(rows, "row")} have unknown ones)` : "";
    const advice = near || '; correct or drop such rows, or train with unknown = "code"';
    return `unknown category ${show(text)}${more}; expected one of ${shorten(this.categories)}${advice}`;
  }

  /** @param {string} text */
  gapMessage(text) {
    const advice =
      this.missing === "drop"
        ? 'each row needs a prediction, but the model has no fill value: train with "mean" or "most_frequent"'
        : 'complete it, or train with missing = "mean", "most_frequent" or "drop"';
    return `${noValue(text)}; ${advice}`;
  }

  /** @param {string} text */
  replacedGap(text) {
    const fill = typeof this.fill === "number" ? generalText(this.fill, 6) : show(this.fill);
    return `${noValue(text)}; given ${this.fill === null ? "its own code" : `${fill}, learnt in training`}`;
  }

  /** How values of this kind are written. */
  written() {
    if (this.kind === "date") return this.dateFormat === "iso" ? "" : ` (${this.dateFormat})`;
    return (
      (this.numberFormat?.decimal === "," ? " with a decimal comma" : "") +
      (this.numberFormat?.unit ? ` (${this.numberFormat.unit})` : "")
    );
  }
}

/** @param {any} value */
function spelled(value) {
  return Number.isNaN(value) ? null : textOf(value);
}

/** @param {string} text */
function noValue(text) {
  return text ? `missing value (found ${show(text)})` : "missing value";
}

/**
 * Key -> its position, or -1 where several have it.
 * @param {(string | null)[]} keys
 * @returns {Map<string, number>}
 */
function onlyOnes(keys) {
  const found = new Map();
  keys.forEach((key, place) => {
    if (key !== null) found.set(key, found.has(key) ? -1 : place);
  });
  return found;
}

/** @param {import("./dates.js").Moment} a @param {import("./dates.js").Moment} b */
function isBefore(a, b) {
  return a.day < b.day || (a.day === b.day && a.micros < b.micros);
}

/**
 * A number with so many digits, as Python's `g` writes it.
 * @param {number} value
 * @param {number} digits
 */
export function generalText(value, digits) {
  const [mantissa, power] = value.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  const isLong = exponent < -4 || exponent >= digits;
  if (!isLong) return trimmed(value.toFixed(Math.max(0, digits - 1 - exponent)));
  return `${trimmed(mantissa)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** @param {string} text */
const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
