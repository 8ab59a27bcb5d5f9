"""The counterpart in torch of each type of layer, for `export_torch`.

Within the module, images are (batch, channels, height, width); sequences are (batch, time, features) as here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from modnet.engine.graph import GraphNode

Tensor = torch.Tensor


class Unlike(Exception):
    """Why a node has no counterpart."""


class Step(NamedTuple):
    """What a node does: `apply(module, *inputs)`, or `apply(*inputs)` without a module."""

    apply: Callable[..., Any]
    module: nn.Module | None = None


def _as_is(module: nn.Module) -> Step:
    return Step(lambda own, x: own(x), module)


def _turned(module: nn.Module) -> Step:
    """A module that has the channels of a sequence before its time."""
    return Step(lambda own, x: own(x.transpose(1, 2)).transpose(1, 2), module)


def _linear(node: GraphNode, _: bool) -> Step:
    layer: Any = node.layer
    size = node.input_shapes[0][-1]
    return _as_is(nn.Linear(size or 0, layer.out_features, layer.bias))


def _per_axis(value: Any, axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)


def _padding(node: GraphNode, axes: int) -> tuple[list[int], bool]:
    """That of a layer with windows as `functional.pad` takes it, and whether it is alike at both ends."""
    layer: Any = node.layer
    sizes = node.input_shapes[0][:-1]
    if None in sizes and layer.padding == "same" and _per_axis(layer.stride or layer.pool_size, axes) != (1,) * axes:
        raise Unlike('padding = "same" with a stride depends on the size, which is variable')
    windows = layer.windows([size or 1 << 20 for size in sizes])
    ends = [(window.before, window.after) for window in windows]
    if isinstance(layer.padding, int):
        ends = [(layer.padding, layer.padding)] * axes  # without what no window reaches
    return [side for pair in reversed(ends) for side in pair], all(before == after for before, after in ends)


CONVOLUTIONS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def _conv(node: GraphNode, _: bool, axes: int, depthwise: bool = False) -> Step:
    layer: Any = node.layer
    channels = node.input_shapes[0][-1] or 0
    outputs = channels * layer.depth_multiplier if depthwise else layer.out_channels
    padding, alike = _padding(node, axes)
    module = CONVOLUTIONS[axes](
        channels,
        outputs,
        _per_axis(layer.kernel_size, axes),
        _per_axis(layer.stride, axes),
        tuple(padding[::2][::-1]) if alike else 0,
        _per_axis(layer.dilation, axes),
        channels if depthwise else layer.groups,
        layer.bias,
    )

    def apply(own: nn.Module, x: Tensor) -> Tensor:
        x = x.transpose(1, 2) if axes == 1 else x
        y: Tensor = own(x if alike else functional.pad(x, padding))
        return y.transpose(1, 2) if axes == 1 else y

    return Step(apply, module)


def _max_pool(node: GraphNode, _: bool, axes: int) -> Step:
    layer: Any = node.layer
    size = _per_axis(layer.pool_size, axes)
    stride = _per_axis(layer.stride or size, axes)
    padding, _ = _padding(node, axes)
    pool = functional.max_pool1d if axes == 1 else functional.max_pool2d

    def apply(x: Tensor) -> Tensor:
        x = functional.pad(x.transpose(1, 2) if axes == 1 else x, padding, value=float("-inf"))
        y: Tensor = pool(x, size, stride)
        return y.transpose(1, 2) if axes == 1 else y

    return Step(apply)


def _average_pool(node: GraphNode, _: bool, axes: int) -> Step:
    layer: Any = node.layer
    size = _per_axis(layer.pool_size, axes)
    stride = _per_axis(layer.stride or size, axes)
    padding, alike = _padding(node, axes)
    if not alike or any(2 * side > each for side, each in zip(padding[::2][::-1], size, strict=True)):
        raise Unlike("torch has no such padding for means")
    pool: Any = functional.avg_pool1d if axes == 1 else functional.avg_pool2d
    count = bool(getattr(layer, "count_padding", False))

    def apply(x: Tensor) -> Tensor:
        x = x.transpose(1, 2) if axes == 1 else x
        y: Tensor = pool(x, size, stride, tuple(padding[::2][::-1]), count_include_pad=count)
        return y.transpose(1, 2) if axes == 1 else y

    return Step(apply)


def _batch_norm(node: GraphNode, _: bool) -> Step:
    layer: Any = node.layer
    shape = node.shape
    kinds = {1: nn.BatchNorm1d, 2: nn.BatchNorm1d, 3: nn.BatchNorm2d, 4: nn.BatchNorm3d}
    if len(shape) not in kinds:
        raise Unlike(f"samples with {len(shape)} axes")
    module = kinds[len(shape)](shape[-1] or 0, layer.epsilon, layer.momentum)
    return _turned(module) if len(shape) == 2 else _as_is(module)


def _norm(node: GraphNode, _: bool) -> Step:
    layer: Any = node.layer
    axes = getattr(layer, "axes", 1)
    shape = [size or 0 for size in node.shape[-axes:]]
    if node.layer.type == "layer_norm":
        module: nn.Module = nn.LayerNorm(shape, layer.epsilon)
    elif hasattr(nn, "RMSNorm"):
        module = nn.RMSNorm(shape, layer.epsilon)
    else:
        raise Unlike("torch has it from 2.4 on")
    if len(node.shape) < 3:
        return _as_is(module)
    return Step(lambda own, x: own(x.movedim(1, -1)).movedim(-1, 1), module)


def _embedding(node: GraphNode, _: bool) -> Step:
    vocabulary, size = node.parameters["weight"].shape
    return Step(lambda own, ids: own(ids.long()), nn.Embedding(vocabulary, size))


def _positional(node: GraphNode, _: bool) -> Step:
    length, size = node.parameters["weight"].shape
    return Step(lambda own, x: x + own.weight[: x.shape[1]], nn.Embedding(length, size))


def _recurrent(node: GraphNode, _: bool, kind: Any) -> Step:
    layer: Any = node.layer
    if len(node.inputs) > 1 or layer.train_initial_state:
        raise Unlike("with an initial state")
    size = node.input_shapes[0][-1] or 0
    options = {"nonlinearity": layer.nonlinearity} if layer.type == "rnn" else {}
    module = kind(size, layer.hidden_size, bias=layer.bias, batch_first=True, **options)

    def apply(own: nn.Module, x: Tensor) -> Tensor:
        y: Tensor
        y, last = own(x.flip(1) if layer.reverse else x)
        if layer.return_sequences:
            return y.flip(1) if layer.reverse else y
        states = last if isinstance(last, tuple) else (last,)
        joined: Tensor = torch.cat([state[0] for state in states[: layer.returned]], dim=-1)
        return joined

    return Step(apply, module)


def _attention(node: GraphNode, _: bool) -> Step:
    layer: Any = node.layer
    names = set(node.parameters)
    (features, *_rest), heads = node.input_shapes[0][::-1], layer.heads
    alike = layer.groups == heads and layer.size_of_heads(features) * heads == features
    if layer.rotary or not alike or any(name.endswith("_bias") for name in names) != ("output_bias" in names):
        raise Unlike("torch's has neither rotary positions, nor grouped heads, nor a bias at one end alone")
    if "output_bias" in names and len([name for name in names if name.endswith("_bias")]) == 1:
        raise Unlike("torch's has no bias of the output alone")
    key, value = (node.input_shapes[place][-1] for place in ((0, 0), (-1, -1), (1, 2))[len(node.inputs) - 1])
    bias = "output_bias" in names
    module = nn.MultiheadAttention(features, heads, layer.dropout, bias, kdim=key, vdim=value, batch_first=True)

    def apply(own: nn.Module, *inputs: Tensor) -> Tensor:
        query, keys, values = inputs[0], inputs[min(1, len(inputs) - 1)], inputs[-1]
        mask = None
        if layer.causal:
            mask = torch.ones(query.shape[1], keys.shape[1], dtype=torch.bool, device=query.device).triu(1)
        y: Tensor = own(query, keys, values, attn_mask=mask, need_weights=False)[0]
        return y

    return Step(apply, module)


class _Scaling(nn.Module):
    """The arrays of `standardize` and `unstandardize`, which training does not change."""

    def __init__(self, node: GraphNode) -> None:
        super().__init__()
        for name, state in node.state.items():
            self.register_buffer(name, torch.zeros(state.shape))

    def column(self, name: str, x: Tensor) -> Tensor:
        """A number for each feature, for images with the channels first."""
        array: Tensor = getattr(self, name)
        return array.reshape(-1, *[1] * (x.ndim - 2)) if x.ndim > 3 else array

    def mean_of(self, x: Tensor) -> Tensor:
        """In float64, with the digits that the network's dtype does not have."""
        mean = self.column("mean", x).double()
        return mean + self.column("mean_rest", x) if hasattr(self, "mean_rest") else mean


