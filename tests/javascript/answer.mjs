// Answers questions about models, one for each line of standard input, so that one start of node does for all tests.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { DISTRIBUTIONS } from "../../plugins/modnet-reader-js/src/layers/index.js";
import { parseDate } from "../../plugins/modnet-reader-js/src/tables/dates.js";
import { parseNumber } from "../../plugins/modnet-reader-js/src/tables/numbers.js";
import { categoryKey, textOf } from "../../plugins/modnet-reader-js/src/tables/values.js";
import { load } from "../../plugins/modnet-reader-js/src/index.js";

/** What JSON cannot say. */
const plain = (_, value) => (typeof value === "number" && !Number.isFinite(value) ? { float: String(value) } : value);
const given = (_, value) => (value?.float ? Number(value.float) : value?.date ? new Date(value.date) : value);

const asLists = (found) => {
  if (typeof found?.toArray === "function") return found.toArray();
  const isNamed = found !== null && typeof found === "object" && !Array.isArray(found);
  return isNamed ? Object.fromEntries(Object.entries(found).map(([name, value]) => [name, asLists(value)])) : found;
};

const methods = {
  async forward({ path, x }) {
    return asLists((await load(await readFile(path))).forward(x));
  },
  async predict({ path, rows, options = {} }) {
    const found = asLists((await load(await readFile(path))).predict(rows, options));
    return options.report ? { found, report: options.report } : found;
  },
  async about({ path }) {
    const { id, inputs, outputs, columns, classes, dtype } = await load(await readFile(path));
    return { id, inputs, outputs, columns, classes, dtype };
  },
  numbers: ({ texts, format }) => texts.map((text) => parseNumber(text, format)),
  /** Microseconds since 1970, as text; null for what is no date. */
  dates: ({ texts, format }) =>
    texts.map((text) => {
      const found = parseDate(text, format);
      return found && String(BigInt(found.day) * 86_400_000_000n + BigInt(found.micros));
    }),
  keys: ({ texts }) => texts.map(categoryKey),
  texts: ({ values }) => values.map(textOf),
  /** distribution -> type -> option -> what stands for one that a file lacks: [value], or [] if it has to be there. */
  options() {
    const otherwise = (check) => {
      try {
        return [check(undefined, "") ?? null];
      } catch {
        return [];
      }
    };
    const ofType = ({ kind = "layer", version = 1, options = {} }) => ({
      kind,
      version,
      options: Object.fromEntries(Object.entries(options).map(([name, check]) => [name, otherwise(check)])),
    });
    return Object.fromEntries(
      Object.entries(DISTRIBUTIONS).map(([name, types]) => [
        name,
        Object.fromEntries(Object.entries(types).map(([type, table]) => [type, ofType(table)])),
      ]),
    );
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { method, ...question } = JSON.parse(line, given);
  let answer;
  try {
    answer = { value: await methods[method](question) };
  } catch (error) {
    answer = { error: error.name, message: error.message, problems: error.problems, missing: error.missing };
  }
  console.log(JSON.stringify(answer, plain));
}
