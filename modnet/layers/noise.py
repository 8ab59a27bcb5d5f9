"""Layers that add noise in training, and do nothing in prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.kinds.layer import Layer
from modnet.kinds.schedule import Schedule

if TYPE_CHECKING:
    from modnet.kinds.context import Context


MOST = 0.99
"""The highest rate that a schedule can give dropout: at 1 the factor 1 / (1 - rate) would be infinite."""


class Dropout(Layer, type="dropout"):
    """In training each element is 0 with probability `rate`, and otherwise divided by 1 - rate ("inverted" dropout).

    In prediction, and for a rate of 0, it is the identity, and returns x itself.

    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting", which scales in
    prediction instead; the expectations are the same.

    Attributes:
        rate: the probability.
        schedule: a factor of the rate for every step of training, for example one that begins at 0. The product is
            clipped to [0, 0.99].
    """

    streams = True
    repeats = True
    draws = True
    rate: float = field(default=0.5, minimum=0.0, below=1.0)
    schedule: Schedule | None = None

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return input_shapes[0]

    def for_members(self, members: int, shared: bool) -> Layer | None:
        return None if shared else self

    def scale_and_shift(self, context: Context) -> tuple[float, float]:
        return 1.0, 0.0

    def forward(self, context: Context, x: Array) -> Array:
        rate = self._rate(context) if context.training else 0.0
        if rate == 0.0:
            context.save(None)
            return x
        factor = context.buffer(x.shape)
        context.rng.random(dtype=factor.dtype.type, out=factor)
        np.greater_equal(factor, rate, out=factor)
        np.multiply(factor, 1 / (1 - rate), out=factor)
        context.save(factor)
        return np.multiply(x, factor, out=context.buffer(x.shape))

    def _rate(self, context: Context) -> float:
        """The rate at this step; without a run, the one of the configuration."""
        progress = None if self.schedule is None else context.progress
        if self.schedule is None or progress is None:
            return self.rate
        return min(max(self.rate * self.schedule.factor(progress), 0.0), MOST)

    def backward(self, context: Context, gradient: Array) -> Array:
        (factor,) = context.saved
        return gradient if factor is None else np.multiply(gradient, factor, out=gradient)


class GaussianNoise(Layer, type="gaussian_noise"):
    """In training adds normal noise, y = x + standard_deviation * N(0, 1); in prediction it returns x itself.

    Attributes:
        standard_deviation: of the noise, in the unit of x.
    """

    streams = True
    repeats = True
    draws = True
    standard_deviation: float = field(default=0.1, minimum=0.0)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return input_shapes[0]

    def for_members(self, members: int, shared: bool) -> Layer | None:
        return None if shared else self

    def scale_and_shift(self, context: Context) -> tuple[float, float]:
        return 1.0, 0.0

    def forward(self, context: Context, x: Array) -> Array:
        if not context.training:
            return x
        y = context.buffer(x.shape)
        context.rng.standard_normal(dtype=y.dtype.type, out=y)
        np.multiply(y, self.standard_deviation, out=y)
        return np.add(y, x, out=y)

    def backward(self, context: Context, gradient: Array) -> Array:
        return gradient
