"""The entry point `search`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
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
        spec, x: as for `train`; x is rows of a table, by default the data that the spec names.
        trials, time: instead of those of `[search]`.
        processes: how many make trials at once, each a Python with its share of the threads: guard a script's own work
            by `if __name__ == "__main__":`.
        folder: for the journal and the best model.
        resume: go on with the search in the folder; trials that were cut off are done again.
        scheduler: who makes the trials, as for `modnet search --scheduler`. Rows that are given go with each trial.
        ended: is called with each trial that is over.
        registry: where components are looked up; with several processes only the default one.

    Raises:
        SpecError: the spec has faults, or no `[search]` table.
        DataError, ShapeError: its data cannot be read, or do not fit.
        TrainingError: the folder has a search already, and resume is False or it is of another spec.
    """
    registry = registry or default_registry()
    if (processes > 1 or scheduler is not None) and registry is not default_registry():
        raise ValueError("several processes use the default registry; search in one, or leave registry out")
    asked = Asked(trials, time, processes, resume, _opener(scheduler))
    planned = Planned(plan(spec, registry=registry), x, registry)
    if folder is not None:
        return _with_network(planned.search(Path(folder).expanduser(), asked, ended), registry)
    with tempfile.TemporaryDirectory(prefix="modnet-search-") as place:
        return _with_network(planned.search(Path(place), asked, ended), registry).replace(model=None)


def _opener(scheduler: str | Scheduler | None) -> Callable[[], Scheduler] | None:
    if isinstance(scheduler, str):
        return lambda: scheduler_at(scheduler, default_registry())
    return None if scheduler is None else lambda: scheduler


def _with_network(found: SearchResult, registry: Registry) -> SearchResult:
    return found if found.model is None else found.replace(network=load(found.model, registry=registry))
