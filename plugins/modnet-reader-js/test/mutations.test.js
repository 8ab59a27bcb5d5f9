import assert from "node:assert/strict";
import { test } from "node:test";

import { DataError, ModelFileError, ShapeError, load } from "../src/index.js";
import { decode } from "../src/msgpack.js";
import { expected, fileOf, model } from "./files.js";

const NAMES = [
  "classifier",
  "table",
  "several",
  "sequence",
  "composites",
  "ensemble",
  "layer-per_member-1",
  "variants/intervals",
  "plugins/modnet-conv",
  "plugins/modnet-recurrent",
];
const JUNK = [
  null,
  true,
  -1,
  0,
  1,
  2,
  7,
  1.5,
  1e9,
  2 ** 40,
  NaN,
  Infinity,
  "",
  "x",
  "same",
  "linear",
  "softmax",
  "input",
  "__proto__",
  [],
  [[]],
  [-1],
  [1e12],
  ["x"],
  {},
  { type: "relu" },
];

/** Numbers by chance, always the same ones (mulberry32). */
function chance(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The header of a golden file as plain values, and its payloads. */
function apart(name) {
  const bytes = model(name);
  const { value: header, end } = decode(bytes, bytes.length);
  const first = Math.ceil((end + 39) / 64) * 64;
  const payloads = header.segments.map(({ group, dtype, offset, length }) => ({
    group,
    dtype,
    bytes: Buffer.from(bytes.slice(first + offset, first + offset + length)),
  }));
  return {
    header: JSON.parse(
      JSON.stringify({
        features: header.features,
        needs: header.needs,
        spec: { network: header.spec.network },
        schema: header.schema,
        views: header.views,
      }),
    ),
    payloads,
  };
}

/** All places of a value: the container and the key in it. */
function places(value, found = []) {
  for (const key of value !== null && typeof value === "object" ? Object.keys(value) : []) {
    found.push([value, key]);
    places(value[key], found);
  }
  return found;
}

function mutate(header, random) {
  const inSpec = places(header.spec ?? {});
  const [container, key] = pick(random() < 0.7 && inSpec.length ? inSpec : places(header), random);
  const kind = random();
  if (kind < 0.2 && !Array.isArray(container)) delete container[key];
  else if (kind < 0.3 && !Array.isArray(container)) container.surprise = pick(JUNK, random);
  else if (kind < 0.4 && Array.isArray(container)) container.push(structuredClone(container[key]));
  else if (kind < 0.5 && typeof container[key] === "number") container[key] += pick([-1, 1, 0.5, 2 ** 31], random);
  else container[key] = structuredClone(pick(JUNK, random));
}

const pick = (list, random) => list[Math.floor(random() * list.length)];

for (const name of NAMES) {
  test(`headers of ${name} with changes by chance`, async () => {
    const random = chance(NAMES.indexOf(name) + 1);
    const whole = apart(name);
    const { inputs } = expected(name);
    let refused = 0;
    for (let round = 0; round < 200; round++) {
      const header = structuredClone(whole.header);
      for (let count = 0; count < 1 + 2 * random(); count++) mutate(header, random);
      try {
        const network = await load(fileOf(header, whole.payloads));
        network.predict(inputs);
      } catch (error) {
        const isOurs = error instanceof ModelFileError || error instanceof DataError || error instanceof ShapeError;
        assert.ok(isOurs, `${JSON.stringify(header.spec)}: ${error.stack}`);
        refused++;
      }
    }
    assert.ok(refused > 100, `${refused}`);
  });
}
