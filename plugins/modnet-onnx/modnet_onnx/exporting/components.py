"""Which function exports a component: a method of its own, or a function of this package."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from modnet.kinds.layer import Layer

METHOD = "to_onnx"
"""The method by which a component writes itself: `def to_onnx(self, writer, *inputs)`."""

COMPUTES = ("forward", "function")
"""The methods that say what a component computes."""

MODULES = {
    "modnet.activations.gated": "activations",
    "modnet.activations.rectified": "activations",
    "modnet.activations.sigmoid": "activations",
    "modnet.activations.softmax": "activations",
    "modnet.layers.embedding": "layers",
    "modnet.layers.linear": "layers",
    "modnet.layers.members": "ensembles",
    "modnet.layers.merge": "layers",
    "modnet.layers.noise": "layers",
    "modnet.layers.norm": "normalization",
    "modnet.layers.piecewise": "layers",
    "modnet.layers.pooling": "layers",
    "modnet.layers.shape": "layers",
    "modnet.layers.standardize": "normalization",
    "modnet.layers.temperature": "layers",
    "modnet_attention.attention": "attention",
    "modnet_attention.positions": "attention",
    "modnet_conv.augmentation": "images",
    "modnet_conv.convolution": "convolution",
    "modnet_conv.pooling": "pooling",
    "modnet_conv.resampling": "images",
    "modnet_recurrent.gru": "recurrent",
    "modnet_recurrent.lstm": "recurrent",
    "modnet_recurrent.masking": "recurrent",
    "modnet_recurrent.rnn": "recurrent",
    "modnet_tabular.activations": "tabular",
    "modnet_tabular.categories": "tabular",
    "modnet_tabular.clipping": "tabular",
    "modnet_tabular.linear": "tabular",
    "modnet_tabular.members": "tabular",
    "modnet_tabular.numbers": "tabular",
    "modnet_tabular.piecewise": "tabular",
    "modnet_tabular.quantiles": "quantiles",
    "modnet_tabular.scaling": "tabular",
}
"""A module of components -> the one here that exports them: its `EXPORTS` has a function for each class, by name."""

Export = Callable[..., Any]
"""Is called with a writer and the inputs, and gives the output, or a tuple of several."""


def export_of(layer: Layer) -> Export | None:
    """What exports a layer; None if nothing does.

    The export of a base class serves a class that computes the same, and no other.
    """
    for cls in type(layer).__mro__:
        if METHOD in vars(cls):
            return partial(vars(cls)[METHOD], layer)
        found = _functions(cls.__module__).get(cls.__qualname__)
        if found is not None:
            return partial(_called, found, layer)
        if any(name in vars(cls) for name in COMPUTES):
            return None
    return None


def _functions(module: str) -> dict[str, Export]:
    if module not in MODULES:
        return {}
    found: dict[str, Export] = import_module(f"modnet_onnx.exporting.{MODULES[module]}").EXPORTS
    return found


def _called(function: Export, layer: Layer, writer: Any, *inputs: str) -> Any:
    return function(writer, layer, *inputs)


def refusal(layer: Layer) -> str | None:
    """Why a layer cannot be exported; None if it can be."""
    if export_of(layer) is None:
        cls = type(layer.stands_for)
        return f"{cls.__module__}.{cls.__qualname__} has no method {METHOD}"
    inner = (value for value in vars(layer).values() if isinstance(value, Layer))
    return next(filter(None, map(refusal, inner)), None)
