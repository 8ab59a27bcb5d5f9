"""Losses of vectors along the last axis."""

from __future__ import annotations

import math

import numpy as np

from modnet.arrays import Array, Shape
from modnet.errors import ShapeError
from modnet.kinds.context import Context
from modnet.losses.measured import MeasuredLoss
from modnet.losses.targets import converted, sample_means


class LastAxisLoss(MeasuredLoss):
    """A loss of the vectors along the last axis; a sample's value is the mean over its other axes, the positions."""

    positions = True

    def check_shapes(self, prediction_shape: Shape, target_shape: Shape) -> None:
        if not prediction_shape:
            raise ShapeError(f"{self.type} expects a prediction with at least one axis, such as (n,), found ()")
        super().check_shapes(prediction_shape, target_shape)


class Cosine(LastAxisLoss, type="cosine"):
    """1 - p . t / (|p| |t|): 0 for vectors of the same direction, 2 for opposite ones; mean over positions.

    The vectors are along the last axis; a norm below 1e-8 counts as 1e-8 (as in torch), so that a zero vector has
    similarity 0 to every vector. Shapes: prediction and target (batch, ..., features). Vectors of one number
    are refused: their direction is only a sign, and the gradient is 0.
    """

    EPSILON = 1e-8

    def target_shapes(self, prediction_shape: Shape) -> tuple[Shape, ...]:
        if prediction_shape[-1:] == (1,):
            raise ShapeError(
                f"cosine cannot train a single unit, found a prediction of shape {prediction_shape}",
                "use mse, or give the network as many units as the vectors have numbers",
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
        # d(-u . t)/dp = (u (u . t) - t) / |p| for u = p / |p|. Where the norm is clamped to EPSILON it is a constant,
        # and the first term vanishes.
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
