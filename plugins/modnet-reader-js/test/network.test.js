import assert from "node:assert/strict";
import { test } from "node:test";

import { DataError, ShapeError, Tensor, load } from "../src/index.js";
import { expected, model } from "./files.js";

const near = (found, wanted) =>
  found
    .flat(9)
    .forEach((value, at) => assert.ok(Math.abs(value - wanted.flat(9)[at]) < 1e-5, `${value} ${wanted.flat(9)[at]}`));

test("bytes in any form", async () => {
  const bytes = model("classifier");
  const { inputs, outputs } = expected("classifier");
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const forms = [
    bytes,
    bytes.buffer,
    Buffer.from(bytes),
    shifted.subarray(3),
    new DataView(bytes.buffer),
    new Blob([bytes]),
    new Response(bytes),
    Promise.resolve(new Response(bytes)),
  ];
  for (const form of forms) near((await load(form)).forward(inputs).toArray(), outputs);
  await assert.rejects(load(new Response("none", { status: 404 })), /could not be fetched: 404/);
});

test("a network does not hold on to the bytes", async () => {
  const bytes = model("classifier");
  const { inputs, outputs } = expected("classifier");
  const network = await load(bytes);
  bytes.fill(0);
  near(network.forward(inputs).toArray(), outputs);
});

test("arrays in any form", async () => {
  const network = await load(model("classifier"));
  const { inputs, outputs } = expected("classifier");
  const flat = inputs.flat();
  const forms = [
    inputs,
    inputs.map((row) => Float32Array.from(row)),
    Float32Array.from(flat),
    Float64Array.from(flat),
    { data: Float32Array.from(flat), shape: [4, 5] },
    new Tensor(Float64Array.from(flat), [4, 5]),
    { input: inputs },
  ];
  for (const form of forms) near(network.forward(form).toArray(), outputs);
  assert.deepEqual(network.forward([]).shape, [0, 3]);
  assert.equal(network.forward(Float32Array.from(flat)).data.constructor, Float32Array);
});

test("arrays that do not fit", async () => {
  const network = await load(model("classifier"));
  assert.throws(
    () => network.forward([1, 2, 3, 4, 5]),
    (error) => error instanceof ShapeError && error.message.includes("single sample"),
  );
  assert.throws(() => network.forward([[1, 2]]), ShapeError);
  assert.throws(() => network.forward(new Float32Array(7)), ShapeError);
  assert.throws(() => network.forward([[1, 2, 3, 4, 5], [1]]), DataError);
  assert.throws(() => network.forward([["a", 2, 3, 4, 5]]), DataError);
  assert.throws(() => network.forward({ x: [[1, 2, 3, 4, 5]] }), /no input of the network is called "x"/);
  assert.throws(() => network.forward(undefined), DataError);
  assert.throws(() => network.forward([[NaN, 2, 3, 4, 5]]), /the prediction for row 0 is nan/);
  assert.throws(() => network.forward([[1e300, 2, 3, 4, 5]]), /beyond what float32 can hold/);
  assert.throws(() => network.predict([[1, 2, 3, 4, 5]], { report: [] }), /trained on arrays/);
  const several = await load(model("several"));
  assert.throws(() => several.forward([[1]]), /has 2 inputs/);
  assert.throws(() => several.forward({ word: [[1, 2]] }), /needs the input "size"/);
  assert.throws(() => several.forward({ word: [[1, 9]], size: [[1, 2, 3]] }), /found the id 9, expected 0 to 4/);
  assert.throws(
    () =>
      several.forward({
        word: [[1, 2]],
        size: [
          [1, 2, 3],
          [1, 2, 3],
        ],
      }),
    /differ in length/,
  );
});

test("rows of a table, and what is wrong with them", async () => {
  const network = await load(model("table"));
  assert.deepEqual(network.columns, ["length", "colour", "weight"]);
  assert.deepEqual(network.classes, { output: ["cat", "dog", "horse"] });
  const row = { length: "2.0", colour: "blue", weight: 16 };
  const report = [];
  const answer = network.predict({ ...row, length: null, shape: "round" }, { report });
  assert.deepEqual(Object.keys(answer), ["kind", "P(cat)", "P(dog)", "P(horse)"]);
  assert.deepEqual(
    report.map(({ row: at, column, kind }) => [at, column, kind]),
    [
      [null, "shape", "ignored"],
      [0, "length", "replaced"],
    ],
  );
  assert.throws(
    () => network.predict([row, { ...row, weight: "heavy" }]),
    (error) =>
      error instanceof DataError &&
      error.problems.length === 1 &&
      error.problems[0].row === 1 &&
      error.message.includes('expected a number, found "heavy"'),
  );
  assert.equal(network.predict([row, { ...row, weight: "heavy" }], { faults: "none" })[1], null);
  assert.throws(() => network.predict([row], { faults: "quiet" }), TypeError);
  assert.throws(() => network.predict("rows.csv"), DataError);
  assert.deepEqual(network.predict([]), []);
  near(
    [network.decode(network.forward([[2, 1, 0, 0, 16]]))["P(cat)"]],
    [[network.predict({ length: 2, colour: "blue", weight: 16 })["P(cat)"]]],
  );
});
