"""Batches that several processes share: each computes some rows of every batch of a run."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from modnet.arrays import Array


class Processes(Protocol):
    """The processes that share a run. All of them make the same calls in the same order.

    Attributes:
        rank: the number of this process, from 0. Only the first one writes files and prints.
        size: how many there are, at least 2.
    """

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    def add_up(self, array: Array) -> None:
        """Replaces a contiguous array by the sum of the arrays of all processes: the same bytes in each of them."""
        ...

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, in their order: plain values and arrays."""
        ...


class Share:
    """The rows of a batch that one of several processes computes: all of them in turn have about the same number.

    Attributes:
        processes: who shares the batch.
        total: the number of rows in the whole batch.
        own: the rows of this process; there are none where the batch has fewer rows than there are processes.
    """

    __slots__ = ("own", "processes", "total")

    def __init__(self, processes: Processes, total: int) -> None:
        rank, size = processes.rank, processes.size
        self.processes, self.total = processes, total
        self.own = slice(total * rank // size, total * (rank + 1) // size)

    def add_up(self, array: Array) -> Array:
        """The same array, which now has the sum over all processes."""
        self.processes.add_up(array)
        return array

    def any(self, found: bool) -> bool:
        """Whether something is so in any process."""
        return bool(self.add_up(np.array([found], np.float64))[0])

    def joined(self, rows: Array) -> Array:
        """The rows of all processes, in the order of the batch."""
        return np.concatenate(self.processes.gather(rows))
