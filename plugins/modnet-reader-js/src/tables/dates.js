/** Dates and times as people, programs and spreadsheets write them (data/dates.py), and what becomes of them. */

import { casefold, inAscii } from "./values.js";

/**
 * A time in UTC: whole days since 1970, and the microseconds of the day.
 * @typedef {{ day: number, micros: number }} Moment
 */

const LONGEST = 64;
const PIVOT = 69; // a year of two digits from this one on is of the 20th century
const DAY = 86_400_000_000;

const MONTHS = new Map(
  [
    "january jan januar j\u00e4nner j\u00e4n janvier janv enero ene gennaio gen janeiro",
    "february feb februar f\u00e9vrier f\u00e9vr f\u00e9v fevrier febrero febbraio fevereiro fev",
    "march mar m\u00e4rz m\u00e4r mrz maerz mars marzo mar\u00e7o",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag maio",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug julho",
    "august aug ao\u00fbt aout agosto ago",
    "september sept sep septembre septiembre settembre set setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez d\u00e9cembre d\u00e9c decembre diciembre dic dicembre dezembro",
  ].flatMap((names, month) => names.split(" ").map((name) => /** @type {[string, number]} */ ([name, month + 1]))),
);

const DAYS = (
  "monday mon tuesday tues tue wednesday wed thursday thurs thur thu friday fri saturday sat sunday sun" +
  " montag mo dienstag di mittwoch mi donnerstag do freitag fr samstag sonnabend sa sonntag so" +
  " lundi lun mardi mar mercredi mer jeudi jeu vendredi ven samedi sam dimanche dim" +
  " lunes martes mi\u00e9rcoles mi\u00e9 jueves jue viernes vie s\u00e1bado s\u00e1b domingo dom"
).split(" ");

/** Name of a zone -> its hours before UTC. @type {Record<string, number>} */
const ZONES = { est: -5, edt: -4, cst: -6, cdt: -5, mst: -7, mdt: -6, pst: -8, pdt: -7, cet: 1, cest: 2 };

/** @param {Iterable<string>} all */
const anyOf = (all) => `(?:${[...all].sort((a, b) => b.length - a.length).join("|")})\\.?`;

/** Directive -> what it stands for. @type {Record<string, string>} */
const DIRECTIVES = {
  Y: "[0-9]{4}",
  y: "[0-9]{2}",
  m: "[0-9]{1,2}",
  d: "[0-9]{1,2}",
  b: anyOf(MONTHS.keys()),
  B: anyOf(MONTHS.keys()),
  a: anyOf(DAYS),
  A: anyOf(DAYS),
  G: "[0-9]{4}",
  V: "[0-9]{2}",
  j: "[0-9]{1,3}",
  q: "[0-9]",
  H: "[0-9]{1,2}",
  I: "[0-9]{1,2}",
  M: "[0-9]{2}",
  S: "[0-9]{2}",
  f: "[0-9]{1,9}",
  p: "[ap]\\.?m\\.?",
  z: `(?:Z|UTC|GMT|(?:UTC|GMT)?[-+][0-9]{2}(?::?[0-9]{2})?|${Object.keys(ZONES).join("|")})`,
};

const NUMERIC = new Set([..."YymdjqGVHIMSf"].map((letter) => `%${letter}`));

const ISO = new RegExp(
  "^(?<Y>[0-9]{4})-(?<m>[0-9]{2})-(?<d>[0-9]{2})" +
    `(?:(?:T| )(?<H>[0-9]{2}):(?<M>[0-9]{2})(?::(?<S>[0-9]{2})(?:[.,](?<f>[0-9]{1,9}))?)?(?: ?(?<z>${DIRECTIVES.z}))?)?$`,
  "iu",
);

/** @type {Map<string, RegExp[]>} */
const compiled = new Map();

/**
 * The patterns of a format: also that of a date alone, if a time of day follows the date.
 * @param {string} format
 * @returns {RegExp[]}
 */
