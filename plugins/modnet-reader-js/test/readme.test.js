import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("..", import.meta.url));
const blocks = readFileSync(`${folder}/README.md`, "utf-8").matchAll(/^```js\n(.*?)^```/gms);

test("the programs of the README", () => {
  const printed = [...blocks].map(([, program]) =>
    execFileSync(process.execPath, ["--input-type=module", "--eval", program], { cwd: folder, encoding: "utf-8" }),
  );
  assert.equal(printed.length, 2);
  assert.match(printed[0], /^\[ 1, 10 \] 1\.000\n$/);
  assert.match(printed[1], /^\{\n {2}kind: 'dog',/);
  assert.match(printed[1], /missing value; given 2\.\d+, learnt in training\n$/);
});
