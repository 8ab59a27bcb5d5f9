"""A chain of linear, relu and softmax without modnet: python format_reader.py MODEL '[[5.1, 3.5, 1.4, 0.2]]'"""

import json
import sys
from hashlib import sha256

import msgpack
import numpy as np

content = np.fromfile(sys.argv[1], "u1").tobytes()
unpacker = msgpack.Unpacker(max_buffer_size=len(content) + 1)
unpacker.feed(content)
header, end = unpacker.unpack(), unpacker.tell()
digest, *payloads = (item for item in unpacker if item is not None)
assert (header["modnet"], header["features"]) == (1, []), "made by a newer modnet"
assert sha256(content[:end]).digest() == digest, "the header is damaged"
for segment, payload in zip(header["segments"], payloads, strict=True):
    leaves = (sha256(payload[start : start + (4 << 20)]).digest() for start in range(0, len(payload), 4 << 20))
    assert sha256(b"".join(leaves)).digest() == segment["sha256"], "an array is damaged"
arrays = {}
for name, number, offset, shape in header["views"]:
    segment = header["segments"][number]
    dtype = np.dtype(segment["dtype"]).newbyteorder("<")
    arrays[segment["group"], name] = np.ndarray(shape, dtype, payloads[number], offset - segment["offset"])
network, nodes = header["spec"]["network"], header["spec"]["nodes"]
x = np.array(json.loads(sys.argv[2]), network["dtype"])
steps = [step for layer in network["layers"] for step in (layer, layer.get("activation")) if step]
for step, name in zip(steps, (name for names in nodes for name in names), strict=True):
    assert not {"inputs", "shares"} & step.keys(), step
    if step["type"] == "linear":
        x = x @ arrays["parameters", f"{name}.weight"] + arrays.get(("parameters", f"{name}.bias"), 0)
    elif step["type"] == "relu":
        x = np.maximum(x, 0)
    else:
        assert step["type"] == "softmax", step
        x = np.exp(x - x.max(axis=1, keepdims=True))
        x /= x.sum(axis=1, keepdims=True)
print("\n".join(" ".join(f"{value:.8f}" for value in row) for row in x))
