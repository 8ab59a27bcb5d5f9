"""A short example in TOML of each component, which is read before it is shown."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from itertools import islice
from typing import Any

import modnet
from generation.markdown import toml
from modnet.kinds.activation import Activation
from modnet.kinds.component import Component, Example
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer
from modnet.plugins.registry import Registry
from modnet.testing.examples import examples_of
from modnet.words import show

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "layer standardize": {"robust": True},
    "temperature": {"independent": True},
    "elu": {"alpha": 0.5},
    "gelu": {"form": "tanh"},
    "leaky_relu": {"negative_slope": 0.1},
    "prelu": {"shared": True},
    "binary_cross_entropy": {"positive_weight": 2.0},
    "cross_entropy": {"label_smoothing": 0.1},
    "focal": {"gamma": 2.0},
    "huber": {"delta": 0.5},
    "quantile": {"quantiles": (0.1, 0.5, 0.9)},
    "adamw": {"learning_rate": 0.001, "weight_decay": 0.01},
    "sgd": {"learning_rate": 0.01, "momentum": 0.9},
    "initializer normal": {"standard_deviation": 0.02},
    "truncated_normal": {"standard_deviation": 0.02},
    "initializer uniform": {"minimum": -0.1, "maximum": 0.1},
    "schedule cosine": {"warmup_epochs": 1.0},
    "schedule linear": {"start_factor": 0.1, "end_factor": 1.0, "epochs": 5.0},
    "plateau": {"gamma": 0.5, "patience": 5},
    "f1": {"average": "macro"},
    "precision": {"average": "macro"},
    "recall": {"average": "macro"},
    "checkpoint": {"every_epochs": 5},
    "csv_log": {"path": "log.csv"},
    "json_log": {"path": "log.jsonl"},
    "progress": {"every": 5},
    "vocabulary": {"characters": "abcdefghijklmnopqrstuvwxyz .,"},
}
"""Type, with the kind before it where two kinds have it -> the options to show; otherwise they are found."""

KEYS = {"loss": "{}", "optimizer": "{}", "schedule": "{}", "metric": "[{}]", "callback": "[{}]"}
"""Kind -> the value of its key in `[training]`, whose name is that of the kind or its plural."""

NETWORK = {"input": [4], "layers": [{"type": "linear", "out_features": 2}]}
"""For an example that has none."""


NOT_WRITTEN = {"onnx_graph": "`modnet import` writes it: its option is a whole ONNX model."}
"""Type -> why nobody writes it by hand."""


def example(cls: type[Component], registry: Registry) -> str:
    """A block of TOML.

    Raises:
        SpecError: it cannot be read, or no network can be built of it.
    """
    if cls.type in NOT_WRITTEN:
        return NOT_WRITTEN[cls.type]
    use = examples_of(cls)[0]
    value = written(use.component)
    if issubclass(cls, Layer) and not issubclass(cls, Activation):
        text = network(use, value)
    elif issubclass(cls, Activation | Initializer):
        option = "activation" if issubclass(cls, Activation) else "weight_initializer"
        node = f'{{ type = "linear", out_features = 8, {option} = {value} }}'
        text = f"[network]\ninput = [4]\nlayers = [\n  {node},\n]"
    else:
        form = KEYS[cls.kind]
        key = f"{cls.kind}s" if form.startswith("[") else cls.kind
        text = f"[training]\n{key} = {form.format(value)}"
    values = tomllib.loads(text)
    training = {"loss": "mse", **values.get("training", {})}
    modnet.build({"network": values.get("network", NETWORK), "training": training}, registry=registry)
    return f"```toml\n{text}\n```"


def written(component: Component) -> str:
    """A component with an option, if it has any: a telling one, those of the tests, or the first with its default."""
    cls = type(component)
    options = OPTIONS.get(f"{cls.kind} {cls.type}") or OPTIONS.get(cls.type)
    if options is None:
        text = toml(component)
        if text != show(cls.type):
            return text
        simple = (name for name, value in vars(component).items() if isinstance(value, bool | int | float | str))
        options = {name: getattr(component, name) for name in islice(simple, 1)}
    if not options:
        return show(cls.type)
    return f"{{ type = {show(cls.type)}, {', '.join(f'{name} = {toml(value)}' for name, value in options.items())} }}"


def network(use: Example, node: str) -> str:
    """A network of one layer, with the inputs that it needs."""
    names = [f"input_{number}" for number, _ in enumerate(use.input_shapes, 1)]
    shapes = [toml(tuple("variable" if axis is None else axis for axis in shape)) for shape in use.input_shapes]
    if len(names) == 1:
        return f"[network]\ninput = {shapes[0]}\nlayers = [\n  {node},\n]"
    inputs = ", ".join(f"{name} = {shape}" for name, shape in zip(names, shapes, strict=True))
    body = node[1:-1].strip() if node.startswith("{") else f"type = {node}"
    quoted = ", ".join(map(show, names))
    return f"[network]\ninput = {{ {inputs} }}\nlayers = [\n  {{ {body}, inputs = [{quoted}] }},\n]"
