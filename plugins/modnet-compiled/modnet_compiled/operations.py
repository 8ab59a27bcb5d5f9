"""Operations on values, before they have places: what layers are lowered to, and what is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modnet.arrays import Array

CODES = {
    name: number
    for number, name in enumerate(
        (
            "product",
            "convolution",
            "depthwise",
            "pool",
            "recurrent",
            "activation",
            "affine",
            "affine_raw",
            "clip",
            "prelu",
            "blend",
            "add",
            "multiply",
            "softmax",
            "temperature",
            "norm",
            "copy",
            "reduce",
            "gather",
            "pieces",
            "waves",
            "quantiles",
            "mask_of_ids",
            "mask_of_rows",
            "both_masks",
            "own",
        )
    )
}
"""Operation -> its place among OPERATIONS of native/run.c."""

FUNCTIONS = {
    name: number
    for number, name in enumerate(
        (
            "identity",
            "relu",
            "leaky_relu",
            "elu",
            "hard_sigmoid",
            "hard_swish",
            "sigmoid",
            "tanh",
            "softplus",
            "silu",
            "mish",
            "gelu",
            "gelu_tanh",
            "smooth_clip",
        )
    )
}
"""Function -> its number in native/elementwise.h."""

IN_PLACE = ("activation", "affine", "clip", "prelu", "blend", "add", "multiply", "softmax", "norm")
"""Operations that may write over their first input: they read each number, or each row, before they write it."""


class Value:
    """Numbers of each sample.

    Attributes:
        shape: of one sample.
        dtype: of the numbers.
        root: the value in whose place it lies: itself, unless it is another one in another shape.
        external: its number among the arrays of the caller; None for one in the workspace.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], root: Value | None = None, external: int | None = None
    ) -> None:
        self.shape, self.dtype, self.external = shape, dtype, external
        self.root: Value = root or self

    @property
    def size(self) -> int:
        """The numbers of a sample."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """The bytes of a sample."""
        return self.size * self.dtype.itemsize


@dataclass(frozen=True)
class Packed:
    """A weight (groups, depth, columns) that native code is to find in panels."""

    array: Array


@dataclass(frozen=True)
class Padded:
    """A bias (groups, columns), of which whole panels are read."""

    array: Array


Table = Array | Packed | Padded | None


@dataclass
class Scratch:
    """Further room of an operation in the workspace.

    Attributes:
        place: which of its numbers says where it lies.
        size: in bytes.
        of_sample: whether that is for each sample of a block.
    """

    place: int
    size: int
    of_sample: bool = True


@dataclass
class Operation:
    """An operation: name, inputs, output, and what native code reads of it.

    Attributes:
        numbers, factors: as its function in native/ names them.
        arrays: its tables, of the dtypes in which it reads them; None for one that it does without.
        scratch: further room.
        weight, bias: (groups, depth, columns) and (groups, columns) of a product, convolution or depthwise, whose first
            two tables they become.
        mask: of the steps of the first input.
        own: the address of the function of a layer that brings its own C.
    """

    name: str
    inputs: tuple[Value, ...]
    output: Value
    numbers: list[int] = field(default_factory=list)
    arrays: list[Table] = field(default_factory=list)
    factors: list[float] = field(default_factory=list)
    scratch: list[Scratch] = field(default_factory=list)
    weight: Array | None = None
    bias: Array | None = None
    mask: Value | None = None
    own: int = 0

    @property
    def read(self) -> tuple[Value, ...]:
        """All values that it reads."""
        return self.inputs if self.mask is None else (*self.inputs, self.mask)

    @property
    def rectified(self) -> bool:
        """Whether a product ends in max(x, 0)."""
        return bool(self.numbers[9] if self.name == "product" else self.factors[0])

    def tables(self) -> list[Table]:
        """All tables, with those of weight and bias."""
        if self.weight is None or self.bias is None:
            return self.arrays
        dtype = self.output.dtype
        weight = self.weight.astype(dtype) if self.name == "depthwise" else Packed(self.weight)
        return [weight, Padded(self.bias), *self.arrays[2:]]

    def rectify(self) -> None:
        if self.name == "product":
            self.numbers[9] = 1
        else:
            self.factors[0] = 1.0


def simplified(operations: Sequence[Operation], outputs: Sequence[Value]) -> list[Operation]:
    """The operations with scales, shifts and relu made part of the product before them."""
    found: list[Operation] = []
    readers: dict[Value, int] = {}
    writers: dict[Value, int] = {}
    for operation in operations:
        for value in operation.read:
            readers[value.root] = readers.get(value.root, 0) + 1
        writers[operation.output.root] = writers.get(operation.output.root, 0) + 1
    for value in outputs:
        readers[value.root] = readers.get(value.root, 0) + 1
    makers: dict[Value, Operation] = {}
    for operation in operations:
        before = makers.get(operation.inputs[0].root) if operation.inputs else None
        root = operation.inputs[0].root if operation.inputs else None
        alone = before is not None and root is not None and readers[root] == 1 == writers[root]
        if before is not None and alone and _joined(before, operation):
            before.output = operation.output
            makers[operation.output.root] = before
            continue
        found.append(operation)
        makers[operation.output.root] = operation
    return found


def _joined(before: Operation, operation: Operation) -> bool:
    """Makes an operation part of the product before it, if it can be."""
    if before.weight is None or before.bias is None or before.rectified:
        return False
    if operation.name == "activation" and operation.numbers[0] == FUNCTIONS["relu"]:
        before.rectify()
        return True
    if operation.name != "affine" or operation.numbers[0] != before.bias.size:
        return False
    center, scale, shift = (np.asarray(array, np.float64) for array in operation.arrays)
    groups = len(before.bias)
    before.bias = (before.bias - center.reshape(groups, -1)) * scale.reshape(groups, -1) + shift.reshape(groups, -1)
    before.weight = before.weight * scale.reshape(groups, 1, -1)
    return True
