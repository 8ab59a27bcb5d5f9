"""The networks and the data that are measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rounds import Settings

CLASSES = 10

Layers = list[dict[str, Any] | str]
"""As in the `[network]` table of a spec; only the types that `peers.torch_model` knows."""


def linear(*sizes: int, activation: str = "relu") -> Layers:
    """A linear layer with an activation for each size."""
    return [layer for size in sizes for layer in ({"type": "linear", "out_features": size}, activation)]


LOGITS: Layers = [{"type": "linear", "out_features": CLASSES}]
NORMALIZED: Layers = ["batch_norm", "relu", {"type": "dropout", "rate": 0.5}]

NETWORKS: dict[str, tuple[int, Layers]] = {
    "mlp": (784, linear(256, 128) + LOGITS),
    "deep": (32, linear(*[32] * 20, activation="tanh") + LOGITS),
    "batch-norm": (
        784,
        [{"type": "linear", "out_features": 256}, *NORMALIZED, {"type": "linear", "out_features": 128}, *NORMALIZED]
        + LOGITS,
    ),
}
"""Name -> (features of the input, layers up to the logits)."""


def build(name: str, seed: int = 0) -> Any:
    """The network in modnet, with a softmax at its end."""
    import modnet

    features, layers = NETWORKS[name]
    return modnet.build({"network": {"input": [features], "layers": [*layers, "softmax"]}}, seed=seed)


def data(name: str, settings: Settings) -> tuple[Any, Any]:
    """Samples (n, features) in [0, 1], float32, and classes (n,), for a network."""
    samples, features = (2048 if settings.quick else 8192), NETWORKS[name][0]
    if settings.mnist is not None and features == 784:
        return mnist(settings.mnist, samples)
    return clusters(samples, features)


def clusters(samples: int, features: int) -> tuple[Any, Any]:
    """Ten overlapping clusters in a space of 16 axes, seen through a random network of two layers."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, CLASSES, samples)
    hidden = rng.normal(0.0, 1.5, (CLASSES, 16))[classes] + rng.standard_normal((samples, 16))
    hidden = np.tanh(hidden @ rng.normal(0.0, 0.25, (16, 64)))
    x = 1 / (1 + np.exp(-hidden @ rng.normal(0.0, 0.25, (64, features))))
    return x.astype(np.float32), classes


def mnist(folder: Path, samples: int) -> tuple[Any, Any]:
    """The first images of MNIST's training set, from its IDX files."""
    from modnet.data.files import read

    found = []
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        path = folder / name
        found.append(read(path if path.exists() else path.with_name(name + ".gz"))[:samples])
    return found[0].reshape(-1, 784).astype(np.float32) / 255, found[1].astype(np.int64)
