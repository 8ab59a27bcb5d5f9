"""Predictions of some networks in Python and in node, in microseconds of the processor: python benchmarks/speed.py"""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import modnet


def dense(size, activation="relu"):
    return {"type": "linear", "out_features": size, "activation": activation}


def convolution(channels):
    made = {"type": "conv2d", "out_channels": channels, "kernel_size": 3, "padding": "same", "bias": False}
    return [made, "batch_norm", "relu", "max_pool2d"]


NETWORKS = {
    "MLP 784-256-128-10": ([784], [dense(256), dense(128), dense(10, "softmax")]),
    "20 layers of 32": ([32], [dense(32) for _ in range(20)]),
    "CNN 28x28, 3 convolutions (8, 16, 32) with batch norm": (
        [28, 28, 1],
        [*convolution(8), *convolution(16), *convolution(32), "flatten", dense(10, "softmax")],
    ),
    "LSTM 64, 100 steps of 32": ([100, 32], [{"type": "lstm", "hidden_size": 64}]),
}
ROWS = (1, 64)


def in_python(network, x):
    """Microseconds of the processor for a call, on average over two seconds; a first second is not counted."""
    for seconds in (1, 2):
        calls, start = 0, time.process_time()
        while time.process_time() < start + seconds:
            network.forward(x)
            calls += 1
    return (time.process_time() - start) / calls * 1e6


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, (shape, layers) in NETWORKS.items():
            network = modnet.build({"network": {"input": shape, "layers": layers}}, seed=0)
            path = Path(folder, "model.modnet")
            modnet.save(network, path)
            shapes = [[rows, *shape] for rows in ROWS]
            ours = [in_python(network, np.sin(np.arange(np.prod(size)), dtype="f4").reshape(size)) for size in shapes]
            command = ["node", Path(__file__).with_name("speed.mjs"), path, *map(json.dumps, shapes)]
            theirs = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            for rows, python, node in zip(ROWS, ours, theirs, strict=True):
                print(f"{name:56}{rows:3} rows: Python {python:9,.0f}  node {node:9,.0f}")


if __name__ == "__main__":
    main()
