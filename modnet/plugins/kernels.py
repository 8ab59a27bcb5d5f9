"""Faster kernels: how a plugin offers one for a component's method, and how the engine finds it.

The numpy code in a component is the reference. A kernel computes the same, up to rounding, and model files do not
depend on which of the two ran. A plugin names it by an entry point of the group `modnet.kernels`:

    [project.entry-points."modnet.kernels"]
    "optimizer.adam.update" = "modnet_swift.optimizers:adam"

The value is a function (component, dtype) -> callable or None. The callable takes the arguments of the method, without
self; None means that there is no faster one for that configuration. A layer's `forward` and `backward` may be offered
separately only if they save and read the same values as the component's own. An optimizer's `update` that has the
attribute `whole = True` is given all elements with one weight decay and one learning rate as a single chunk, without
scratch.

A kernel applies only to the class that the registry has for its kind and type name: a program's own class of the same
name keeps its own methods. Kernels are used in training, where the time to find and load them does not matter; a
process that only predicts never looks for any. `MODNET_KERNELS=off` switches them off.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np

from modnet.errors import BrokenPlugin
from modnet.kinds.component import Component

GROUP = "modnet.kernels"
SWITCH = "MODNET_KERNELS"
"""The environment variable that switches all kernels off when it is "off"."""

Maker = Callable[[Any, np.dtype[Any]], Callable[..., Any] | None]


class Kernels:
    """The kernels that installed plugins offer.

    Args:
        entry_points: those of the group `modnet.kernels`. If two plugins offer the same kernel, the first one is used.
        means: whether a component class is the one that its type name means; by default always.

    Attributes:
        offered: the entry points.
        broken: entry-point name -> why a kernel could not be loaded. Its component runs on numpy then.
    """

    def __init__(
        self, entry_points: Iterable[EntryPoint] = (), means: Callable[[type[Component]], bool] = lambda cls: True
    ) -> None:
        self.offered = tuple(entry_points)
        self.broken: dict[str, BrokenPlugin] = {}
        self._means = means
        self._serving: dict[str, EntryPoint] = {}
        if os.environ.get(SWITCH) != "off":
            for entry_point in self.offered:
                self._serving.setdefault(entry_point.name, entry_point)
        self._makers: dict[EntryPoint, Maker | None] = {}
        self._told: dict[str, object] = {}

    def method(self, component: Component, name: str, dtype: np.dtype[Any]) -> Callable[..., Any]:
        """A component's method, or the kernel that replaces it.

        A broken kernel is ignored with a warning, one for each distribution.
        """
        reference: Callable[..., Any] = getattr(component, name)
        entry_point = self._serving.get(f"{component.kind}.{component.type}.{name}")
        if entry_point is None or not self._means(type(component)):
            return reference
        kernel = None
        maker = self.load(entry_point)
        if maker is not None:
            try:
                kernel = maker(component, dtype)
            except Exception as error:
                self._break(entry_point, error)
        if self._makers[entry_point] is None:
            self._tell(entry_point)
        return reference if kernel is None else kernel

    def load(self, entry_point: EntryPoint) -> Maker | None:
        """The function that makes a kernel, or None if it is broken; `broken` says why."""
        if entry_point not in self._makers:
            try:
                made = entry_point.load()
            except Exception as error:
                self._break(entry_point, error)
            else:
                self._makers.setdefault(entry_point, made)  # another thread may have marked it as broken
        return self._makers[entry_point]

    def _break(self, entry_point: EntryPoint, error: Exception) -> None:
        broken = BrokenPlugin(f"kernel {entry_point.name} ({entry_point.value}): {type(error).__name__}: {error}")
        broken.__cause__ = error
        self.broken[entry_point.name] = broken  # first: a thread that finds the maker None reads the reason here
        self._makers[entry_point] = None

    def _tell(self, entry_point: EntryPoint) -> None:
        distribution = entry_point.dist.name if entry_point.dist else ""
        ours = object()
        if self._told.setdefault(distribution, ours) is ours:  # atomic: only one of several threads warns
            message = f"{self.broken[entry_point.name]}; falling back to numpy; for details: modnet plugins --errors"
            warnings.warn(message, stacklevel=2)


NUMPY_ONLY = Kernels()
"""No kernels: every component runs on its own numpy code."""
