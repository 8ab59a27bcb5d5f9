"""Metrics of numbers."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.errors import ShapeError
from modnet.kinds.metric import Metric
from modnet.metrics.positions import position_weights


def _outputs(metric: Metric, prediction: Array, target: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """Prediction and target as float64 (positions, outputs), and the weight of each position."""
    if prediction.shape != target.shape:
        raise ShapeError(
            f"{metric.type} expects predictions and targets of the same shape, "
            f"found predictions {prediction.shape} and targets {target.shape}"
        )
    outputs = prediction.shape[-1] if prediction.ndim > 1 else 1
    predicted = prediction.reshape(-1, outputs).astype(np.float64)
    true = target.reshape(-1, outputs).astype(np.float64)
    return predicted, true, position_weights(weights, len(prediction), len(predicted))


class _MeanError(Metric):
    """The weighted mean error of each output."""

    measures = "numbers"
    positions = True
    greater_is_better = False

    def error(self, difference: Array) -> Array:
        """The error of each element."""
        raise NotImplementedError

    def start(self) -> Any:
        return 0.0, 0.0

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        predicted, true, weights = _outputs(self, prediction, target, weights)
        error, total = accumulator
        return error + weights @ self.error(predicted - true), total + weights.sum()

    def means(self, accumulator: Any) -> Array:
        """The weighted mean error of each output."""
        error, total = accumulator
        return np.divide(error, total) if total else np.array([math.nan])


class MeanAbsoluteError(_MeanError, type="mean_absolute_error"):
    """The mean of abs(prediction - target) over all elements. Shapes: prediction and target (batch, ...)."""

    def error(self, difference: Array) -> Array:
        return np.abs(difference)

    def result(self, accumulator: Any) -> float:
        return float(self.means(accumulator).mean())


class RootMeanSquaredError(_MeanError, type="root_mean_squared_error"):
    """The square root of the mean of (prediction - target)**2, in the target's unit.

    With several outputs, along the last axis, it is the mean of their roots (as in scikit-learn), not the root of the
    mean over all elements. Shapes: prediction and target (batch, ..., outputs).
    """

    def error(self, difference: Array) -> Array:
        return np.square(difference)

    def result(self, accumulator: Any) -> float:
        return float(np.sqrt(self.means(accumulator)).mean())


class _Spread(NamedTuple):
    """Sums for each output, of the differences between the target and `origin`, the first target.

    The differences of a constant target are then exactly 0, and targets far from 0 lose no digits.
    """

    origin: Array
    positions: int
    weight: float
    mean: Array
    squares: Array
    residuals: Array


class R2(Metric, type="r2"):
    """The coefficient of determination, 1 - sum((target - prediction)**2) / sum((target - mean(target))**2).

    With several outputs, along the last axis, it is the mean over them. For a constant target it is 1 if the prediction
    is exact and 0 otherwise; with fewer than two positions of a weight above 0 it is nan. Shapes: prediction and target
    alike, (batch, ..., outputs). Batches are joined as in Chan, Golub and LeVeque 1983, American Statistician 37 (3).
    """

    measures = "numbers"
    positions = True

    def start(self) -> Any:
        return None

    def update(self, accumulator: Any, prediction: Array, target: Array, weights: Array | None) -> Any:
        predicted, true, weights = _outputs(self, prediction, target, weights)
        counted = weights > 0
        predicted, true, weights = predicted[counted], true[counted], weights[counted]
        if not len(weights):
            return accumulator
        weight = weights.sum()
        before = None if accumulator is None else _Spread(*accumulator)
        origin = true[0] if before is None else before.origin
        deviation = true - origin
        mean = weights @ deviation / weight
        batch = _Spread(
            origin=origin,
            positions=len(true),
            weight=weight,
            mean=mean,
            squares=weights @ np.square(deviation - mean),
            residuals=weights @ np.square(true - predicted),
        )
        return batch if before is None else _join(before, batch)

    def result(self, accumulator: Any) -> float:
        spread = None if accumulator is None else _Spread(*accumulator)
        if spread is None or spread.positions < 2:
            return math.nan
        residuals, squares = spread.residuals, spread.squares
        # Constant targets: 1 - sign(residuals) is 1 for an exact prediction and 0 for others.
        unexplained = np.divide(residuals, squares, out=np.sign(residuals), where=squares > 0)
        return float(np.mean(1 - unexplained))


def _join(first: _Spread, second: _Spread) -> _Spread:
    weight = first.weight + second.weight
    shift = second.mean - first.mean
    share = second.weight / weight
    return _Spread(
        origin=first.origin,
        positions=first.positions + second.positions,
        weight=weight,
        mean=first.mean + share * shift,
        squares=first.squares + second.squares + np.square(shift) * (share * first.weight),
        residuals=first.residuals + second.residuals,
    )
