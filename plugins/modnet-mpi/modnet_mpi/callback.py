"""The callback `mpi`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import modnet
from modnet import Callback

if TYPE_CHECKING:
    from modnet_mpi.world import World


class Mpi(Callback, type="mpi"):
    """Lets the processes that `mpirun` has started train one network together.

    Each has the same spec and data, and trains with its share of the rows of every batch, so that `batch_size` is that
    of all of them. Gradients, figures, the statistics of `batch_norm` and what metrics see are those of the whole
    batch: but for rounding, the result is that of one process, and the same bytes for the same number of processes.
    Callbacks that write, such as `checkpoint`, do so only in the first process.

    In a single process it changes nothing. `modnet train` under `mpirun` needs no mention of it in the
    spec.

    Raises:
        MissingExtra: mpi4py finds no MPI library, and a launcher has started several processes.
    """

    def processes(self) -> World | None:
        # Only now: whoever lists components should not start MPI, which takes a tenth of a second and opens sockets.
        from modnet_mpi.world import world

        return world()

    def join(self, run: modnet.Run) -> object:
        return _Guard(self.processes())


class _Guard:
    """Ends all processes if this one leaves a shared run before its end, because the others would wait for it."""

    def __init__(self, world: World | None) -> None:
        self.world = world
        self.expected(True)

    def expected(self, now: bool) -> None:
        """Whether the others expect this process to take part."""
        if self.world is not None:
            self.world.expected = now

    def modnet_training_ended(self, run: modnet.Run) -> None:
        # All processes have the same loss, so that all of them have this error.
        if isinstance(sys.exception(), modnet.Diverged):
            self.expected(False)

    def modnet_training_concluded(self, run: modnet.Run) -> None:
        self.expected(False)
