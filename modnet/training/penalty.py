"""Penalties on large weights, which are added to the loss."""

from __future__ import annotations

import math
from collections.abc import Container

import numpy as np

from modnet.arrays import Array, norm
from modnet.engine.network import Network
from modnet.engine.parameters import FlatArray


class Penalty:
    """The sum of l1 |w| + l2 w^2 over the weights, not the biases, of the nodes with `l1` or `l2`.

    That of an ensemble is the mean over its members; the gradients are those of each member's own.

    Args:
        reached: the names of the parameters that a loss depends on; others have no penalty. By default all have one.
    """

    def __init__(self, network: Network, gradients: FlatArray, reached: Container[str] | None = None) -> None:
        self._members = network.graph.members
        self._terms: list[tuple[Array, Array, Array, float, float]] = []
        for node in network.graph.nodes:
            names = [name for name in node.penalized() if reached is None or f"{node.name}.{name}" in reached]
            weights = network.arrays_of(network.parameters, node, names)
            slopes = network.arrays_of(gradients, node, names)
            for name, weight in weights.items():
                self._terms.append((weight, slopes[name], np.empty_like(weight), node.l1, node.l2))

    def add(self) -> float:
        """Adds the penalty's gradient to the gradients, and returns its value."""
        total = 0.0
        for weight, gradient, scratch, l1, l2 in self._terms:
            if l1:
                total += l1 * float(np.abs(weight, out=scratch).sum())
                gradient += np.multiply(np.sign(weight, out=scratch), l1, out=scratch)
            if l2:
                with np.errstate(over="ignore"):
                    square = float(np.vdot(weight, weight))
                # The plain product is fast, but overflows in float32; `norm` scales the weights first.
                total += l2 * (square if math.isfinite(square) else norm(weight) ** 2)
                gradient += np.multiply(weight, 2 * l2, out=scratch)
        return total / self._members
