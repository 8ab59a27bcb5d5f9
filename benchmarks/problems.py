"""The networks and the data that are measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rounds import Settings

CLASSES = 10

Layers = list[Any]
"""Tables and type names, as in the `[network]` table of a spec; only the types that `peers.torch_model` knows."""


def linear(*sizes: int, activation: str = "relu") -> Layers:
    """A linear layer with an activation for each size."""
    return [layer for size in sizes for layer in ({"type": "linear", "out_features": size}, activation)]


def normalized(*sizes: int) -> Layers:
    """A linear layer with batch_norm, relu and dropout for each size."""
    after: Layers = ["batch_norm", "relu", {"type": "dropout", "rate": 0.5}]
    return [layer for size in sizes for layer in ({"type": "linear", "out_features": size}, *after)]


LOGITS: Layers = [{"type": "linear", "out_features": CLASSES}]

NETWORKS: dict[str, tuple[int, Layers]] = {
    "mlp": (784, linear(256, 128) + LOGITS),
    "deep": (32, linear(*[32] * 20, activation="tanh") + LOGITS),
    "batch-norm": (784, normalized(256, 128) + LOGITS),
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
    """The first images of MNIST, from its IDX files: the training set's where they are there, else the test set's."""
    from modnet.data.files import read

    found = sorted(folder.glob("*images-idx3-ubyte*"), key=lambda path: "train" not in path.name)
    if not found:
        raise SystemExit(f"{folder} has no *images-idx3-ubyte file")
    labels: Any = read(found[0].with_name(found[0].name.replace("images-idx3", "labels-idx1")))
    images: Any = read(found[0])
    return images[:samples].reshape(-1, 784).astype(np.float32) / 255, labels[:samples].astype(np.int64)
