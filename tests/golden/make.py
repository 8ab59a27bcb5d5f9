"""Makes golden files: small models that every later modnet has to read and to understand as today's does.

    python tests/golden/make.py            what is not there yet
    python tests/golden/make.py NAME...    these

NAME.modnet is the model, NAME.json has inputs and the outputs that go with them. A golden file is never made again:
where a component's version rises, its old file stays, and one is made for the new version. `SHA256SUMS` pins them byte
for byte; this program adds a line for each new file.

`NETWORKS` are models as they are saved. A component of the core that is in no file yet gets one of its own,
`KIND-TYPE-VERSION`, made from its example. `VARIANTS`, in a folder of their own, are other files that a reader may
meet, made of these: a checkpoint, float16, several segments, a file of a later minor version, and one of a component
that has changed since. `PLUGINS`, in a folder too, have the components of the plugins in this repository.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import modnet
from modnet.kinds import GROUPS, KINDS
from modnet.kinds.component import Component
from modnet.model import container
from modnet.model.edit import edit
from modnet.model.reader import read, read_header
from modnet.model.writer import Group, write
from modnet.plugins.builtin import BUILTIN
from modnet.testing.examples import examples_of

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parents[1]))  # run as a program, it finds no package `tests`

from tests import problems  # noqa: E402

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
    "ensemble": {
        "network": {
            "input": [5],
            "members": 3,
            "layers": [
                "standardize",
                linear(6, activation="relu"),
                "batch_norm",
                {"type": "residual", "layers": [linear(6, activation="tanh")]},
                linear(2),
                "unstandardize",
            ],
        },
        "training": {"loss": "mse", "metrics": ["r2"]},
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
    # The names of its nodes, its results and what its data were stand in the file, which those above do not have.
    "card": {
        "network": {
            "input": [4],
            "layers": [
                linear(4, activation="relu"),
                {"type": "residual", "layers": [linear(4, activation="relu")], "name": "block"},
                {"type": "repeat", "count": 2, "layers": [linear(4), "tanh"]},
                "relu",
                linear(2, name="end"),
            ],
        },
        "training": {"loss": "mse", "metrics": ["r2"], "optimizer": "lamb"},
    },
}

CHANGED = """
import modnet

class Scale(modnet.Layer, type="golden_scale", version={version}):
    '''A multiple of its input: in per cent by version 2, and under another name by version 3.'''

    {fields}

    def output_shape(self, shape):
        return shape

    def forward(self, context, x):
        return {value} * x

    @classmethod
    def upgrade(cls, config, from_version):
        if from_version < 2:
            config["by"] *= 100
        return config
"""
"""A component of the user's own whose field has had another unit and another name since the golden file was made."""

THEN = CHANGED.format(version=1, fields="by: float", value="self.by")
NOW = CHANGED.format(version=3, fields='percent: float = modnet.field(renamed_from="by")', value="self.percent / 100")


def define(code: str) -> type[modnet.Layer]:
    """The component `golden_scale` as it was or is."""
    module: dict[str, Any] = {"__name__": "golden_scale"}
    exec(code, module)
    return module["Scale"]


def _checkpoint(path: Path) -> Any:
    """After 3 of 6 steps, with the optimizer's slots and everything else that a run needs to go on."""
    layers = [linear(6, activation="relu"), {"type": "dropout", "rate": 0.25}, "batch_norm", linear(2)]
    training = {"loss": "mse", "optimizer": "adam", "epochs": 2, "batch_size": 8}
    network = modnet.build({"network": {"input": [3], "layers": layers}, "training": training}, seed=1)
    with TemporaryDirectory() as folder:
        callback = {"type": "checkpoint", "directory": folder, "every_steps": 3, "keep": 10}
        x, y = run_data()
        modnet.train(network, x, y, callbacks=[callback])
        (first, *_) = sorted(Path(folder).glob("step-*.modnet"))
        path.write_bytes(first.read_bytes())
    return x[:EXPECTED_ROWS]


