"""The linear (affine) layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array, Shape, sum_rows
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.initializers import LecunNormal, Zeros
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer, Parameter

if TYPE_CHECKING:
    from modnet.kinds.context import Context


def as_rows(array: Array) -> Array:
    """The array with all axes before the last joined: one large product instead of a small one for each sample."""
    return array if array.ndim == 2 else array.reshape(-1, array.shape[-1])


def with_bias(layer: Any, weight: Array, bias: Array) -> tuple[Layer, dict[str, Array]]:
    """The layer with these parameters, with the outputs last; it has a bias if it had one, or if this one is not 0."""
    if not layer.bias and not np.any(bias):
        return layer, {"weight": weight}
    return layer.replace(bias=True), {"weight": weight, "bias": np.broadcast_to(bias, weight.shape[-1:])}


class Linear(Layer, type="linear"):
    """An affine map of the last axis, y = x W + b; also called dense or fully connected.

    Shapes: (in,) -> (out,), and (time, in) -> (time, out), each step separately. Parameters: weight (in, out), the
    transpose of torch's, and bias (out,).

    Attributes:
        out_features: the size of the last axis of the output.
        bias: whether b is added.
        weight_initializer: of W.
        bias_initializer: of b.

    Raises:
        ShapeError: samples that do not have one or two axes, or a last axis without a fixed size.
    """

    streams = True
    repeats = True
    scratch_output = True
    output_range = (-math.inf, math.inf)
    out_features: int = field(minimum=1)
    bias: bool = True
    weight_initializer: Initializer = LecunNormal()
    bias_initializer: Initializer = Zeros()

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        if len(shape) not in (1, 2):
            hint = 'put "flatten" or "global_average_pool" between them' if len(shape) > 2 else ""
            raise ShapeError("expects samples of shape (features,) or (time, features)", hint)
        if shape[-1] is None:
            raise ShapeError("expects a last axis (features) of fixed size")
        return (*shape[:-1], self.out_features)

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        in_features = input_shapes[0][-1]
        assert in_features is not None
        weight = Parameter((in_features, self.out_features), self.weight_initializer)
        if not self.bias:
            return {"weight": weight}
        return {"weight": weight, "bias": Parameter((self.out_features,), self.bias_initializer, decay=False)}

    def forward(self, context: Context, x: Array) -> Array:
        context.save(x)
        if x.ndim == 2:
            context.output_mask = None  # a mask (batch, time) applied to the input's last axis, which is mixed here
        y = context.buffer((*x.shape[:-1], self.out_features))
        inputs, outputs = as_rows(x), as_rows(y)
        if len(outputs) == 1:
            # Without an axis of 1 no broadcasting is needed, which takes numpy as long as the addition itself.
            inputs, outputs = inputs[0], outputs[0]
        # The same product as `matmul`, with less overhead in each call.
        context.do(inputs.dot, context.params["weight"], outputs)
        if self.bias:
            context.do(np.add, outputs, context.params["bias"], outputs)
        return y

    def backward(self, context: Context, gradient: Array) -> Array | None:
        (x,) = context.saved
        rows = as_rows(gradient)
        as_rows(x).T.dot(rows, context.grads["weight"])
        if self.bias:
            sum_rows(rows, context.grads["bias"])
        if not context.needs_input_gradient:
            return None
        result = context.buffer(x.shape)
        rows.dot(context.params["weight"].T, as_rows(result))
        return result

    def with_scaled_output(
        self, params: Mapping[str, Array], scale: Array, shift: Array
    ) -> tuple[Layer, dict[str, Array]] | None:
        return with_bias(self, params["weight"] * scale, params.get("bias", 0.0) * scale + shift)

    def with_scaled_input(
        self, params: Mapping[str, Array], scale: Array, shift: Array
    ) -> tuple[Layer, dict[str, Array]] | None:
        if type(self).forward is not Linear.forward:  # a subclass may multiply its weight by something
            return None
        weight = params["weight"]
        scale, shift = (np.broadcast_to(part, len(weight)) for part in (scale, shift))
        return with_bias(self, weight * scale[:, None], params.get("bias", 0.0) + shift @ weight)

    def multiply_adds(self, *input_shapes: Shape) -> int:
        *times, in_features = (size or 1 for size in input_shapes[0])
        return in_features * self.out_features * (times[0] if times else 1)
