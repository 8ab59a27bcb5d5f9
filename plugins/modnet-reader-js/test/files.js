/** The model files of the repository, and what is done to them. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const golden = new URL("../../../tests/golden/", import.meta.url);

/** The bytes of a golden file. */
export function model(name) {
  return Uint8Array.from(readFileSync(new URL(`${name}.modnet`, golden)));
}

/** What a golden file was asked, and what it has answered. */
export function expected(name) {
  return JSON.parse(readFileSync(new URL(`${name}.json`, golden), "utf-8"));
}

const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

/** MessagePack of plain values, as much as headers need. */
export function encode(value) {
  if (value === null) return Buffer.from([0xc0]);
  if (typeof value === "boolean") return Buffer.from([value ? 0xc3 : 0xc2]);
  if (value instanceof Uint8Array) return Buffer.concat([Buffer.from([0xc4, value.length]), value]);
  if (typeof value === "string") return Buffer.concat([long(0xdb, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Array.isArray(value)) return Buffer.concat([long(0xdd, value.length), ...value.map(encode)]);
  if (typeof value === "number")
    return Number.isInteger(value) && value >= 0 && value < 2 ** 32 ? long(0xce, value) : float(value);
  const pairs = Object.entries(value).flatMap(([key, inner]) => [encode(key), encode(inner)]);
  return Buffer.concat([long(0xdf, pairs.length / 2), ...pairs]);
}

function long(head, number) {
  const found = Buffer.alloc(5, head);
  found.writeUInt32BE(number, 1);
  return found;
}

function float(number) {
  const found = Buffer.alloc(9, 0xcb);
  found.writeDoubleBE(number, 1);
  return found;
}

/** A model file with this header, whose digests are right, and these payloads. */
export function fileOf({ modnet: _, segments: __, views = [], ...rest }, payloads = [], change = () => {}) {
  let end = 0;
  const segments = payloads.map(({ group, dtype, bytes }, number) => {
    const offset = number ? Math.ceil((end + 5) / 64) * 64 : 0;
    end = offset + bytes.length;
    const leaves = bytes.length ? sha256(bytes) : Buffer.alloc(0);
    return { group, dtype, offset, length: bytes.length, sha256: Uint8Array.from(sha256(leaves)) };
  });
  const values = { ...rest, segments, views };
  change(values);
  const count = Object.keys(values).length + 1;
  const pairs = Object.entries(values).flatMap(([key, value]) => [encode(key), encode(value)]);
  const header = Buffer.concat([Buffer.from([0x80 + count, 0xa6]), Buffer.from("modnet"), Buffer.from([1]), ...pairs]);
  let file = Buffer.concat([header, Buffer.from([0xc4, 32]), sha256(header)]);
  for (const { bytes } of payloads) {
    const padding = (64 - ((file.length + 5) % 64)) % 64;
    file = Buffer.concat([file, Buffer.alloc(padding, 0xc0), long(0xc6, bytes.length), bytes]);
  }
  return Uint8Array.from(file);
}
