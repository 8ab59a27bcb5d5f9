"""Tensors of an ONNX graph, and where their numbers lie in modnet's arrays.

modnet's arrays have the batch first, and channels last. ONNX has no such rule: a `Transpose`, `Squeeze` or `Reshape` is
mostly no more than another view of the same numbers. So each tensor says for each of its axes which axes of a modnet
array it is made of, and such operators only change what it says. Numbers are moved where an operator needs them in a
certain order, and nowhere else: an image goes through all convolutions of a network with its channels last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx

from modnet.arrays import Array, Shape
from modnet.records import Record

OPEN = tuple(
    1_000_003 + more for more in (0, 30, 34, 36, 78, 96, 114, 118, 130, 148, 156, 168, 180, 184, 190, 196, 208)
)
"""Prime numbers that stand for sizes which are open, the first of them for that of the batch.

With them, shapes stay numbers: ONNX's own inference computes with them, and so do the parts of a graph that make a
shape of other shapes. A size that is a multiple of one is open.
"""

BATCH = OPEN[0]
"""The size of the batch."""

FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
"""The types of numbers with fractions."""


class NotNative(Exception):
    """modnet has no layers for an operator as it is used here; the text says why."""


def is_open(size: int) -> bool:
    """Whether a size is not known before there are data."""
    return size >= OPEN[0]


class Value(Record, eq=False):
    """A tensor.

    Attributes:
        name: in the ONNX graph.
        dtype: its type, a number of `onnx.TensorProto`.
        shape: its sizes, with those of `OPEN`.
        constant: its elements, where they are known; with a size of 1 where it is the same all along an open axis.
        learned: whether the constant is an array of weights of the file, which can be trained further.
        shape_of_batch: whether the constant is made of shapes, and has open sizes in it.
        source: the output of a node of modnet that has its elements.
        sizes: of that array, the batch first.
        axes: for each of its axes the axes of that array that it is made of, in order; none for a size of 1.
    """

    name: str
    dtype: int
    shape: tuple[int, ...]
    constant: Array | None = None
    learned: bool = False
    shape_of_batch: bool = False
    source: str = ""
    sizes: tuple[int, ...] = ()
    axes: tuple[tuple[int, ...], ...] = ()

    @property
    def is_float(self) -> bool:
        return self.dtype in FLOATS

    @property
    def is_pending(self) -> bool:
        """Whether its elements are not there yet: a part of the graph that modnet has no layers for computes them."""
        return self.constant is None and not self.source

    @property
    def is_compact(self) -> bool:
        """Whether the constant is the same all along an axis whose size is open."""
        return self.constant is not None and self.constant.shape != self.shape

    @property
    def batch_axis(self) -> int | None:
        """Which of its axes is the batch, or has it as a part; None if it is a single sample."""
        return next((at for at, parts in enumerate(self.axes) if 0 in parts), None)

    def parts(self, axis: int) -> tuple[int, ...]:
        """The axes of the array that make up one of the tensor, without those of size 1."""
        return tuple(part for part in self.axes[axis] if self.sizes[part] != 1)

    def whole(self, axis: int) -> tuple[int, ...]:
        """The same for an axis that must not have to do with the batch.

        Raises:
            NotNative: it has.
        """
        parts = self.parts(axis)
        if 0 in parts:
            raise NotNative(f"it works along the batch (axis {axis})")
        return parts

    def of_samples(self) -> list[int]:
        """Its axes but for the batch, in the order in which they lie in the array.

        Raises:
            NotNative: the batch is joined with another axis.
        """
        if any(0 in parts and len(parts) > 1 for parts in map(self.parts, range(len(self.axes)))):
            raise NotNative("the batch is joined with another axis")
        found = [axis for axis in range(len(self.axes)) if 0 not in self.axes[axis]]
        return sorted(found, key=lambda axis: min(self.parts(axis), default=-1))

    def positive(self, axis: int) -> int:
        """An axis, counted from 0.

        Raises:
            NotNative: there is none such.
        """
        if not -len(self.shape) <= axis < len(self.shape):
            raise NotNative(f"it names the axis {axis} of a tensor with {len(self.shape)}")
        return axis % len(self.shape)


def sample_shape(sizes: Sequence[int]) -> Shape:
    """The shape of one sample of an array of modnet, None for an open size."""
    return tuple(None if is_open(size) else size for size in sizes[1:])


def elements(shape: Sequence[int]) -> int:
    return math.prod(shape)
