"""Compiled kernels for training (see modnet/plugins/kernels.py): none if numba (extra `numba`) is not installed."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array
from modnet.threads import share
from modnet_conv.convolution import sum_channels
from modnet_conv.geometry import Window, per_axis
from modnet_conv.pooling import shares_of

if TYPE_CHECKING:
    from modnet.kinds.context import Context

Method = Callable[..., Any]


def available() -> bool:
    """Whether the loops can be compiled."""
    return find_spec("numba") is not None


def compiled(make: Callable[[Any, ModuleType], Method]) -> Callable[[Any, np.dtype[Any]], Method | None]:
    """What an entry point names, made of (layer, the module of the loops) -> kernel."""

    @wraps(make)
    def maker(layer: Any, dtype: np.dtype[Any]) -> Method | None:
        return make(layer, import_module("modnet_conv.loops")) if available() else None

    return maker


WORTH_SHARING = 1 << 20
"""The bytes of input from which a batch is shared between two threads: waking the second takes some microseconds."""


def in_halves(x: Array, work: Callable[[slice, int], object]) -> None:
    """Calls work(samples, number) for the first half of a batch and the second, shared between two threads.

    A batch that is not worth it is one half, number 0.
    """
    if len(x) < 2 or x.nbytes < WORTH_SHARING:
        work(slice(None), 0)
        return
    middle = len(x) // 2
    share(lambda: work(slice(0, middle), 0), lambda: work(slice(middle, None), 1))


def places(windows: Any) -> tuple[int, ...]:
    """What the loops take: top and left padding, strides."""
    down, across = windows
    return (down.before, across.before, down.stride, across.stride)


RUN = 1024
"""Elements that a depthwise convolution goes over at once: so few that the weights of all places stay in the cache."""


def run_of(window: Window, channels: int) -> int:
    """The windows along a line that a depthwise convolution goes over at once: one, where they are not side by side."""
    if window.stride > 1:
        return 1
    return math.ceil(window.count / math.ceil(window.count * channels / RUN))


def by_column(context: Context, layer: Any, lines: Array) -> Array:
    """The lines of a depthwise convolution with the places in a window column by column, (places, elements)."""
    rows, columns = per_axis(layer.kernel_size, 2)
    found = context.buffer((columns, rows, *lines.shape[1:]))
    np.copyto(found, lines.reshape(rows, columns, *lines.shape[1:]).swapaxes(0, 1))
    return found.reshape(len(lines), -1)


@compiled
def depthwise_forward(layer: Any, loops: Any) -> Method:
    def forward(context, x):
        windows = layer.windows(x.shape[1:-1])
        context.save(x.shape, x := np.ascontiguousarray(layer.repeated(context, x)))
        y = context.buffer((len(x), *(window.count for window in windows), x.shape[-1]))
        run = run_of(windows[1], x.shape[-1])
        lines = by_column(context, layer, layer.lines(context, run))
        bias = np.tile(context.params["bias"], run) if layer.bias else np.zeros(lines.shape[1], x.dtype)
        rest = (*places(windows), *(window.dilation for window in windows))
        kernel = per_axis(layer.kernel_size, 2)
        in_halves(x, lambda half, _: loops.depthwise(x[half], lines, bias, *kernel, *rest, y[half]))
        return y

    return forward


@compiled
def depthwise_backward(layer: Any, loops: Any) -> Method:
    def backward(context, gradient):
        shape, x = context.saved
        windows = layer.windows(shape[1:-1])
        gradient, x = np.ascontiguousarray(gradient), np.ascontiguousarray(x)
        if layer.bias:
            sum_channels(gradient, context.grads["bias"])
        top, left, *strides = places(windows)
        dilations = [window.dilation for window in windows]
        weight = context.grads["weight"]
        run = run_of(windows[1], x.shape[-1])
        of_lines = context.buffer((2, *weight.shape[:2], run * x.shape[-1]))
        of_lines.fill(0)

        def to_weight(half, number):
            arrays = x[half], gradient[half], top, left
            if windows[1].stride == 1:
                loops.depthwise_weight_gradient(*arrays, strides[0], *dilations, of_lines[number])
            else:
                loops.depthwise_weight_gradient_by_pixel(*arrays, *strides, *dilations, of_lines[number])

        in_halves(x, to_weight)
        by_pixel = of_lines.reshape(2, *weight.shape[:2], run, x.shape[-1])
        np.add.reduce(by_pixel, axis=(0, 3), out=weight)
        if not context.needs_input_gradient:
            return None
        result = context.buffer(x.shape)
        if windows[0].stride == windows[1].stride == 1:
            mirror = tuple(window.mirrored() for window in windows)
            lines = by_column(context, layer, layer.lines(context, run_of(mirror[1], x.shape[-1]))[::-1])
            bias = np.zeros(lines.shape[1], x.dtype)
            back = (*weight.shape[:2], *places(mirror), *(window.dilation for window in mirror))

            def to_input(half, _):
                loops.depthwise(gradient[half], lines, bias, *back, result[half])
        else:
            lines = layer.lines(context, 1).reshape(weight.shape)

            def to_input(half, _):
                loops.depthwise_input_gradient(gradient[half], lines, top, left, *strides, *dilations, result[half])

        in_halves(x, to_input)
        return layer.summed(context, result, shape)

    return backward


@compiled
def max_pool_forward(layer: Any, loops: Any) -> Method:
    def forward(context, x):
        windows = layer.windows(x.shape[1:-1])
        x = np.ascontiguousarray(x)
        y = context.buffer((len(x), *(window.count for window in windows), x.shape[-1]))
        context.save(x, y)
        rest = (*(window.kernel for window in windows), *places(windows))
        in_halves(x, lambda half, _: loops.max_pool(x[half], *rest, y[half]))
        return y

    return forward


@compiled
def max_pool_backward(layer: Any, loops: Any) -> Method:
    def backward(context, gradient):
        x, y = context.saved
        if not context.needs_input_gradient:
            return None
        windows = layer.windows(x.shape[1:-1])
        x, gradient = np.ascontiguousarray(x), np.ascontiguousarray(gradient)
        result = context.buffer(x.shape)
        rest = (*(window.kernel for window in windows), *places(windows))
        in_halves(x, lambda half, _: loops.max_pool_gradient(x[half], y[half], gradient[half], *rest, result[half]))
        return result

    return backward


@compiled
def average_pool_forward(layer: Any, loops: Any) -> Method:
    def forward(context, x):
        windows = layer.windows(x.shape[1:-1])
        x = np.ascontiguousarray(x)
        y = context.buffer((len(x), *(window.count for window in windows), x.shape[-1]))
        context.save(x.shape)
        shares = shares_of(windows, layer.count_padding, x.dtype)
        rest = (shares, *(window.kernel for window in windows), *places(windows))
        in_halves(x, lambda half, _: loops.average_pool(x[half], *rest, y[half]))
        return y

    return forward


@compiled
def average_pool_backward(layer: Any, loops: Any) -> Method:
    def backward(context, gradient):
        (shape,) = context.saved
        if not context.needs_input_gradient:
            return None
        windows = layer.windows(shape[1:-1])
        gradient = np.ascontiguousarray(gradient)
        result = context.buffer(shape)
        shares = shares_of(windows, layer.count_padding, gradient.dtype)
        rest = (shares, *(window.kernel for window in windows), *places(windows))
        in_halves(result, lambda half, _: loops.average_pool_gradient(gradient[half], *rest, result[half]))
        return result

    return backward
