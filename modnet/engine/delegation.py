"""Predictions that another engine computes, with the checks of modnet's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from modnet.arrays import Array
from modnet.engine.built import BuiltGraph
from modnet.engine.passes import Pass
from modnet.engine.promises import output_fault
from modnet.errors import BrokenPlugin

Engine = Callable[..., Sequence[Array]]
"""From a network's inputs in order to its outputs in order, arrays with the batch as their first axis.

An engine may declare more in attributes. With `takes_any_number` it is also used if numbers are not finite,
which go through it as through the network's own layers. With `takes_raw` it is given, as a second argument, the inputs
as they were before their conversion to the network's dtype.
"""


class DelegatedPass(Pass):
    """A pass of a prediction whose values another engine computes.

    Inputs are checked and converted as for any pass. If numbers are not finite (unless the engine takes them), and
    if the engine fails, the network's own layers compute: they give the result, or an error that says what is wrong.

    Args:
        network: the network.
        engine: what computes.
        name: of the engine, for messages.
    """

    def __init__(self, network: BuiltGraph, engine: Engine, name: str) -> None:
        super().__init__(network, list(network.graph.outputs.values()))
        self._engine, self._name = engine, name
        self._takes_any = getattr(engine, "takes_any_number", False)
        self._takes_raw = getattr(engine, "takes_raw", False)
        self._shapes = list(network.outputs.items())

    def forward(self, inputs: Sequence[Array]) -> list[Array]:
        given = self.converted(inputs)
        if not self._takes_any and not all(map(_are_finite, given)):
            return super().forward(inputs)
        try:
            made = list(self._engine(given, inputs) if self._takes_raw else self._engine(given))
        except Exception as error:
            super().forward(inputs)
            raise BrokenPlugin(f"the engine {self._name} fails where modnet does not: {error}") from error
        for value, (name, shape) in zip(made, self._shapes, strict=True):
            if fault := output_fault(value, shape, self.network.dtype, name):
                raise BrokenPlugin(f"the engine {self._name}: {fault}")
        return made


def _are_finite(array: Array) -> bool:
    """Whether all numbers are; for ids, always. The sum may overflow, and the own layers compute then, too."""
    if array.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()))
