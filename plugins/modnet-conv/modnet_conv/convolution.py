"""Convolutions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from modnet.arrays import Array, Shape, sum_rows
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.initializers import LecunNormal, Zeros
from modnet.kinds.component import Example
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer, Parameter
from modnet.kinds.node import Composite, Node
from modnet.layers import linear
from modnet_conv import masks
from modnet_conv.correlation import Correlation, correlate, correlation, correlation_gradients, spread
from modnet_conv.geometry import (
    AXES,
    Padding1d,
    Padding2d,
    Padding3d,
    Window,
    image_shape,
    margins,
    padded_size,
    per_axis,
    windows,
)
from modnet_conv.parts import Parts, crop, taps

if TYPE_CHECKING:
    from modnet.kinds.context import Context


MANY = 1 << 20
"""A size that stands for a variable one where only the others matter."""


class Windowed(Layer):
    """A layer that looks at an image through windows. Not named in specs: it is what those are made from.

    Attributes:
        axes: along how many axes the windows move.
    """

    axes: ClassVar[int] = 2
    repeats = True
    scratch_output = True

    kernel_size: Any = field(minimum=1)
    stride: Any = field(default=1, minimum=1)
    padding: Any = field(default="valid", minimum=0)
    dilation: Any = field(default=1, minimum=1)

    def windows(self, sizes: Sequence[int]) -> tuple[Window, ...]:
        """The windows along axes of these sizes.

        Raises:
            ShapeError: "expects ...", if not even one fits.
        """
        kernel, stride, dilation = (
            per_axis(value, self.axes) for value in (self.kernel_size, self.stride, self.dilation)
        )
        return windows(tuple(sizes), kernel, stride, dilation, self.padding)

    def counts(self, shape: Shape) -> tuple[int | None, ...]:
        """How many windows there are along each axis of a sample; None where that varies."""
        sizes, _ = image_shape(shape, self.axes)
        found = self.windows([MANY if size is None else size for size in sizes])
        return tuple(None if n is None else window.count for n, window in zip(sizes, found, strict=True))

    def scratch_size(self, *input_shapes: Shape) -> int:
        sizes, channels = image_shape(input_shapes[0], self.axes)
        return padded_size(self.windows([size or 0 for size in sizes]), channels)


def check_groups(groups: int, out_channels: int) -> None:
    """A layer's rule, where `groups` cuts the outputs into parts.

    Raises:
        ValueError: it does not divide them.
    """
    if out_channels % groups:
        raise ValueError(f"groups = {groups} does not divide out_channels = {out_channels}; expected a divisor")


def grouped_shape(shape: Shape, axes: int, groups: int) -> tuple[Shape, int]:
    """The sizes of a sample's axes, and its channels, which `groups` cuts into parts.

    Raises:
        ShapeError: "expects ...", for no image, or channels that cannot be cut so.
    """
    sizes, channels = image_shape(shape, axes)
    if channels % groups:
        raise ShapeError(f"expects channels that groups = {groups} divides")
    return sizes, channels


def with_bias(layer: Any, weight: Parameter, outputs: int) -> Mapping[str, Parameter]:
    """The parameters of a layer that has a weight and, if its field `bias` is True, a bias."""
    if not layer.bias:
        return {"weight": weight}
    return {"weight": weight, "bias": Parameter((outputs,), layer.bias_initializer, decay=False)}


class Convolution(Windowed):
    """What conv1d, conv2d and conv3d have in common.

    Attributes:
        out_channels: how many kernels there are.
        groups: the channels are cut into this number of parts, each connected to its own part of the outputs.
        bias: whether each output channel has a bias.
        weight_initializer: of the kernels.
        bias_initializer: of the biases.
    """

    # A `Configuration` may have a field without a default behind those with one; type checkers know dataclasses only.
    repeats = True
    output_range = (-math.inf, math.inf)
    out_channels: int = field(minimum=1)  # type: ignore[misc]
    groups: int = field(default=1, minimum=1)
    bias: bool = True
    weight_initializer: Initializer = LecunNormal()
    bias_initializer: Initializer = Zeros()

    def check(self) -> None:
        check_groups(self.groups, self.out_channels)

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
        grouped_shape(shape, self.axes, self.groups)
        return (*self.counts(shape), self.out_channels)

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        _, channels = image_shape(input_shapes[0], self.axes)
        kernel = per_axis(self.kernel_size, self.axes)
        shape = (*kernel, channels // self.groups, self.out_channels)
        fan_out = math.prod(kernel) * self.out_channels // self.groups
        weight = Parameter(shape, self.weight_initializer, fan_out=fan_out)
        return with_bias(self, weight, self.out_channels)

    def plan(self, x: Array) -> Correlation:
        return correlation(self.windows(x.shape[1:-1]), x.shape[-1], self.out_channels, self.groups, x.dtype)

    def with_scaled_output(
        self, params: Mapping[str, Array], scale: Array, shift: Array
    ) -> tuple[Layer, dict[str, Array]] | None:
        return linear.with_bias(self, params["weight"] * scale, params.get("bias", 0.0) * scale + shift)

    def with_scaled_input(
        self, params: Mapping[str, Array], scale: Array, shift: Array
    ) -> tuple[Layer, dict[str, Array]] | None:
        weight = params["weight"]
        if (np.any(shift) and not self._sees_itself_alone()) or (self.groups > 1 and (scale.ndim or shift.ndim)):
            return None
        scale, shift = (np.broadcast_to(part, weight.shape[-2]) for part in (scale, shift))
        further = (weight * shift[:, None]).reshape(-1, self.out_channels).sum(axis=0)
        return linear.with_bias(self, weight * scale[:, None], params.get("bias", 0.0) + further)

    def _sees_itself_alone(self) -> bool:
        """Whether no window meets a zero that is not in the image: padding, or a step that a mask leaves out."""
        return self.axes > 1 and all(max(sides) <= 0 for sides in margins(self.padding, self.axes) or ((1, 1),))

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
    """Writes the sum over all axes but the last."""
    sum_rows(gradient.reshape(-1, gradient.shape[-1]), out)


class MaskedConvolution(Convolution):  # type: ignore[misc]
    """A convolution along time that takes steps which a mask leaves out for zeros. Not named in specs."""

    axes = 1
    repeats = True

    def forward(self, context: Context, x: Array) -> Array:
        mask = masks.begin(context, self.windows(x.shape[1:-1])[0], self.padding)
        return super().forward(context, masks.filled(context, x, mask))

    def backward(self, context: Context, gradient: Array) -> Array | None:
        result = super().backward(context, gradient)
        (mask,) = context.masks
        if result is not None and mask is not None:
            np.multiply(result, mask[..., None], out=result)
        return result


class Conv1d(masks.OwnEnds, MaskedConvolution, type="conv1d"):  # type: ignore[misc]
    """Convolution along time: (time, channels) -> (windows, out_channels). For options see conv2d.

    Weight: (kernel_size, channels / groups, out_channels), which is torch's with its axes in reverse order. Padding on
    only the left, `padding = [kernel_size - 1, 0]`, is causal: no output depends on a later step.

    Steps that a mask leaves out count as zeros, like padding. A sequence that ends early gives as many windows as it
    would by itself; the output's mask says which.

    Attributes:
        kernel_size: how many steps a window has.
        stride: steps from window to window.
        padding: zeros around the sequence: "valid" for none; "same" for ceil(steps / stride) windows; a number for both
            ends; or [before, after].
        dilation: steps from one step of a window to the next.

    Raises:
        ShapeError: samples that are no sequences, or shorter than a window.
    """

    output_range = (-math.inf, math.inf)
    kernel_size: int = field(minimum=1)
    stride: int = field(default=1, minimum=1)
    padding: Padding1d = field(default="valid", minimum=0)
    dilation: int = field(default=1, minimum=1)


class Conv2d(Convolution, type="conv2d"):  # type: ignore[misc]
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
        groups: the channels are cut into this number of parts, each connected to its own part of the outputs.

    Raises:
        ShapeError: samples that are no images, or smaller than a window; channels that `groups` does not divide.
    """

    kernel_size: int | tuple[int, int] = field(minimum=1)
    stride: int | tuple[int, int] = field(default=1, minimum=1)
    padding: Padding2d = field(default="valid", minimum=0)
    dilation: int | tuple[int, int] = field(default=1, minimum=1)