def _standardize(node: GraphNode, _: bool) -> Step:
    layer: Any = node.layer

    def apply(own: _Scaling, x: Tensor) -> Tensor:
        deviation = own.column("deviation", x)
        y = (x - own.mean_of(x)).to(deviation.dtype) / deviation
        return torch.clamp(y, own.column("lowest", x), own.column("highest", x)) if layer.clip and own.samples else y

    return Step(apply, _Scaling(node))


def _unstandardize(node: GraphNode, _: bool) -> Step:
    return Step(lambda own, x: (x * own.column("deviation", x) + own.mean_of(x)).to(x.dtype), _Scaling(node))


def _flatten(node: GraphNode, channels_first: bool) -> Step:
    if len(node.shape) != 1 or None in node.input_shapes[0]:
        raise Unlike("torch's images have their axes in another order")
    return Step(lambda x: (x.transpose(1, 2) if channels_first else x).flatten(1))


def _reshape(node: GraphNode, channels_first: bool) -> Step:
    shape = node.shape
    if len(shape) == 1:
        return _flatten(node, channels_first)
    if max(len(shape), len(node.input_shapes[0])) > 2 or shape.count(None) > 1:
        raise Unlike("torch's images have their axes in another order")
    return Step(lambda x: x.reshape(len(x), *(-1 if size is None else size for size in shape)))


