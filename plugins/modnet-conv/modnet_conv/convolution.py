"""Convolutions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from modnet.component import Array, Composite, Example, Initializer, Layer, Node, Parameter, Shape, field
from modnet.errors import ShapeError
from modnet.initializers import LecunNormal, Zeros
from modnet_conv.correlation import Correlation, correlate, correlation, correlation_gradients, spread
from modnet_conv.geometry import Padding1d, Padding2d, Padding3d, Window, image_shape, per_axis, place, windows

if TYPE_CHECKING:
    from modnet.context import Context


class Windowed(Layer):
    """A layer that looks at an image through windows. Not named in specs: it is what those are made from.

    Attributes:
        axes: along how many axes the windows move.
    """

    axes: ClassVar[int] = 2
    scratch_output = True

    kernel_size: Any = field(minimum=1)
    stride: Any = field(default=1, minimum=1)
    padding: Any = field(default="valid", minimum=0)
    dilation: Any = field(default=1, minimum=1)

    def windows(self, sizes: Sequence[int]) -> tuple[Window, ...]:
        """The windows along axes of these sizes.

        Raises:
            ShapeError: "expects ...", where not even one fits.
        """
        kernel, stride, dilation = (
            per_axis(value, self.axes) for value in (self.kernel_size, self.stride, self.dilation)
        )
        return windows(tuple(sizes), kernel, stride, dilation, self.padding)

    def counts(self, shape: Shape) -> tuple[int | None, ...]:
        """How many windows there are along each axis of a sample; None where that varies."""
        sizes, _ = image_shape(shape, self.axes)
        # An axis of variable size is as long as it need be while the others are looked at.
        kernel, dilation = per_axis(self.kernel_size, self.axes), per_axis(self.dilation, self.axes)
        enough = [(k - 1) * d + 1 if n is None else n for n, k, d in zip(sizes, kernel, dilation, strict=True)]
        found = self.windows(enough)
        return tuple(None if n is None else window.count for n, window in zip(sizes, found, strict=True))


class Convolution(Windowed):
    """What conv1d, conv2d and conv3d have in common."""

    out_channels: int = field(minimum=1)
    groups: int = field(default=1, minimum=1)
    bias: bool = True
    weight_initializer: Initializer = LecunNormal()
    bias_initializer: Initializer = Zeros()

    def check(self) -> None:
        if self.out_channels % self.groups:
            raise ValueError(
                f"groups = {self.groups} does not divide out_channels = {self.out_channels}; expected a divisor"
            )

    @classmethod
    def examples(cls) -> Sequence[Example]:
        shape = (6, 5, 7)[: cls.axes]
        return (
            Example(cls(out_channels=3, kernel_size=3, padding="same"), ((*shape, 2),)),
            Example(cls(out_channels=4, kernel_size=2, stride=2, groups=2, bias=False), ((*shape, 4),)),
            Example(cls(out_channels=2, kernel_size=2, padding=1, dilation=2), ((*shape, 1),)),
        )

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        _, channels = image_shape(shape, self.axes)
        if channels % self.groups:
            raise ShapeError(f"expects channels that groups = {self.groups} divides")
        return (*self.counts(shape), self.out_channels)

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        _, channels = image_shape(input_shapes[0], self.axes)
        kernel = per_axis(self.kernel_size, self.axes)
        shape = (*kernel, channels // self.groups, self.out_channels)
        fan_out = math.prod(kernel) * self.out_channels // self.groups
        weight = Parameter(shape, self.weight_initializer, fan_out=fan_out)
        if not self.bias:
            return {"weight": weight}
        return {"weight": weight, "bias": Parameter((self.out_channels,), self.bias_initializer, decay=False)}

    def plan(self, x: Array) -> Correlation:
        return correlation(self.windows(x.shape[1:-1]), x.shape[-1], self.out_channels, self.groups, x.dtype)

    def forward(self, context: Context, x: Array) -> Array:
        context.save(x)
        plan = self.plan(x)
        y = context.buffer((len(x), *plan.counts[-self.axes :], self.out_channels))
        correlate(context, plan, x, context.params["weight"], context.params.get("bias"), y)
        return y

    def backward(self, context: Context, gradient: Array) -> Array | None:
        (x,) = context.saved
        if self.bias:
            sum_channels(gradient, context.grads["bias"])
        result = context.buffer(x.shape) if context.needs_input_gradient else None
        weight, of_weight = context.params["weight"], context.grads["weight"]
        correlation_gradients(context, self.plan(x), x, weight, gradient, of_weight, result)
        return result

    def multiply_adds(self, *input_shapes: Shape) -> int:
        (shape,) = input_shapes
        places = math.prod(count or 1 for count in self.counts(shape))
        kernel = math.prod(per_axis(self.kernel_size, self.axes))
        return places * kernel * (image_shape(shape, self.axes)[1] // self.groups) * self.out_channels


def sum_channels(gradient: Array, out: Array) -> None:
    """The sum over all axes but the last; a product with ones is three times as fast as add.reduce."""
    rows = gradient.reshape(-1, gradient.shape[-1])
    np.matmul(np.ones(len(rows), rows.dtype), rows, out=out)


class Conv1d(Convolution, type="conv1d"):
    """Convolution along time: (time, channels) -> (windows, out_channels). For options see conv2d.

    Weight: (kernel_size, channels / groups, out_channels), which is torch's with the axes turned round. Padding on the
    left alone, `padding = [kernel_size - 1, 0]`, is causal: no output depends on a later step.

    Raises:
        ShapeError: samples that are no sequences, or shorter than a window.
    """

    axes = 1
    kernel_size: int = field(minimum=1)
    stride: int = field(default=1, minimum=1)
    padding: Padding1d = field(default="valid", minimum=0)
    dilation: int = field(default=1, minimum=1)


class Conv2d(Convolution, type="conv2d"):
    """Convolution of images: (height, width, channels) -> (windows down, windows across, out_channels).

    y[p, q, o] = bias[o] + sum over i, j, c of x[p * stride + i * dilation, q * stride + j * dilation, c] *
    weight[i, j, c, o], on x with its padding; strictly a correlation, as in all such libraries. Weight: (kernel height,
    kernel width, channels / groups, out_channels), Keras's order; of torch's it is `permute(2, 3, 1, 0)`.

    Source: LeCun et al. 1989, "Backpropagation applied to handwritten zip code recognition".

    Attributes:
        out_channels: how many kernels there are.
        kernel_size, stride, dilation: one number, or [vertical, horizontal].
        padding: zeros around the image: "valid" for none; "same" for ceil(size / stride) windows, with the odd one at
            the bottom and right (TensorFlow's rule; torch has no "same" for strides); a number for every side;
            [vertical, horizontal]; or [[top, bottom], [left, right]].
        groups: the channels are cut into so many parts, each connected to its own part of the outputs.

    Raises:
        ShapeError: samples that are no images, or smaller than a window; channels that `groups` does not divide.
    """

    kernel_size: int | tuple[int, int] = field(minimum=1)
    stride: int | tuple[int, int] = field(default=1, minimum=1)
    padding: Padding2d = field(default="valid", minimum=0)
    dilation: int | tuple[int, int] = field(default=1, minimum=1)


class Conv3d(Convolution, type="conv3d"):
    """Convolution of volumes: (depth, height, width, channels) -> (windows ..., out_channels). For options see conv2d.

    Raises:
        ShapeError: samples that are no volumes, or smaller than a window; channels that `groups` does not divide.
    """

    axes = 3
    kernel_size: int | tuple[int, int, int] = field(minimum=1)
    stride: int | tuple[int, int, int] = field(default=1, minimum=1)
    padding: Padding3d = field(default="valid", minimum=0)
    dilation: int | tuple[int, int, int] = field(default=1, minimum=1)