class Conv3d(Convolution, type="conv3d"):  # type: ignore[misc]
    """Convolution of volumes: (depth, height, width, channels) -> (windows ..., out_channels). For options see conv2d.

    Attributes:
        kernel_size, stride, dilation: one number, or [depth, vertical, horizontal].
        padding: zeros around the volume, as of conv2d.

    Raises:
        ShapeError: samples that are no volumes, or smaller than a window; channels that `groups` does not divide.
    """

    axes = 3
    kernel_size: int | tuple[int, int, int] = field(minimum=1)
    stride: int | tuple[int, int, int] = field(default=1, minimum=1)
    padding: Padding3d = field(default="valid", minimum=0)
    dilation: int | tuple[int, int, int] = field(default=1, minimum=1)


class DepthwiseConv2d(Windowed, type="depthwise_conv2d"):
    """Convolution of each channel by itself: (height, width, channels) -> (..., channels * depth_multiplier).

    Output k of channel c has the index c * depth_multiplier + k. Weight: (kernel height, kernel width, channels *
    depth_multiplier). The same as a conv2d with groups = channels, and faster.

    Source: Sifre 2014, "Rigid-motion scattering for image classification"; Chollet 2017, arXiv:1610.02357.

    Attributes:
        kernel_size, stride, padding, dilation: as of conv2d.
        depth_multiplier: how many outputs each channel has.
        bias: whether each output channel has a bias.
        weight_initializer: of the kernels.
        bias_initializer: of the biases.

    Raises:
        ShapeError: samples that are no images, or smaller than a window.
    """

    repeats = True
    output_range = (-math.inf, math.inf)
    kernel_size: int | tuple[int, int] = field(minimum=1)
    stride: int | tuple[int, int] = field(default=1, minimum=1)
    padding: Padding2d = field(default="valid", minimum=0)
    dilation: int | tuple[int, int] = field(default=1, minimum=1)
    depth_multiplier: int = field(default=1, minimum=1)
    bias: bool = True
    weight_initializer: Initializer = LecunNormal()
    bias_initializer: Initializer = Zeros()

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (
            Example(cls(kernel_size=3, padding="same"), ((6, 5, 4),)),
            Example(cls(kernel_size=(2, 3), stride=2, depth_multiplier=2, bias=False), ((6, 5, 3),)),
        )

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        return (*self.counts(shape), image_shape(shape, 2)[1] * self.depth_multiplier)

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        outputs = image_shape(input_shapes[0], 2)[1] * self.depth_multiplier
        kernel = per_axis(self.kernel_size, 2)
        size = math.prod(kernel)
        fan_out = size * self.depth_multiplier
        weight = Parameter((*kernel, outputs), self.weight_initializer, fan_in=size, fan_out=fan_out)
        return with_bias(self, weight, outputs)

    def repeated(self, context: Context, x: Array) -> Array:
        """x with as many copies of each channel as it has outputs, next to each other."""
        if self.depth_multiplier == 1:
            return x
        copies = context.buffer((*x.shape, self.depth_multiplier))
        context.do(np.copyto, copies, x[..., None])
        return copies.reshape(*x.shape[:-1], x.shape[-1] * self.depth_multiplier)

    def summed(self, context: Context, gradient: Array, shape: tuple[int, ...]) -> Array:
        """The gradient of x, of that shape, from that of its repeated channels."""
        if self.depth_multiplier == 1:
            return gradient
        copies = gradient.reshape(*shape, self.depth_multiplier)
        return np.add.reduce(copies, axis=-1, out=context.buffer(shape))

    def lines(self, context: Context, count: int) -> Array:
        """The weight of each place in a window, repeated along a line: numpy is fast on long lines only."""
        weight = context.params["weight"]
        lines = context.buffer((weight.shape[0] * weight.shape[1], count, weight.shape[-1]))
        context.do(np.copyto, lines, weight.reshape(-1, 1, weight.shape[-1]))
        return lines

    def with_scaled_output(
        self, params: Mapping[str, Array], scale: Array, shift: Array
    ) -> tuple[Layer, dict[str, Array]] | None:
        return linear.with_bias(self, params["weight"] * scale, params.get("bias", 0.0) * scale + shift)

    def forward(self, context: Context, x: Array) -> Array:
        windows = self.windows(x.shape[1:-1])
        context.save(x.shape, x := self.repeated(context, x))
        y = context.buffer((len(x), *(window.count for window in windows), x.shape[-1]))
        lines = self.lines(context, windows[1].count)
        parts = Parts(context, x, windows)
        products = context.buffer((parts.samples, *y.shape[1:]))
        for samples, padded in parts.each(context.do):
            out = y[samples]
            for number, (seen, line) in enumerate(zip(taps(padded, windows), lines, strict=True)):
                product = context.do(np.multiply, seen, line, products[: len(out)] if number else out)
                if number:
                    context.do(np.add, out, product, out)
            if self.bias:
                context.do(np.add, out, context.params["bias"], out)
        return y

    def backward(self, context: Context, gradient: Array) -> Array | None:
        shape, x = context.saved
        windows = self.windows(shape[1:-1])
        if self.bias:
            sum_channels(gradient, context.grads["bias"])
        of_weight = context.grads["weight"].reshape(-1, x.shape[-1])
        of_weight.fill(0)
        result = context.buffer(x.shape) if context.needs_input_gradient else None
        lines = self.lines(context, windows[1].count)
        parts = Parts(context, x, windows)
        products = context.buffer((parts.samples, *gradient.shape[1:]))
        spread_out = context.buffer(parts.shape)
        sums = context.buffer(x.shape[-1:])
        for samples, padded in parts:
            part = gradient[samples]
            product = products[: len(part)]
            for total, seen in zip(of_weight, taps(padded, windows), strict=True):
                np.multiply(seen, part, out=product)
                sum_channels(product, sums)
                np.add(total, sums, out=total)
            if result is not None:
                target = spread_out[: len(part)]
                target.fill(0)
                for line, seen in zip(lines, taps(target, windows), strict=True):
                    np.multiply(part, line, out=product)
                    np.add(seen, product, out=seen)
                crop(result[samples], target, windows)
        return None if result is None else self.summed(context, result, shape)

    def multiply_adds(self, *input_shapes: Shape) -> int:
        *counts, outputs = self.output_shape(*input_shapes)
        return math.prod(count or 1 for count in (*counts, outputs, *per_axis(self.kernel_size, 2)))


