"""Faster kernels: how a plugin offers one for a component's method, and how the engine finds it.

The numpy code in a component is the reference. A kernel does the same, to rounding, and a model file does not know
which of them ran. A plugin names it by an entry point of the group `modnet.kernels`:

    [project.entry-points."modnet.kernels"]
    "optimizer.adam.update" = "modnet_numba.optimizers:adam_update"

The value is a function (component, dtype) -> callable or None: the callable takes what the method takes, without self,
and None says that there is nothing better for that configuration. A layer's `forward` and `backward` may be offered
separately only if they save and read what the component's own do. An optimizer's `update` that has the attribute
`whole = True` is given all elements that have one weight decay at once, and no scratch, in place of chunks.

Kernels serve training, where the time to find and load them does not matter; a process that only predicts never looks
for any. `MODNET_KERNELS=off` switches them off.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np

from modnet.component import Component
from modnet.errors import BrokenPlugin

GROUP = "modnet.kernels"
SWITCH = "MODNET_KERNELS"
"""The environment variable that switches all kernels off when it is "off"."""

Maker = Callable[[Any, np.dtype[Any]], Callable[..., Any] | None]


class Kernels:
    """The kernels that installed plugins offer.

    Args:
        entry_points: those of the group `modnet.kernels`. Where two plugins offer one, the first serves.

    Attributes:
        broken: entry-point name -> why a kernel could not be loaded. Its component runs on numpy then.
    """

    def __init__(self, entry_points: Iterable[EntryPoint] = ()) -> None:
        self._offered: dict[str, EntryPoint] = {}
        if os.environ.get(SWITCH) != "off":
            for entry_point in entry_points:
                self._offered.setdefault(entry_point.name, entry_point)
        self._makers: dict[str, Maker | None] = {}
        self.broken: dict[str, BrokenPlugin] = {}

    def method(self, component: Component, name: str, dtype: np.dtype[Any]) -> Callable[..., Any]:
        """A component's method, or the kernel that does the same faster."""
        maker = self._maker(f"{component.kind}.{component.type}.{name}") if self._offered else None
        kernel = maker(component, dtype) if maker is not None else None
        return kernel if kernel is not None else getattr(component, name)

    def _maker(self, name: str) -> Maker | None:
        if name not in self._makers:
            self._makers[name] = None
            if name in self._offered:
                try:
                    self._makers[name] = self._offered[name].load()
                except Exception as error:
                    self.broken[name] = BrokenPlugin(f"kernel {name}: {type(error).__name__}: {error}")
                    self.broken[name].__cause__ = error
        return self._makers[name]


NUMPY_ONLY = Kernels()
"""No kernels: every component runs on its own numpy code."""
