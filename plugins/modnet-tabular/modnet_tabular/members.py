"""Linear maps that the members of an ensemble share but for a few factors: BatchEnsemble, and TabM's use of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from modnet.arrays import Array, Shape, sum_rows
from modnet.configuration.fields import field
from modnet.errors import ShapeError
from modnet.initializers import Normal, Ones
from modnet.kinds.component import Example
from modnet.kinds.initializer import Initializer
from modnet.kinds.layer import Layer, Parameter
from modnet_tabular.numbers import uniform

if TYPE_CHECKING:
    from modnet.kinds.context import Context

MOST_MEMBERS = 10_000
"""The most members of an ensemble."""


class RandomSigns(Initializer, type="random_signs"):
    """Each number is 1 or -1, with the same probability.

    Source: Wen, Tran and Ba 2020, arXiv:2002.06715, section 3.
    """

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        out[...] = 2 * rng.integers(0, 2, out.shape) - 1


class BatchEnsemble(Layer, type="batch_ensemble"):
    """A linear map for each member of an ensemble, all with one weight: y = s * ((r * x) W) + b.

    The factors r and s and the bias b are each member's own. One product serves all members. Shapes: (members, in) ->
    (members, out), and (in,) -> (members, out), where all members read the same numbers; several inputs are joined
    along their last axis. Parameters: weight W (in, out), input_scale r (members, in), output_scale s and bias b
    (members, out). W and b begin uniform between -a and a, a = 1 / sqrt(in), with one b for all members.

    Source: Wen, Tran and Ba 2020, arXiv:2002.06715, equation 5; Gorishniy, Kotelnikov and Babenko 2024,
    arXiv:2410.24210, section 3.

    Attributes:
        out_features: of each member.
        members: how many there are.
        scale_initializer: of r, such as "random_signs", so that members differ. s begins at 1.
        group_sizes: for each input, how many neighbouring features have the same first factor, as those of a vector
            that stands for one number; by default 1.

    Raises:
        ShapeError: samples of another shape.
    """

    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    scratch_output = True
    output_range = (-math.inf, math.inf)

    out_features: int = field(minimum=1)
    members: int = field(default=32, minimum=1, maximum=MOST_MEMBERS)
    scale_initializer: Initializer = Ones()
    group_sizes: tuple[int, ...] = ()

    @classmethod
    def examples(cls) -> Sequence[Example]:
        signs = cls(out_features=3, members=4, scale_initializer=RandomSigns())
        grouped = signs.replace(scale_initializer=Normal(standard_deviation=1.0), group_sizes=(2, 1))
        return (
            Example(signs, ((5,),)),
            Example(cls(out_features=3, members=2), ((2, 5),)),
            Example(grouped, ((6,), (3,))),
        )

    def check(self) -> None:
        if self.group_sizes and min(self.group_sizes) < 1:
            raise ValueError("group_sizes: expected whole numbers >= 1")

    def output_shape(self, *input_shapes: Shape) -> Shape:
        ends = [shape[-1] for shape in input_shapes if len(shape) in (1, 2) and shape[:-1] in ((), (self.members,))]
        if len(ends) < len(input_shapes) or None in ends:
            raise ShapeError(f"expects samples of shape (features,) or (members, features) with {self.members} members")
        self._groups(input_shapes)
        return (self.members, self.out_features)

    def _groups(self, shapes: Sequence[Shape]) -> list[tuple[int, int]]:
        """For each input the size of its groups of features, and their number.

        Raises:
            ShapeError: they do not fit the inputs.
        """
        sizes = self.group_sizes or (1,) * len(shapes)
        widths = [shape[-1] or 1 for shape in shapes]
        if len(sizes) != len(shapes) or any(width % size for size, width in zip(sizes, widths, strict=True)):
            raise ShapeError(
                f"expects an input for each of group_sizes = {list(sizes)}, and a multiple of its features"
            )
        return [(size, width // size) for size, width in zip(sizes, widths, strict=True)]

    def parameters(self, *input_shapes: Shape) -> Mapping[str, Parameter]:
        groups = self._groups(input_shapes)
        features, outputs = sum(size * count for size, count in groups), (self.members, self.out_features)
        scales = self.scale_initializer
        if self.group_sizes:
            scales = _InGroups(groups=tuple(groups), initializer=scales)
        small = uniform(features)
        return {
            "weight": Parameter((features, self.out_features), small),
            "input_scale": Parameter((self.members, features), scales, decay=False),
            "output_scale": Parameter(outputs, Ones(), decay=False),
            "bias": Parameter(outputs, _Alike(initializer=small), decay=False),
        }

    def forward(self, context: Context, *inputs: Array) -> Array:
        params = context.params
        scaled = context.buffer((len(inputs[0]), self.members, len(params["weight"])))
        for x, part in self._parts(inputs):
            np.multiply(x, params["input_scale"][:, part], out=scaled[:, :, part])
        product = context.buffer((len(scaled), self.members, self.out_features))
        _joined(scaled).dot(params["weight"], _joined(product))
        context.save(inputs, scaled, product)
        y = np.multiply(product, params["output_scale"], out=context.buffer(product.shape))
        return np.add(y, params["bias"], out=y)

    @staticmethod
    def _parts(inputs: Sequence[Array]) -> Iterator[tuple[Array, slice]]:
        """Each input with an axis of members, which may be 1, and the features of it."""
        start = 0
        for x in inputs:
            end = start + x.shape[-1]
            yield x if x.ndim == 3 else x[:, None, :], slice(start, end)
            start = end

    def backward(self, context: Context, gradient: Array) -> tuple[Array, ...] | Array | None:
        inputs, scaled, product = context.saved
        params, grads = context.params, context.grads
        _sum_samples(gradient, grads["bias"])
        _sum_samples(np.multiply(product, gradient, out=product), grads["output_scale"])
        slope = np.multiply(gradient, params["output_scale"], out=product)
        _joined(scaled).T.dot(_joined(slope), grads["weight"])
        inner = context.buffer(scaled.shape)
        _joined(slope).dot(params["weight"].T, _joined(inner))
        for x, part in self._parts(inputs):
            np.multiply(inner[:, :, part], x, out=scaled[:, :, part])
        _sum_samples(scaled, grads["input_scale"])
        if not context.needs_input_gradient:
            return None
        np.multiply(inner, params["input_scale"], out=inner)
        found = []
        for x, (_, part) in zip(inputs, self._parts(inputs), strict=True):
            result = context.buffer(x.shape)
            if x.ndim == 3:
                np.copyto(result, inner[:, :, part])
            else:
                np.add.reduce(inner[:, :, part], axis=1, out=result)
            found.append(result)
        return tuple(found) if len(found) > 1 else found[0]

    def multiply_adds(self, *input_shapes: Shape) -> int:
        return self.members * sum(shape[-1] or 1 for shape in input_shapes) * self.out_features


class _InGroups(Initializer):
    """One random number for each group of neighbouring features, of the last axis."""

    groups: tuple[tuple[int, int], ...]
    initializer: Initializer

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        start = 0
        for size, count in self.groups:
            drawn = np.empty((*out.shape[:-1], count))
            self.initializer.initialize(drawn, fan_in, fan_out, rng)
            end = start + size * count
            out[..., start:end] = np.repeat(drawn, size, axis=-1)
            start = end


class _Alike(Initializer):
    """The same numbers for each member, along the first axis."""

    initializer: Initializer

    def initialize(self, out: Array, fan_in: int, fan_out: int, rng: np.random.Generator) -> None:
        self.initializer.initialize(out[0], fan_in, fan_out, rng)
        out[1:] = out[0]


def _joined(array: Array) -> Array:
    """(batch, members, features) as rows."""
    return array.reshape(-1, array.shape[-1])


def _sum_samples(array: Array, out: Array) -> None:
    """The sum over the batch of (batch, members, features)."""
    sum_rows(array.reshape(len(array), out.size), out.reshape(-1))
