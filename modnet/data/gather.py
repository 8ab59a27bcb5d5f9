"""Which rows make a batch, and copying them together."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from modnet.arrays import Array

BLOCK = 1 << 20
"""Bytes of a mapped file that are read together when its rows are shuffled."""

MIXED = 64
"""Blocks, drawn from anywhere in the file, whose rows are mixed with each other."""

MOST_RESIDENT = 32 << 20
"""Bytes that are read from a mapped file before its pages are given back."""


def shuffled(arrays: Sequence[Array], samples: int, rng: np.random.Generator) -> Iterator[Array]:
    """A new order of so many rows, in pieces: for arrays in memory any, for mapped files one that reads them in blocks.

    Of mapped files one group of blocks at a time is drawn, so that the order takes no memory that grows with them.
    """
    mapped = [array for array in arrays if isinstance(array, np.memmap)]
    if not mapped:
        yield rng.permutation(samples)
        return
    row = max(array.nbytes // max(1, len(array)) for array in mapped)
    count = max(1, samples // max(1, BLOCK // max(1, row)))
    size, longer = divmod(samples, count)
    blocks = rng.permutation(count)
    for first in range(0, count, MIXED):
        starts = [(block * size + min(block, longer), size + (block < longer)) for block in blocks[first:][:MIXED]]
        yield rng.permutation(np.concatenate([np.arange(start, start + length) for start, length in starts]))


def in_batches(pieces: Iterator[Array], batch_size: int, start: int = 0) -> Iterator[Array]:
    """An order that comes in pieces, in batches from its `start`th row on; the last one may be smaller."""
    waiting = np.empty(0, np.intp)
    for piece in pieces:
        dropped = min(start, len(piece))
        start -= dropped
        waiting = np.concatenate((waiting, piece[dropped:])) if len(waiting) else piece[dropped:]
        whole = len(waiting) - len(waiting) % batch_size
        for first in range(0, whole, batch_size):
            yield waiting[first : first + batch_size]
        waiting = waiting[whole:]
    if len(waiting):
        yield waiting


class Gatherer:
    """Copies rows of arrays together, always into the same buffers.

    Args:
        most: how many rows are taken at a time, at the most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffers: dict[int, Array] = {}
        self._contiguous: dict[int, Array] = {}
        self._resident = 0

    def take(self, array: Array, chosen: slice | Array) -> Array:
        """Some rows; but for a slice of an array in memory, copied into the same buffer every time."""
        mapped = isinstance(array, np.memmap)
        if isinstance(chosen, slice) and not mapped:
            return array[chosen]
        buffer = self._buffers.get(id(array))
        if buffer is None:
            buffer = self._buffers[id(array)] = np.empty((self._most, *array.shape[1:]), array.dtype)
        if isinstance(chosen, slice):
            taken = buffer[: chosen.stop - chosen.start]
            np.copyto(taken, array[chosen])
        else:
            taken = buffer[: len(chosen)]
            if array.flags.c_contiguous and array.flags.aligned:
                np.take(array, chosen, axis=0, out=taken, mode="clip")
            elif mapped:
                np.copyto(taken, array[chosen])
            else:
                np.take(self._in_order(array), chosen, axis=0, out=taken, mode="clip")
        if mapped:
            self._give_back(cast("np.memmap[Any, Any]", array), taken.nbytes)
        return taken

    def _in_order(self, array: Array) -> Array:
        """A copy whose rows lie one behind the other, made once: np.take would make one for every batch."""
        if id(array) not in self._contiguous:
            self._contiguous[id(array)] = np.array(array, order="C")
        return self._contiguous[id(array)]

    def _give_back(self, array: np.memmap[Any, Any], read: int) -> None:
        """Lets go of a mapped file's pages, of which its rows were copied, once they are many."""
        self._resident += read
        mapping = getattr(array, "_mmap", None)
        if self._resident > MOST_RESIDENT and mapping is not None and array.mode == "r" and hasattr(mapping, "madvise"):
            mapping.madvise(mmap.MADV_DONTNEED)
            self._resident = 0
