"""Integrated gradients: what each column adds to a single prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.assessment.explanation.features import Feature
from modnet.assessment.explanation.quantities import Quantity
from modnet.engine.input_gradients import InputGradients
from modnet.engine.network import Network
from modnet.layers.standardize import Standardize

BATCH = 4096
"""How many points of paths pass through the network at a time."""

STEPS, MOST_STEPS = 32, 1024
"""The number of points of a path: it is doubled until the remaining error is small."""

CLOSE = 1e-3
"""How much of the difference that is to be explained may remain."""

Inputs = Mapping[str, Array]


class Attributions(NamedTuple):
    """What the numbers that encode some rows add to a prediction.

    Attributes:
        parts: input name -> float64, of the shape of the input: what each number adds; for ids too.
        start: the prediction for the baseline, float64 (rows,).
        end: the prediction for the rows, float64 (rows,).
        steps: how many points of each path were used.
    """

    parts: dict[str, Array]
    start: Array
    end: Array
    steps: int

    def of(self, features: Sequence[Feature]) -> Array:
        """What each feature adds, all its numbers taken together, float64 (rows, features)."""
        sums = [sum(part.reshape(len(part), -1).sum(axis=1) for part in f.of(self.parts).values()) for f in features]
        found: Array = np.stack([np.asarray(total) for total in sums], axis=1)
        return found

    @property
    def errors(self) -> Array:
        """What the sum of all parts lacks of the difference between end and start, float64 (rows,)."""
        total = sum(part.reshape(len(part), -1).sum(axis=1) for part in self.parts.values())
        found: Array = self.end - self.start - total
        return found


def integrated_gradients(
    network: Network,
    inputs: Inputs,
    baseline: Inputs,
    quantity: Quantity,
    features: Sequence[Feature],
    steps: int | None = None,
) -> Attributions:
    """Integrates the gradient of a prediction along the straight line from a baseline to each row.

        attribution_i = (x_i - b_i) * integral over t from 0 to 1 of df / dx_i (b + t (x - b))

    The integral is taken by Gauss and Legendre's rule. The parts add up to the difference of the predictions for row
    and baseline (completeness), but for the error of the rule: for n points, of the order of 1 / n where activations
    have kinks, as relu has.

    Ids have no gradient and nothing between them. Half-way along the line each is exchanged, one after another, and is
    given the change of the prediction at that point; where there are several, the mean of the change in their order and
    in the opposite order. Before that the other numbers are integrated with the ids of the baseline, after it with
    those of the row. So the sum is complete here too.

    Source: Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks", arXiv:1703.01365, equation 1.

    Args:
        inputs: input name -> array (rows, *shape).
        baseline: input name -> array (1, *shape), or (rows, *shape).
        features: those that are ids are exchanged.
        steps: the points of each line; by default as many as make the error small, at most 1,024.
    """
    paths = _Paths(network, inputs, baseline, quantity, [feature for feature in features if feature.is_id])
    found = paths.integrate(steps or STEPS)
    while steps is None and found.steps < MOST_STEPS and not _is_close(found):
        found = paths.integrate(2 * found.steps)
    return found


def _is_close(found: Attributions) -> bool:
    difference = np.abs(found.end - found.start)
    return bool((np.abs(found.errors) <= CLOSE * np.maximum(difference, difference.max(initial=0.0) / 10)).all())


class _Paths:
    """The lines from a baseline to rows."""

    def __init__(
        self, network: Network, inputs: Inputs, baseline: Inputs, quantity: Quantity, ids: Sequence[Feature]
    ) -> None:
        self.network, self.quantity, self.ids = network, quantity, ids
        self.rows = wide(network, inputs)
        self.starts = {
            name: np.array(np.broadcast_to(np.asarray(baseline[name], array.dtype), array.shape))
            for name, array in self.rows.items()
        }
        self._gradients = InputGradients(network, quantity.output)
        self._count = len(next(iter(self.rows.values())))
        self.start, self.end = self._values(self.starts), self._values(self.rows)

    def integrate(self, steps: int) -> Attributions:
        """The attributions, by about this many points of each line."""
        parts = {name: np.zeros(array.shape) for name, array in self.rows.items()}
        if self.ids:
            points, weights = _rule(steps // 2 + steps % 2)
            self._integrate(parts, points / 2, weights / 2, self.starts)
            self._integrate(parts, 0.5 + points / 2, weights / 2, self.rows)
            self._exchange(parts)
        else:
            self._integrate(parts, *_rule(steps), self.rows)
        return Attributions(parts, self.start, self.end, steps)

    def _values(self, inputs: Inputs) -> Array:
        found = self.network.forward(dict(inputs))
        return self.quantity.values(found[self.quantity.output] if isinstance(found, dict) else found)

    def _at(self, t: Array, ids: Inputs, rows: slice) -> dict[str, Array]:
        """The points (rows x len(t), *shape) of some lines, with these ids."""
        points = {}
        for name, array in self.rows.items():
            end, start = array[rows, None], self.starts[name][rows, None]
            factors = t.reshape(1, -1, *[1] * (array.ndim - 1))
            found = start + factors * (end - start) if array.dtype.kind == "f" else np.repeat(end, len(t), axis=1)
            points[name] = found.reshape(-1, *array.shape[1:])
        for feature in self.ids:
            known = {name: np.repeat(values[rows], len(t), axis=0) for name, values in feature.of(ids).items()}
            feature.write(points, known)
        return points

    def _integrate(self, parts: dict[str, Array], t: Array, weights: Array, ids: Inputs) -> None:
        """Adds the integral over some points of each line to the parts."""
        step = max(1, BATCH // len(t))
        for first in range(0, self._count, step):
            rows = slice(first, first + step)
            points = self._at(t, ids, rows)
            slopes = self._gradients.of(self.network.arrays(points), self.quantity.slope)
            for (name, array), slope in zip(self.rows.items(), slopes, strict=True):
                if slope is None:
                    continue
                by_point = slope.astype(np.float64).reshape(-1, len(t), *array.shape[1:])
                mean = np.tensordot(weights, by_point, axes=(0, 1))
                parts[name][rows] += mean * (array[rows] - self.starts[name][rows])
        for feature in self.ids:  # of numbers that only stand for something, a layer may give any gradient
            for values in feature.of(parts).values():
                values[...] = 0

    def _exchange(self, parts: dict[str, Array]) -> None:
        """Adds what the ids change half-way, exchanged one after another, in both orders."""
        for order in (self.ids, self.ids[::-1]):
            middle = self._at(np.array([0.5]), self.starts, slice(None))
            before = self._values(middle)
            for feature in order:
                feature.write(middle, feature.of(self.rows))
                after = self._values(middle)
                places = list(feature.of(parts).values())
                share = (after - before) / 2 / sum(values[0].size for values in places)
                for values in places:
                    values += share.reshape(-1, *[1] * (values.ndim - 1))
                before = after


def _rule(points: int) -> tuple[Array, Array]:
    """Points and weights of Gauss and Legendre's rule from 0 to 1."""
    places, weights = np.polynomial.legendre.leggauss(points)
    return (places + 1) / 2, weights / 2


