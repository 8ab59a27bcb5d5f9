"""Metrics: figures of merit."""

from __future__ import annotations

from typing import Any, ClassVar

from modnet.arrays import Array
from modnet.kinds.component import Component


class Metric(Component):
    """A figure of merit over a whole epoch: exact, and not a mean of the batches' values.

    An accumulator belongs to one epoch. It consists of plain values and arrays, in lists, tuples and dicts, so that a
    checkpoint in the middle of an epoch can hold it; a named tuple comes back as a plain one.

    Attributes:
        greater_is_better: whether a greater value is better, None if there is no such order.
        measures: "classes" or "numbers", for messages about a metric that does not fit; "" for either.
        positions: whether each position of a sequence, (batch, time, ...), could be a separate sample. Such a metric
            leaves padded steps out, and accepts a weight for each step.
    """

    kind = "metric"
    greater_is_better: ClassVar[bool | None] = True
    measures: ClassVar[str] = ""
    positions: ClassVar[bool] = False

    def start(self) -> Any:
        """An empty accumulator."""
        raise NotImplementedError

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        """The accumulator with a batch added.

        Args:
            target: as the user gave it, in its own dtype.
            weights: of the samples, shape (batch,), or None.
        """
        raise NotImplementedError

    def result(self, accumulator: Any) -> float | Array:
        """The value: a number, or an array (a confusion matrix, for example)."""
        raise NotImplementedError

    def of_labels(self) -> Metric:
        """The metric for an output of several labels, each of which is present (1) or absent (0) by itself.

        It is used if the loss takes each number of an output for the probability of a separate label
        (binary_cross_entropy) and there are several: `modnet.metrics.labels` makes one of a metric of two classes. By
        default this metric itself.

        Raises:
            ValueError: the metric has no meaning for such labels.
        """
        return self
