"""The activations of RealMLP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modnet.activations import SELU, Mish
from modnet.activations.blocks import in_blocks
from modnet.arrays import Array, Shape, sum_rows
from modnet.initializers import Ones
from modnet.kinds.activation import Activation
from modnet.kinds.component import Example
from modnet.kinds.layer import Parameter
from modnet.layers.row_sample import features_of

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class SmoothClip(Activation, type="smooth_clip"):
    """y = x / sqrt(1 + (x / 3)^2): nearly x around 0, and never beyond -3 and 3, so that outliers do little.

    Source: Holzmüller, Grinsztajn and Steinwart 2024, arXiv:2407.04491, section 3.1.
    """

    output_range = (-3.0, 3.0)

    @in_blocks
    def function(self, x: Array, out: Array) -> Array:
        # With hypot, since the square of a large x would overflow.
        return np.divide(x, np.hypot(1, x / 3), out=out)

    @in_blocks
    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        factor = 1 / np.hypot(1, x / 3)
        np.multiply(factor, factor, out=out)
        return np.multiply(out, factor, out=out)


class Parametric(Activation, type="parametric"):
    """A blend of an activation f and the identity, y = x + alpha (f(x) - x), with a trained alpha for each unit.

    Parameter: alpha (features,), 1 at first.

    Source: Holzmüller, Grinsztajn and Steinwart 2024, arXiv:2407.04491, section 3.2.

    Attributes:
        activation: f, element by element, without parameters.
    """

    elementwise = False
    scratch_output = True
    featurewise = True

    activation: Activation

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(activation=SELU()), ((5,),)), Example(cls(activation=Mish()), ((3, 4),)))

    def check(self) -> None:
        if not self.activation.elementwise:
            raise ValueError(f"activation = {self.activation.type} does not act on each element by itself")

    def output_shape(self, *input_shapes: Shape) -> Shape:
        features_of(input_shapes[0])
        return input_shapes[0]

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        return {"alpha": Parameter((features_of(input_shapes[0]),), Ones())}

    def forward(self, context: Context, x: Array) -> Array:
        f = self.activation.function(x, context.buffer(x.shape))
        difference = np.subtract(f, x, out=context.buffer(x.shape))
        context.save(x, f, difference)
        y = np.multiply(difference, context.params["alpha"], out=context.buffer(x.shape))
        return np.add(y, x, out=y)

    def backward(self, context: Context, gradient: Array) -> Array:
        x, f, difference = context.saved
        features = x.shape[-1]
        alpha = context.params["alpha"]
        np.multiply(difference, gradient, out=difference)
        sum_rows(difference.reshape(-1, features), context.grads["alpha"])
        # 1 + alpha (f' - 1)
        slope = self.activation.derivative(x, f, context.buffer(x.shape))
        slope -= 1
        slope *= alpha
        slope += 1
        return np.multiply(slope, gradient, out=slope)
