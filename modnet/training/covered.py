"""How often the intervals of predictions, or sets of classes, have the truth in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet.data.intervals import bounds, class_sets
from modnet.kinds.metric import Metric


class Covered(Metric, type="covered"):
    """The share of rows that are covered, and the mean width of their intervals or size of their sets: (columns, 2).

    Attributes:
        columns: the target columns of an output, each with an interval.
    """

    columns: tuple[ColumnSchema, ...]

    def start(self) -> Any:
        return np.zeros((len(self.columns), 3))

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        rows = len(prediction)
        given = np.ones(rows) if weights is None else np.asarray(weights, np.float64)
        truths = target.reshape(rows, -1)
        for place, column in enumerate(self.columns):
            covered, size = _covered(column, place, prediction, truths[:, place])
            accumulator[place] += given @ covered, given @ size, given.sum()
        return accumulator

    def result(self, accumulator: Any) -> Array:
        made: Array = accumulator[:, :2] / accumulator[:, 2:]
        return made


def _covered(column: ColumnSchema, place: int, prediction: Array, truth: Array) -> tuple[Array, Array]:
    """Whether each row is covered, bool (rows,), and the width of its interval or the size of its set."""
    assert column.interval is not None
    if column.kind == "category":
        has = class_sets(column.interval, prediction)
        return has[np.arange(len(has)), truth.astype(np.intp)], has.sum(axis=1)
    lower, upper = bounds(column.interval, prediction, place, column.quantiles)
    return (lower <= truth) & (truth <= upper), upper.astype(np.float64) - lower
