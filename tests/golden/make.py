"""Makes golden files: small models that every later modnet has to read and to understand as today's does.

    python tests/golden/make.py            what is not there yet
    python tests/golden/make.py NAME...    these

NAME.modnet is the model, NAME.json has inputs and the outputs that go with them. A golden file is never made anew:
where a component's version rises, its old file stays, and a network is added here for the new version.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import modnet
from modnet.data.load import load as load_data

FOLDER = Path(__file__).parent
ROWS = 24
EXPECTED_ROWS = 4
VARIABLE = 3
"""How long a variable axis is in the inputs."""


def linear(size: int, weights: Any = "lecun_normal", biases: Any = "zeros", **place: Any) -> dict[str, Any]:
    return {
        "type": "linear",
        "out_features": size,
        "weight_initializer": weights,
        "bias_initializer": biases,
        **place,
    }


ACTIVATIONS = (
    *("elu", "gelu", "hard_sigmoid", "hard_swish", "identity", "leaky_relu", "log_softmax", "mish"),
    *("prelu", "relu", "selu", "sigmoid", "silu", "softmax", "softplus", "tanh"),
)

NETWORKS: dict[str, dict[str, Any]] = {
    "classifier": {
        "network": {
            "input": [5],
            "layers": [
                "standardize",
                linear(8, "he_normal", activation="relu"),
                "batch_norm",
                {"type": "dropout", "rate": 0.25},
                {"type": "gaussian_noise", "standard_deviation": 0.05},
                linear(3, "glorot_uniform"),
                "softmax",
            ],
        },
        "training": {
            "loss": {"type": "cross_entropy", "label_smoothing": 0.1, "class_weights": [1.0, 2.0, 1.0]},
            "optimizer": {"type": "adam", "learning_rate": 0.01, "weight_decay": 0.001},
            "schedule": "one_cycle",
            "metrics": [
                *("accuracy", "confusion_matrix", "f1", "precision", "recall"),
                {"type": "top_k_accuracy", "k": 2},
            ],
            "gradient_clipping": 1.0,
        },
    },
    "table": {
        "network": {"input": [5], "layers": [linear(6, activation="tanh"), linear(3), "softmax"]},
        "training": {"loss": "cross_entropy", "metrics": ["accuracy"]},
        "data": {
            "train": "table.csv",
            "target": "kind",
            "columns": {"length": {"missing": "mean"}, "colour": {"missing": "most_frequent"}},
        },
    },
    "several": {
        "network": {
            "input": {"word": [2], "size": [3]},
            "layers": [
                {"type": "embedding", "vocabulary_size": 5, "embedding_size": 3, "inputs": ["word"]},
                {"type": "flatten"},
                linear(6, name="wide", inputs=["size"]),
                {"type": "add", "inputs": ["flatten_1", "wide"], "name": "sum"},
                {"type": "multiply", "inputs": ["flatten_1", "wide"], "name": "product"},
                {"type": "concatenate", "inputs": ["sum", "product"], "name": "both"},
                linear(2, inputs=["both"]),
                {"type": "unstandardize", "name": "price"},
                linear(1, inputs=["both"]),
                {"type": "sigmoid", "name": "probability"},
                linear(2, inputs=["both"]),
                {"type": "softplus", "name": "rate"},
            ],
            "outputs": ["price", "probability", "rate"],
        },
        "training": {
            "loss": {
                "price": {"type": "mse", "weight": 0.5},
                "probability": "binary_cross_entropy",
                "rate": "poisson",
            },
            "optimizer": {"type": "rmsprop", "momentum": 0.5, "centered": True},
            "schedule": {"type": "step", "every_epochs": 1, "gamma": 0.5},
            "metrics": {
                "price": ["r2", "mean_absolute_error", "root_mean_squared_error"],
                "probability": ["auc"],
                "rate": [],
            },
        },
    },
    "float64": {
        "network": {
            "input": [4],
            "layers": [
                linear(4, "orthogonal", {"type": "constant", "value": 0.1}, activation="tanh"),
                linear(2, name="mean", inputs=["tanh_1"]),
                linear(2, name="median", inputs=["tanh_1"]),
            ],
            "outputs": ["mean", "median"],
            "dtype": "float64",
        },
        "training": {
            "loss": {"mean": {"type": "huber", "delta": 0.5}, "median": "mae"},
            "optimizer": "nadam",
            "schedule": {"type": "cosine", "warmup_epochs": 0.5},
        },
    },
    "activations": {
        "network": {
            "input": [4],
            "layers": [
                *({"type": name, "inputs": ["input"], "name": f"by_{name}"} for name in ACTIVATIONS),
                {"type": "concatenate", "inputs": [f"by_{name}" for name in ACTIVATIONS]},
                linear(3, "lecun_uniform", "uniform"),
            ],
        },
        "training": {
            "loss": "mse",
            "optimizer": "adagrad",
            "schedule": {"type": "exponential", "gamma": 0.9},
        },
    },
    "sequence": {
        "network": {
            "input": ["variable", 4],
            "layers": [
                "layer_norm",
                linear(4, "truncated_normal"),
                "rms_norm",
                "global_average_pool",
                linear(3, "glorot_normal", "normal"),
                "softmax",
            ],
        },
        "training": {
            "loss": "kl_divergence",
            "optimizer": {"type": "lion", "learning_rate": 0.001},
            "schedule": {"type": "linear", "end_factor": 0.1},
        },
    },
    "image": {
        "network": {
            "input": [4, 4, 1],
            "layers": [{"type": "reshape", "shape": [8, -1]}, "flatten", linear(2, "he_uniform"), "tanh"],
        },
        "training": {
            "loss": "hinge",
            "optimizer": {"type": "sgd", "momentum": 0.9, "nesterov": True},
            "schedule": {"type": "plateau", "monitor": "loss", "patience": 1},
        },
    },
    "composites": {
        "network": {
            "input": [4],
            "layers": [
                linear(4, "ones", name="first", trainable=False),
                {"type": "residual", "layers": ["layer_norm", linear(4, l2=0.01), "relu"]},
                {"type": "residual", "layers": [linear(3)], "shortcut": [linear(3)]},
                {"type": "repeat", "count": 2, "layers": [linear(3, l1=0.001), "tanh"]},
                {"type": "linear", "out_features": 4, "shares": "first", "inputs": ["input"], "name": "again"},
                {"type": "concatenate", "inputs": ["again", "repeat_1"]},
            ],
        },
        "training": {"loss": "cosine", "optimizer": "adamw", "schedule": "constant"},
    },
}

TABLE = """\
length,colour,weight,kind
1.5,red,10,cat
,blue,12.5,dog
2.25,green,9,cat
3.5,,15,horse
1.0,red,8,cat
4.0,blue,17.5,horse
2.5,green,11,dog
3.0,red,14,horse
"""


def make(name: str, folder: Path) -> None:
    """Makes a model and what is expected of it.

    Raises:
        SystemExit: the model is there already.
    """
    path = folder / f"{name}.modnet"
    if path.exists():
        raise SystemExit(f"{path} is there already and stays as it is; give a new model a name of its own")
    network = modnet.build(NETWORKS[name], seed=1)
    train = _train_on_table if "data" in NETWORKS[name] else _train_on_arrays
    inputs = train(network)
    network.metadata = {"golden": name, "languages": ["English", "Ελληνικά"], "nothing": None}
    modnet.save(network, path)
    expected = {"inputs": plain(inputs), "outputs": plain(network.predict(inputs))}
    path.with_suffix(".json").write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")


def _train_on_table(network: modnet.Network) -> Any:
    with TemporaryDirectory() as folder:
        Path(folder, "table.csv").write_text(TABLE, encoding="utf-8")
        found = load_data(
            network.spec.data,
            folder,
            input_names=list(network.inputs),
            output_names=list(network.outputs),
            label_outputs=list(network.outputs),
        )
    network.schema = found.schema
    modnet.train(network, found.train, epochs=2)
    network.metrics = modnet.evaluate(network, found.train)
    return {"length": ["2.0", ""], "colour": ["blue", "red"], "weight": ["16", "9.5"]}


def _train_on_arrays(network: modnet.Network) -> Any:
    rng = np.random.default_rng(2)
    x = {name: _input(rng, name, shape) for name, shape in network.inputs.items()}
    losses = network.training.loss
    y = {
        name: _target(rng, losses[name].loss.type if isinstance(losses, Mapping) else losses.type, shape)
        for name, shape in network.outputs.items()
    }
    if len(x) == 1:
        (x,) = x.values()
    if len(y) == 1:
        (y,) = y.values()
    modnet.train(network, x, y, epochs=2, batch_size=8)
    network.metrics = {name: plain(value) for name, value in modnet.evaluate(network, x, y).items()}
    return {name: array[:EXPECTED_ROWS] for name, array in x.items()} if isinstance(x, dict) else x[:EXPECTED_ROWS]


def _input(rng: np.random.Generator, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    size = (ROWS, *(VARIABLE if axis is None else axis for axis in shape))
    return rng.integers(0, 5, size) if name == "word" else rng.standard_normal(size).round(3)


def _target(rng: np.random.Generator, loss: str, shape: tuple[int | None, ...]) -> np.ndarray:
    size = (ROWS, *shape)
    match loss:
        case "cross_entropy":
            return rng.integers(0, shape[-1], ROWS)
        case "binary_cross_entropy" | "poisson":
            return rng.integers(0, 2, size).astype(float)
        case "hinge":
            return rng.choice([-1.0, 1.0], size)
        case "kl_divergence":
            return rng.dirichlet([1.0] * shape[-1], ROWS)
    return rng.standard_normal(size)


def plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


if __name__ == "__main__":
    for name in sys.argv[1:] or [name for name in NETWORKS if not (FOLDER / f"{name}.modnet").exists()]:
        make(name, FOLDER)
