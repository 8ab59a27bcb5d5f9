"""Training with the kernels and without, in turn: python benchmark.py [activation] [norm] ..."""

import sys
import time
from importlib.metadata import entry_points
from statistics import median

import numpy as np

import modnet

ROUNDS = 11
REGISTRIES = {"numpy": modnet.Registry(list), "kernels": modnet.Registry(lambda: entry_points(group="modnet.kernels"))}


def microseconds(registry, between, batch, steps):
    """Time of a step in a training of 784-256-128-10."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch * steps, 784), np.float32)
    y = rng.integers(0, 10, len(x))
    hidden = [[{"type": "linear", "out_features": size}, *between] for size in (256, 128)]
    layers = [*hidden[0], *hidden[1], {"type": "linear", "out_features": 10}, "softmax"]
    network = modnet.build({"network": {"input": [784], "layers": layers}}, registry=registry)
    begin = time.perf_counter()
    modnet.train(network, x, y, loss="cross_entropy", optimizer="adam", batch_size=batch, epochs=1, registry=registry)
    return (time.perf_counter() - begin) / steps * 1e6


def main(between):
    print(" ".join(between))
    for batch, steps in ((32, 150), (128, 80), (1024, 12)):
        for registry in REGISTRIES.values():  # compiles what is not on the disk yet
            microseconds(registry, between, batch, 2)
        times = {name: [] for name in REGISTRIES}
        for _ in range(ROUNDS):
            for name, registry in REGISTRIES.items():
                times[name].append(microseconds(registry, between, batch, steps))
        ratios = sorted(slow / fast for slow, fast in zip(times["numpy"], times["kernels"], strict=True))
        columns = "".join(f"{median(values):8.0f}" for values in times.values())
        print(f"{batch:5}{columns}   {median(ratios):.2f} ({ratios[2]:.2f} to {ratios[-3]:.2f})")


main(sys.argv[1:] or ["relu"])