def _global_pool(node: GraphNode, _: bool, reduce: Callable[..., Tensor]) -> Step:
    axes = len(node.input_shapes[0])
    dims = tuple(range(2, axes + 1)) if axes > 2 else (1,)
    return Step(lambda x: reduce(x, dim=dims))


def _concatenate(node: GraphNode, _: bool) -> Step:
    layer: Any = node.layer
    axes = len(node.shape)
    axis = layer.axis % axes + 1
    if axes > 2:
        axis = 1 if axis == axes else axis + 1
    return Step(lambda *inputs: torch.cat(inputs, dim=axis))


def _prelu(node: GraphNode, _: bool) -> Step:
    module = nn.PReLU(max(1, sum(node.parameters["alpha"].shape)))
    return _turned(module) if len(node.shape) == 2 else _as_is(module)


def _softmax(node: GraphNode, _: bool, function: Callable[..., Tensor]) -> Step:
    return Step(partial(function, dim=1 if len(node.shape) > 2 else -1))


def _dropout(node: GraphNode, _: bool) -> Step:
    layer: Any = node.layer
    return _as_is(nn.Dropout(layer.rate))


def _elu(node: GraphNode, _: bool) -> Step:
    layer: Any = node.layer
    return Step(partial(functional.elu, alpha=layer.alpha))


def _gelu(node: GraphNode, _: bool) -> Step:
    layer: Any = node.layer
    return Step(partial(functional.gelu, approximate="tanh" if layer.form == "tanh" else "none"))


def _leaky_relu(node: GraphNode, _: bool) -> Step:
    layer: Any = node.layer
    return Step(partial(functional.leaky_relu, negative_slope=layer.negative_slope))


def _function(function: Callable[..., Tensor]) -> Callable[[GraphNode, bool], Step]:
    return lambda node, _: Step(function)


def _product(*inputs: Tensor) -> Tensor:
    product = inputs[0]
    for x in inputs[1:]:
        product = product * x
    return product


BUILDERS: dict[str, Callable[[GraphNode, bool], Step]] = {
    "add": _function(lambda *inputs: sum(inputs[1:], inputs[0])),
    "average_pool1d": partial(_average_pool, axes=1),
    "average_pool2d": partial(_average_pool, axes=2),
    "batch_norm": _batch_norm,
    "concatenate": _concatenate,
    "conv1d": partial(_conv, axes=1),
    "conv2d": partial(_conv, axes=2),
    "conv3d": partial(_conv, axes=3),
    "depthwise_conv2d": partial(_conv, axes=2, depthwise=True),
    "dropout": _dropout,
    "elu": _elu,
    "embedding": _embedding,
    "flatten": _flatten,
    "gelu": lambda node, _: Step(
        partial(functional.gelu, approximate="tanh" if vars(node.layer)["form"] == "tanh" else "none")
    ),
    "global_average_pool": partial(_global_pool, reduce=torch.mean),
    "global_max_pool": partial(_global_pool, reduce=torch.amax),
    "gru": partial(_recurrent, kind=nn.GRU),
    "hard_sigmoid": _function(functional.hardsigmoid),
    "hard_swish": _function(functional.hardswish),
    "identity": _function(lambda x: x),
    "layer_norm": _norm,
    "leaky_relu": lambda node, _: Step(
        partial(functional.leaky_relu, negative_slope=vars(node.layer)["negative_slope"])
    ),
    "linear": _linear,
    "log_softmax": partial(_softmax, function=functional.log_softmax),
    "lstm": partial(_recurrent, kind=nn.LSTM),
    "max_pool1d": partial(_max_pool, axes=1),
    "max_pool2d": partial(_max_pool, axes=2),
    "mish": _function(functional.mish),
    "multi_head_attention": _attention,
    "multiply": _function(_product),
    "positional_embedding": _positional,
    "prelu": _prelu,
    "relu": _function(torch.relu),
    "reshape": _reshape,
    "rms_norm": _norm,
    "rnn": partial(_recurrent, kind=nn.RNN),
    "selu": _function(functional.selu),
    "sigmoid": _function(torch.sigmoid),
    "silu": _function(functional.silu),
    "softmax": partial(_softmax, function=torch.softmax),
    "softplus": _function(lambda x: torch.logaddexp(x, torch.zeros_like(x))),
    "standardize": _standardize,
    "tanh": _function(torch.tanh),
    "unstandardize": _unstandardize,
}
"""Type of layer -> what makes its counterpart, given its node, and whether it reads a sequence of windows over time."""