def run_data() -> tuple[np.ndarray, np.ndarray]:
    """What the checkpoint's run was trained on."""
    rng = np.random.default_rng(2)
    return rng.standard_normal((ROWS, 3)).round(3), rng.standard_normal((ROWS, 2)).round(3)


def _float16(path: Path) -> Any:
    edit(FOLDER / "classifier.modnet", path, cast="float16")
    return _inputs_of("classifier")


def _segments(path: Path) -> Any:
    """Groups that are cut as those of gigabytes are."""
    network = modnet.load(FOLDER / "classifier.modnet")
    limit, container.SEGMENT_LIMIT = container.SEGMENT_LIMIT, 100
    try:
        modnet.save(network, path)
    finally:
        container.SEGMENT_LIMIT = limit
    return _inputs_of("classifier")


def _newer_minor(path: Path) -> Any:
    """With a header key, a key in a known table and groups of arrays that came later."""
    contents = read(FOLDER / "classifier.modnet")
    groups = [Group(name, group.flat, group.layout) for name, group in contents.groups.items()]
    later = Group("quantization.scales", np.arange(4, dtype=np.float16), [("linear_1.weight", 0, (4,))])
    header = {**contents.header, "quantization": {"scheme": "per-channel", "bits": [4, 8]}}
    write(path, header, [*groups, later])
    return _inputs_of("classifier")


def _changed_component(path: Path) -> Any:
    registry = modnet.Registry(list)
    registry.register(define(THEN))
    inner = {"type": "golden_scale", "by": -0.5}
    layers = [linear(3), {"type": "golden_scale", "by": 2.5}, {"type": "residual", "layers": [inner]}]
    network = modnet.build({"network": {"input": [2], "layers": layers}}, registry=registry, seed=1)
    with warnings.catch_warnings(action="ignore"):  # no distribution offers the component
        modnet.save(network, path, registry=registry)
    return [[1.0, 2.0], [-0.5, 0.25]]


def _intervals(path: Path) -> Any:
    """Of a table: the ranges of its columns, quantiles of a number with an interval, and sets of classes."""
    read = {"inputs": ["hidden"]}
    layers = [
        "standardize",
        {**linear(6, activation="relu"), "name": "hidden"},
        {**linear(3), **read, "name": "size"},
        {**linear(2), **read, "activation": "softmax", "name": "kind"},
    ]
    losses = {"size": {"type": "quantile", "quantiles": [0.1, 0.5, 0.9]}, "kind": "cross_entropy"}
    spec = {
        "network": {"input": [2], "layers": layers, "outputs": ["size", "kind"]},
        "training": {"loss": losses, "epochs": 9, "seed": 1},
        "data": {"target": {"size": "size", "kind": "kind"}, "inputs": ["length", "since"]},
    }
    rng = np.random.default_rng(2)
    lengths = rng.uniform(1, 4, ROWS).round(2)
    days = np.datetime64("2024-01-01") + np.arange(ROWS).astype("m8[D]")
    kinds = np.where(lengths + rng.normal(size=ROWS) > 2.5, "cat", "dog")
    rows = {"length": lengths, "since": days, "size": (10 * lengths).round(1), "kind": kinds}
    rows = {name: values.tolist() for name, values in rows.items()}
    spec["data"]["columns"] = {"since": {"kind": "date", "parts": ["day"]}}
    network = modnet.train(spec, rows).network
    modnet.save(modnet.intervals(network, rows, coverage=0.8).network, path)
    return {"length": [1.5, 9.0], "since": ["2024-01-05", "2030-01-01"]}


