"""The entry point `search`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from modnet.assessment.search.planned import Asked, Planned
from modnet.assessment.search.result import SearchResult, Trial
from modnet.engine.build import plan
from modnet.model.load import load
from modnet.plugins.registry import Registry, default_registry
from modnet.plugins.schedulers import Scheduler, scheduler_at
from modnet.specs.reader import SpecLike


def search(
    spec: SpecLike,
    x: Any = None,
    *,
    trials: int | None = None,
    time: float | None = None,
    processes: int = 1,
    folder: str | PathLike[str] | None = None,
    resume: bool = False,
    scheduler: str | Scheduler | None = None,
    ended: Callable[[Trial], object] | None = None,
    registry: Registry | None = None,
) -> SearchResult:
    """Looks for the values of a spec that its `[search]` table marks, by training it again and again.

    Args:
        spec: as for `train`.
        x: rows of a table, as for `train`; by default the data that the spec names.
        trials, time: instead of those of `[search]`.
        processes: that make trials at once, each a Python of its own: a script guards its work by `if __name__ ...`.
        folder: for the journal and the best model.
        resume: go on with the search in the folder; trials that were cut off are done again.
        scheduler: the workers that make the trials, who see the folder, or their address. They are sent the rows.
        ended: is called with each trial that is over.
        registry: where components are looked up; with several processes only the default one.

    Raises:
        SpecError: the spec has faults, or no `[search]` table.
        DataError, ShapeError: its data cannot be read, or do not fit.
        TrainingError: the folder has a search already, and resume is False or it is of another spec.
        NotInstalled: of the scheduler.
    """
    registry = registry or default_registry()
    if (processes > 1 or scheduler is not None) and registry is not default_registry():
        raise ValueError("other processes have the default registry alone; search in one, or leave registry out")
    planned = Planned(plan(spec, registry=registry), x, registry)
    asked = Asked(trials, time, processes, resume, _workers(scheduler, registry))
    with _place(folder) as place:
        found = _with_network(planned.search(Path(place), asked, ended), registry)
    return found if folder is not None else found.replace(model=None)


def _workers(scheduler: str | Scheduler | None, registry: Registry) -> Callable[[], Scheduler] | None:
    """What connects to the workers, once all else is checked."""
    if scheduler is None:
        return None
    return partial(scheduler_at, scheduler, registry) if isinstance(scheduler, str) else lambda: scheduler


def _place(folder: str | PathLike[str] | None) -> AbstractContextManager[str]:
    """The folder of a search; without one, one that lasts as long as the search."""
    if folder is None:
        return tempfile.TemporaryDirectory(prefix="modnet-search-")
    return nullcontext(str(Path(folder).expanduser()))


def _with_network(found: SearchResult, registry: Registry) -> SearchResult:
    return found if found.model is None else found.replace(network=load(found.model, registry=registry))
