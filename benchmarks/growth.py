"""Whether cost grows as the work does: each case compares modnet with itself at another size."""

from __future__ import annotations

import sys
import time
from functools import partial
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np

from benchmarks.problems import LOGITS, build, clusters, linear
from benchmarks.rounds import Case, Contestant, Play, Settings, Turn

ROWS_IN_MEMORY = 20_480
"""Rows of the data that the mapped file repeats."""


def cases(settings: Settings) -> list[Case]:
    few, nodes, many = (10, 100, 100) if settings.quick else (1_000, 10_000, 1_000)
    short, long = (200, 400) if settings.quick else (10_000, 100_000)
    parts = 1 if settings.quick else 64
    return [
        Case("build", "node", [Contestant(f"{n:,} nodes", partial(building, n)) for n in (few, nodes)]),
        Case("look-up", "name", [Contestant(f"{n:,} plugin types", partial(looking_up, n)) for n in (1, many)]),
        Case("endurance", "step", [Contestant(f"{n:,} steps", partial(enduring, n)) for n in (short, long)]),
        Case(
            "mapped",
            "step",
            [
                Contestant("data in memory", partial(from_memory, parts)),
                Contestant(
                    f"mapped, {parts * ROWS_IN_MEMORY * 784 * 4 / 1e9:.1f} GB", partial(mapped, settings, parts)
                ),
            ],
        ),
    ]


def building(nodes: int) -> Play:
    """From a spec as a dict to a network with its parameters."""
    import modnet

    spec = {"network": {"input": [4], "layers": linear(*[4] * (nodes // 2))}}

    def play(seed: int) -> Turn:
        start = time.perf_counter()
        modnet.build(spec, seed=seed)
        return Turn((time.perf_counter() - start) / nodes, memory=peak_memory())

    return play


def looking_up(count: int) -> Play:
    """A name of a plugin, once the environment has been scanned."""
    from modnet import Layer
    from modnet.plugins.registry import Registry

    found = [EntryPoint(f"plugin_layer_{n}", "modnet.layers:Linear", "modnet.layers") for n in range(count)]
    registry = Registry(lambda: found)

    def play(seed: int) -> Turn:
        calls = 10_000
        start = time.perf_counter()
        for _ in range(calls):
            registry.entry(Layer, "plugin_layer_0")
        return Turn((time.perf_counter() - start) / calls)

    return play


def enduring(steps: int) -> Play:
    """A small network whose relu units die as it goes on, by Adam with weight decay, in batches of 32."""
    import modnet

    x, y = clusters(8192, 64)
    epochs = max(1, steps * 32 // len(x))
    made = epochs * len(x) // 32

    def play(seed: int) -> Turn:
        network = modnet.build(
            {"network": {"input": [64], "layers": [*linear(64, 32), *LOGITS, "softmax"]}},
            seed=seed,
        )
        start = time.perf_counter()
        modnet.train(network, x, y, loss="cross_entropy", optimizer="adamw", epochs=epochs, batch_size=32, seed=seed)
        return Turn((time.perf_counter() - start) / made, memory=peak_memory())

    return play


def from_memory(parts: int) -> Play:
    x, y = clusters(ROWS_IN_MEMORY, 784)
    return epochs_over(x, y, parts)


def mapped(settings: Settings, parts: int) -> Play:
    """An epoch over a file that holds the same rows again and again; the system's cache of it is not emptied."""
    x, y = clusters(ROWS_IN_MEMORY, 784)
    path = settings.folder / "mapped.npy"
    shape = (parts * len(x), x.shape[1])
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for _ in range(parts):
            file.write(x.data)
    return epochs_over(np.load(path, mmap_mode="r"), np.tile(y, parts), 1)


def epochs_over(x: Any, y: Any, epochs: int) -> Play:
    import modnet

    network = build("mlp")

    def play(seed: int) -> Turn:
        start = time.perf_counter()
        modnet.train(network, x, y, loss="cross_entropy", optimizer="adam", epochs=epochs, batch_size=128, seed=seed)
        return Turn((time.perf_counter() - start) / (epochs * len(x) // 128), memory=peak_memory())

    return play


def peak_memory() -> int | None:
    """The greatest resident memory of this process so far, in bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
