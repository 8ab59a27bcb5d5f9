"""The optuna study of a search: its journal on disk, its sampler and its pruner."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from modnet.errors import MissingExtra, TrainingError
from modnet.specs.search import SearchSpec

JOURNAL = "journal.log"
NAME = "modnet"
"""Of the study: hyperband assigns trials by it, so it has to be the same in every search."""

STOPPED = "stopped"
"""The user attribute of a trial that was cut off: by Ctrl-C, the time, or a kill. It is done again."""

AGAIN = "again"
"""The user attribute of a trial that is done again: the number of the one before."""

ATTEMPTS = 3
"""How often the same values are tried where workers are lost meanwhile."""

BRACKETS, FACTOR = 3, 3
"""Of hyperband: how many ways of stopping early there are, and which share of the trials goes on at each rung. With
each further bracket the sampler sees fewer trials of its own: optuna gives it those of the trial's bracket alone.
"""


def optuna_library() -> Any:
    """The module optuna, which says nothing on its own.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtra("optuna", extra="search", purpose="a search") from None
    return optuna


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps optuna from logging, and from warning that parts of it are experimental."""
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(before)


def new_study(folder: Path, greater: bool, description: Mapping[str, Any]) -> Any:
    """A study with an empty journal.

    Args:
        greater: whether greater values are better.
        description: what the search is of, in JSON's values; a search that goes on has to have the same.
    """
    study = optuna_library().create_study(
        storage=_storage(folder), study_name=NAME, direction="maximize" if greater else "minimize"
    )
    study.set_user_attr("search", json.loads(json.dumps(description)))
    return study


def open_study(folder: Path) -> Any:
    """The study of a journal that is there already."""
    return optuna_library().load_study(storage=_storage(folder), study_name=NAME)


def study_to_resume(folder: Path, description: Mapping[str, Any]) -> Any:
    """The study of an earlier search, made whole after a kill: its trials that were running are to be done again.

    Nobody else may have the journal open.

    Raises:
        TrainingError: it is of another search; or it is damaged.
    """
    _mend(folder / JOURNAL)
    try:
        study = open_study(folder)
        before = study.user_attrs["search"]
    except (ValueError, KeyError) as error:  # a line that is not JSON, or no study of ours
        raise TrainingError(f"{folder / JOURNAL} is damaged, and no search can go on from it: {error}") from None
    now = json.loads(json.dumps(description))
    differing = [name for name in now if before.get(name) != now[name]]
    if differing:
        raise TrainingError(
            f"{folder} is of another search, which differs in {', '.join(differing)}; restore the spec, or start "
            "the search in another folder"
        )
    _do_again(study)
    return study


def _storage(folder: Path) -> Any:
    storages = optuna_library().storages
    path = folder / JOURNAL
    lock = storages.journal.JournalFileOpenLock(str(path)) if fcntl is None else _Lock(path)
    return storages.JournalStorage(storages.journal.JournalFileBackend(str(path), lock_obj=lock))


class _Lock:
    """The lock of a journal while a line is written. It ends with its process, unlike optuna's, which are files."""

    def __init__(self, path: Path) -> None:
        self.path, self.descriptor = path, -1

    def acquire(self) -> bool:
        self.descriptor = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        os.close(self.descriptor)


def _mend(journal: Path) -> None:
    """Removes half a line at the end of a journal, which a process has left that was killed."""
    with journal.open("r+b") as file:
        text = file.read()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            file.truncate(whole)


def _do_again(study: Any) -> None:
    """Fails the trials that were cut off, and lines them up to be done again with the same values."""
    states = optuna_library().trial.TrialState
    waiting = [trial.user_attrs.get(AGAIN) for trial in study.get_trials(deepcopy=False)]
    for trial in study.get_trials(deepcopy=False):
        if trial.state == states.RUNNING:
            study.tell(trial.number, state=states.FAIL)
        elif not (trial.state == states.FAIL and STOPPED in trial.user_attrs):
            continue
        if trial.number not in waiting:
            _line_up(study, trial)


def _line_up(study: Any, trial: Any) -> None:
    if trial.params:
        study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number})


def take_back(study: Any, trial: Any) -> bool:
    """Lines up a running trial again, whose worker was lost; True where it has failed, after some such attempts."""
    trials = study.get_trials(deepcopy=False)
    before, attempts = trial.user_attrs.get(AGAIN), 1
    while before is not None:
        before, attempts = trials[before].user_attrs.get(AGAIN), attempts + 1
    if attempts >= ATTEMPTS:
        fail(study, trial, f"{attempts} workers were lost with it")
        return True
    study.tell(trial.number, state=optuna_library().trial.TrialState.FAIL)
    _line_up(study, trial)
    return False


def fail(study: Any, trial: Any, error: str) -> None:
    """Ends a running trial, which has failed.

    Told to the sampler as pruned: it avoids such values, whereas it would forget a trial that has failed.
    """
    optuna = optuna_library()
    optuna.trial.Trial(study, trial._trial_id).set_user_attr("error", error)
    study.tell(trial.number, state=optuna.trial.TrialState.PRUNED)


def sampler_for(search: SearchSpec, number: int) -> Any:
    """The sampler of a trial. Each has its own seed, so that a search that goes on draws what it would have drawn."""
    samplers = optuna_library().samplers
    seed = int(np.random.SeedSequence([search.seed, number]).generate_state(1)[0])
    if search.sampler == "random":
        return samplers.RandomSampler(seed=seed)
    if search.sampler == "tpe":
        return samplers.TPESampler(seed=seed)
    for library in ("scipy", "torch"):
        if find_spec(library) is None:
            raise MissingExtra(library, extra="gp", purpose='sampler = "gp"')
    return samplers.GPSampler(seed=seed)


def pruner_for(search: SearchSpec, epochs: int) -> Any:
    """The pruner of a search whose trainings have so many epochs at most."""
    pruners = optuna_library().pruners
    if search.pruner == "none":
        return pruners.NopPruner()
    if search.folds is not None:  # there are too few for the rungs of hyperband
        return pruners.MedianPruner()
    if search.pruner == "median":
        return pruners.MedianPruner(n_warmup_steps=max(1, epochs // 10))
    least = max(1, epochs // FACTOR ** (BRACKETS - 1))
    return pruners.HyperbandPruner(min_resource=least, max_resource=epochs, reduction_factor=FACTOR)
