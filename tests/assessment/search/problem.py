"""A spec with a `[search]` table and rows for it, on which a training takes milliseconds."""

import copy

import numpy as np

SPEC = {
    "network": {
        "input": [2],
        "layers": [
            "standardize",
            {"type": "linear", "out_features": 4, "activation": "tanh"},
            {"type": "linear", "out_features": 2},
            "softmax",
        ],
    },
    "training": {
        "loss": "cross_entropy",
        "metrics": ["accuracy"],
        "optimizer": {"type": "adam", "learning_rate": 1e-3},
        "epochs": 9,
        "batch_size": 16,
    },
    "data": {"target": "kind", "validation": 0.25, "test": 0.2},
    "search": {
        "trials": 12,
        "training.optimizer.learning_rate": {"low": 1e-5, "high": 0.3, "log": True},
        "network.layers.linear_1.out_features": {"low": 2, "high": 16},
        "network.layers.1.activation": {"choices": ["relu", "tanh", {"type": "elu", "alpha": 0.5}]},
    },
}


def spec(**options):
    """The spec with other options of `[search]`."""
    made = copy.deepcopy(SPEC)
    made["search"].update(options)
    return made


def rows(count=120):
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, count)
    points = rng.standard_normal((count, 2)) + 2.0 * kinds[:, None]
    return {"a": points[:, 0], "b": points[:, 1], "kind": np.where(kinds, "cat", "dog")}
