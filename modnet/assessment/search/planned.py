"""A search before its first trial, all of whose faults are known, and its course."""

from __future__ import annotations

import os
import time as clock
import warnings
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

from modnet.assessment.search.cluster import work_on
from modnet.assessment.search.result import DONE, SearchResult, Trial, counts, importance_of, trial_of, trials_of
from modnet.assessment.search.space import Space
from modnet.assessment.search.study import JOURNAL, new_study, optuna_library, quiet, study_to_resume
from modnet.assessment.search.training import Data
from modnet.assessment.search.workers import Counter, Task, Worker, model_of, work_in_processes
from modnet.datasets.dataset import Dataset
from modnet.engine.network import Network
from modnet.errors import DataError, Problem, ShapeError, SpecError, TrainingError
from modnet.kinds.figures import VALIDATION, monitored_figure
from modnet.plugins.registry import Registry
from modnet.plugins.schedulers import Scheduler
from modnet.records import Record
from modnet.specs.search import SearchSpec
from modnet.training.checkpoint import lock_folder
from modnet.training.objective import Objective
from modnet.words import path_text, show

INTERRUPTED, OUT_OF_TIME, LOST = "interrupted", "the time is over", "a process of the search has ended"
"""Why a search ended before its last trial."""


class Asked(Record):
    """How much is to be searched, and by whom: the arguments of `search` with these names.

    Attributes:
        scheduler: gives the workers that make the trials, which are let go in the end; None for this machine.
    """

    trials: int | None = None
    time: float | None = None
    processes: int = 1
    resume: bool = False
    scheduler: Callable[[], Scheduler] | None = None


