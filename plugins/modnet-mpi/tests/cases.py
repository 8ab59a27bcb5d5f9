"""Trainings whose results are compared: run by one process, and by several that share them.

As a program, it trains all of them and writes what each process has to RANK.npz.
"""

import sys
from pathlib import Path

import numpy as np

import modnet

RNG = np.random.default_rng(0)
X = RNG.standard_normal((101, 6))
LABELS = (X[:, 0] + X[:, 1] ** 2 > 1).astype(np.int64) + (X[:, 2] > 0)
IMAGES = RNG.standard_normal((53, 8, 8, 1))
OF_IMAGES = (IMAGES.mean(axis=(1, 2, 3)) > 0).astype(np.int64)


def linear(size, **options):
    return {"type": "linear", "out_features": size, **options}


def network(layers, shape=(6,), **options):
    return {"network": {"input": list(shape), "dtype": "float64", "layers": layers, **options}}


DROPOUT = {"type": "dropout", "rate": 0.3}
MLP = ["standardize", linear(16, activation="relu", l2=0.001), "batch_norm", DROPOUT, linear(3), "softmax"]
NOISY = [linear(8), {"type": "gaussian_noise", "standard_deviation": 0.2}, "tanh", linear(3), "softmax"]
CNN = [
    {"type": "conv2d", "out_channels": 4, "kernel_size": 3},
    "batch_norm",
    "relu",
    {"type": "max_pool2d", "pool_size": 2},
    "flatten",
    DROPOUT,
    linear(2),
    "softmax",
]
CLASS_WEIGHTS = {"type": "cross_entropy", "class_weights": [1.0, 2.0, 5.0]}
STOPPING = {"type": "early_stopping", "patience": 2, "minimum_delta": 0.01}

CASES = {
    "mlp": (network(MLP), X, LABELS, {"loss": CLASS_WEIGHTS, "metrics": ["accuracy"], "gradient_clipping": 0.5}),
    "accumulated": (
        network(NOISY),
        X,
        LABELS,
        {"loss": "cross_entropy", "accumulate": 2, "schedule": {"type": "plateau", "patience": 1}},
    ),
    "members": (network(MLP, members=3), X, LABELS, {"loss": "cross_entropy", "metrics": ["auc"]}),
    "cnn": (network(CNN, (8, 8, 1)), IMAGES, OF_IMAGES, {"loss": "cross_entropy", "metrics": ["accuracy"]}),
}


def trained(case):
    """The arrays that a training leaves, by name."""
    spec, x, y, options = CASES[case]
    history = modnet.train(
        modnet.build(spec, seed=1),
        x,
        y,
        batch_size=20,
        epochs=6,
        validation=0.2,
        seed=2,
        callbacks=["mpi", STOPPING],
        **options,
    )
    found = {"parameters": history.network.parameters.flat, "state": history.network.state.flat}
    return found | {name: np.array(values) for name, values in history.figures.items()}


if __name__ == "__main__":
    from mpi4py import MPI

    arrays = {f"{case} {name}": array for case in CASES for name, array in trained(case).items()}
    np.savez(Path(sys.argv[1]) / f"{MPI.COMM_WORLD.rank}.npz", **arrays)
