"""Initializers: how a new parameter is filled."""

from __future__ import annotations

import numpy as np

from modnet.arrays import Array
from modnet.kinds.component import Component


class Initializer(Component):
    """Fills a new parameter."""

    kind = "initializer"

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        """Overwrites `out`. `fan_in` and `fan_out` count the connections of one output and of one input."""
        raise NotImplementedError
