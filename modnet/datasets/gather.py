"""Choosing the rows of batches, and copying them."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from modnet.arrays import Array

BLOCK = 1 << 20
"""Bytes of a mapped file that are read together when its rows are shuffled."""

MIXED = 64
"""How many blocks, drawn from anywhere in the file, have their rows mixed with each other."""

MOST_RESIDENT = 32 << 20
"""Bytes that are read from a mapped file before its pages are returned to the system."""


def shuffled(arrays: Sequence[Array], samples: int, rng: np.random.Generator) -> Iterator[Array]:
    """A new order of `samples` rows, in pieces: any order for arrays in memory, and blocks of rows for mapped files.

    Reading single rows in random order from a disk would take many times as long. For mapped files, one group of blocks
    is drawn at a time, so that the memory for the order does not grow with the file.
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
    """Batches from an order that comes in pieces, starting at position `start`; the last one may be smaller."""
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
    """Copies rows of arrays into buffers, which are reused.

    Args:
        most: the greatest number of rows that are taken at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffers: dict[int, Array] = {}
        self._contiguous: dict[int, Array] = {}
        self._resident = 0

    def take(self, array: Array, chosen: slice | Array) -> Array:
        """Some rows, copied into the buffer for that array; a slice of an array in memory is returned as a view."""
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
            # np.take with `out` and mode "clip" (the rows are valid) neither allocates nor buffers, unlike indexing;
            # but it copies the whole array first if that is not contiguous, which a mapped file must not be.
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
        """A contiguous copy, made once: np.take would make one for every batch."""
        if id(array) not in self._contiguous:
            self._contiguous[id(array)] = np.array(array, order="C")
        return self._contiguous[id(array)]

    def _give_back(self, array: np.memmap[Any, Any], read: int) -> None:
        """Returns the pages of a mapped file, whose rows have been copied, to the system if they are many.

        Otherwise the process would seem to need as much memory as the file has, and containers would kill it.
        """
        self._resident += read
        mapping = getattr(array, "_mmap", None)
        if self._resident > MOST_RESIDENT and mapping is not None and array.mode == "r" and hasattr(mapping, "madvise"):
            mapping.madvise(mmap.MADV_DONTNEED)
            self._resident = 0
