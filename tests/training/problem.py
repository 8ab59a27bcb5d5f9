"""A small problem that the tests of training share: two clouds of points."""

from typing import Any

import numpy as np

SPEC: dict[str, Any] = {
    "network": {
        "input": [2],
        "layers": [{"type": "linear", "out_features": 8}, "tanh", {"type": "linear", "out_features": 2}, "softmax"],
    },
    "training": {
        "loss": "cross_entropy",
        "optimizer": {"type": "adam", "learning_rate": 0.03},
        "metrics": ["accuracy"],
        "epochs": 3,
        "batch_size": 16,
        "seed": 1,
    },
}


def blobs(samples=200, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, samples)
    return rng.standard_normal((samples, 2)) + 2.0 * y[:, None], y
