"""Gives operations and values their places: a program that native code runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modnet.arrays import ALIGNMENT, Array, aligned_empty
from modnet_compiled.library import Library
from modnet_compiled.operations import CODES, IN_PLACE, Operation, Packed, Padded, Table, Value, simplified
from modnet_compiled.program import ARRAYS, OPERATION, SLOT, Program, Workspaces

CACHED = 256 << 10
"""The bytes that a block of samples may take between operations, so that they stay in a processor's own cache."""

MOST_SAMPLES, FEWEST_SAMPLES = 1024, 8
"""The most samples of a block, and the fewest where the weights are larger than `CACHED`."""

SLACK = 192
"""Bytes behind each place: whole vectors are read, also where fewer numbers are left."""


class Constants:
    """The tables and packed weights of a network's programs, kept from one to the next, which mostly has the same.

    Args:
        library: says how weights are packed.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._made: dict[tuple[int, int, type, np.dtype[Any]], tuple[Array, Array]] = {}

    def array(self, number: int, place: int, table: Table) -> Array | None:
        """What native code is to find for a table of operation `number`."""
        if table is None:
            return None
        given = table.array if isinstance(table, Packed | Padded) else table
        key = (number, place, type(table), given.dtype)
        source, made = self._made.get(key, (None, None))
        if made is None or source is None or not np.array_equal(source, given):
            made = self._prepared(table)
            self._made[key] = given, made
        return made

    def _prepared(self, table: Array | Packed | Padded) -> Array:
        if isinstance(table, Packed):
            return _copied(self._packed(table.array), self._library.dtype)
        if isinstance(table, Padded):
            return _copied(np.pad(table.array, ((0, 0), (0, self._library.panel))), self._library.dtype)
        return _copied(table, table.dtype)

    def _packed(self, weight: Array) -> Array:
        groups, _, columns = weight.shape
        panel, lanes = self._library.panel, self._library.lanes
        parts = [np.zeros(0)]
        for group in range(groups):
            for start in range(0, columns, panel):
                own = weight[group, :, start : start + panel]
                width = panel if own.shape[1] > lanes else lanes
                parts.append(np.pad(own, ((0, 0), (0, width - own.shape[1]))).reshape(-1))
        return np.concatenate(parts)


def _copied(array: Array, dtype: np.dtype[Any]) -> Array:
    made = aligned_empty(array.size + SLACK // dtype.itemsize, dtype)[: array.size].reshape(array.shape)
    made[...] = array
    return made


def placed(
    operations: Sequence[Operation],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    constants: Constants,
    workspaces: Workspaces,
    library: Library,
) -> Program:
    """The program of operations, from inputs that are the caller's to outputs."""
    written = simplified(operations, outputs)
    for number, value in enumerate(outputs, len(inputs)):
        if value.root.external is None:
            value.root.external = number
        else:
            written.append(_copy_of(value, number))
    regions = _Regions(written)
    block = _block(regions.bytes_at_once(1), written)
    size = regions.lay(block)
    table = np.zeros(len(written), OPERATION)
    slots = np.array([regions.slot(value) for value in regions.values], SLOT)
    kept: list[Any] = []
    for number, (row, operation) in enumerate(zip(table, written, strict=True)):
        kept += _fill(row, number, operation, regions, constants)
    return Program(library, table, slots, block, size, [value.shape for value in outputs], kept, workspaces)


def _copy_of(value: Value, number: int) -> Operation:
    """An output that is an input, or another output, copied to its own place."""
    output = Value(value.shape, value.dtype, external=number)
    return Operation("copy", (value,), output, [value.nbytes, 1, 0, 0, 0, 0, value.nbytes, value.nbytes])