function patterns(format) {
  let found = compiled.get(format);
  if (found) return found;
  const starts = ["%H", "%I"].map((part) => format.indexOf(part)).filter((place) => place > 0);
  const start = Math.min(...starts);
  const date = starts.length ? format.slice(0, start).replace(/[T ,]+$/, "") : "";
  const hasDateFirst = date.toUpperCase().includes("%Y") && !format.slice(start).toUpperCase().includes("%Y");
  found = [format, ...(hasDateFirst ? [date] : [])].map(pattern);
  compiled.set(format, found);
  return found;
}

/** @param {string} format */
function pattern(format) {
  const parts = format.match(/%.|[^%]+|%$/gsu) ?? [];
  const made = parts.map((part, place) => {
    if (!part.startsWith("%")) {
      const next = parts[place + 1];
      return part === " " && (next === "%p" || next === "%z")
        ? " *"
        : part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&").replaceAll(" ", " +");
    }
    const letter = part.slice(1);
    if (letter === "%") return "%";
    const isTight = "mdHI".includes(letter) && (NUMERIC.has(parts[place - 1]) || NUMERIC.has(parts[place + 1]));
    return `(?<${letter}>${isTight ? "[0-9]{2}" : DIRECTIVES[letter]})${after(letter, parts)}`;
  });
  return new RegExp(`^${made.join("")}$`, "iu");
}

/**
 * What may follow a part: of a day beside the name of a month, `st`, and of seconds, a fraction.
 * @param {string} letter
 * @param {string[]} parts
 */
function after(letter, parts) {
  if (letter === "d" && parts.includes("%b")) return "(?:st|nd|rd|th|er)?";
  return letter === "S" && !parts.includes("%f") ? "(?:[.,](?<f>[0-9]{1,9}))?" : "";
}

/**
 * The time that a text is; null if it is none. Dates of ISO 8601 are understood whatever the format.
 * @param {string} text
 * @param {string} [format] of `strptime`, with `%q` for the quarter, or "iso"
 * @returns {Moment | null}
 */
export function parseDate(text, format = "iso") {
  const tidy = inAscii(text);
  if ([...tidy].length > LONGEST) return null;
  for (const one of format === "iso" ? [ISO] : patterns(format)) {
    const parts = one.exec(tidy)?.groups;
    const found = parts && momentOf(parts);
    if (found) return found;
    if (parts) break;
  }
  return format === "iso" ? null : parseDate(text);
}

/** @param {Date} date @returns {Moment | null} null for one that is invalid */
export function momentOfDate(date) {
  const time = date.getTime();
  return Number.isNaN(time) ? null : moment(0, time * 1000);
}

/**
 * @param {number} day
 * @param {number} micros
 * @returns {Moment}
 */
function moment(day, micros) {
  const more = Math.floor(micros / DAY);
  return { day: day + more, micros: micros - more * DAY };
}

/**
 * @param {Record<string, string>} parts
 * @returns {Moment | null} null for what does not exist
 */
function momentOf(parts) {
  const day = parts.G !== undefined ? monday(parts) : dayOf(parts);
  if (day === null) return null;
  let micros = 0;
  if (parts.H !== undefined || parts.I !== undefined) {
    const time = timeOfDay(parts);
    if (time === null) return null;
    micros = time;
  }
  const ahead = parts.z === undefined ? 0 : offset(parts.z);
  return ahead === null ? null : moment(day, micros - ahead);
}

/**
 * Days since 1970 of a date that may not exist: then null.
 * @param {number} year
 * @param {number} month from 1
 * @param {number} day
 */
function daysOf(year, month, day) {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isThere = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1;
  return isThere ? date.getTime() / 86_400_000 : null;
}

