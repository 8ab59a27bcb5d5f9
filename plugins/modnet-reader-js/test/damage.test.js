import assert from "node:assert/strict";
import { test } from "node:test";

import { ModelFileError, NotSupported, ShapeError, load } from "../src/index.js";
import { expected, fileOf, model } from "./files.js";

/** The error of a damaged file, which is never one of the language. */
async function refused(bytes, what) {
  await assert.rejects(
    load(bytes),
    (error) => {
      assert.ok(error instanceof ModelFileError, `${what}: ${error.stack}`);
      assert.ok(error.message.length < 4000);
      return true;
    },
    what,
  );
}

const NAMES = ["classifier", "table", "plugins/modnet-conv", "variants/checkpoint"];

test("every 97th byte: the file cut there", async () => {
  for (const name of NAMES) {
    const whole = model(name);
    for (let end = 0; end < whole.length; end += 97) await refused(whole.slice(0, end), `${name}, ${end} bytes`);
    await refused(whole.slice(0, -1), name);
  }
});

test("every 97th bit of the file flipped", async () => {
  for (const name of NAMES) {
    const whole = model(name);
    // A reader of the network leaves the other arrays of a checkpoint alone.
    const end = name === "variants/checkpoint" ? 2000 : whole.length;
    for (let bit = 5; bit < 8 * end; bit += 97) {
      const damaged = whole.slice();
      damaged[bit >> 3] ^= 1 << (bit & 7);
      await refused(damaged, `${name}, bit ${bit}`);
    }
  }
});

test("something behind the end, nothing at all, and other files", async () => {
  const whole = model("classifier");
  await refused(Uint8Array.of(...whole, 0), "a byte more");
  await refused(Uint8Array.of(...whole, ...whole), "twice");
  for (const text of ["", "\x84", "PK\x03\x04", "<!doctype html><title>404</title>", "\x84\xa6modnet"]) {
    await refused(Uint8Array.from(Buffer.from(text, "latin1")), text);
  }
  await refused(Uint8Array.from(Buffer.from("\x84\xa6modnet\x02\xa1s", "latin1")), "a later version");
  await assert.rejects(load("digits.modnet"), TypeError);
  await assert.rejects(load(undefined), TypeError);
});

const NETWORK = {
  features: [],
  needs: [
    {
      distribution: "modnet-core",
      version: "0.1.0",
      components: [
        { kind: "layer", type: "linear", version: 1 },
        { kind: "layer", type: "repeat", version: 1 },
      ],
    },
  ],
  spec: {
    network: {
      input: [2],
      layers: [{ type: "linear", out_features: 1, bias: false }],
      outputs: null,
      dtype: "float32",
      members: 1,
    },
  },
  views: [["linear_1.weight", 0, 0, [2, 1]]],
};
const WEIGHT = [{ group: "parameters", dtype: "float32", bytes: Buffer.from(new Float32Array([2, 3]).buffer) }];

test("a file that was put together by hand", async () => {
  const network = await load(fileOf(NETWORK, WEIGHT));
  assert.deepEqual(network.forward([[1, 10]]).toArray(), [[32]]);
});

