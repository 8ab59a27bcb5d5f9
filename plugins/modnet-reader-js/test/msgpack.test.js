import assert from "node:assert/strict";
import { test } from "node:test";

import { ModelFileError } from "../src/errors.js";
import { decode } from "../src/msgpack.js";
import { sha256 } from "../src/sha256.js";
import { createHash } from "node:crypto";

const bytes = (text) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const read = (text) => {
  const content = bytes(text);
  const { value, end } = decode(content, content.length);
  assert.equal(end, content.length);
  return value;
};

test("values of every kind", () => {
  const table = {
    c0: null,
    c2: false,
    c3: true,
    "00": 0,
    "7f": 127,
    ff: -1,
    e0: -32,
    "cc ff": 255,
    "cd 01 00": 256,
    "ce ff ff ff ff": 2 ** 32 - 1,
    "d0 80": -128,
    "d1 80 00": -32768,
    "d2 80 00 00 00": -(2 ** 31),
    "cf 00 1f ff ff ff ff ff ff": 2 ** 53 - 1,
    "cf ff ff ff ff ff ff ff ff": 2n ** 64n - 1n,
    "d3 80 00 00 00 00 00 00 00": -(2n ** 63n),
    "d3 ff ff ff ff ff ff ff fe": -2,
    "ca 3f c0 00 00": 1.5,
    "cb 3f f8 00 00 00 00 00 00": 1.5,
    a0: "",
    "a2 c3 a9": "é",
    "d9 01 61": "a",
    "da 00 01 61": "a",
    "db 00 00 00 01 61": "a",
    90: [],
    "92 01 90": [1, []],
    "dc 00 01 c0": [null],
    "dd 00 00 00 01 c3": [true],
  };
  for (const [text, value] of Object.entries(table)) assert.deepEqual(read(text), value, text);
  assert.ok(Number.isNaN(read("cb 7f f8 00 00 00 00 00 00")));
  assert.deepEqual(read("c4 02 01 02"), Uint8Array.of(1, 2));
  assert.deepEqual({ ...read("81 a1 61 01") }, { a: 1 });
  assert.deepEqual({ ...read("de 00 01 a1 61 01") }, { a: 1 });
  assert.deepEqual({ ...read("df 00 00 00 01 a1 61 01") }, { a: 1 });
});

test("a key such as __proto__ is a key like others", () => {
  const found = read("81 a9 5f 5f 70 72 6f 74 6f 5f 5f 81 a1 61 01");
  assert.equal(found.a, undefined);
  assert.deepEqual(Object.keys(found), ["__proto__"]);
});

test("what breaks the rules is refused by one error, and nothing is allocated on its word", () => {
  const wrong = {
    "81 01 01": "key that is not text",
    "81 c4 01 61 01": "key that is not text",
    "82 a1 61 01 a1 61 02": "twice",
    c1: "type",
    "d4 01 00": "type",
    "c7 01 05 00": "type",
    "d6 ff 00 00 00 00": "type",
    "a1 ff": "UTF-8",
    "a3 ed a0 80": "UTF-8",
    "a5 61": "cut",
    "dd ff ff ff ff": "cut",
    "df ff ff ff ff": "cut",
    "db ff ff ff ff": "cut",
    "c6 ff ff ff ff": "cut",
    91: "cut",
    "cb 00": "cut",
    "": "cut",
    ["91".repeat(80) + "c0"]: "deep",
    ["dd ff ff ff ff".repeat(1000)]: "cut",
  };
  for (const [text, what] of Object.entries(wrong)) {
    assert.throws(
      () => read(text),
      (error) => error instanceof ModelFileError && error.message.includes(what),
      text.slice(0, 30),
    );
  }
  const many = new Uint8Array(600_005).fill(0x90);
  many.set([0xdd, 0, 9, 0x27, 0xc0]);
  assert.throws(() => decode(many, many.length), /more than 500000 values/);
});

test("sha256 is that of others", () => {
  for (const length of [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 1000, 100_000]) {
    const content = Uint8Array.from({ length }, (_, at) => (at * 31 + length) % 256);
    assert.equal(Buffer.from(sha256(content)).toString("hex"), createHash("sha256").update(content).digest("hex"));
  }
});
