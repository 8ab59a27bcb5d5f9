"""The linear (affine) layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

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


class Linear(Layer, type="linear"):
    """An affine map of the last axis, y = x W + b; also called dense or fully connected.

    Shapes: (in,) -> (out,), and (time, in) -> (time, out), each step separately. Parameters: weight (in, out), the
    transpose of torch's, and bias (out,).

    Raises:
        ShapeError: samples that do not have one or two axes, or a last axis without a fixed size.
    """

    streams = True
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
        inputs.dot(context.params["weight"], outputs)
        if self.bias:
            np.add(outputs, context.params["bias"], outputs)
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

    def for_members(self, members: int, shared: bool) -> Layer:
        return LinearMembers(linear=self, members=members, shared=shared)

    def multiply_adds(self, *input_shapes: Shape) -> int:
        *times, in_features = (size or 1 for size in input_shapes[0])
        return in_features * self.out_features * (times[0] if times else 1)


class LinearMembers(Layer, type="linear_members"):
    """A `linear` layer for each member of an ensemble, as one batched product. Not available in specs.

    Shapes: (members, in) -> (members, out), and (members, time, in) -> (members, time, out); with `shared` without the
    first axis of the input. Parameters: weight (members, in, out), bias (members, out).

    Each product reads and writes every member's rows where they lie, in arrays (batch, members, ...): BLAS takes rows
    that are apart, so that nothing is copied.
    """

    scratch_output = True
    output_range = (-math.inf, math.inf)
    linear: Linear
    members: int = field(minimum=1)
    shared: bool = False

    @property
    def stands_for(self) -> Layer:
        return self.linear

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return (self.members, *self.linear.output_shape(self._of_one(input_shapes[0])))

    def _of_one(self, shape: Shape) -> Shape:
        """The shape of one member's input."""
        if self.shared:
            return shape
        if not shape or shape[0] != self.members:
            raise ShapeError(f"expects samples of shape (members, features) with {self.members} members")
        return shape[1:]

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        return {
            name: parameter.for_members(self.members)
            for name, parameter in self.linear.parameters(self._of_one(input_shapes[0])).items()
        }

    def forward(self, context: Context, x: Array) -> Array:
        context.save(x)
        context.output_mask = None
        weight = context.params["weight"]
        steps = x.shape[1:-1] if self.shared else x.shape[2:-1]
        y = context.buffer((len(x), self.members, *steps, weight.shape[-1]))
        np.matmul(self._by_member(x), _for_steps(weight, steps), out=np.swapaxes(y, 0, 1))
        if self.linear.bias:
            np.add(y, _for_steps(context.params["bias"], steps), y)
        return y

    def _by_member(self, x: Array) -> Array:
        """The rows of each member, (members, batch, ..., in); all rows if they are shared."""
        return x if self.shared else np.swapaxes(x, 0, 1)

    def backward(self, context: Context, gradient: Array) -> Array | None:
        (x,) = context.saved
        slopes, rows = np.swapaxes(gradient, 0, 1), self._by_member(x)
        if gradient.ndim > 3:  # steps are rows like others; joining them copies where members are apart
            slopes = slopes.reshape(self.members, -1, slopes.shape[-1])
            rows = rows.reshape(*rows.shape[: 0 if self.shared else 1], -1, rows.shape[-1])
        np.matmul(np.swapaxes(rows, -1, -2), slopes, out=context.grads["weight"])
        if self.linear.bias:
            self._bias_gradient(gradient, slopes, context.grads["bias"])
        if not context.needs_input_gradient:
            return None
        result = context.buffer(x.shape)
        weight = _for_steps(np.swapaxes(context.params["weight"], -1, -2), gradient.shape[2:-1])
        if self.shared:
            return np.add.reduce(np.matmul(np.swapaxes(gradient, 0, 1), weight), axis=0, out=result)
        np.matmul(np.swapaxes(gradient, 0, 1), weight, out=np.swapaxes(result, 0, 1))
        return result

    def _bias_gradient(self, gradient: Array, slopes: Array, out: Array) -> None:
        if gradient.ndim > 3:
            np.add.reduce(slopes, axis=1, out=out)
        else:
            sum_rows(gradient.reshape(len(gradient), out.size), out.reshape(-1))

    def multiply_adds(self, *input_shapes: Shape) -> int:
        return self.members * self.linear.multiply_adds(self._of_one(input_shapes[0]))


def _for_steps(array: Array, steps: Shape) -> Array:
    """A parameter of members, (members, ...), with an axis of 1 behind the first if there are steps."""
    return array[:, None] if steps else array
