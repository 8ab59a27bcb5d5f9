"""Metrics of several labels, each of which is present or absent by itself: sigmoid with binary_cross_entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.errors import ShapeError
from modnet.kinds.metric import Metric


class OfLabels(Metric):
    """A metric of two classes, applied to labels that are present (1) or absent (0).

    Shapes: predictions are the probabilities of the labels, (batch, ..., labels), and targets of the same shape.

    Raises:
        ShapeError: predictions and targets differ in shape.
    """

    measures = "classes"
    metric: Metric

    @property
    def greater_is_better(self) -> bool | None:  # type: ignore[override]
        return self.metric.greater_is_better

    @property
    def positions(self) -> bool:  # type: ignore[override]
        return self.metric.positions

    def start(self) -> Any:
        return []

    def check_shapes(self, prediction: Array, target: Array) -> None:
        if prediction.shape != target.shape:
            raise ShapeError(
                f"{self.metric.type} of several labels expects a 0 or 1 for each label, (batch, ..., labels), "
                f"found predictions {prediction.shape} and targets {target.shape}"
            )


class OfAllLabels(OfLabels):
    """The metric of the decisions about all labels together."""

    def start(self) -> Any:
        return self.metric.start()

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        self.check_shapes(prediction, target)
        return self.metric.update(accumulator, prediction[..., None], target[..., None], weights)

    def result(self, accumulator: Any) -> float | Array:
        return self.metric.result(accumulator)


class OfEachLabel(OfLabels):
    """The mean of the values of all labels ("macro"), or an array with the array of each label."""

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        self.check_shapes(prediction, target)
        labels = prediction.shape[-1]
        before = accumulator or [self.metric.start() for _ in range(labels)]
        return [
            self.metric.update(before[label], prediction[..., label, None], target[..., label, None], weights)
            for label in range(labels)
        ]

    def result(self, accumulator: Any) -> float | Array:
        if not accumulator:
            return self.metric.result(self.metric.start())
        values: list[Any] = [self.metric.result(one) for one in accumulator]
        return np.stack(values) if isinstance(values[0], np.ndarray) else float(np.mean(values))
