"""A command that a launcher such as `mpirun` has started in several processes at once."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from modnet.cli.job import Job
from modnet.cli.output import tell
from modnet.errors import Diverged, TrainingError
from modnet.kinds.callback import Callback
from modnet.plugins.registry import default_registry

LAUNCHERS = {"OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK", "PMI_SIZE": "PMI_RANK"}
"""The variables by which launchers tell a process how many there are, and which one it is: Open MPI's, MPICH's."""

PATIENCE = 2.0
"""Seconds for which a process other than the first keeps an error to itself: one that the first process has as well is
told by that one, and the launcher then ends all of them."""


class Place(NamedTuple):
    """The number of this process and the number of all; of one process if no launcher has started it.

    Attributes:
        variable: where that was found.
    """

    rank: int
    size: int
    variable: str = ""

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and prints."""
        return not self.rank


def place() -> Place:
    for size, rank in LAUNCHERS.items():
        found = os.environ.get(size, ""), os.environ.get(rank, "")
        if all(text.isdecimal() for text in found):
            return Place(int(found[1]), int(found[0]), size)
    return Place(0, 1)


def sharing(job: Job, where: Place) -> list[Callback]:
    """What lets the processes share a training, beside the spec's callbacks.

    Raises:
        TrainingError: there are several, and nothing lets them.
    """
    if where.size == 1 or any(used.callback.processes() for used in job.training().callbacks):
        return []
    found: Callback | None = default_registry().hooks.hook.modnet_shared_training()
    if found is not None and found.processes() is not None:
        return [found]
    why = "pip install modnet-mpi lets them share it"
    if found is not None:
        why = f'the callback "{found.type}" does not see the others: its library may not be that of the launcher'
    raise _too_many(where, "train the whole network and write the same file", f"{why}; to train in one process")


def refuse_several(what: str, instead: str) -> None:
    """For a command whose work several processes cannot share.

    Args:
        what: that each of them would do.
        instead: another way to use several processors.

    Raises:
        TrainingError: there are several.
    """
    where = place()
    if where.size > 1:
        raise _too_many(where, f"{what} and write the same files", f"{instead} uses several processors; otherwise")


def _too_many(where: Place, what: str, advice: str) -> TrainingError:
    return TrainingError(
        f"{where.size} processes were started ({where.variable}), and each would {what}; {advice}, "
        "start modnet without a launcher, or unset that variable"
    )


@contextmanager
def quiet_but_first(where: Place) -> Iterator[None]:
    """In the other processes warnings are left out, and an error waits for the first process to tell it."""
    if where.leads:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Diverged:
            return  # the loss is that of all processes, and the first one tells of it and writes what was kept
        except Exception:
            time.sleep(PATIENCE)
            tell(f"in process {where.rank} of {where.size}:", err=True)
            raise
