"""The trials of a search on the workers of a scheduler; the folder of the journal is one that all of them see."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from contextlib import closing
from typing import Any

from modnet.assessment.search.study import fail, quiet
from modnet.assessment.search.workers import LEASE, Task, Worker
from modnet.errors import TrainingError
from modnet.plugins.registry import default_registry
from modnet.plugins.schedulers import Scheduler, Wanted
from modnet.records import Record


class TrialWork(Record):
    """Makes a trial; a `Work` for a scheduler, whose tasks are numbers.

    Attributes:
        run: which of the runs of a search this is: two have tasks of the same numbers.
    """

    task: Task
    run: str

    def __call__(self, number: int, wanted: Wanted) -> None:
        """Makes a trial, unless the search is over."""
        if not self.task.place.is_dir():
            raise TrainingError(f"a worker does not see the folder {self.task.place}, which all workers must share")
        with quiet(), warnings.catch_warnings(action="ignore"):
            worker = _worker(self)
            worker.gone = lambda: not wanted()
            if not worker.is_over():
                worker.trial(self.lease(number))

    def lease(self, number: int) -> str:
        """What the trial of a task is marked by: of two with one mark, the first was lost with its worker."""
        return f"{self.run}-{number}"


_own = threading.local()
"""The worker of each thread, which has read the data."""


def _worker(work: TrialWork) -> Worker:
    if getattr(_own, "run", None) != work.run:
        if work.task.setup is not None:
            work.task.setup()
        _own.worker, _own.run = Worker(work.task, default_registry()), work.run
    worker: Worker = _own.worker
    return worker


def work_on(scheduler: Scheduler, task: Task, trials: int, study: Any, look: Callable[[], object]) -> None:
    """Makes trials on the workers of a scheduler.

    Args:
        study: that of the journal.
        look: is called after each trial.

    Raises:
        OSError: the workers cannot be reached any more.
        Exception: what a worker raised, where it cannot make trials at all.
    """
    work = TrialWork(task, os.urandom(4).hex())
    with closing(scheduler.run(work, range(trials))) as endings:
        for ended in endings:
            if ended.error is not None and not _failed(study, work.lease(ended.place), ended.error):
                raise ended.error
            look()


def _failed(study: Any, lease: str, error: Exception) -> bool:
    """Notes that the trial of a task has failed with its workers; False if there is none."""
    lost = [one for one in study.get_trials(deepcopy=False) if one.user_attrs.get(LEASE) == lease]
    for frozen in lost:
        if not frozen.state.is_finished():
            fail(study, frozen, str(error))
    return bool(lost)