def _block(sample: int, operations: Sequence[Operation]) -> int:
    """How many samples pass through all operations together, for a given number of bytes for each sample."""
    block = min(MOST_SAMPLES, max(1, CACHED // max(sample, 1)))
    weights = sum(operation.weight.nbytes for operation in operations if operation.weight is not None)
    if block < FEWEST_SAMPLES:
        return FEWEST_SAMPLES if weights > CACHED else block
    return block // FEWEST_SAMPLES * FEWEST_SAMPLES


def _fill(row: Any, number: int, operation: Operation, regions: _Regions, constants: Constants) -> list[Array]:
    """Writes an operation as native code reads it; gives the arrays whose addresses are in it."""
    tables = operation.tables()
    arrays = [constants.array(number, place, table) for place, table in enumerate(tables)]
    numbers, factors = list(operation.numbers), list(operation.factors)
    for scratch, region in zip(operation.scratch, regions.of_operation(number), strict=True):
        numbers[len(numbers) :] = [0] * (scratch.place + 1 - len(numbers))
        numbers[scratch.place] = region.offset
    if operation.name == "convolution" and arrays[0] is not None and operation.weight is not None:
        factors[1] = arrays[0].size / len(operation.weight)
    row["code"] = CODES[operation.name]
    given = (*operation.inputs, None, None)[:2]
    row["slots"] = [regions.number(value) for value in (*given, operation.output, operation.mask)]
    row["numbers"][: len(numbers)] = numbers
    row["factors"][: len(factors)] = factors
    row["arrays"][: len(arrays)] = [0 if array is None else array.ctypes.data for array in arrays]
    if operation.own:
        row["arrays"][ARRAYS - 1] = operation.own
    return [array for array in arrays if array is not None]


@dataclass
class _Region:
    """A part of the workspace.

    Attributes:
        first, last: the operations between which it is in use.
        of_sample, fixed: its bytes, for each sample of a block and beside them.
        offset: where it lies.
    """

    first: int
    last: int
    of_sample: int
    fixed: int = SLACK
    offset: int = -1

    def size(self, block: int) -> int:
        whole = self.of_sample * block + self.fixed
        return -(-whole // ALIGNMENT) * ALIGNMENT


class _Regions:
    """Which values are in the workspace, at which place and how long."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations = operations
        self._numbers: dict[Value, int] = {}
        self._of_values: dict[Value, _Region] = {}
        self._of_operations: list[list[_Region]] = []
        self._regions: list[_Region] = []
        for number, operation in enumerate(operations):
            for value in (*operation.read, operation.output):
                root = value.root
                self._numbers.setdefault(root, len(self._numbers))
                if root.external is None:
                    self._of_values.setdefault(root, _Region(number, number, root.nbytes)).last = number
        for number, operation in enumerate(operations):
            self._begin(number, operation)

    @property
    def values(self) -> list[Value]:
        """The values that have a place of their own."""
        return list(self._numbers)

    def _begin(self, number: int, operation: Operation) -> None:
        output = operation.output.root
        region = self._of_values.get(output)
        if region is not None and region.first == number:
            source = operation.inputs[0].root
            before = self._of_values.get(source)
            ends = before is not None and before.last == number and before.of_sample == region.of_sample
            if before is not None and ends and operation.name in IN_PLACE:
                before.last = region.last
                self._of_values[output] = before
            else:
                self._regions.append(region)
        own = [
            _Region(number, number, *((part.size, SLACK) if part.of_sample else (0, part.size + SLACK)))
            for part in operation.scratch
        ]
        self._regions += own
        self._of_operations.append(own)

    def bytes_at_once(self, block: int) -> int:
        """The most bytes that are in use at once."""
        return max(
            (
                sum(region.size(block) for region in self._regions if region.first <= number <= region.last)
                for number in range(len(self._operations))
            ),
            default=0,
        )

    def lay(self, block: int) -> int:
        """Gives each region the lowest place that is free as long as it is needed; gives the bytes of all."""
        active: list[_Region] = []
        total = 0
        for region in self._regions:
            active = sorted((other for other in active if other.last >= region.first), key=lambda other: other.offset)
            offset = 0
            for other in active:
                if other.offset - offset >= region.size(block):
                    break
                offset = max(offset, other.offset + other.size(block))
            region.offset = offset
            active.append(region)
            total = max(total, offset + region.size(block))
        return total

    def number(self, value: Value | None) -> int:
        return -1 if value is None else self._numbers[value.root]

    def slot(self, value: Value) -> tuple[int, int, int]:
        region = self._of_values.get(value)
        return (-1 if value.external is None else value.external, 0 if region is None else region.offset, value.nbytes)

    def of_operation(self, number: int) -> list[_Region]:
        return self._of_operations[number]
