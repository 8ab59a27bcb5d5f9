"""The processes of a search: each takes one trial after the other until there are enough."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from modnet.assessment.cross_validation import CrossValidator, FoldResult
from modnet.assessment.search.result import counts
from modnet.assessment.search.space import Space
from modnet.assessment.search.study import (
    STOPPED,
    open_study,
    optuna_library,
    pruner_for,
    quiet,
    sampler_for,
    take_back,
)
from modnet.assessment.search.training import Data, Ended, Watch, is_orphan, train_trial
from modnet.datasets.folding import Folding
from modnet.model.save import save
from modnet.plugins.registry import Registry, default_registry
from modnet.records import Record
from modnet.specs.model import Spec
from modnet.specs.reader import read_spec
from modnet.threads import OF_LIBRARIES, VARIABLE
from modnet.threads import count as threads_of_process

LOOK = 0.1
"""Seconds after which the search looks again whether a process has done another trial."""


LEASE = "lease"
"""The user attribute of a trial that a worker of a scheduler makes."""


class Tokens(Protocol):
    """How many trials are still to begin."""

    def acquire(self, block: bool = True, /) -> bool:
        """Takes one; False if there are none."""
        ...


class Counter:
    """The tokens of a search in one process."""

    def __init__(self, left: int) -> None:
        self.left = left

    def acquire(self, block: bool = True, /) -> bool:
        self.left -= 1
        return self.left >= 0


class Task(Record):
    """What a process of a search needs to know; it can be pickled.

    Attributes:
        spec: with the `[search]` table, as plain values.
        rows: the data, where the spec's own are not used.
        folder: that of the spec file.
        place: the folder of the journal.
        monitor: the figure by which trials are compared.
        ends: the time, of `time.time`, at which the search ends; or None.
        setup: is called first in another process; it registers components that are not installed.
    """

    spec: dict[str, Any]
    rows: Any
    folder: str
    place: Path
    monitor: str
    ends: float | None
    setup: Callable[[], object] | None = None


class Worker:
    """Takes trials, one after the other.

    Args:
        study: that of the journal; by default it is opened.
        look: is called after each trial.
        data: of the search; by default they are read.

    Attributes:
        gone: tells whether the search that it works for is gone.
    """

    def __init__(
        self,
        task: Task,
        registry: Registry,
        study: Any = None,
        look: Callable[[], object] = lambda: None,
        data: Data | None = None,
    ) -> None:
        self.task, self.look = task, look
        self.gone = is_orphan
        spec, _ = read_spec(task.spec, registry)
        assert spec.search is not None
        self.search = spec.search
        self.space = Space(spec, registry)
        self.study = open_study(task.place) if study is None else study
        self.study.pruner = pruner_for(spec.search, most_epochs(spec))
        self.data = data or Data(task.rows, task.folder, registry)

    def work(self, tokens: Tokens) -> None:
        """Takes trials until there are none left, or the time is over.

        Raises:
            KeyboardInterrupt: the search is to end; the trial that was being made is to be done again.
        """
        while not self.is_over() and tokens.acquire(False) and self.trial():
            pass

    def is_over(self) -> bool:
        return self.gone() or (self.task.ends is not None and time.time() >= self.task.ends)

    def trial(self, lease: str = "") -> bool:
        """Makes one trial; False if it was cut off, as the search is over.

        Args:
            lease: marks the trial, so that another worker can repeat it if this one is lost.
        """
        study = self.study
        if lease and self.is_made(lease):
            return True
        number = sum(counts(frozen) or not frozen.state.is_finished() for frozen in study.get_trials(deepcopy=False))
        study.sampler = sampler_for(self.search, number)
        trial = study.ask()
        if lease:
            trial.set_user_attr(LEASE, lease)
        try:
            values = self.space.draw(trial)
            earlier = self.earlier(values)
            state, value = self.repeated(trial, earlier) if earlier is not None else self.trained(trial, values)
        except (KeyboardInterrupt, Ended) as error:
            trial.set_user_attr(STOPPED, True)
            study.tell(trial, state=optuna_library().trial.TrialState.FAIL)
            if isinstance(error, KeyboardInterrupt):
                raise
            return False
        study.tell(trial, value, state=state)
        self.remove_models()
        self.look()
        return True

    def is_made(self, lease: str) -> bool:
        """Whether the trial with this mark has ended, though its worker was lost. One that has not is taken back."""
        marked = [one for one in self.study.get_trials(deepcopy=False) if one.user_attrs.get(LEASE) == lease]
        lost = [frozen for frozen in marked if not frozen.state.is_finished()]
        failed = [take_back(self.study, frozen) for frozen in lost]
        return any(failed) or any(map(counts, marked))

    def trained(self, trial: Any, values: Mapping[str, Any]) -> tuple[Any, float | None]:
        """Trains the spec with some values; returns the state of the trial, and its figure if it is done."""
        states = optuna_library().trial.TrialState
        started = time.perf_counter()
        value = None
        try:
            spec = self.space.spec(values)
            value = self.by_validation(trial, spec) if self.search.folds is None else self.by_folds(trial, spec)
        except Ended:
            raise
        except Exception as error:
            # Told to the sampler as pruned: it avoids such values, whereas it would forget a trial that has failed.
            trial.set_user_attr("error", f"{type(error).__name__}: {error}")
        trial.set_user_attr("seconds", round(time.perf_counter() - started, 3))
        return (states.PRUNED if value is None else states.COMPLETE), value

    def by_validation(self, trial: Any, spec: Spec) -> float | None:
        """The figure of a spec's network on the rows for validation; None if others were better."""
        watch = Watch(trial, self.task.monitor, self.task.ends, self.gone)
        run = train_trial(spec, self.data, watch)
        trial.set_user_attr("epochs", run.epoch)
        return None if watch.pruned else self.completed(trial, run)

    def by_folds(self, trial: Any, spec: Spec) -> float | None:
        """The mean of the figure over folds; None if others were better after some of them."""
        assert self.search.folds is not None
        folding = Folding(self.search.folds)
        validator = CrossValidator(
            self.data.plan(spec), folding, data=(self.data.rows, None), registry=self.data.registry
        )
        done: list[FoldResult] = []
        for result in validator.run():
            done.append(result)
            means = {name: float(np.mean([one.figures[name] for one in done])) for name in _numbers(result.figures)}
            trial.set_user_attr("epochs", sum(one.epochs for one in done))
            if self.is_over():
                raise Ended
            if len(done) < folding.count:
                trial.report(means[self.task.monitor], len(done))
                if trial.should_prune():
                    return None
        trial.set_user_attr("figures", means)
        return means[self.task.monitor]

    def earlier(self, values: Mapping[str, Any]) -> Any:
        """A trial that is done, with the same values, or None."""
        done = (optuna_library().trial.TrialState.COMPLETE,)
        same = (
            one for one in self.study.get_trials(deepcopy=False, states=done) if self.space.given(one.params) == values
        )
        return next(same, None)

    def repeated(self, trial: Any, earlier: Any) -> tuple[Any, float]:
        """The outcome of an earlier trial as that of this one: the same values give the same training."""
        for name in ("epochs", "figures"):
            trial.set_user_attr(name, earlier.user_attrs[name])
        trial.set_user_attr("repeats", earlier.number + 1)
        return earlier.state, earlier.value

    def completed(self, trial: Any, run: Any) -> float:
        """The figure of a trial that is done; its model is kept if it is the best so far."""
        card = run.network.card
        value = float(card.metrics[self.task.monitor])
        trial.set_user_attr("figures", {name: card.metrics[name] for name in _numbers(card.metrics)})
        best = self.best()
        greater = self.study.direction.name == "MAXIMIZE"
        if best is None or (value > best.value if greater else value < best.value):
            save(run.network, model_of(self.task.place, trial.number))
        return value

    def best(self) -> Any:
        """The best trial so far, or None."""
        try:
            return self.study.best_trial
        except ValueError:  # none is done
            return None

    def remove_models(self) -> None:
        """Removes the models of trials that are no longer the best. Another process may be writing a better one."""
        best = self.best()
        for path in self.task.place.glob("trial-*.modnet"):
            number = int(path.stem.partition("-")[2])
            known = self.study.get_trials(deepcopy=False)[number - 1].state.is_finished()
            if known and (best is None or number != best.number + 1):
                path.unlink(missing_ok=True)


