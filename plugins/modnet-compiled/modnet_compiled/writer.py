"""Lowers a network, for samples of known shapes, to operations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.kinds.layer import Layer
from modnet_compiled.components import METHOD, lowering_of
from modnet_compiled.errors import CannotCompile
from modnet_compiled.library import own_operation
from modnet_compiled.operations import FUNCTIONS, Operation, Value

NONE: Mapping[str, Array] = {}


class Writer:
    """What a layer's `compiled` method writes its operations with.

    Values are numbers of each sample, without the batch axis: `x.shape` is that of one sample. Each method adds an
    operation and gives its output.

    Attributes:
        params, state: the arrays of the layer.
        masks: for each input the mask of its steps, or None; a value of bytes, (time,).
        raw: an input of the network -> the same in float64, where it was given in another dtype than the network's.
        output_mask: that of the output. At first it is the common one of the inputs; a layer can set it.
        dtype: of the network.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.operations: list[Operation] = []
        self.params: Mapping[str, Array] = {}
        self.state: Mapping[str, Array] = {}
        self.masks: tuple[Value | None, ...] = ()
        self.output_mask: Value | None = None
        self.raw: dict[Value, Value] = {}

    def value(self, shape: Sequence[int]) -> Value:
        """A new value, which operations are to write."""
        return Value(tuple(shape), self.dtype)

    def add(self, name: str, inputs: Sequence[Value], shape: Sequence[int], **rest: Any) -> Value:
        """Adds an operation of native/run.c and gives its output."""
        output = self.value(shape)
        self.operations.append(Operation(name, tuple(inputs), output, **rest))
        return output

    def own(
        self,
        source: str,
        inputs: Sequence[Value],
        shape: Sequence[int],
        *,
        numbers: Sequence[int] = (),
        arrays: Sequence[Array] = (),
        factors: Sequence[float] = (),
    ) -> Value:
        """The output of an operation in C of the layer's own.

        Args:
            source: C with the function `int64_t operate(const call *job)`; native/program.h says what a call has, and
                functions.h has `exponential`, `logistic` and others for numbers of the type `real`.
            inputs: one or two.
            shape: of a sample of the output.
            numbers, arrays, factors: at most 16, 5 and 4, which the function finds as n, p and f of `job->op`.
        """
        given = {"numbers": list(numbers), "arrays": list(arrays), "factors": list(factors)}
        return self.add("own", inputs, shape, **given, own=own_operation(self.dtype.name, source))

    def mask(self, name: str, inputs: Sequence[Value], **rest: Any) -> Value:
        """Adds an operation that makes a mask of the steps of its first input, and gives that."""
        output = Value(inputs[0].shape[:1], np.dtype(np.uint8))
        self.operations.append(Operation(name, tuple(inputs), output, **rest))
        return output

    def both(self, one: Value | None, other: Value | None) -> Value | None:
        """The mask of the steps that two masks include."""
        if one is None or other is None or one is other:
            return one or other
        return self.mask("both_masks", (one, other), numbers=[one.size])

    def common_mask(self) -> Value | None:
        """The mask of the steps that all masks of one length include, as `modnet.arrays.common_mask`."""
        common: Value | None = None
        for mask in self.masks:
            if mask is not None and (common is None or mask.shape == common.shape):
                common = self.both(common, mask)
        return common

    def refuse_masks(self) -> None:
        """For layers that look at masks, and have no compiled form for that.

        Raises:
            CannotCompile: there is one.
        """
        if any(mask is not None for mask in self.masks):
            raise CannotCompile("it cannot be compiled after padding, which makes a mask")

    def reshaped(self, x: Value, shape: Sequence[int]) -> Value:
        """The same numbers in another shape, which costs nothing."""
        return Value(tuple(shape), x.dtype, x.root, x.external)

    def product(self, x: Value, weight: Array, bias: Array | None = None) -> Value:
        """x W + b along the last axis; W (features, outputs)."""
        depth, columns = weight.shape
        rows = x.size // depth if depth else math.prod(x.shape[:-1])
        output = self.value((*x.shape[:-1], columns))
        self.write_product(x, output, weight, bias, (rows, depth, columns, rows * depth, rows * columns, 0, 0))
        return output

    def write_product(self, x: Value, output: Value, weight: Array, bias: Array | None, places: Sequence[int]) -> None:
        """A product of rows of x into rows of the output.

        Args:
            places: rows of a sample; the step between rows of x and of the output; the size of a sample of each; and
                where the first row begins in each.
        """
        rows, step, out_step, size, out_size, first, out_first = places
        depth, columns = weight.shape
        numbers = [rows, depth, columns, step, out_step, size, out_size, first, out_first, 0]
        bias = np.zeros(columns, self.dtype) if bias is None else bias
        self.operations.append(
            Operation("product", (x,), output, numbers, weight=weight[None], bias=bias.reshape(1, columns))
        )

    def activation(self, x: Value, name: str, a: float = 0.0, b: float = 0.0) -> Value:
        """A function of each number; names are those of `FUNCTIONS`."""
        return self.add("activation", (x,), x.shape, numbers=[FUNCTIONS[name], x.size], factors=[a, b])

    def affine(
        self, x: Value, scale: Array | None = None, shift: Array | None = None, center: Array | None = None
    ) -> Value:
        """(x - center) * scale + shift, with a number for each element of the last axes; by default 0, 1 and 0."""
        given = next(array for array in (scale, shift, center) if array is not None)
        arrays = [
            np.full(given.size, fill, self.dtype) if array is None else array.reshape(-1)
            for array, fill in ((center, 0), (scale, 1), (shift, 0))
        ]
        return self.add("affine", (x,), x.shape, numbers=self.by_features(x, given.size), arrays=arrays)

    def clipped(self, x: Value, least: Array, most: Array) -> Value:
        """x within bounds for each feature."""
        return self.add("clip", (x,), x.shape, numbers=self.by_features(x, least.size), arrays=[least, most])

    def by_features(self, x: Value, features: int) -> list[int]:
        """The features, and the rows of them in a sample."""
        return [features, x.size // features if features else 0]

    def sum(self, *inputs: Value) -> Value:
        """Their sum."""
        return self._folded("add", inputs)

    def multiplied(self, *inputs: Value) -> Value:
        """Their product, number by number."""
        return self._folded("multiply", inputs)

    def _folded(self, name: str, inputs: Sequence[Value]) -> Value:
        y = inputs[0]
        for x in inputs[1:]:
            y = self.add(name, (y, x), y.shape, numbers=[y.size])
        return y

    def mean(self, x: Value, axis: int, count: int = 1, greatest: bool = False) -> Value:
        """The mean over `count` axes of a sample from `axis` on, or the greatest number."""
        outer, middle, inner = (math.prod(part) for part in _parts(x.shape, axis, count))
        shape = (*x.shape[:axis], *x.shape[axis + count :])
        mask = self.masks[0] if axis == 0 and self.masks else None
        of_step = middle // mask.size if mask is not None and mask.size else 1
        return self.add("reduce", (x,), shape, numbers=[outer, middle, inner, int(greatest), of_step], mask=mask)

    def copy(self, x: Value, output: Value, lines: int, line: int, places: Sequence[int]) -> None:
        """Copies lines of numbers.

        Args:
            lines, line: how many, and the numbers of each.
            places: the step between lines of x and of the output, and where the first one begins in each.
        """
        size = x.dtype.itemsize
        step, out_step, first, out_first = (place * size for place in places)
        numbers = [line * size, lines, step, out_step, first, out_first, x.nbytes, output.nbytes]
        self.operations.append(Operation("copy", (x,), output, numbers))

    def concatenated(self, inputs: Sequence[Value], axis: int) -> Value:
        """The inputs, joined along an axis of a sample."""
        shape = list(inputs[0].shape)
        shape[axis] = sum(x.shape[axis] for x in inputs)
        output = self.value(shape)
        lines, step, start = math.prod(shape[:axis]), math.prod(shape[axis:]), 0
        for x in inputs:
            line = math.prod(x.shape[axis:])
            self.copy(x, output, lines, line, (line, step, 0, start))
            start += line
        return output

    def part(self, x: Value, axis: int, start: int, stop: int) -> Value:
        """x[..., start:stop, ...] along an axis of a sample."""
        shape = (*x.shape[:axis], stop - start, *x.shape[axis + 1 :])
        inner = math.prod(x.shape[axis + 1 :])
        output = Value(shape, x.dtype)
        line = (stop - start) * inner
        self.copy(x, output, math.prod(x.shape[:axis]), line, (x.shape[axis] * inner, line, start * inner, 0))
        return output

    def repeated(self, x: Value, count: int) -> Value:
        """x repeated along a new first axis."""
        output = Value((count, *x.shape), x.dtype)
        self.copy(x, output, count, x.size, (0, x.size, 0, 0))
        return output

    def layer(
        self,
        layer: Layer,
        *inputs: Value,
        params: Mapping[str, Array] | None = None,
        state: Mapping[str, Array] | None = None,
    ) -> Value:
        """What another layer makes of values, with arrays of its own."""
        before = self.params, self.state
        self.params, self.state = params or {}, state or {}
        try:
            made: Value = self.lowered(layer, *inputs)
        finally:
            self.params, self.state = before
        return made

    def lowered(self, layer: Layer, *inputs: Value) -> Any:
        """What a layer makes of values, with the arrays that are set: a value, or a tuple of several.

        Raises:
            CannotCompile: nothing lowers it.
        """
        lower = lowering_of(layer)
        if lower is None:
            raise CannotCompile(f"{type(layer).__module__}.{type(layer).__qualname__} has no method {METHOD}")
        return lower(self, *inputs)


def _parts(shape: tuple[int, ...], axis: int, count: int) -> tuple[tuple[int, ...], ...]:
    return shape[:axis], shape[axis : axis + count], shape[axis + count :]
