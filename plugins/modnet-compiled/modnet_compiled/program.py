"""A program in the form in which native/program.h has it, and its workspaces."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array, aligned_empty
from modnet_compiled.library import Library

NUMBERS, ARRAYS, FACTORS = 16, 6, 4

OPERATION = np.dtype(
    [
        ("code", np.int64),
        ("slots", np.int64, 4),
        ("numbers", np.int64, NUMBERS),
        ("arrays", np.uint64, ARRAYS),
        ("factors", np.float64, FACTORS),
    ]
)
SLOT = np.dtype([("external", np.int64), ("offset", np.int64), ("size", np.int64)])

SMALL_WORKSPACE = 1 << 20
"""The bytes of a workspace that is always kept; of larger ones a single one is."""


class Fault(Exception):
    """An operation found values that it cannot process; modnet's own layers then say what is wrong."""


def address(array: Any) -> int:
    """The address of a contiguous array. For an array that can be written to, this way is the fastest."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError):  # read-only, or without elements
        return int(array.ctypes.data)


class Workspaces:
    """Idle workspaces of a network's programs, each with room for the addresses of a call's arrays."""

    def __init__(self) -> None:
        self._idle: list[tuple[int, int, Any, Array]] = []

    def borrow(self, size: int, arrays: int) -> tuple[int, int, Any, Array]:
        """(bytes, address, addresses of arrays, what has to be kept alive), with room for so much at least."""
        try:
            found = self._idle.pop()  # atomic, as in `Passes`
        except IndexError:
            pass
        else:
            if found[0] >= size and len(found[2]) >= arrays:
                return found
        made = aligned_empty(size, np.dtype(np.uint8))
        return size, made.ctypes.data, (ctypes.c_void_p * arrays)(), made

    def give_back(self, used: tuple[int, int, Any, Array]) -> None:
        """Takes a workspace back, unless it is large and others are there."""
        if used[0] <= SMALL_WORKSPACE or not self._idle:
            self._idle.append(used)


class Program:
    """Operations with their places, for samples of one shape; any number of threads may run it.

    Args:
        library: what runs it.
        operations: as `OPERATION`.
        slots: as `SLOT`.
        block: how many samples pass through all operations together.
        workspace: the bytes that a block needs.
        outputs: the shape of a sample of each output.
        kept: the arrays whose addresses are in `operations`.
        workspaces: where workspaces are borrowed.
    """

    def __init__(
        self,
        library: Library,
        operations: Array,
        slots: Array,
        block: int,
        workspace: int,
        outputs: Sequence[tuple[int, ...]],
        kept: Sequence[Any],
        workspaces: Workspaces,
    ) -> None:
        header = (operations.ctypes.data, slots.ctypes.data, len(operations), len(slots), block)
        self._header = np.array(header, np.int64)
        self._kept = (operations, slots, *kept)
        self._address = self._header.ctypes.data
        self._run, self._dtype = library.run, library.dtype
        self._bytes, self._outputs, self._workspaces = workspace, outputs, workspaces

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs for inputs (batch, ...), contiguous, of the dtypes that the program reads.

        Raises:
            Fault: an operation has found something wrong, such as an id that is not there.
        """
        rows, dtype = len(inputs[0]), self._dtype
        made = [np.empty((rows, *shape), dtype) for shape in self._outputs]
        if not rows:
            return made
        arrays = [*inputs, *made]
        used = self._workspaces.borrow(self._bytes, len(arrays))
        _, place, addresses, _ = used
        for number, array in enumerate(arrays):
            addresses[number] = address(array)
        fault = self._run(self._address, rows, addresses, place)
        self._workspaces.give_back(used)
        if fault:
            raise Fault(f"fault {fault}")
        return made
