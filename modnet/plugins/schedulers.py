"""Schedulers of plugins: what lets workers, on this machine or on others, do parts of a command's work."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from modnet.errors import NotInstalled
from modnet.plugins.registry import Registry
from modnet.records import Record
from modnet.words import show

Wanted = Callable[[], bool]
"""Whether the result of a task is still needed; if not, a long task may raise anything to end early."""

Work = Callable[[Any, Wanted], Any]
"""What a worker does with a task. It can be pickled, and so can tasks and results."""

PLUGIN = "modnet-dask"
"""The plugin with the schedulers that messages know."""


class Ended(Record):
    """What became of a task.

    Attributes:
        place: its position among the tasks.
        result: what the work gave.
        error: why there is no result, or None.
        retries: how often it was tried again, for example because its worker was lost.
    """

    place: int
    result: Any = None
    error: Exception | None = None
    retries: int = 0


@runtime_checkable
class Scheduler(Protocol):
    """Workers, each a process that may end at any time."""

    def share(self, path: Path) -> Callable[[], Path]:
        """Lets the workers see a file: gives a function, to be called by a worker, that gives its path there.

        The function can be pickled. What it raises says that the worker does not see the file, or sees another one.
        """
        ...

    def run(self, work: Work, tasks: Sequence[Any]) -> Generator[Ended]:
        """Does the work for each task, several at a time, and gives what became of each as soon as it is known.

        A task whose worker is lost is tried again, a few times. Where the generator is closed early, after Ctrl-C for
        example, no further task is begun.

        Raises:
            OSError: the workers cannot be reached any more.
        """
        ...

    def close(self) -> None:
        """Lets go of the workers, and ends those that were started for this scheduler."""
        ...


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, by which a worker knows that it sees the same one. Raises OSError."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def scheduler_at(address: str, registry: Registry) -> Scheduler:
    """The scheduler at an address, by the hook `modnet_scheduler`.

    Raises:
        NotInstalled: no installed plugin knows such an address.
        ModnetError: from the plugin: nothing answers there.
    """
    found: Scheduler | None = registry.hooks.hook.modnet_scheduler(address=address)
    if found is None:
        raise NotInstalled(
            f"no installed plugin knows the scheduler {show(address)}; {PLUGIN} knows local, tcp://HOST:PORT and the "
            f"scheduler file of dask (FILE.json):  pip install {PLUGIN}",
            PLUGIN,
        )
    return found