/** @param {Record<string, string>} parts */
function dayOf(parts) {
  let year = Number(parts.Y ?? 1970);
  if (parts.y !== undefined) year = Number(parts.y) + (Number(parts.y) >= PIVOT ? 1900 : 2000);
  let month = Number(parts.m ?? 1);
  const name = parts.b ?? parts.B;
  if (name) month = MONTHS.get(casefold(name).replace(/\.+$/, "")) ?? 0;
  if (parts.q !== undefined) month = 3 * Number(parts.q) - 2;
  if (year < 1 || month < 1 || month > 12) return null;
  if (parts.j === undefined) return daysOf(year, month, Number(parts.d ?? 1));
  const first = /** @type {number} */ (daysOf(year, 1, 1));
  const next = /** @type {number} */ (daysOf(year + 1, 1, 1));
  const day = first + Number(parts.j) - 1;
  return day >= first && day < next ? day : null;
}

/** The Monday of a week of ISO 8601: the first has the 4th of January. @param {Record<string, string>} parts */
function monday(parts) {
  const year = Number(parts.G);
  const week = Number(parts.V ?? 1);
  const fourth = year >= 1 ? daysOf(year, 1, 4) : null;
  if (fourth === null || week < 1) return null;
  const found = fourth - ((((fourth + 3) % 7) + 7) % 7) + 7 * (week - 1);
  return new Date((found + 3) * 86_400_000).getUTCFullYear() === year ? found : null;
}

/** Microseconds since midnight; null for a time that does not exist. @param {Record<string, string>} parts */
function timeOfDay(parts) {
  let hour = Number(parts.H ?? 0);
  const minute = Number(parts.M ?? 0);
  const second = Number(parts.S ?? 0);
  if (hour >= 24 || minute >= 60 || second >= 60) return null;
  if (parts.I !== undefined) {
    hour = Number(parts.I);
    if (hour < 1 || hour > 12) return null;
    hour = (hour % 12) + (casefold(parts.p ?? "").startsWith("p") ? 12 : 0);
  }
  const fraction = Number((parts.f ?? "").slice(0, 6).padEnd(6, "0"));
  return ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction;
}

/** How many microseconds a zone is ahead of UTC; null for one that does not exist. @param {string} text */
function offset(text) {
  const zone = casefold(text);
  if (zone in ZONES) return ZONES[zone] * 3_600_000_000;
  const digits = zone.replace(/[^0-9]/g, "");
  const hours = Number(digits.slice(0, 2));
  const minutes = Number(digits.slice(2));
  if (hours >= 24 || minutes >= 60) return null;
  return (hours * 60 + minutes) * 60_000_000 * (zone.includes("-") ? -1 : 1);
}

// As numbers

/** How many numbers each part of a date becomes. @type {Record<string, number>} */
export const WIDTHS = { day: 1, year: 1, month: 2, day_of_month: 2, day_of_week: 7, day_of_year: 2, hour: 2 };

/**
 * Writes the parts of a date.
 * @param {Moment} time
 * @param {string[]} parts
 * @param {Float64Array} out
 * @param {number} at
 */
export function encodeDate({ day, micros }, parts, out, at) {
  const date = new Date(day * 86_400_000);
  const hours = micros / 3.6e9;
  const year = date.getUTCFullYear();
  for (const part of parts) {
    if (part === "day") out[at] = day + hours / 24;
    else if (part === "year") out[at] = year;
    else if (part === "month") angle(date.getUTCMonth() / 12, out, at);
    else if (part === "day_of_month") angle((date.getUTCDate() - 1) / 31, out, at);
    else if (part === "day_of_week")
      out[at + ((((day + 3) % 7) + 7) % 7)] = 1; // 1970 began on a Thursday
    else if (part === "day_of_year") angle((day - /** @type {number} */ (daysOf(year, 1, 1))) / 366, out, at);
    else angle(hours / 24, out, at);
    at += WIDTHS[part];
  }
}

/**
 * @param {number} turns
 * @param {Float64Array} out
 * @param {number} at
 */
function angle(turns, out, at) {
  out[at] = Math.sin(2 * Math.PI * turns);
  out[at + 1] = Math.cos(2 * Math.PI * turns);
}
