"""Embeddings of numbers: each feature becomes a vector."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.initializers import Normal, Uniform
from modnet.kinds.component import Example
from modnet.kinds.layer import Layer, Parameter

if TYPE_CHECKING:
    from modnet.kinds.context import Context


def number_of_features(shape: Shape) -> int:
    """Of samples of shape (features,).

    Raises:
        ShapeError: for samples of another shape.
    """
    if len(shape) != 1 or shape[0] is None:
        raise ShapeError("expects samples of shape (features,)")
    return shape[0]


def uniform(fan_in: int) -> Uniform:
    """Uniform between -1 / sqrt(fan_in) and 1 / sqrt(fan_in)."""
    bound = 1 / math.sqrt(fan_in)
    return Uniform(minimum=-bound, maximum=bound)


def phases(context: Context, x: Array, shift: Array | None) -> Array:
    """2 pi w x + shift in a buffer (features, batch, frequencies), for numbers (batch, features)."""
    frequency = context.params["frequency"]
    features, count = frequency.shape
    turns = np.multiply(2 * math.pi, frequency, out=context.buffer(frequency.shape))
    u = np.multiply(x.T[:, :, None], turns[:, None, :], out=context.buffer((features, len(x), count)))
    return u if shift is None else np.add(u, shift[:, None, :], out=u)


def frequency_gradients(context: Context, x: Array, slope: Array) -> Array | None:
    """Writes the gradient of the frequencies and returns that of x, for the gradient of the phases, `slope`."""
    frequency, gradient = context.params["frequency"], context.grads["frequency"]
    np.matmul(x.T[:, None, :], slope, out=gradient[:, None, :])
    np.multiply(gradient, 2 * math.pi, out=gradient)
    if not context.needs_input_gradient:
        return None
    result = np.matmul(slope, frequency[:, :, None], out=context.buffer((*slope.shape[:2], 1)))
    np.multiply(result, 2 * math.pi, out=result)
    return result[:, :, 0].T


def by_feature(array: Array, features: int) -> Array:
    """(batch, features * size) as a view (features, batch, size)."""
    rows, width = array.shape
    return array.reshape(rows, features, width // features).swapaxes(0, 1)


class PBLD(Layer, type="pbld"):
    """Periodic, with a shift, linear, and the number itself: x -> (cos(2 pi w x + c) V + b, x), for each feature.

    Shapes: (features,) -> (features * embedding_size,). Parameters: frequency w (features, frequencies) from
    N(0, frequency_scale^2), shift c of the same shape from U(-pi, pi), weight V (features, frequencies,
    embedding_size - 1) and bias b (features, embedding_size - 1) from U(-a, a), a = 1 / sqrt(frequencies).

    Source: Holzmüller, Grinsztajn and Steinwart 2024, arXiv:2407.04491, section 3.2; after Gorishniy, Rubachev and
    Babenko 2022, arXiv:2203.05556.

    Attributes:
        embedding_size: the numbers that each feature becomes, itself among them.
        frequencies: for each feature.
        frequency_scale: the deviation of the first frequencies, for inputs of a deviation of about 1.
    """

    scratch_output = True
    featurewise = True

    embedding_size: int = field(default=4, minimum=2)
    frequencies: int = field(default=16, minimum=1)
    frequency_scale: float = field(default=0.1, above=0.0)

    @classmethod
    def examples(cls) -> Sequence[Example]:
        return (Example(cls(), ((5,),)), Example(cls(embedding_size=3, frequencies=5, frequency_scale=0.5), ((2,),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return (number_of_features(input_shapes[0]) * self.embedding_size,)

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        features, count, size = number_of_features(input_shapes[0]), self.frequencies, self.embedding_size - 1
        small = uniform(count)
        return {
            "frequency": Parameter((features, count), Normal(standard_deviation=self.frequency_scale)),
            "shift": Parameter((features, count), Uniform(minimum=-math.pi, maximum=math.pi)),
            "weight": Parameter((features, count, size), small),
            "bias": Parameter((features, size), small),
        }

    def forward(self, context: Context, x: Array) -> Array:
        params, size = context.params, self.embedding_size - 1
        features = x.shape[1]
        u = phases(context, x, params["shift"])
        cosine = np.cos(u, out=context.buffer(u.shape))
        context.save(x, u, cosine)
        z = np.matmul(cosine, params["weight"], out=context.buffer((features, len(x), size)))
        y = context.buffer((len(x), features * self.embedding_size))
        parts = by_feature(y, features)
        np.add(z, params["bias"][:, None, :], out=parts[:, :, :size])
        parts[:, :, size] = x.T
        return y

    def backward(self, context: Context, gradient: Array) -> Array | None:
        x, u, cosine = context.saved
        params, grads, size = context.params, context.grads, self.embedding_size - 1
        parts = by_feature(gradient, x.shape[1])
        inner = context.buffer((*parts.shape[:2], size))
        np.copyto(inner, parts[:, :, :size])
        np.matmul(cosine.swapaxes(1, 2), inner, out=grads["weight"])
        np.add.reduce(inner, axis=1, out=grads["bias"])
        slope = np.matmul(inner, params["weight"].swapaxes(1, 2), out=cosine)
        np.sin(u, out=u)
        np.multiply(slope, u, out=slope)
        np.negative(slope, out=slope)
        np.add.reduce(slope, axis=1, out=grads["shift"])
        result = frequency_gradients(context, x, slope)
        return None if result is None else np.add(result, parts[:, :, size].T, out=context.buffer(x.shape))

    def multiply_adds(self, *input_shapes: Shape) -> int:
        return number_of_features(input_shapes[0]) * self.frequencies * self.embedding_size


class PLR(Layer, type="plr"):
    """Periodic, linear, relu: x -> max(0, (cos(2 pi w x), sin(2 pi w x)) V + b), for each feature.

    Shapes: (features,) -> (features * embedding_size,). Parameters: frequency w (features, frequencies) from
    N(0, frequency_scale^2), weight V (features, 2 frequencies, embedding_size) and bias b (features, embedding_size)
    from U(-a, a), a = 1 / sqrt(2 frequencies); with `shared` weight (2 frequencies, embedding_size) and bias
    (embedding_size,).

    Source: Gorishniy, Rubachev and Babenko 2022, arXiv:2203.05556, section 3.3; `shared` is "PLR(lite)" of Gorishniy et
    al. 2023, arXiv:2307.14338.

    Attributes:
        embedding_size: the numbers that each feature becomes.
        frequencies: for each feature.
        frequency_scale: the deviation of the first frequencies: it matters much, and is worth a search.
        shared: whether all features have one linear map.
    """

    embedding_size: int = field(default=24, minimum=1)
    frequencies: int = field(default=48, minimum=1)
    frequency_scale: float = field(default=0.01, above=0.0)
    shared: bool = False

    @property
    def featurewise(self) -> bool:  # type: ignore[override]
        return not self.shared

    @classmethod
    def examples(cls) -> Sequence[Example]:
        small = cls(embedding_size=4, frequencies=3, frequency_scale=0.3)
        return (Example(small, ((5,),)), Example(small.replace(shared=True), ((4,),)))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        return (number_of_features(input_shapes[0]) * self.embedding_size,)

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        features, count = number_of_features(input_shapes[0]), self.frequencies
        axes = () if self.shared else (features,)
        small = uniform(2 * count)
        return {
            "frequency": Parameter((features, count), Normal(standard_deviation=self.frequency_scale)),
            "weight": Parameter((*axes, 2 * count, self.embedding_size), small),
            "bias": Parameter((*axes, self.embedding_size), small),
        }

    def forward(self, context: Context, x: Array) -> Array:
        params, count = context.params, self.frequencies
        features = x.shape[1]
        u = phases(context, x, None)
        waves = context.buffer((features, len(x), 2 * count))
        np.cos(u, out=waves[:, :, :count])
        np.sin(u, out=waves[:, :, count:])
        z = np.matmul(waves, params["weight"], out=context.buffer((features, len(x), self.embedding_size)))
        y = context.buffer((len(x), features * self.embedding_size))
        parts = by_feature(y, features)
        np.add(z, params["bias"][..., None, :], out=parts)
        np.maximum(parts, 0, out=parts)
        context.save(x, waves, y)
        return y

    def backward(self, context: Context, gradient: Array) -> Array | None:
        x, waves, y = context.saved
        params, grads, count = context.params, context.grads, self.frequencies
        features = x.shape[1]
        inner = context.buffer((features, len(x), self.embedding_size))
        np.multiply(by_feature(gradient, features), by_feature(y, features) > 0, out=inner)
        if self.shared:
            rows, steps = inner.reshape(-1, self.embedding_size), waves.reshape(-1, 2 * count)
            np.matmul(steps.T, rows, out=grads["weight"])
            np.add.reduce(rows, axis=0, out=grads["bias"])
        else:
            np.matmul(waves.swapaxes(1, 2), inner, out=grads["weight"])
            np.add.reduce(inner, axis=1, out=grads["bias"])
        slope = np.matmul(inner, params["weight"].swapaxes(-1, -2), out=context.buffer(waves.shape))
        cosine, sine = waves[:, :, :count], waves[:, :, count:]
        # The derivative of the cosine is -sin, that of the sine cos.
        np.multiply(slope[:, :, :count], sine, out=sine)
        np.multiply(slope[:, :, count:], cosine, out=cosine)
        return frequency_gradients(context, x, np.subtract(cosine, sine, out=cosine))

    def multiply_adds(self, *input_shapes: Shape) -> int:
        return number_of_features(input_shapes[0]) * self.frequencies * (1 + 2 * self.embedding_size)
