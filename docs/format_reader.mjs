// What a model predicts, without modnet, by the package beside it: node format_reader.mjs MODEL '[[5.1, 3.5, 1.4, 0.2]]'
// Rows of a table are records: '[{"bill_length_mm": 39.1, "sex": "male"}]'
import { readFile } from "node:fs/promises";
import { load } from "../plugins/modnet-reader-js/src/index.js";

const [path, rows] = process.argv.slice(2);
const network = await load(await readFile(path));
const found = network.predict(JSON.parse(rows));
if (found.data) {
  const width = found.data.length / found.shape[0];
  for (let at = 0; at < found.data.length; at += width) {
    console.log(Array.from(found.data.subarray(at, at + width), (value) => value.toFixed(8)).join(" "));
  }
} else {
  console.log(JSON.stringify(found, (_, value) => value?.toArray?.() ?? value));
}
