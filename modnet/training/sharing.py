"""What several processes that share a run have to have in common, and how that is made sure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from zlib import crc32

import numpy as np

from modnet.engine.network import Network
from modnet.errors import TrainingError
from modnet.kinds.callback import Callback
from modnet.kinds.sharing import Processes


def processes_of(network: Network, callbacks: Iterable[Callback]) -> Processes | None:
    """The processes that share a run with these callbacks; None if it is one process's own.

    Raises:
        TrainingError: a layer cannot be trained with a part of a batch.
    """
    found = next((found for callback in callbacks if (found := callback.processes()) is not None), None)
    if found is not None:
        _refuse_indivisible(network)
    return found


def takes_part(callback: Callback, processes: Processes | None) -> bool:
    """Whether a callback hears the events in this process: one that writes does so only in the first process."""
    return processes is None or not processes.rank or not callback.of_one_run


def _refuse_indivisible(network: Network) -> None:
    for node in network.graph.nodes:
        if not node.layer.divisible:
            raise TrainingError(
                f"{node.label()} needs whole batches in training, so that several processes cannot share them; "
                "train it in one process"
            )


def fingerprint(network: Network) -> str:
    """Of the parameters and the state."""
    arrays = network.parameters.flat, network.state.flat
    return " ".join(f"{crc32(np.ascontiguousarray(array).view(np.uint8).data):08x}" for array in arrays)


def require_same(processes: Processes, found: Mapping[str, str], where: str) -> None:
    """Compares texts by name, that have to be the same in all processes.

    Raises:
        TrainingError: they differ.
    """
    known, *others = processes.gather(dict(found))
    for rank, other in enumerate(others, 1):
        if different := [name for name in known | other if known.get(name) != other.get(name)]:
            raise TrainingError(
                f"{where}, process {rank} of {processes.size} has other {', '.join(different)} than process 0; all "
                "need the same network, data and seed, and the same versions of everything"
            )


def agreed(processes: Processes, reason: str, terminated: bool) -> tuple[str, bool]:
    """Why the run must end ("" if it need not), and whether the process must: if any process requests it."""
    asked = np.array([bool(reason), terminated], np.float64)
    processes.add_up(asked)
    if not asked[0]:
        return "", False
    return next(filter(None, processes.gather(reason))), bool(asked[1])
