"""Compiled kernels for training (see modnet/kernels.py): none where numba, the extra `numba`, is not installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from modnet.component import Array
from modnet_conv.convolution import sum_channels
from modnet_conv.geometry import per_axis
from modnet_conv.pooling import shares_of

Method = Callable[..., Any]


def available() -> bool:
    """Whether the loops can be compiled."""
    return find_spec("numba") is not None


def places(windows: Any) -> tuple[int, ...]:
    """What the loops take: top and left padding, strides."""
    down, across = windows
    return (down.before, across.before, down.stride, across.stride)


def by_place(layer: Any, lines: Array) -> Array:
    """The lines of a depthwise convolution as (kernel height, kernel width, elements of a line)."""
    return lines.reshape(*per_axis(layer.kernel_size, 2), lines.shape[1] * lines.shape[2])


def depthwise_forward(layer: Any, dtype: np.dtype[Any]) -> Method | None:
    if not available():
        return None
    from modnet_conv.loops import depthwise

    def forward(context, x):
        windows = layer.windows(x.shape[1:-1])
        context.save(x.shape, x := np.ascontiguousarray(layer.repeated(context, x)))
        y = context.buffer((len(x), *(window.count for window in windows), x.shape[-1]))
        lines = by_place(layer, layer.lines(context, y.shape[2]))
        bias = np.tile(context.params["bias"], y.shape[2]) if layer.bias else np.zeros(lines.shape[-1], x.dtype)
        depthwise(x, lines, bias, *places(windows), *(window.dilation for window in windows), y)
        return y

    return forward


def depthwise_backward(layer: Any, dtype: np.dtype[Any]) -> Method | None:
    if not available():
        return None
    from modnet_conv.loops import depthwise_gradients

    def backward(context, gradient):
        shape, x = context.saved
        windows = layer.windows(shape[1:-1])
        gradient, x = np.ascontiguousarray(gradient), np.ascontiguousarray(x)
        if layer.bias:
            sum_channels(gradient, context.grads["bias"])
        result = context.buffer(x.shape if context.needs_input_gradient else (0, *x.shape[1:]))
        lines = by_place(layer, layer.lines(context, gradient.shape[2]))
        of_lines = context.buffer(lines.shape)
        dilation = (window.dilation for window in windows)
        depthwise_gradients(x, lines, gradient, *places(windows), *dilation, of_lines, result)
        of_weight = context.grads["weight"]
        np.add.reduce(of_lines.reshape(*of_weight.shape[:2], -1, x.shape[-1]), axis=2, out=of_weight)
        if not context.needs_input_gradient:
            return None
        return layer.summed(context, result, shape)

    return backward


def max_pool_forward(layer: Any, dtype: np.dtype[Any]) -> Method | None:
    if not available():
        return None
    from modnet_conv.loops import max_pool

    def forward(context, x):
        windows = layer.windows(x.shape[1:-1])
        y = context.buffer((len(x), *(window.count for window in windows), x.shape[-1]))
        context.save(x, y)
        max_pool(np.ascontiguousarray(x), *(window.kernel for window in windows), *places(windows), y)
        return y

    return forward


def max_pool_backward(layer: Any, dtype: np.dtype[Any]) -> Method | None:
    if not available():
        return None
    from modnet_conv.loops import max_pool_gradient

    def backward(context, gradient):
        x, y = context.saved
        if not context.needs_input_gradient:
            return None
        windows = layer.windows(x.shape[1:-1])
        result = context.buffer(x.shape)
        gradient, kernel = np.ascontiguousarray(gradient), (window.kernel for window in windows)
        max_pool_gradient(np.ascontiguousarray(x), y, gradient, *kernel, *places(windows), result)
        return result

    return backward


def average_pool_forward(layer: Any, dtype: np.dtype[Any]) -> Method | None:
    if not available():
        return None
    from modnet_conv.loops import average_pool

    def forward(context, x):
        windows = layer.windows(x.shape[1:-1])
        y = context.buffer((len(x), *(window.count for window in windows), x.shape[-1]))
        context.save(x.shape)
        shares = shares_of(windows, layer.count_padding, x.dtype)
        average_pool(np.ascontiguousarray(x), shares, *(window.kernel for window in windows), *places(windows), y)
        return y

    return forward


def average_pool_backward(layer: Any, dtype: np.dtype[Any]) -> Method | None:
    if not available():
        return None
    from modnet_conv.loops import average_pool_gradient

    def backward(context, gradient):
        (shape,) = context.saved
        if not context.needs_input_gradient:
            return None
        windows = layer.windows(shape[1:-1])
        result = context.buffer(shape)
        shares = shares_of(windows, layer.count_padding, gradient.dtype)
        gradient, kernel = np.ascontiguousarray(gradient), (window.kernel for window in windows)
        average_pool_gradient(gradient, shares, *kernel, *places(windows), result)
        return result

    return backward
