"""Losses that take the last axis together."""

from __future__ import annotations

import math

import numpy as np

from modnet.arrays import Array, Shape
from modnet.errors import ShapeError
from modnet.kinds.context import Context
from modnet.losses.measured import MeasuredLoss
from modnet.losses.targets import converted, sample_means


class LastAxisLoss(MeasuredLoss):
    """A loss that takes the last axis together; a sample's value is the mean over the other axes, its positions."""

    positions = True

    def check_shapes(self, prediction_shape: Shape, target_shape: Shape) -> None:
        if not prediction_shape:
            raise ShapeError(f"{self.type} expects a prediction of shape (n,), or with more axes before, found ()")
        super().check_shapes(prediction_shape, target_shape)


class Cosine(LastAxisLoss, type="cosine"):
    """1 - p . t / (|p| |t|): 0 for vectors of one direction, 2 for opposite ones; mean over positions.

    The vectors lie along the last axis; a norm below 1e-8 counts as 1e-8 (as in torch), so that a zero vector has the
    similarity 0 to all. Shapes: prediction and target alike, (batch, ..., features).
    A vector of one number has no direction but its sign, and a gradient of 0: training refuses it.
    """

    EPSILON = 1e-8

    def target_shapes(self, prediction_shape: Shape) -> tuple[Shape, ...]:
        if prediction_shape[-1:] == (1,):
            raise ShapeError(
                f"cosine has nothing to learn from one unit, found a prediction of shape {prediction_shape}",
                "take mse, or give the network as many units as the vectors have numbers",
            )
        return super().target_shapes(prediction_shape)

    def measure(self, context: Context, prediction: Array, target: Array) -> tuple[Array, Array | None]:
        target = converted(context, target, prediction)
        direction = np.divide(target, self._norm(context, target), out=context.buffer(prediction.shape))
        norm = self._norm(context, prediction)
        unit = np.divide(prediction, norm, out=context.buffer(prediction.shape))
        similarity = np.einsum("...i,...i->...", unit, direction, out=context.buffer(norm.shape[:-1]))[..., None]
        distance = np.subtract(1, similarity[..., 0], out=context.buffer(norm.shape[:-1]))
        values = sample_means(distance, context.buffer(norm.shape[:1]))
        # Where the norm is held at its least it does not depend on the prediction.
        depends = np.greater(norm, self.EPSILON, out=context.buffer(norm.shape, np.bool_))
        similarity *= depends
        slope = np.multiply(unit, similarity, out=unit)
        slope -= direction
        slope /= np.multiply(norm, math.prod(prediction.shape[1:-1]), out=norm)
        return values, slope

    def _norm(self, context: Context, vectors: Array) -> Array:
        squares = np.einsum("...i,...i->...", vectors, vectors, out=context.buffer(vectors.shape[:-1]))
        norm: Array = np.sqrt(squares, out=squares)[..., None]
        return np.maximum(norm, self.EPSILON, out=norm)