def _inputs_of(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["inputs"]


PLUGINS: dict[str, dict[str, Any]] = {
    "modnet-conv": {
        "input": [8, 8, 2],
        "layers": [
            {"type": "random_flip"},
            {"type": "conv2d", "out_channels": 3, "kernel_size": 3, "activation": "relu"},
            {"type": "max_pool2d", "pool_size": 2},
            {"type": "depthwise_conv2d", "kernel_size": 3},
            "global_average_pool",
            linear(2),
        ],
    },
    "modnet-recurrent": {
        "input": ["variable", 3],
        "layers": [
            {"type": "lstm", "hidden_size": 4},
            {"type": "gru", "hidden_size": 3},
            {"type": "rnn", "hidden_size": 2},
        ],
    },
    "modnet-attention": {
        "input": [5, 4],
        "layers": [
            {"type": "transformer_block", "features": 4, "heads": 2},
            {"type": "multi_head_attention", "heads": 2},
        ],
    },
    "modnet-tabular": {
        "input": [3],
        "layers": [
            {"type": "realmlp", "out_features": 3, "hidden_features": [5], "name": "a"},
            {
                "type": "tabm",
                "out_features": 3,
                "members": 2,
                "hidden_features": [4],
                "number_embedding": {"type": "piecewise_linear", "embedding_size": 2, "bins": 3},
                "inputs": ["input"],
            },
            {"type": "ensemble_mean", "name": "b"},
            {"type": "plr", "embedding_size": 2, "frequencies": 2, "inputs": ["input"]},
            {"type": "linear", "out_features": 3, "name": "c"},
            {"type": "add", "inputs": ["a", "b", "c"]},
            "clip_to_target",
        ],
    },
}
"""Distribution -> a network with some of its components."""

STORED = [kind for kind in GROUPS if kind != "callback"]
"""The kinds that a model file holds; callbacks belong to a run."""


def missing() -> dict[str, type[Component]]:
    """`KIND-TYPE-VERSION` -> the components of the core that are in no golden file."""
    found = {
        (component["kind"], component["type"], component["version"])
        for path in FOLDER.glob("*.modnet")
        for row in read_header(path).header["needs"]
        for component in row["components"]
    }
    registry = modnet.Registry(list)
    classes = [registry.find(KINDS[kind], name) for kind in STORED for name in BUILTIN[GROUPS[kind]]]
    return {
        f"{cls.kind}-{cls.type}-{cls.version}": cls for cls in classes if (cls.kind, cls.type, cls.version) not in found
    }


def _of_component(cls: type[Component]) -> tuple[dict[str, Any], Any]:
    """A network that has a component in it, and the targets that it is trained with, if it is particular there."""
    example = examples_of(cls)[0]
    component = example.component
    layers: list[Any] = [linear(3)]
    inputs: Any = [4]
    training: dict[str, Any] = {"loss": "mse"}
    target = None
    match component:
        case modnet.Layer():
            inputs = {f"input_{i + 1}": list(shape) for i, shape in enumerate(example.input_shapes)}
            layers = [{**component.plain(), "inputs": list(inputs)}]
        case modnet.Initializer():
            layers = [linear(3, component.plain())]
        case modnet.Loss() | modnet.Metric():
            problem = problems.of_component(cls, ROWS)
            layers, target, training = problem.layers, problem.target, {"loss": problem.loss}
            if isinstance(component, modnet.Metric):
                training["metrics"] = [component.plain()]
        case _:
            training[component.kind] = component.plain()
    return {"network": {"input": inputs, "layers": layers}, "training": training}, target


VARIANTS: dict[str, Callable[[Path], Any]] = {
    "checkpoint": _checkpoint,
    "float16": _float16,
    "segments": _segments,
    "newer-minor": _newer_minor,
    "changed-component": _changed_component,
    "intervals": _intervals,
}
"""Name -> what makes the file and gives inputs to predict from."""

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
    path = folder / _folder(name) / f"{name}.modnet"
    if path.exists():
        raise SystemExit(f"{path} is there already and stays as it is; give a new model a name of its own")
    if name in VARIANTS:
        inputs = VARIANTS[name](path)
        registry = modnet.Registry(list)
        registry.register(define(THEN))
        _expect(path, modnet.load(path, registry=registry), inputs)
        return
    if name in PLUGINS:
        network = modnet.build({"network": PLUGINS[name]}, seed=1)
        modnet.save(network, path)
        (shape,) = network.inputs.values()
        _expect(path, network, _input(np.random.default_rng(2), "", shape)[:EXPECTED_ROWS])
        return
    spec, target = (NETWORKS[name], None) if name in NETWORKS else _of_component(missing()[name])
    network = modnet.build(spec, seed=1)
    inputs = _train_on_table(network) if "data" in spec else _train_on_arrays(network, target)
    network.card = network.card.replace(
        metadata={"golden": name, "languages": ["English", "Ελληνικά"], "nothing": None}
    )
    if name == "card":
        network.card = network.card.replace(results={"largest_weight": 1.5, "curve": [[0, 0.5], [1, 0.25]]})
    modnet.save(network, path)
    _expect(path, network, inputs)


def _folder(name: str) -> str:
    return "variants" if name in VARIANTS else "plugins" if name in PLUGINS else ""


def _expect(path: Path, network: modnet.Network, inputs: Any) -> None:
    expected = {"inputs": plain(inputs), "outputs": plain(network.predict(inputs))}
    path.with_suffix(".json").write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")


def _train_on_table(network: modnet.Network) -> Any:
    with TemporaryDirectory() as folder:
        Path(folder, "table.csv").write_text(TABLE, encoding="utf-8")
        found = modnet.read_data(network.card.spec, folder=folder)
    network.card = network.card.replace(schema=found.schema)
    modnet.train(network, found.train, epochs=2)
    network.card = network.card.replace(metrics=modnet.evaluate(network, found.train))
    return {"length": ["2.0", ""], "colour": ["blue", "red"], "weight": ["16", "9.5"]}


def _train_on_arrays(network: modnet.Network, target: Any = None) -> Any:
    rng = np.random.default_rng(2)
    x = {name: _input(rng, name, shape) for name, shape in network.inputs.items()}
    losses = network.card.training.loss
    y = {
        name: _target(rng, losses[name].loss.type if isinstance(losses, Mapping) else losses.type, shape)
        for name, shape in network.outputs.items()
    }
    if len(x) == 1:
        (x,) = x.values()
    if len(y) == 1:
        (y,) = y.values()
    y = y if target is None else target
    modnet.train(network, x, y, epochs=2, batch_size=8)
    network.card = network.card.replace(
        metrics={name: plain(value) for name, value in modnet.evaluate(network, x, y).items()}
    )
    return {name: array[:EXPECTED_ROWS] for name, array in x.items()} if isinstance(x, dict) else x[:EXPECTED_ROWS]


def _input(rng: np.random.Generator, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    size = (ROWS, *(VARIABLE if axis is None else axis for axis in shape))
    return rng.integers(0, 5, size) if name == "word" else rng.standard_normal(size).round(3)


def _target(rng: np.random.Generator, loss: str, shape: tuple[int | None, ...]) -> np.ndarray:
    size = (ROWS, *shape)
    match loss:
        case "cross_entropy" | "focal":
            return rng.integers(0, shape[-1], ROWS)
        case "binary_cross_entropy" | "binary_focal" | "poisson":
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


def pin() -> None:
    """Adds the files that are not in `SHA256SUMS` yet; the lines of the others stay, whatever has become of them."""
    sums = FOLDER / "SHA256SUMS"
    pinned = dict(line.split("  ")[::-1] for line in sums.read_text(encoding="utf-8").splitlines())
    for path in FOLDER.rglob("*"):
        if path.suffix in (".modnet", ".json"):
            name = path.relative_to(FOLDER).as_posix()
            pinned.setdefault(name, sha256(path.read_bytes()).hexdigest())
    lines = [f"{digest}  {name}\n" for name, digest in sorted(pinned.items())]
    sums.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    every = (*NETWORKS, *VARIANTS, *PLUGINS)
    absent = [name for name in every if not (FOLDER / _folder(name) / f"{name}.modnet").exists()]
    for name in sys.argv[1:] or [*absent, *missing()]:
        make(name, FOLDER)
    pin()
