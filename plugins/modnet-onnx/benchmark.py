"""Predictions by onnxruntime beside modnet's own layers: python benchmark.py [--rounds 9] [--cases mlp lstm]

Both are the same network, loaded by modnet.load with and without engine="onnxruntime", in one process; they take turns.
With one thread the time is that of the processor, so that other work on the machine counts less:

    OPENBLAS_NUM_THREADS=1 python benchmark.py
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import modnet
from modnet import threads

ROWS = (1, 64, 1024)
"""Rows of a call."""


def mlp():
    hidden = [{"type": "linear", "out_features": n, "activation": "relu"} for n in (256, 128)]
    return [784], [*hidden, {"type": "linear", "out_features": 10}, "softmax"]


def ensemble():
    hidden = [{"type": "linear", "out_features": n, "activation": "gelu"} for n in (128, 64)]
    return [20], ["standardize", *hidden, {"type": "linear", "out_features": 3}, "softmax"]


def convolutions():
    def block(channels):
        conv = {"type": "conv2d", "out_channels": channels, "kernel_size": 3, "padding": "same", "bias": False}
        return [conv, "batch_norm", "relu", "max_pool2d"]

    return [28, 28, 1], [*block(16), *block(32), "global_average_pool", {"type": "linear", "out_features": 10}]


def lstm():
    return [50, 16], [
        {"type": "lstm", "hidden_size": 64, "return_sequences": False},
        {"type": "linear", "out_features": 1},
    ]


def transformer():
    block = {"type": "transformer_block", "features": 64, "heads": 4}
    return [64, 64], [block, block, "layer_norm", "global_average_pool", {"type": "linear", "out_features": 10}]


def realmlp():
    return [20], [{"type": "realmlp", "out_features": 3}, "softmax"]


def tabm():
    return [20], [{"type": "tabm", "out_features": 3, "hidden_features": [128, 128]}, "softmax", "ensemble_mean"]


CASES = {
    "mlp": mlp,
    "ensemble": ensemble,
    "convolutions": convolutions,
    "lstm": lstm,
    "transformer": transformer,
    "realmlp": realmlp,
    "tabm": tabm,
}
MEMBERS = {"ensemble": 5}


def pair(case, folder):
    """The network twice, as its own layers and as onnxruntime compute it, and the shape of a sample."""
    shape, layers = CASES[case]()
    spec = {"network": {"input": shape, "layers": layers, "members": MEMBERS.get(case, 1)}}
    network = modnet.build(spec)
    x = np.random.default_rng(0).standard_normal((256, *shape)).astype(np.float32)
    (width,) = (axes[-1] for axes in network.outputs.values())
    network.prepare(lambda: [([x], {next(iter(network.outputs)): np.zeros((256, width), np.float32)})])
    path = Path(folder) / f"{case}.modnet"
    modnet.save(network, path)
    return modnet.load(path), modnet.load(path, engine="onnxruntime"), shape


def timed(network, x, clock, least=0.05):
    """Seconds of a call, the mean of as many as take `least` seconds."""
    calls, start = 0, clock()
    while clock() - start < least:
        network.forward(x)
        calls += 1
    return (clock() - start) / calls


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    arguments = parser.parse_args()
    clock = time.process_time if threads.count() == 1 else time.perf_counter
    print("milliseconds of a call, medians; modnet / onnxruntime: median of the rounds (least to greatest)")
    with tempfile.TemporaryDirectory() as folder:
        for case in arguments.cases:
            own, other, shape = pair(case, folder)
            for rows in ROWS:
                x = np.random.default_rng(1).standard_normal((rows, *shape)).astype(np.float32)
                np.testing.assert_allclose(other.forward(x), own.forward(x), atol=1e-4)
                found = [(timed(own, x, clock), timed(other, x, clock)) for _ in range(arguments.rounds)]
                ratios = [first / second for first, second in found]
                first, second = (median(times) * 1e3 for times in zip(*found, strict=True))
                print(
                    f"{case}, {rows} rows: modnet {first:.3f}, onnxruntime {second:.3f}; "
                    f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
