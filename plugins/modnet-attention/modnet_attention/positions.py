"""The position of a step in its sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.initializers import Normal
from modnet.kinds.component import Example
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer, Parameter

if TYPE_CHECKING:
    from modnet.kinds.context import Context


def features_of(shape: Shape) -> int:
    """The size of the last axis of a sequence (time, features).

    Raises:
        ShapeError: samples of another number of axes, or of variable features.
    """
    if len(shape) != 2:
        hint = 'an "embedding" makes vectors of ids' if len(shape) < 2 else ""
        raise ShapeError("expects samples of shape (time, features)", hint)
    if shape[1] is None:
        raise ShapeError("expects a last axis (features) of fixed size")
    return shape[1]


def advance(context: Context, steps: int) -> int:
    """The position of a piece's first step in its sequence, 0 outside of streams."""
    if context.memory is None:
        return 0
    position: int = context.memory.get("position", 0)
    context.memory["position"] = position + steps
    return position


class PositionalEmbedding(Layer, type="positional_embedding"):
    """Adds to each step a trainable vector for its position: y[t] = x[t] + weight[t].

    Shapes: (time, features) -> the same, with time up to `max_length`. Parameter: weight (max_length, features), by
    default N(0, 0.02^2). In a stream, positions continue from piece to piece.

    Source: Gehring et al. 2017, arXiv:1705.03122, section 3.1.

    Attributes:
        max_length: the number of positions.
        weight_initializer: of the vectors.

    Raises:
        ShapeError: samples of other shapes, or a longer time axis; from `forward` if that is variable.
    """

    streams = True
    scratch_output = True
    max_length: int = field(minimum=1)
    weight_initializer: Initializer = Normal(standard_deviation=0.02)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(max_length=6), ((None, 4),)), Example(cls(max_length=6), ((5, 4),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        features_of(shape)
        self._check(shape[0] or 0)
        return shape

    def _check(self, time: int) -> None:
        if time > self.max_length:
            raise ShapeError(f"expects at most {self.max_length} steps (max_length), found {time}")

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        weight = (self.max_length, features_of(input_shapes[0]))
        return {"weight": Parameter(weight, self.weight_initializer)}

    def forward(self, context: Context, x: Array) -> Array:
        first, steps = advance(context, x.shape[1]), x.shape[1]
        self._check(first + steps)
        return np.add(x, context.params["weight"][first : first + steps], out=context.buffer(x.shape))

    def backward(self, context: Context, gradient: Array) -> Array:
        weight, steps = context.grads["weight"], gradient.shape[1]
        np.add.reduce(gradient, axis=0, out=weight[:steps])
        weight[steps:] = 0
        return gradient


class SinusoidalEmbedding(Layer, type="sinusoidal_embedding"):
    """Adds sines and cosines of the position: y[t, 2i] = x[t, 2i] + sin(t / base^(2i / features)), cos at 2i + 1.

    Shapes: (time, features) -> the same. There is nothing to train and no longest sequence. In a stream positions go on
    from piece to piece.

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.5.

    Attributes:
        base: the longest wave has a length of about 2 pi base steps.

    Raises:
        ShapeError: samples of other shapes.
    """

    streams = True
    scratch_output = True
    base: float = field(default=10_000.0, above=1.0)

    def output_shape(self, *input_shapes: Shape) -> Shape:
        features_of(input_shapes[0])
        return input_shapes[0]

    def forward(self, context: Context, x: Array) -> Array:
        _, steps, features = x.shape
        waves = angles(advance(context, steps), steps, features, self.base)
        table = np.empty((steps, features), x.dtype)
        table[:, 0::2] = np.sin(waves)
        table[:, 1::2] = np.cos(waves)[:, : features // 2]
        return np.add(x, table, out=context.buffer(x.shape))

    def backward(self, context: Context, gradient: Array) -> Array:
        return gradient


class RotaryEmbedding(Layer, type="rotary_embedding"):
    """Rotates pairs of features by angles that grow with the position.

    Of each head, size = features / heads wide, the features i and i + size / 2 are turned at step t by the angle
    t / base^(2i / size). Shapes: (time, features) -> the same. There is nothing to train and no longest sequence. In a
    stream, positions continue from piece to piece.

    The product of a rotated query and a rotated key depends on their distance only. So this layer belongs between the
    maps that make queries and keys, and an attention without such maps. `multi_head_attention` has maps of its own: use
    its option `rotary = true`. To rotate its input is not the same.

    Source: Su et al. 2021, arXiv:2104.09864, equation 15, which pairs neighbours (2i, 2i + 1); halves are paired here,
    as in GPT-NeoX and Llama: the same up to the order of features.

    Attributes:
        heads: how many are side by side; all are rotated in the same way.
        base: the slowest pair turns once in about 2 pi base steps.

    Raises:
        ShapeError: samples of other shapes, or features that do not make heads of an even size.
    """

    streams = True
    scratch_output = True
    heads: int = field(default=1, minimum=1)
    base: float = field(default=10_000.0, above=1.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(), ((None, 6),)), Example(cls(heads=2, base=100.0), ((5, 8),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        (shape,) = input_shapes
        features = features_of(shape)
        if features % (2 * self.heads):
            raise ShapeError(f"expects features that can be divided by 2 heads = {2 * self.heads}, found {features}")
        return shape

    def forward(self, context: Context, x: Array) -> Array:
        batch, steps, features = x.shape
        size = features // self.heads
        rotation = Rotation(advance(context, steps), steps, size, self.base, x.dtype)
        y = context.buffer(x.shape)
        np.copyto(y, x)
        rotation.turn(context, y.reshape(batch, steps, self.heads, size))
        context.save(rotation)
        return y

    def backward(self, context: Context, gradient: Array) -> Array:
        (rotation,) = context.saved
        batch, steps, features = gradient.shape
        result = context.buffer(gradient.shape)
        np.copyto(result, gradient)
        rotation.turn(context, result.reshape(batch, steps, self.heads, features // self.heads), back=True)
        return result


def angles(first: int, steps: int, features: int, base: float) -> Array:
    """t / base^(2i / features) for each position t and each pair i of features, float64."""
    frequencies = base ** (-np.arange(0, features, 2) / features)
    return np.arange(first, first + steps)[:, None] * frequencies


def _turns(first: int, steps: int, size: int, base: float, dtype: np.dtype[np.floating]) -> tuple[Array, Array]:
    """Cosines, and sines with their signs, (steps, size), by which the features of a head and those of its other half
    are multiplied."""
    turned = angles(first, steps, size, base)
    cos, sin = np.cos(turned), np.sin(turned)
    return np.concatenate([cos, cos], axis=1).astype(dtype), np.concatenate([-sin, sin], axis=1).astype(dtype)


BLOCK = 256
"""Positions whose turns are worked out together, for steps that come one by one."""


@lru_cache(maxsize=256)
def turns_of_block(
    number: int, heads: int, size: int, base: float, dtype: np.dtype[np.floating]
) -> tuple[Array, Array]:
    """Cosines and sines, (BLOCK, heads * size), of the positions from number * BLOCK on; not to be written into."""
    cos, sin = _turns(number * BLOCK, BLOCK, size, base, dtype)
    return np.tile(cos, heads), np.tile(sin, heads)


class Rotation:
    """Turns each pair (i, i + size / 2) of a head's features by an angle that grows with the position.

    `RotaryEmbedding` says what it is for, and gives the source.

    Args:
        first, steps: positions.
        size: of a head, even.
    """

    def __init__(self, first: int, steps: int, size: int, base: float, dtype: np.dtype[np.floating]) -> None:
        self.cos, self.sin = _turns(first, steps, size, base, dtype)

    def turn(self, context: Context, x: Array, back: bool = False) -> None:
        """Turns x (batch, time, heads, size) in place, or turns it back, which is what gradients need."""
        batch, steps, heads, size = x.shape
        half = size // 2
        other = context.buffer(x.shape)
        other[..., :half], other[..., half:] = x[..., half:], x[..., :half]
        # With all heads in one axis numpy has long rows to go through.
        x, other = (array.reshape(batch, steps, heads * size) for array in (x, other))
        np.multiply(other, np.tile(self.sin, heads), out=other)
        np.multiply(x, np.tile(self.cos, heads), out=x)
        (np.subtract if back else np.add)(x, other, out=x)
