/** Numbers as people and spreadsheets write them: `$1,234.50`, `1.234,50 EUR`, `39 %`, `(12)` (data/numbers.py). */

import { casefold, inAscii, isNumber, strip } from "./values.js";

/**
 * @typedef {object} NumberFormat
 * @property {string} decimal
 * @property {string} thousands
 * @property {string} unit
 * @property {string} negative
 */

/** Numbers as programs write them. @type {NumberFormat} */
export const PLAIN = { decimal: ".", thousands: "", unit: "", negative: "minus" };

const LONGEST = 64;

/** A text taken to pieces. */
const PIECES = new RegExp(
  "^(?<open>\\(?) *(?<sign>[-+]?) *" +
    "(?<before>[^0-9()+\\-.,' ][^0-9()+\\-,' ]{0,4})? *" +
    "(?<openWithin>\\(?) *(?<signWithin>[-+]?) *" +
    "(?<core>(?:[0-9][0-9.,' ]*(?<![, '])|[.,][0-9]+)(?:[eE][-+]?[0-9]{1,3}(?![0-9]))?) *" +
    "(?<trailing>-?) *(?<closeWithin>\\)?) *" +
    "(?<after>[^0-9()+\\-., ][^()]{0,23}?)? *(?<close>\\)?)$",
  "su",
);

/**
 * The number that a text is in a format; nan where it is none.
 * @param {string} text
 * @param {NumberFormat} [format]
 */
export function parseNumber(text, format = PLAIN) {
  if (format === PLAIN && isNumber(text)) return Number(strip(text));
  const tidy = inAscii(text);
  const pieces = [...tidy].length <= LONGEST ? PIECES.exec(tidy)?.groups : undefined;
  if (!pieces || !isSignedOnce(pieces)) return NaN;
  const { before = "", after = "", core } = pieces;
  const unit = before + after;
  if (unit !== "" && unit !== format.unit && !areUnits(before, after)) return NaN;
  const negative = pieces.open || pieces.openWithin ? "parentheses" : pieces.trailing ? "trailing" : "minus";
  if (negative !== "minus" && negative !== format.negative) return NaN;
  const isBare = unit === "" && (!multiplies(format.unit) || /^[0.,' ]*$/.test(core));
  if (unitKey(unit) !== unitKey(format.unit) && !isBare) return NaN;
  if (!corePattern(format).test(core)) return NaN;
  const plain = core
    .replaceAll(" ", "")
    .replaceAll(format.thousands || " ", "")
    .replace(format.decimal, ".");
  const value = Number(plain);
  if (!Number.isFinite(value)) return NaN;
  return negative !== "minus" || pieces.sign === "-" || pieces.signWithin === "-" ? -value : value;
}

/** Whether brackets come in pairs, and there is at most one sign, or one pair. @param {Record<string, string>} pieces */
function isSignedOnce(pieces) {
  const opened = (pieces.open + pieces.openWithin).length;
  const closed = ((pieces.closeWithin ?? "") + (pieces.close ?? "")).length;
  return opened === closed && opened + (pieces.sign + pieces.signWithin + pieces.trailing).length <= 1;
}

/** Digits with marks; groups of two digits are those of India. @param {NumberFormat} format */
function corePattern({ decimal, thousands }) {
  const point = `\\${decimal}`;
  let whole = "[0-9]+";
  if (thousands) {
    const mark = /[.,]/.test(thousands) ? `\\${thousands}` : thousands;
    const indian = thousands === "," ? "|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" : "";
    whole = `(?:[1-9][0-9]{0,2}(?:${mark}[0-9]{3})+${indian}|${whole})`;
  }
  return new RegExp(`^(?:${whole}(?:${point}[0-9]*)?|${point}[0-9]+)(?:[eE][-+]?[0-9]{1,3})?$`);
}

// Units

const CURRENCIES = new Set(
  (
    "usd eur gbp chf jpy cny rmb inr brl aud cad nzd sek nok dkk isk pln czk huf ron bgn rub uah zar mxn krw twd hkd" +
    " sgd thb idr vnd ils aed sar us$ r$ a$ c$ au$ ca$ nz$ hk$ s$ nt$ mx$ kr kr. rs rs. fr. sfr sfr. k\u010d z\u0142 s/"
  ).split(" "),
);

const MULTIPLIERS = new Set(
  (
    "k m b t bn mn mm mio mrd tn tsd mil mill thousand thousands million millions billion billions trillion trillions" +
    " lakh lakhs crore crores cr"
  ).split(" "),
);

const NO_UNITS = new Set(["am", "pm", "a.m.", "p.m.", "a.m", "p.m", "e", "q1"]);

const LETTER = "[\\p{L}\\p{Nl}\\p{No}]";

const UNIT = new RegExp(
  `^(?:${LETTER}|[%\\u2030\\u00b0"'\\u2032\\u2033]|/(?=${LETTER}))` +
    `(?:[^\\p{Nd}\\n]|(?<=${LETTER})[123](?!\\p{Nd})|(?<=/)10*(?= ?${LETTER}))*$`,
  "u",
);

/** The key by which two units are the same: `year`, `Years`, `yrs.` @param {string} unit */
function unitKey(unit) {
  let key = unit.replace(/\s+/gu, "").replace(/\.+$/, "");
  if (!/^[mM]/.test(key) || key.length > 3) key = casefold(key);
  if (["st", "nd", "rd", "th"].includes(key)) return "th";
  return key.length > 2 && /[sS]$/.test(key) ? key.slice(0, -1) : key;
}

/** Whether a unit stands for a power of ten. @param {string} unit */
function multiplies(unit) {
  return MULTIPLIERS.has(casefold([...unit].filter((sign) => /\p{L}/u.test(sign)).join("")));
}

/**
 * @param {string} before
 * @param {string} after
 */
function areUnits(before, after) {
  return (before === "" || before === "%" || isMoney(before)) && (after === "" || mayStandAfter(after));
}

/** @param {string} unit */
function isMoney(unit) {
  return CURRENCIES.has(casefold(unit)) || /^\p{Sc}+$/u.test(unit);
}

/** @param {string} text */
function mayStandAfter(text) {
  if (/^\p{Sc}/u.test(text)) return !/\p{Nd}/u.test(text);
  return !NO_UNITS.has(casefold(text)) && UNIT.test(text);
}
