"""Activations with a kink or a straight part, and the identity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from modnet.activations.blocks import at_least, at_most, in_blocks, pieces_with_bound
from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.initializers import Constant
from modnet.kinds.activation import Activation
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Parameter

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class Identity(Activation, type="identity"):
    """y = x."""

    repeats = True
    needs_input = False
    keeps_numbers = True

    def function(self, x: Array, out: Array) -> Array:
        np.copyto(out, x)
        return out

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        out.fill(1)
        return out

    def scale_and_shift(self, context: Context) -> tuple[float, float]:
        return 1.0, 0.0

    def forward(self, context: Context, x: Array) -> Array:
        return x

    def backward(self, context: Context, gradient: Array) -> Array:
        return gradient


class ReLU(Activation, type="relu"):
    """The rectified linear unit, y = max(x, 0)."""

    repeats = True
    needs_input = False
    output_range = (0.0, math.inf)

    def function(self, x: Array, out: Array) -> Array:
        return at_least(x, 0.0, out)

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        return np.greater(y, 0, out=out)

    def forward(self, context: Context, x: Array) -> Array:
        if type(self).function is not ReLU.function:  # of a class made from this one
            y: Array = super().forward(context, x)
            return y
        y = x if context.may_overwrite_input else context.buffer(x.shape)
        for seen, bound, piece in pieces_with_bound(x, 0.0, y):
            context.do(np.maximum, seen, bound, out=piece)
        context.save(None, y)
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        _, y = context.saved
        positive = np.greater(y, 0, out=context.buffer(y.shape, bool))
        gradient *= positive
        return gradient


class LeakyReLU(Activation, type="leaky_relu"):
    """y = x where x > 0, negative_slope * x elsewhere.

    Source: Maas, Hannun and Ng 2013, "Rectifier nonlinearities improve neural network acoustic models"; the slope of
    0.01 is theirs.

    Attributes:
        negative_slope: the slope where x is negative.
    """

    needs_input = False
    output_range = (-math.inf, math.inf)
    negative_slope: float = field(default=0.01, minimum=0.0, maximum=1.0)

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        return np.maximum(x, x * self.negative_slope, out=out)

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        np.greater(y, 0, out=out)
        return np.maximum(out, self.negative_slope, out=out)


class PReLU(Activation, type="prelu"):
    """y = x where x > 0, alpha * x elsewhere, with a trainable alpha for each feature of the last axis.

    Weight decay does not apply to alpha: it would pull it towards relu.

    Source: He et al. 2015, arXiv:1502.01852, section 2.1, with its initial value 0.25.

    Attributes:
        shared: one alpha for all features (torch's default) instead of one for each (as in the paper).
        alpha_initializer: of alpha.

    Raises:
        ShapeError: the last axis is variable, and alpha is not `shared`.
    """

    elementwise = False
    repeats = True
    scratch_output = True
    output_range = (-math.inf, math.inf)
    shared: bool = False
    alpha_initializer: Initializer = Constant(0.25)

    @property
    def featurewise(self) -> bool:  # type: ignore[override]
        return not self.shared

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        features = input_shapes[0][-1:]
        if self.shared:
            return {"alpha": Parameter((), self.alpha_initializer, decay=False)}
        if not features or features[0] is None:
            raise ShapeError(
                "expects a last axis of fixed size, for one alpha for each feature", "or set shared = true"
            )
        return {"alpha": Parameter((features[0],), self.alpha_initializer, decay=False)}

    def forward(self, context: Context, x: Array) -> Array:
        # max(x, 0) + alpha * min(x, 0), and not max(x, alpha * x): alpha may become negative or greater than 1.
        negative = context.do(at_most, x, 0.0, context.buffer(x.shape))
        context.do(np.multiply, negative, context.params["alpha"], out=negative)
        context.save(x)
        y: Array = context.do(at_least, x, 0.0, x if context.may_overwrite_input else context.buffer(x.shape))
        context.do(np.add, y, negative, out=y)
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        x: Array = context.saved[0]
        alpha = context.params["alpha"]
        slope = at_most(x, 0.0, context.buffer(x.shape))
        np.multiply(slope, gradient, out=slope)
        np.add.reduce(slope, axis=None if self.shared else tuple(range(x.ndim - 1)), out=context.grads["alpha"])
        # alpha where x <= 0, and exactly 1 elsewhere.
        positive = np.greater(x, 0, out=context.buffer(x.shape, bool))
        np.logical_not(positive, out=slope)
        np.multiply(slope, alpha, out=slope)
        np.add(slope, positive, out=slope)
        slope *= gradient
        return slope


def exponential_linear(x: Array, scale: float, alpha: float, out: Array) -> Array:
    """scale * (x where x > 0, alpha * (exp(x) - 1) elsewhere)."""
    negative = at_most(x, 0.0, np.empty_like(x))
    np.expm1(negative, out=negative)
    np.multiply(negative, alpha, out=negative)
    at_least(x, 0.0, out)
    np.add(out, negative, out=out)
    return out if scale == 1.0 else np.multiply(out, scale, out=out)


def exponential_linear_slope(y: Array, scale: float, alpha: float, out: Array) -> Array:
    """The derivative of `exponential_linear`: scale where y > 0, y + scale * alpha elsewhere.

    As min(y, 0) + scale * alpha, plus the difference to `scale` where y > 0: without branches.
    """
    positive = np.greater(y, 0, out=np.empty_like(y))
    np.multiply(positive, scale - scale * alpha, out=positive)
    at_most(y, 0.0, out)
    np.add(out, scale * alpha, out=out)
    return np.add(out, positive, out=out)


class ELU(Activation, type="elu"):
    """The exponential linear unit: y = x where x > 0, alpha * (exp(x) - 1) elsewhere.

    Source: Clevert, Unterthiner and Hochreiter 2015, arXiv:1511.07289.

    Attributes:
        alpha: y goes to -alpha for very negative x.
    """

    needs_input = False
    output_range = (-math.inf, math.inf)
    alpha: float = field(default=1.0, minimum=0.0)

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        return exponential_linear(x, 1.0, self.alpha, out)

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        return exponential_linear_slope(y, 1.0, self.alpha, out)


SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772


class SELU(Activation, type="selu"):
    """The elu that keeps mean 0 and variance 1 from layer to layer, with `lecun_normal` weights.

    y = scale * x where x > 0, scale * alpha * (exp(x) - 1) elsewhere; scale = 1.0507..., alpha = 1.6732...

    Source: Klambauer et al. 2017, arXiv:1706.02515, equation 14.
    """

    needs_input = False
    output_range = (-SELU_SCALE * SELU_ALPHA, math.inf)

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        return exponential_linear(x, SELU_SCALE, SELU_ALPHA, out)

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        return exponential_linear_slope(y, SELU_SCALE, SELU_ALPHA, out)


class HardSigmoid(Activation, type="hard_sigmoid"):
    """y = min(max(x + 3, 0), 6) / 6, a sigmoid of three straight pieces.

    This is torch's and that of Howard et al. 2019, arXiv:1905.02244. (Keras before version 3 had a slope of 0.2.)
    """

    needs_input = False
    output_range = (0.0, 1.0)

    def function(self, x: Array, out: Array) -> Array:
        np.add(x, 3, out=out)
        at_least(out, 0.0, out)
        at_most(out, 6.0, out)
        return np.divide(out, 6, out=out)

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        np.greater(y, 0, out=out)
        np.multiply(out, y < 1, out=out)
        return np.divide(out, 6, out=out)


class HardSwish(Activation, type="hard_swish"):
    """y = x * min(max(x + 3, 0), 6) / 6.

    Source: Howard et al. 2019, arXiv:1905.02244, section 5.2; torch's is the same.
    """

    scratch_output = True
    output_range = (-0.375, math.inf)

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        return np.multiply(x, HardSigmoid().function(x, np.empty_like(x)), out=out)

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        # 0 up to -3, x / 3 + 1/2 between, 1 from 3 on
        np.divide(x, 3, out=out)
        np.add(out, 0.5, out=out)
        np.multiply(out, np.abs(x) < 3, out=out)
        return np.add(out, x >= 3, out=out)