class Planned:
    """A search before its first trial, all of whose faults are known.

    Args:
        network: that of the spec, planned.
        rows: the data, where the spec's own are not used.
        places: dotted path -> the keys of its range in the spec file.
        setup: is called first in another process.

    Attributes:
        taken: the data.
        monitor: the figure by which trials are compared.
        greater: whether greater values of it are better.

    Raises:
        SpecError: there is no `[search]` table or nothing to validate with, the figure is not recorded, or a value of a
            range does not fit the rest of the spec.
        DataError, ShapeError: the data cannot be read, or do not fit.
    """

    def __init__(
        self,
        network: Network,
        rows: Any,
        registry: Registry,
        places: Mapping[str, tuple[str | int, ...]] = MappingProxyType({}),
        setup: Callable[[], object] | None = None,
    ) -> None:
        self.rows, self.registry, self.places, self.setup = rows, registry, places, setup
        self.network, self.described = network, network.card.spec
        if self.described.search is None:
            example = "[search] with at least one range: training.batch_size = { choices = [16, 32] }"
            raise _problem(("search",), f"missing table; expected {example}")
        if self.described.training is None:
            raise _problem(("training",), 'missing table; expected [training] with at least loss = "..."')
        self.asked = self.described.search
        self.folder = network.card.folder
        self.space = Space(self.described, registry)
        self.data = Data(rows, self.folder, registry)
        self.taken = self.data.of(network)
        self.monitor, self.greater = self._monitored(network)
        self._check_values()

    def _monitored(self, network: Network) -> tuple[str, bool]:
        """The figure by which trials are compared, and whether greater values are better."""
        where, training = ("search", "monitor"), network.card.training
        assert training is not None
        if self.taken.validation is None and self.asked.folds is None:
            hint = "validation = 0.2 in [data] sets aside a fifth of the rows"
            raise _problem(("data",), "a search compares trials on rows that they have not seen: no validation", hint)
        asked, figures = self.asked.monitor, Objective(network, training).figures(self.asked.folds is None)
        if self.asked.folds is not None:  # the rows that are left out are not those of the validation
            asked = asked.removeprefix(VALIDATION)
        try:
            name, greater = monitored_figure(asked, figures)
        except ValueError as error:
            raise _problem(where, str(error)) from None
        if greater is None:
            raise _problem(where, f"{show(name)} has no order of better and worse")
        return name, greater

    def _check_values(self) -> None:
        """Looks at each value of each range by itself: the network has to be made, and to fit the data and the loss."""
        problems: list[Problem] = []
        for dotted, one in self.space.ranges.items():
            for where, value in one.ends():
                keys = (*self.places.get(dotted, ("search", dotted)), *where)
                told: dict[tuple[str, str], None] = {}  # each once, in order
                for around in self.space.around(dotted):
                    told |= dict.fromkeys(self._faults({**around, dotted: value}))
                problems += [Problem(path_text(keys), message, hint, keys=keys) for message, hint in told]
        if problems:
            raise SpecError(problems)

    def _faults(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What does not go together with these values, each with a hint."""
        try:
            network = self.data.plan(self.space.spec(values))
            assert network.card.training is not None
            Objective(network, network.card.training)
            with warnings.catch_warnings(action="ignore"):  # they were given for the spec itself
                self.data.of(network)
        except SpecError as error:
            return [(f"{problem.path}: {problem.message}", problem.hint) for problem in error.problems]
        except (ShapeError, DataError) as error:
            return [(str(error), "")]
        return []

    def search(self, place: Path, asked: Asked, ended: Callable[[Trial], object] | None = None) -> SearchResult:
        """Makes the trials; the journal and the model of the best are in the folder `place`.

        Raises:
            TrainingError: the folder has a search already and none is to be resumed; it is of another search; or
                another process is searching there.
        """
        began = clock.time()
        optuna_library()
        place.mkdir(parents=True, exist_ok=True)
        lock = lock_folder(
            place, f"another search is working in {place}; wait until it has finished, or choose another folder"
        )
        try:
            with quiet():
                study = self._study(place, asked.resume)
                limit = self.asked.time if asked.time is None else asked.time
                task = Task(
                    self.described.plain(),
                    self.rows,
                    os.path.abspath(self.folder),
                    place.absolute(),
                    self.monitor,
                    None if limit is None else began + limit,
                    self.setup,
                )
                stopped = self._make_trials(study, task, asked, ended or (lambda trial: None))
                return self._result(study, place, stopped)
        finally:
            if lock is not None:
                os.close(lock)

    def _study(self, place: Path, resume: bool) -> Any:
        journal = place / JOURNAL
        description = self._description()
        if journal.exists() and journal.stat().st_size:
            if not resume:
                raise TrainingError(f"{place} has a search already; continue it with resume, or remove the folder")
            return study_to_resume(place, description)
        study = new_study(place, self.greater, description)
        own = self.space.own()
        if own is not None:
            study.enqueue_trial(own, user_attrs={"own": True})
        return study

    def _description(self) -> dict[str, Any]:
        """What has to be the same in a search that goes on."""
        parts = self.described.plain()
        how = parts.pop("search")
        options = {name: how.pop(name) for name in SearchSpec.__fields__ if name in how}
        options = {name: options[name] for name in ("sampler", "pruner", "folds", "seed")}
        training, validation = self.taken.x, self.taken.validation
        data = {"rows": [part.batches(1).fingerprint() for part in (training, validation) if isinstance(part, Dataset)]}
        return {**parts, "the ranges": how, "the figure": self.monitor, **options, "the data": data}

    def _make_trials(self, study: Any, task: Task, asked: Asked, ended: Callable[[Trial], object]) -> str:
        """Makes the trials that are still missing; returns why there are fewer than were asked for, or ""."""
        wanted = self.asked.trials if asked.trials is None else asked.trials
        try:
            self._work(study, task, asked, wanted - _counted(study), _Looking(study, self.space, ended))
        except KeyboardInterrupt:
            return INTERRUPTED
        if _counted(study) >= wanted:
            return ""
        return OUT_OF_TIME if task.ends is not None and clock.time() >= task.ends else LOST

    def _work(self, study: Any, task: Task, asked: Asked, left: int, look: Callable[[], object]) -> None:
        if asked.scheduler is not None and left > 0:
            with closing(asked.scheduler()) as workers:
                work_on(workers, task, left, study, look)
        elif asked.processes > 1 and left > 1:
            work_in_processes(task, min(asked.processes, left), left, look)
        elif left > 0:
            with warnings.catch_warnings(action="ignore"):  # they were given when the data were read
                Worker(task, self.registry, study, look, self.data).work(Counter(left))

    def _result(self, study: Any, place: Path, stopped: str) -> SearchResult:
        trials = trials_of(study, self.space)
        result = SearchResult(trials, self.monitor, self.greater, stopped=stopped, notes=self.taken.notes)
        result = result.replace(own=_own_number(study))
        best = result.ranking()[0] if trials else None
        if best is None or best.outcome != DONE:
            return result
        model = model_of(place, best.number - 1)
        return result.replace(
            best=best,
            spec=self.space.spec(best.values),
            model=model if model.exists() else None,
            importance=importance_of(study),
        )


class _Looking:
    """Calls a function with each trial that has ended since the last look."""

    def __init__(self, study: Any, space: Space, ended: Callable[[Trial], object]) -> None:
        self.study, self.space, self.ended = study, space, ended
        self.told = {frozen.number for frozen in study.get_trials(deepcopy=False) if counts(frozen)}

    def __call__(self) -> None:
        for frozen in self.study.get_trials(deepcopy=False):
            if frozen.number not in self.told and counts(frozen):
                self.told.add(frozen.number)
                self.ended(trial_of(frozen, self.space))


def _counted(study: Any) -> int:
    return sum(map(counts, study.get_trials(deepcopy=False)))


def _own_number(study: Any) -> int | None:
    """The number of the trial with the spec's own values: of the one that counts, where it was done again."""
    own = [frozen for frozen in study.get_trials(deepcopy=False) if "own" in frozen.user_attrs]
    return max((frozen.number + 1 for frozen in own), default=None)


def _problem(keys: tuple[str | int, ...], message: str, hint: str = "") -> SpecError:
    return SpecError([Problem(path_text(keys), message, hint, keys=keys)])
