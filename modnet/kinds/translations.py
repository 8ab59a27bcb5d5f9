"""How plugins that write networks for something else, a file format or an engine, find what writes a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from modnet.kinds.layer import Layer

Translation = Callable[..., Any]
"""Is called with a writer and the inputs, and gives the output, or a tuple of several."""

COMPUTES = ("forward", "function")
"""The methods that say what a component computes."""


class Translations:
    """What writes the layers of a network: a method of the layer's own, or a function of a plugin.

    Args:
        method: the name of that method: `def method(self, writer, *inputs)`.
        modules: a module of components -> the module with the functions for them.
        table: what those modules call their functions: a dict from the name of a class to
            `function(writer, layer, *inputs)`.
    """

    def __init__(self, method: str, modules: Mapping[str, str], table: str) -> None:
        self.method, self.modules, self.table = method, modules, table

    def of(self, layer: Layer) -> Translation | None:
        """What writes a layer; None if nothing does.

        What writes a base class serves a class that computes the same, and no other.
        """
        for cls in type(layer).__mro__:
            if self.method in vars(cls):
                return partial(vars(cls)[self.method], layer)
            found = self._functions(cls.__module__).get(cls.__qualname__)
            if found is not None:
                return partial(_called, found, layer)
            if any(name in vars(cls) for name in COMPUTES):
                return None
        return None

    def _functions(self, module: str) -> Mapping[str, Translation]:
        if module not in self.modules:
            return {}
        found: Mapping[str, Translation] = getattr(import_module(self.modules[module]), self.table)
        return found


def _called(function: Translation, layer: Layer, writer: Any, *inputs: Any) -> Any:
    return function(writer, layer, *inputs)
