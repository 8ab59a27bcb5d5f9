"""The uncertainty of a prediction: an interval for a number, a set of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import Configuration, field


class Interval(Configuration):
    """What was learnt from rows that the model had not been trained on, so that a share of new rows is covered.

    Attributes:
        coverage: the requested share of rows.
        rows: how many rows it was learnt from.
        margin: of a number, how far the interval reaches beyond the prediction, or beyond the outer quantiles; it may
            be less than 0 there.
        threshold: of classes, the probability from which on a class is in the set.
    """

    called: ClassVar[str] = "interval"

    coverage: float = field(above=0.0, below=1.0)
    rows: int = field(minimum=1)
    margin: float | None = None
    threshold: float | None = field(default=None, minimum=0.0, maximum=1.0)

    def check(self) -> None:
        if (self.margin is None) == (self.threshold is None):
            raise ValueError("expected either margin, of a number, or threshold, of classes")

    def describe(self, quantiles: Sequence[float] = ()) -> str:
        """How it is made, in words: `921.66 below and above the prediction`."""
        if self.threshold is not None:
            return f"every class from a probability of {self.threshold:.4g} on"
        margin = self.margin or 0.0
        if not quantiles:
            return f"{margin:.5g} below and above the prediction"
        low, high = outer_quantiles(quantiles, self.coverage)
        moved = f"{abs(margin):.5g} {'outwards' if margin >= 0 else 'inwards'}"
        return f"from the quantile {quantiles[low]:g} to {quantiles[high]:g}, each moved {moved}"


def outer_quantiles(quantiles: Sequence[float], coverage: float) -> tuple[int, int]:
    """The places of the two quantiles that are nearest to (1 - coverage) / 2 and (1 + coverage) / 2."""
    tail = (1 - coverage) / 2
    return (
        min(range(len(quantiles)), key=lambda place: abs(quantiles[place] - tail)),
        min(range(len(quantiles)), key=lambda place: abs(quantiles[place] - (1 - tail))),
    )


def predicted_bounds(output: Array, place: int, quantiles: Sequence[float], coverage: float) -> tuple[Array, Array]:
    """The two numbers beyond which a margin reaches, float64 (rows,): outer quantiles, or twice the prediction.

    Args:
        output: (rows, numbers).
        place: of the target among the numbers, where these are no quantiles.
    """
    low, high = outer_quantiles(quantiles, coverage) if quantiles else (place, place)
    return output[:, low].astype(np.float64), output[:, high].astype(np.float64)


def bounds(interval: Interval, output: Array, place: int, quantiles: Sequence[float]) -> tuple[Array, Array]:
    """The lower and the upper bound of each row, in the dtype of the output; rounding makes no interval smaller.

    Where outer quantiles cross, their interval is that between them, which is larger than the empty one.
    """
    low, high = predicted_bounds(output, place, quantiles, interval.coverage)
    low -= interval.margin or 0.0
    high += interval.margin or 0.0
    return (
        _rounded(np.minimum(low, high), output.dtype, -np.inf),
        _rounded(np.maximum(low, high), output.dtype, np.inf),
    )


def _rounded(exact: Array, dtype: np.dtype[Any], away: float) -> Array:
    with np.errstate(over="ignore"):
        found = exact.astype(dtype)
    inside = found > exact if away < 0 else found < exact
    return np.where(inside, np.nextafter(found, dtype.type(away)), found) if inside.any() else found


def probabilities_of(output: Array) -> Array:
    """The probability of each class, float64 (rows, classes); of two, the network may give the second one's alone."""
    exact = output.astype(np.float64)
    return np.concatenate([1 - exact, exact], axis=1) if exact.shape[1] == 1 else exact


def class_sets(interval: Interval, output: Array) -> Array:
    """Which classes are in the set of each row, bool (rows, classes); the most probable one always is."""
    probabilities = probabilities_of(output)
    has: Array = probabilities >= (interval.threshold or 0.0)
    has[np.arange(len(has)), probabilities.argmax(axis=1)] = True
    return has
