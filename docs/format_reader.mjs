// A chain of linear, relu and softmax without modnet: node format_reader.mjs MODEL '[[5.1, 3.5, 1.4, 0.2]]'
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
const { decodeMulti } = createRequire(import.meta.url)("@msgpack/msgpack"); // unlike import, this looks into NODE_PATH

const check = (right, what) => { if (!right) throw new Error(what); };
const sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const content = new Uint8Array(readFileSync(process.argv[2])); // a copy that starts at byte 0 of its buffer
const [header, digest, ...payloads] = [...decodeMulti(content)].filter((item) => item !== null);
check(header.modnet === 1 && header.features.length === 0, "made by a newer modnet");
check(sha256(content.subarray(0, digest.byteOffset - 2)).equals(digest), "the header is damaged");
header.segments.forEach((segment, number) => {
  const leaves = [];
  for (let start = 0; start < segment.length; start += 4 << 20)
    leaves.push(sha256(payloads[number].subarray(start, start + (4 << 20))));
  check(sha256(Buffer.concat(leaves)).equals(segment.sha256), "an array is damaged");
});
const arrays = {};
for (const [name, number, offset, shape] of header.views) {
  const { group, dtype, offset: start } = header.segments[number];
  const type = { float32: Float32Array, float64: Float64Array }[dtype]; // of the machine: most are little-endian
  const length = shape.reduce((product, axis) => product * axis, 1);
  if (type) arrays[`${group} ${name}`] = new type(content.buffer, payloads[number].byteOffset + offset - start, length);
}

const sum = (values) => values.reduce((total, value) => total + value, 0);
let rows = JSON.parse(process.argv[3]);
const { network: { layers }, nodes } = header.spec;
const steps = layers.flatMap((layer, i) => nodes[i].map((name, j) => [name, [layer, layer.activation][j]]));
for (const [name, step] of steps) {
  check(["linear", "relu", "softmax"].includes(step.type) && !step.inputs && !step.shares, JSON.stringify(step));
  const weight = arrays[`parameters ${name}.weight`], bias = arrays[`parameters ${name}.bias`];
  if (step.type === "linear") rows = rows.map((x) => Array.from({ length: step.out_features }, (_, column) =>
    sum(x.map((value, row) => value * weight[row * step.out_features + column])) + (bias?.[column] ?? 0)));
  else if (step.type === "relu") rows = rows.map((x) => x.map((value) => Math.max(value, 0)));
  else rows = rows.map((x) => x.map((value) => Math.exp(value - Math.max(...x))))
    .map((powers) => powers.map((power) => power / sum(powers)));
}
console.log(rows.map((x) => x.map((value) => value.toFixed(8)).join(" ")).join("\n"));