test("headers whose digests are right, and which break a rule", async () => {
  const changes = {
    "an offset that overlaps": (h) => {
      h.segments[0].offset = 64;
    },
    "a length that the file has not": (h) => {
      h.segments[0].length = 4096;
    },
    "a length of half an element": (h) => {
      h.segments[0].length = 6;
    },
    "a length below zero": (h) => {
      h.segments[0].length = -8;
    },
    "an unknown dtype": (h) => {
      h.segments[0].dtype = "object";
    },
    "a dtype of the language": (h) => {
      h.segments[0].dtype = "constructor";
    },
    "a segment without a digest": (h) => {
      delete h.segments[0].sha256;
    },
    "no segments": (h) => {
      h.segments = null;
    },
    "too many segments": (h) => {
      h.segments = Array(1025).fill(h.segments[0]);
    },
    "a view beyond its segment": (h) => {
      h.views[0][3] = [4, 1];
    },
    "a view that is too short": (h) => {
      h.views[0][3] = [1, 1];
    },
    "a view with a size below zero": (h) => {
      h.views[0][3] = [-2, -1];
    },
    "a view whose size overflows": (h) => {
      h.views[0][3] = [2 ** 31, 2 ** 31, 2 ** 31, 0];
    },
    "a view twice": (h) => {
      h.views = [
        ["a", 0, 0, [1]],
        ["a", 0, 4, [1]],
      ];
    },
    "a view in no segment": (h) => {
      h.views[0][1] = 7;
    },
    "a view without a name": (h) => {
      h.views[0][0] = "";
    },
    "views that are no list": (h) => {
      h.views = { 0: 1 };
    },
    "another array than the network asks for": (h) => {
      h.views[0][0] = "linear_2.weight";
    },
    "another shape than the network asks for": (h) => {
      h.views[0][3] = [1, 2];
    },
    "a network that asks for much": (h) => {
      h.spec.network.layers[0].out_features = 2 ** 52;
    },
    "a network with another dtype": (h) => {
      h.spec.network.dtype = "int8";
    },
    "a name of a node that does not exist": (h) => {
      h.spec.network.outputs = ["x"];
    },
    "an unknown option": (h) => {
      h.spec.network.layers[0].speed = 3;
    },
    "an option that is missing": (h) => {
      delete h.spec.network.layers[0].out_features;
    },
    "an option of another type": (h) => {
      h.spec.network.layers[0].out_features = "3";
    },
    "an unknown feature": (h) => {
      h.features = ["sparse"];
    },
    "a callback": (h) => {
      h.needs[0].components.push({ kind: "callback", type: "checkpoint", version: 1 });
    },
    "a layer that is not in needs": (h) => {
      h.needs = [];
    },
    "names that the nodes do not have": (h) => {
      h.spec.nodes = [["linear_7"]];
    },
    "nodes without end": (h) => {
      h.spec.network.layers = [nest(30)];
    },
    "no spec": (h) => {
      h.spec = null;
    },
    "layers that are no list": (h) => {
      h.spec.network.layers = "linear";
    },
    "a node that is none": (h) => {
      h.spec.network.layers = [null];
    },
    "members without number": (h) => {
      h.spec.network.members = 1e9;
    },
    "an input that is none": (h) => {
      h.spec.network.input = 3;
    },
    "an input of an unknown size": (h) => {
      h.spec.network.input = ["x"];
    },
    "a schema without columns": (h) => {
      h.schema = { inputs: { input: [] }, targets: {} };
    },
    "a column of an unknown kind": (h) => {
      h.schema = { inputs: { input: [{ name: "a", kind: "colour" }] }, targets: {} };
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    await refused(
      fileOf(structuredClone(NETWORK), WEIGHT, (header) => change(structuredCloneInto(header))),
      what,
    );
  }
});

/** So that a change does not reach the constants. */
function structuredCloneInto(header) {
  for (const key of ["spec", "needs", "views", "features"]) header[key] = structuredClone(header[key]);
  return header;
}

function nest(depth) {
  return depth ? { type: "repeat", count: 10, layers: [nest(depth - 1)] } : { type: "linear", out_features: 1 };
}

test("a version of a component that came later, and one of another program", async () => {
  for (const component of [
    { kind: "layer", type: "linear", version: 2 },
    { kind: "layer", type: "warp", version: 1 },
  ]) {
    const layers = [{ type: component.type, out_features: 1, bias: false }];
    const needs = [{ distribution: "modnet-core", version: "9.0", components: [component] }];
    const spec = { network: { ...NETWORK.spec.network, layers } };
    await assert.rejects(
      load(fileOf({ ...NETWORK, needs, spec }, WEIGHT)),
      (error) => error instanceof NotSupported && error.missing[0].startsWith(component.type),
    );
  }
  const needs = [
    { distribution: "my-conv", version: "1", components: [{ kind: "layer", type: "linear", version: 1 }] },
  ];
  await assert.rejects(load(fileOf({ ...NETWORK, needs }, WEIGHT)), /linear of my-conv/);
});

test("a layer that is not here may have options of any kind", async () => {
  const components = [
    { kind: "layer", type: "blocks", version: 1 },
    { kind: "activation", type: "warp", version: 1 },
  ];
  const needs = [...NETWORK.needs, { distribution: "my-layers", version: "1", components }];
  const layers = [
    { type: "blocks", layers: [128, 64], layer: "thick", activation: { type: "warp" } },
    { type: "repeat", count: 2, layers: ["warp"] },
  ];
  const spec = { network: { ...NETWORK.spec.network, layers } };
  await assert.rejects(load(fileOf({ ...NETWORK, needs, spec }, WEIGHT)), (error) => {
    assert.deepEqual(error.missing, [
      "blocks of my-layers (network.layers[0])",
      "warp of my-layers (network.layers[0].activation, layers[1].layers[0])",
    ]);
    return true;
  });
});

const CONV = [
  {
    distribution: "modnet-conv",
    version: "1",
    components: ["upsample2d", "average_pool2d"].map((type) => ({ kind: "layer", type, version: 1 })),
  },
];

test("a network that asks for more memory than there is", async () => {
  for (const scale_factor of [1e6, 1e9]) {
    const spec = {
      network: { ...NETWORK.spec.network, input: [1, 1, 1], layers: [{ type: "upsample2d", scale_factor }] },
    };
    const network = await load(fileOf({ needs: CONV, features: [], spec, views: [] }, []));
    assert.throws(() => network.forward([[[[1]]]]), ShapeError);
  }
});

test("windows that are much larger than the image take no time", async () => {
  const layers = [{ type: "average_pool2d", pool_size: 1e9, padding: "same" }];
  const network = await load(
    fileOf(
      {
        needs: CONV,
        features: [],
        spec: { network: { ...NETWORK.spec.network, input: [2, 2, 1], layers } },
        views: [],
      },
      [],
    ),
  );
  assert.deepEqual(
    network
      .forward([
        [
          [[1], [2]],
          [[3], [6]],
        ],
      ])
      .toArray(),
    [[[[3]]]],
  );
});

test("what a file may have that this reader does not know: a key, a group", async () => {
  const { inputs, outputs } = expected("variants/newer-minor");
  const found = (await load(model("variants/newer-minor"))).forward(inputs);
  found
    .toArray()
    .flat()
    .forEach((value, at) => assert.ok(Math.abs(value - outputs.flat()[at]) < 1e-5));
});