def _numbers(figures: Mapping[str, Any]) -> list[str]:
    """The names of the figures that are numbers."""
    return [name for name, value in figures.items() if isinstance(value, int | float)]


def model_of(place: Path, number: int) -> Path:
    """The model file of a trial of optuna, whose numbers count from 0."""
    return place / f"trial-{number + 1}.modnet"


def most_epochs(spec: Spec) -> int:
    """How many epochs a trial has at most."""
    assert spec.training is not None
    assert spec.search is not None
    one = spec.search.ranges.get("training.epochs")
    return spec.training.epochs if one is None else int(max(value for _, value in one.ends()))


def work_in_processes(task: Task, count: int, trials: int, look: Callable[[], object]) -> None:
    """Makes trials in several processes, which share the cores.

    Args:
        look: is called again and again meanwhile.

    Raises:
        KeyboardInterrupt: the processes have ended.
    """
    context = get_context("spawn")
    tokens = context.Semaphore(trials)
    processes = [context.Process(target=_work, args=(task, tokens), name=f"search-{i + 1}") for i in range(count)]
    with _divided_threads(count):
        for process in processes:
            process.start()
    try:
        while any(process.is_alive() for process in processes):
            time.sleep(LOOK)
            look()
    except BaseException:
        for process in processes:
            process.terminate()
        raise
    finally:
        for process in processes:
            process.join()
        look()


def _work(task: Task, tokens: Tokens) -> None:
    """The body of a process."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        if task.setup is not None:
            task.setup()
        with quiet(), warnings.catch_warnings(action="ignore"):
            Worker(task, default_registry()).work(tokens)
    except KeyboardInterrupt:
        sys.exit(1)


@contextmanager
def _divided_threads(count: int) -> Iterator[None]:
    """Gives each process that starts meanwhile its share of this one's threads, by the environment."""
    names = (VARIABLE, *OF_LIBRARIES)
    before = {name: os.environ.get(name) for name in names}
    share = str(max(1, threads_of_process() // count))
    os.environ.update(dict.fromkeys(names, share))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
