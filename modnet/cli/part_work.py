"""What a worker does with a part of a table: it predicts for its rows, with a model that its process loads once."""

from __future__ import annotations

import math
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import click
import numpy as np

from modnet.cli.forms import form_of
from modnet.cli.parts import Part
from modnet.cli.plugin_file import load_plugin_files
from modnet.cli.predicted import BLOCK, Account
from modnet.cli.prediction import Prediction
from modnet.engine.network import Network
from modnet.errors import ModnetError
from modnet.model.load import load
from modnet.plugins.schedulers import Wanted
from modnet.records import Record

ROWS = 65_536
"""About how many rows of a part are in memory at a time."""

MOST_MODELS = 4
"""How many models a process keeps."""


class PartDone(Record, eq=False):
    """What a worker gives for a part: an account of its rows, or what is wrong with it."""

    account: Account
    error: str = ""


class PartWork(Record):
    """Predicts for parts of a table; a `Work` for a scheduler.

    Attributes:
        model: gives the path of the model file, as the worker sees it.
        how: the options.
    """

    model: Callable[[], Path]
    how: Prediction

    def __call__(self, part: Part, wanted: Wanted) -> PartDone:
        """Writes the predictions for a part. Raises OSError: worth another attempt."""

        def look() -> None:
            if not wanted():
                raise ModnetError("it is no longer needed")

        try:
            return PartDone(self._write(part, look))
        except (ModnetError, click.UsageError) as error:
            return PartDone(Account(), str(error))

    def _write(self, part: Part, look: Callable[[], None]) -> Account:
        for path in (part.source.parent, part.target.parent):
            if not path.is_dir():
                raise ModnetError(
                    f"the machine of the worker, {socket.gethostname()}, has no folder {path}; it must see the same "
                    "folders as this machine"
                )
        network = NETWORKS.get(self.model(), self.how)
        how = self.how.replace(chunk=self.how.chunk or rows_of_blocks(network, self.how.faults))
        source, target = str(part.source), str(part.target)
        account, _ = how.write(network, source, target, form_of(target, False), part.constants, look)
        return account


class _Networks:
    """The networks that this process has loaded; its threads share them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[Any, Network] = {}

    def get(self, path: Path, how: Prediction) -> Network:
        """The network of a model file, mapped, so that the processes of a machine share the memory of its arrays."""
        found = path.stat()
        key = (path, found.st_ino, found.st_size, found.st_mtime_ns, how.engine, how.plugins)
        with self._lock:
            if key not in self._known:
                with warnings.catch_warnings(action="ignore"):  # they were given where the command runs
                    load_plugin_files(how.plugins)
                    network = load(path, mmap=True, engine=how.engine)
                if len(self._known) == MOST_MODELS:
                    self._known.pop(next(iter(self._known)))
                self._known[key] = network
            return self._known[key]


NETWORKS = _Networks()


def rows_of_blocks(network: Network, faults: str) -> int:
    """How many rows are read and predicted at a time.

    The last digits of a prediction may depend on the rows beside it. So blocks end where the network's batches do, and
    a part goes through it as the rows of a file do that is read at once.
    """
    if faults != "raise":
        return ROWS // BLOCK * BLOCK
    first = [np.zeros((0, *(axis or 1 for axis in shape)), network.dtype) for shape in network.inputs.values()]
    return math.ceil(ROWS / (batch := network.rows_at_a_time(first))) * batch
