// Checked by `npm run types`: what programs write, as the declarations have it.
import { DataError, type Fault, type Network, Tensor, load } from "../src/index.js";

export async function use(): Promise<void> {
  const network: Network = await load(fetch("digits.modnet"));
  const output = network.forward(new Float32Array(64)) as Tensor;
  const first: number = output.data[0];
  const report: Fault[] = [];
  const answers = network.predict([{ bill: 39, sex: null }], { report, faults: "none" });
  const columns = network.predict({ bill: [39, 40], sex: ["male", "?"] });
  const column = network.schema?.inputs.get("input")?.[0];
  if (first && answers.length && columns.species && column?.kind === "date") throw new DataError("no");
}
