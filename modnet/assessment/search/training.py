"""The training of one trial."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing import parent_process
from typing import Any

import numpy as np

from modnet.assessment.callbacks import lasting_callbacks
from modnet.engine.build import plan
from modnet.engine.network import Network
from modnet.kinds.callback import Callback
from modnet.kinds.figures import TEST
from modnet.plugins.registry import Registry
from modnet.specs.model import NamedCallback, Spec
from modnet.training.evaluate import evaluate
from modnet.training.run import Run
from modnet.training.sources import Taken
from modnet.training.train import prepare

REPORTS = 50
"""At about how many epochs a trial asks whether it is to be stopped early: each time goes through the journal."""


class Data:
    """The data of a search, read once as long as the trials do not change how they are read.

    Args:
        rows: the training data, in any form that `modnet.train` takes with a spec; None for those that the spec names.
        folder: that of the spec file.
    """

    def __init__(self, rows: Any, folder: str, registry: Registry) -> None:
        self.rows, self.folder, self.registry = rows, folder, registry
        self._key: Any = None
        self._taken: Taken | None = None
        self._schema: Any = None

    def plan(self, spec: Spec) -> Network:
        """The network of a spec, which stands where the search's own does."""
        network = plan(spec, registry=self.registry)
        network.card = network.card.replace(folder=self.folder)
        return network

    def of(self, network: Network) -> Taken:
        """The data for a network, whose card gets their schema."""
        card = network.card
        key = (card.spec.data, card.spec.training and card.spec.training.loss, network.inputs, network.outputs)
        if self._taken is None or key != self._key:
            self._taken = Taken(self.rows).by_spec(network, self.registry)
            self._key, self._schema = key, network.card.schema
        network.card = network.card.replace(schema=self._schema)
        return self._taken


class Ended(Exception):
    """A trial was cut off before its end; it is no result."""


def train_trial(spec: Spec, data: Data, watch: Watch) -> Run:
    """Trains the network of a spec.

    Returns:
        The run; its network has the weights of its best epoch, if the spec has early_stopping. `watch` knows whether
        it was stopped early.

    Raises:
        Ended: it was cut off.
        ModnetError: the spec cannot be trained; or the training diverged.
    """
    network = data.plan(spec)
    taken = data.of(network)
    callbacks = (*lasting_callbacks(network), NamedCallback(_Watching(watch), name="search"))
    run = prepare(
        network, taken.x, taken.y, given={"callbacks": callbacks}, validation=taken.validation, registry=data.registry
    )
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        run.fit()
    if run.interrupted:
        raise KeyboardInterrupt
    if watch.cut_off:
        raise Ended
    if taken.test is not None and not watch.pruned:
        figures = evaluate(network, taken.test)
        named = {f"{TEST}{name}": np.asarray(value).tolist() for name, value in figures.items()}
        network.card = network.card.replace(metrics={**network.card.metrics, **named})
    return run


class Watch:
    """Reports the figure of a trial's epochs, and stops its training.

    Args:
        trial: of optuna.
        monitor: the figure.
        ends: the time, of `time.time`, at which the training is cut off; or None.
        gone: tells whether the search that it is for has gone.

    Attributes:
        pruned: whether the training was stopped because others were better.
        cut_off: whether it was stopped because the time is over, or the search that it is for has gone.
    """

    def __init__(self, trial: Any, monitor: str, ends: float | None, gone: Callable[[], bool]) -> None:
        self.trial, self.monitor, self.ends, self.gone = trial, monitor, ends, gone
        self.pruned = self.cut_off = False

    def modnet_step_ended(self, run: Run) -> None:
        if self.ends is not None and time.time() >= self.ends:
            self._cut_off(run)

    def modnet_epoch_ended(self, run: Run) -> None:
        if self.gone():
            self._cut_off(run)
        epochs = run.training.epochs
        if run.stopped or run.epoch == epochs or run.epoch % max(1, epochs // REPORTS):
            return
        value, _ = run.monitored(self.monitor)
        self.trial.report(value, run.epoch)
        if self.trial.should_prune():
            self.pruned = True
            run.stop("others were better at this epoch")

    def _cut_off(self, run: Run) -> None:
        self.cut_off = not run.stopped
        run.stop("the search is over")


def is_orphan() -> bool:
    """Whether this is a process of a search that has been killed."""
    parent = parent_process()
    return parent is not None and not parent.is_alive()


class _Watching(Callback):
    """Lets a `Watch` take part in a run."""

    def __init__(self, watch: Watch) -> None:
        object.__setattr__(self, "watch", watch)

    def join(self, run: Run) -> object:
        return self.__dict__["watch"]