class SeparableConv2d(Composite, type="separable_conv2d"):
    """A depthwise convolution and one of single elements: (height, width, channels) -> (..., out_channels).

    It stands for two nodes, `depthwise` (a depthwise_conv2d without bias) and `pointwise` (a conv2d of kernel size 1).

    Source: Chollet 2017, arXiv:1610.02357.

    Attributes:
        out_channels: of the pointwise convolution.
        kernel_size, stride, padding, dilation, depth_multiplier: of the depthwise one.
        bias: whether the pointwise convolution has one.
        depthwise_initializer: of the kernels of the depthwise one.
        pointwise_initializer: of the kernels of the pointwise one.
    """

    out_channels: int = field(minimum=1)
    kernel_size: int | tuple[int, int] = field(minimum=1)
    stride: int | tuple[int, int] = field(default=1, minimum=1)
    padding: Padding2d = field(default="valid", minimum=0)
    dilation: int | tuple[int, int] = field(default=1, minimum=1)
    depth_multiplier: int = field(default=1, minimum=1)
    bias: bool = True
    depthwise_initializer: Initializer = LecunNormal()
    pointwise_initializer: Initializer = LecunNormal()

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(out_channels=5, kernel_size=3, padding="same", depth_multiplier=2), ((6, 5, 3),)),)

    def expand(self, inputs: Sequence[str]) -> Sequence[Node]:
        depthwise = DepthwiseConv2d(
            kernel_size=self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            depth_multiplier=self.depth_multiplier,
            bias=False,
            weight_initializer=self.depthwise_initializer,
        )
        pointwise = Conv2d(
            out_channels=self.out_channels,
            kernel_size=1,
            bias=self.bias,
            weight_initializer=self.pointwise_initializer,
        )
        return [Node(layer=depthwise, name="depthwise"), Node(layer=pointwise, name="pointwise")]


