// How long predictions take: node speed.mjs MODEL '[1, 28, 28]' ... -> JSON, microseconds of the processor for each shape of inputs.
import { readFileSync } from "node:fs";
import { load } from "../src/index.js";

const [path, ...shapes] = process.argv.slice(2);
const network = await load(readFileSync(path));

/** Microseconds of the processor that a call takes, on average over two seconds; a first second is not counted. */
function measured(call) {
  const used = (since) => {
    const { user, system } = process.cpuUsage(since);
    return user + system;
  };
  const during = (most) => {
    const start = process.cpuUsage();
    let calls = 0;
    while (used(start) < most) {
      call();
      calls++;
    }
    return used(start) / calls;
  };
  during(1e6);
  return during(2e6);
}

const found = shapes.map((text) => {
  const shape = JSON.parse(text);
  const data = Float32Array.from({ length: shape.reduce((size, axis) => size * axis, 1) }, (_, at) => Math.sin(at));
  return measured(() => network.forward({ data, shape }));
});
console.log(JSON.stringify(found));
