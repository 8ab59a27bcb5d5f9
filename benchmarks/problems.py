"""The networks and the data that are measured."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rounds import Settings

CLASSES = 10

EXAMPLES = Path(__file__).parent.parent / "examples"

GRADES = {
    "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
    "color": ["J", "I", "H", "G", "F", "E", "D"],
    "clarity": ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
}
"""Column of the diamonds -> its grades, the worst first."""

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
    "digits": (64, linear(128) + LOGITS),
    "table": (20, linear(128, 64) + LOGITS),
    "large table": (20, linear(256, 128) + LOGITS),
    "diamonds": (9, [*linear(64, 64), {"type": "linear", "out_features": 1}]),
}
"""Name -> (features of the input, layers up to the logits)."""


def build(name: str, seed: int = 0, dtype: str = "float32", members: int = 1) -> Any:
    """The network in modnet, or an ensemble of it, with a softmax at its end where it has classes."""
    import modnet

    features, layers = NETWORKS[name]
    end = ["softmax"] if layers[-1] == LOGITS[-1] else []
    spec = {"network": {"input": [features], "layers": [*layers, *end], "dtype": dtype, "members": members}}
    return modnet.build(spec, seed=seed)


def data(name: str, settings: Settings) -> tuple[Any, Any]:
    """Samples (n, features), float32, and classes (n,) or numbers (n, 1), for a network."""
    if name == "digits":
        with np.load(EXAMPLES / "digits" / "digits.npz") as file:
            return standardized(file["x"]), file["y"].astype(np.int64)
    if name == "diamonds":
        return diamonds()
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


def diamonds() -> tuple[Any, Any]:
    """The diamonds of the examples, their grades as numbers; x (n, 9) and the price (n, 1), standardized."""
    with gzip.open(EXAMPLES / "diamonds" / "diamonds.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [
        np.array([GRADES[name].index(row[name]) if name in GRADES else float(row[name]) for row in rows])
        for name in rows[0]
    ]
    x, price = (
        [c for c, name in zip(columns, rows[0], strict=True) if name != "price"],
        columns[[*rows[0]].index("price")],
    )
    # The file is sorted by price, and the batches are to be alike.
    order = np.random.default_rng(0).permutation(len(price))
    return standardized(np.stack(x, axis=1)[order]), standardized(price[order, None])


def standardized(x: Any) -> Any:
    deviation = x.std(axis=0)
    return ((x - x.mean(axis=0)) / np.where(deviation, deviation, 1)).astype(np.float32)


def mnist(folder: Path, samples: int) -> tuple[Any, Any]:
    """The first images of MNIST, from its IDX files: the training set's where they are there, else the test set's."""
    from modnet.data.files import read

    found = sorted(folder.glob("*images-idx3-ubyte*"), key=lambda path: "train" not in path.name)
    if not found:
        raise SystemExit(f"{folder} has no *images-idx3-ubyte file")
    labels: Any = read(found[0].with_name(found[0].name.replace("images-idx3", "labels-idx1")))
    images: Any = read(found[0])
    return images[:samples].reshape(-1, 784).astype(np.float32) / 255, labels[:samples].astype(np.int64)