def wide(network: Network, inputs: Inputs) -> dict[str, Array]:
    """The inputs in float64, whatever they were given as, but ids in int64."""
    kinds = zip(network.inputs, network.input_dtypes(), strict=True)
    dtypes = {name: np.int64 if dtype.kind == "i" else np.float64 for name, dtype in kinds}
    return {name: np.asarray(array, dtypes[name]) for name, array in inputs.items()}


def baseline_of(network: Network, inputs: Inputs, features: Sequence[Feature]) -> dict[str, Array]:
    """What predictions are compared with: the mean of the training rows, and the most frequent ids of these rows.

    The mean is that of a `standardize` layer which reads the input, where there is one; else that of these rows.

    Args:
        inputs: input name -> array (rows, *shape).

    Returns:
        Input name -> array (1, *shape).
    """
    found: dict[str, Array] = {}
    for slot, (name, array) in enumerate(inputs.items()):
        learnt = _learnt_mean(network, slot)
        mean = array.mean(axis=0, dtype=np.float64) if learnt is None else np.broadcast_to(learnt, array.shape[1:])
        found[name] = np.array(mean)[None]
    for feature in features:
        if feature.is_id:
            feature.write(found, {name: _most_frequent(values) for name, values in feature.of(inputs).items()})
    return wide(network, found)


def _learnt_mean(network: Network, slot: int) -> Array | None:
    """The mean that a layer has learnt of an input."""
    for node in network.graph.nodes:
        if isinstance(node.layer, Standardize) and node.inputs == (slot,):
            state = network.arrays_of(network.state, node, node.state)
            if state["samples"] > 0:
                mean: Array = state["mean"].astype(np.float64) + state.get("mean_rest", np.zeros(()))
                return mean
    return None


def _most_frequent(values: Array) -> Array:
    """Of each number of a sample, the value that most rows have, (1, *shape)."""
    flat = values.reshape(len(values), -1)
    columns = [np.unique(column, return_counts=True) for column in flat.T]
    winners = np.array([found[counts.argmax()] for found, counts in columns])
    return winners.reshape(1, *values.shape[1:])
