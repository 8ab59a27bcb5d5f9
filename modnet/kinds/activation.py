"""Activations: layers whose output has the shape of their input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from modnet.arrays import Array, Shape
from modnet.kinds.layer import Layer

if TYPE_CHECKING:
    from modnet.kinds.context import Context


class Activation(Layer):
    """A layer whose output has the shape of its input.

    An element-wise activation defines `function` and `derivative`; this class makes `forward` and `backward` of them.
    Another one (softmax) overrides `forward` and `backward`, defines `function` as well, and sets
    `elementwise = False`.

    Attributes:
        elementwise: whether `derivative` is defined.
        needs_input: whether `derivative` reads x. If it only reads y, the engine can let the output overwrite the
            input.
    """

    kind = "activation"
    streams = True
    repeats = True
    elementwise: ClassVar[bool] = True
    needs_input: ClassVar[bool] = True

    def function(self, x: Array, out: Array) -> Array:
        """Writes f(x) into `out` and returns it. `out` may be `x` itself."""
        raise NotImplementedError

    def derivative(self, x: Array, y: Array, out: Array) -> Array:
        """Writes f'(x) into `out`, which is neither x nor y, and returns it; y is f(x)."""
        raise NotImplementedError

    def output_shape(self, *input_shapes: Any, **_: Any) -> Shape:
        return cast(Shape, input_shapes[0])

    def for_members(self, members: int, shared: bool) -> Layer | None:
        cls = type(self)
        alone = not shared and self.elementwise and cls.parameters is Layer.parameters and cls.state is Layer.state
        return self if alone else None

    def forward(self, context: Context, *inputs: Any, **_: Any) -> Any:
        (x,) = inputs
        out = x if context.may_overwrite_input else context.buffer(x.shape)
        y = context.do(self.function, x, out)
        if y is not out:  # a call that is repeated would leave `out` as it is, and predict what it predicted before
            raise TypeError("function gives another array; expected that it writes into out and returns it")
        context.save(x if self.needs_input else None, y)
        return y

    def backward(self, context: Context, gradient: Array) -> Any:
        x, y = context.saved
        # Not into `gradient`: the derivative is written first, and the gradient is needed after that.
        slope = self.derivative(x, y, context.buffer(y.shape))
        return np.multiply(gradient, slope, out=slope)
