"""Components for signals: the Haar wavelet transform, an activation for periodic functions, a robust loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from modnet import Activation, Layer, Loss, ShapeError, field

if TYPE_CHECKING:
    from modnet import Context
    from modnet.arrays import Array, Shape

__version__ = "0.1.0"

HALF = math.sqrt(0.5)


class Haar(Layer, type="haar"):
    """The Haar wavelet transform of the time axis, orthonormal.

    One level turns neighbours a, b into their sum and difference, (a + b) / sqrt(2) and (a - b) / sqrt(2); the next
    level does the same to the sums. The output begins with the last level's sums, then come the differences, from the
    coarsest to the finest. Shapes: (time,) and (time, features), to the same; time is a multiple of 2**levels.

    Source: Mallat 1989, "A theory for multiresolution signal decomposition".

    Attributes:
        levels: how often the sums are halved.

    Raises:
        ShapeError: time is variable, or no multiple of 2**levels.
    """

    scratch_output = True
    levels: int = field(default=1, minimum=1)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if len(shape) not in (1, 2):
            raise ShapeError("expects samples of shape (time,) or (time, features)")
        if shape[0] is None or shape[0] % 2**self.levels:
            raise ShapeError(f"expects a time axis of fixed size, a multiple of {2**self.levels} (2**levels)")
        return shape

    def forward(self, context: Context, x: Array) -> Array:
        y = context.buffer(x.shape)
        for _ in range(self.levels):
            even, odd = x[:, 0::2], x[:, 1::2]
            half = even.shape[1]
            np.subtract(even, odd, out=y[:, half : 2 * half])
            x = np.add(even, odd, out=context.buffer(even.shape))
            np.multiply(y[:, half : 2 * half], HALF, out=y[:, half : 2 * half])
            np.multiply(x, HALF, out=x)
        y[:, : x.shape[1]] = x
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        # The transposed of an orthonormal transform is its inverse.
        np.multiply(gradient, HALF, out=gradient)
        size = gradient.shape[1] >> self.levels
        x = gradient[:, :size]
        for level in range(self.levels):
            differences = gradient[:, size : 2 * size]
            size *= 2
            merged = context.buffer((len(gradient), size, *gradient.shape[2:]))
            np.add(x, differences, out=merged[:, 0::2])
            np.subtract(x, differences, out=merged[:, 1::2])
            if level + 1 < self.levels:
                np.multiply(merged, HALF, out=merged)
            x = merged
        return x


class Snake(Activation, type="snake"):
    """x + sin(a x)^2 / a: goes up like the identity, and has a period of pi / a, which it carries beyond the data.

    Source: Ziyin, Hartwig and Ueda 2020, arXiv:2006.08195.

    Attributes:
        a: the frequency.
    """

    a: float = field(default=1.0, above=0.0)

    def forward(self, context: Context, x: Array) -> Array:
        y = np.multiply(x, self.a, out=context.buffer(x.shape))
        np.sin(y, out=y)
        np.square(y, out=y)
        np.divide(y, self.a, out=y)
        context.save(x, y)
        return np.add(y, x, out=y)

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        np.sin(np.multiply(x, 2 * self.a, out=out), out=out)
        return np.add(out, 1, out=out)


class LogCosh(Loss, type="log_cosh"):
    """log(cosh(prediction - target)), the mean over a sample's elements: near 0 half the square, far off the distance.

    Shapes: prediction and target (batch, ...). After `unstandardize` both are in deviations of the target.
    """

    of_residuals = True

    def values(self, prediction: Array, target: Array) -> Array:
        distance = np.abs(prediction - target)
        # log(cosh(r)) = |r| + log(1 + exp(-2 |r|)) - log(2): cosh itself overflows.
        losses = distance + np.log1p(np.exp(-2 * distance)) - math.log(2)
        return losses.mean(axis=tuple(range(1, losses.ndim)))

    def gradient(self, prediction: Array, target: Array) -> Array:
        slope = np.tanh(prediction - target)
        return np.divide(slope, math.prod(prediction.shape[1:]), out=slope)
