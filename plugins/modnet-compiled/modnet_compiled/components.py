"""Which function lowers a component: a method of its own, or a function of this package."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from modnet.kinds.layer import Layer

METHOD = "compiled"
"""The method by which a component lowers itself: `def compiled(self, writer, *inputs)`."""

COMPUTES = ("forward", "function")
"""The methods that say what a component computes."""

MODULES = {
    "modnet.activations.gated": "activations",
    "modnet.activations.rectified": "activations",
    "modnet.activations.sigmoid": "activations",
    "modnet.activations.softmax": "activations",
    "modnet.layers.embedding": "layers",
    "modnet.layers.linear": "layers",
    "modnet.layers.members": "members",
    "modnet.layers.merge": "layers",
    "modnet.layers.noise": "layers",
    "modnet.layers.norm": "layers",
    "modnet.layers.piecewise": "layers",
    "modnet.layers.pooling": "layers",
    "modnet.layers.shape": "layers",
    "modnet.layers.standardize": "layers",
    "modnet.layers.temperature": "activations",
    "modnet_conv.augmentation": "images",
    "modnet_conv.convolution": "images",
    "modnet_conv.pooling": "images",
    "modnet_conv.resampling": "images",
    "modnet_recurrent.gru": "recurrent",
    "modnet_recurrent.lstm": "recurrent",
    "modnet_recurrent.masking": "recurrent",
    "modnet_recurrent.rnn": "recurrent",
    "modnet_tabular.activations": "tables",
    "modnet_tabular.categories": "tables",
    "modnet_tabular.clipping": "tables",
    "modnet_tabular.linear": "tables",
    "modnet_tabular.members": "tables",
    "modnet_tabular.numbers": "tables",
    "modnet_tabular.piecewise": "tables",
    "modnet_tabular.quantiles": "tables",
    "modnet_tabular.scaling": "tables",
}
"""A module of components -> the one of `lowering` for them: its `LOWERINGS` has a function for each class, by name."""

Lowering = Callable[..., Any]
"""Is called with a writer and the inputs, and gives the output, or a tuple of several."""


def lowering_of(layer: Layer) -> Lowering | None:
    """What lowers a layer; None if nothing does.

    The function for a base class serves a class that computes the same, and no other.
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


def _functions(module: str) -> dict[str, Lowering]:
    if module not in MODULES:
        return {}
    found: dict[str, Lowering] = import_module(f"modnet_compiled.lowering.{MODULES[module]}").LOWERINGS
    return found


def _called(function: Lowering, layer: Layer, writer: Any, *inputs: Any) -> Any:
    return function(writer, layer, *inputs)