class ConvTranspose2d(Layer, type="conv_transpose2d"):
    """The transposed map of a convolution: (height, width, channels) -> (larger height, larger width, out_channels).

    The kernel spreads each element over a window of the output; where windows overlap, they are added. Along an axis of
    size n the output has (n - 1) * stride + (kernel_size - 1) * dilation + 1 elements, less the padding, plus
    output_padding; with "same", n * stride.

    Weight: (kernel height, kernel width, out_channels / groups, channels), Keras's order; of torch's it is `permute(2,
    3, 1, 0)`.

    Source: Zeiler et al. 2010, "Deconvolutional networks"; Dumoulin and Visin 2016, arXiv:1603.07285, chapter 4.

    Attributes:
        kernel_size, dilation: one number, or [vertical, horizontal].
        stride: that of the output: one number, or [vertical, horizontal].
        padding: what is cut off the output: "valid" for nothing; "same" for an output of n * stride elements; a number;
            [vertical, horizontal]; or [[top, bottom], [left, right]].
        output_padding: lines that the output has more at the bottom and the right; with explicit padding only.
        groups: the channels are cut into this number of parts, each connected to its own part of the outputs.
        out_channels: how many kernels there are.
        bias: whether each output channel has a bias.
        weight_initializer: of the kernels.
        bias_initializer: of the biases.

    Raises:
        ShapeError: samples that are no images; an output without elements; channels that `groups` does not divide.
    """

    scratch_output = True
    output_range = (-math.inf, math.inf)
    out_channels: int = field(minimum=1)
    kernel_size: int | tuple[int, int] = field(minimum=1)
    stride: int | tuple[int, int] = field(default=1, minimum=1)
    padding: Padding2d = field(default="valid", minimum=0)
    output_padding: int | tuple[int, int] = field(default=0, minimum=0)
    dilation: int | tuple[int, int] = field(default=1, minimum=1)
    groups: int = field(default=1, minimum=1)
    bias: bool = True
    weight_initializer: Initializer = LecunNormal()
    bias_initializer: Initializer = Zeros()

    def check(self) -> None:
        check_groups(self.groups, self.out_channels)
        further, stride = per_axis(self.output_padding, 2), per_axis(self.stride, 2)
        if self.padding == "same" and any(further):
            raise ValueError('output_padding is for explicit padding; padding = "same" gives stride times the input')
        if any(more >= step for more, step in zip(further, stride, strict=True)):
            raise ValueError(f"output_padding = {self.output_padding}: expected less than stride = {self.stride}")

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (
            Example(cls(out_channels=3, kernel_size=3, stride=2, padding="same"), ((4, 3, 2),)),
            Example(cls(out_channels=2, kernel_size=3, stride=2, padding=1, output_padding=1), ((3, 4, 3),)),
            Example(cls(out_channels=4, kernel_size=2, dilation=2, groups=2, bias=False), ((3, 4, 6),)),
        )

    def sizes(self, counts: Sequence[int]) -> tuple[Window, ...]:
        """The windows on the output, one for each element of the input.

        Raises:
            ShapeError: "expects ...", if the output would have no elements.
        """
        explicit = margins(self.padding, 2)
        options = (per_axis(value, 2) for value in (self.kernel_size, self.stride, self.dilation, self.output_padding))
        found = []
        for axis, (count, kernel, stride, dilation, further) in enumerate(zip(counts, *options, strict=True)):
            if count < 1:
                raise ShapeError(f"expects {AXES[2][axis]} of at least 1")
            whole = (count - 1) * stride + (kernel - 1) * dilation + 1
            if explicit is None:
                size = count * stride
                before = max(0, whole - size) // 2
            else:
                before, after = explicit[axis]
                size = whole - before - after + further
            if size < 1:
                raise ShapeError(f"expects a larger {AXES[2][axis]}: with this padding, nothing is left of the output")
            found.append(Window(size, kernel, stride, dilation, before, whole - size - before))
        return tuple(found)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        counts, _ = grouped_shape(shape, 2, self.groups)
        found = self.sizes([MANY if count is None else count for count in counts])
        sizes = (None if count is None else window.size for count, window in zip(counts, found, strict=True))
        return (*sizes, self.out_channels)

    def scratch_size(self, *input_shapes: Shape) -> int:
        *counts, _ = (size or 0 for size in input_shapes[0])
        return padded_size(self.sizes(counts), self.out_channels)

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        _, channels = image_shape(input_shapes[0], 2)
        kernel = per_axis(self.kernel_size, 2)
        size = math.prod(kernel)
        inputs, outputs = channels // self.groups, self.out_channels // self.groups
        weight = Parameter(
            (*kernel, outputs, channels), self.weight_initializer, fan_in=size * inputs, fan_out=size * outputs
        )
        return with_bias(self, weight, self.out_channels)

    def plan(self, x: Array) -> Correlation:
        """That of the convolution which this is the transposed map of."""
        return correlation(self.sizes(x.shape[1:-1]), self.out_channels, x.shape[-1], self.groups, x.dtype)

    def with_scaled_output(
        self, params: Mapping[str, Array], scale: Array, shift: Array
    ) -> tuple[Layer, dict[str, Array]] | None:
        if self.groups > 1 and scale.ndim:
            return None
        weight = params["weight"] * np.broadcast_to(scale, params["weight"].shape[-2])[:, None]
        bias = params.get("bias", 0.0) * scale + shift
        if not self.bias and not np.any(bias):
            return self, {"weight": weight}
        return self.replace(bias=True), {"weight": weight, "bias": np.broadcast_to(bias, self.out_channels)}

    def forward(self, context: Context, x: Array) -> Array:
        context.save(x)
        plan = self.plan(x)
        y = context.buffer((len(x), *plan.sizes, self.out_channels))
        spread(context, plan, x, context.params["weight"], context.params.get("bias"), y)
        return y

    def backward(self, context: Context, gradient: Array) -> Array | None:
        (x,) = context.saved
        plan = self.plan(x)
        if self.bias:
            sum_channels(gradient, context.grads["bias"])
        correlation_gradients(
            context, plan, gradient, context.params["weight"], x, context.grads["weight"], input_gradient=None
        )
        if not context.needs_input_gradient:
            return None
        result = context.buffer(x.shape)
        correlate(context, plan, gradient, context.params["weight"], None, result)
        return result

    def multiply_adds(self, *input_shapes: Shape) -> int:
        *counts, channels = (size or 1 for size in input_shapes[0])
        outputs = self.out_channels // self.groups
        return math.prod((*counts, channels, outputs, *per_axis(self.kernel_size, 2)))
