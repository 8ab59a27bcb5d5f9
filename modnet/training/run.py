"""One training run, as its callbacks see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.arrays import Array
from modnet.engine.network import Network
from modnet.errors import TrainingError
from modnet.kinds.callback import Callback
from modnet.kinds.figures import monitored_figure
from modnet.plugins.registry import Registry
from modnet.specs.model import TrainingSpec
from modnet.training.history import History
from modnet.words import show

if TYPE_CHECKING:
    from modnet.training.optimization import Optimization
    from modnet.training.tally import Tally

INTERRUPTED = "interrupted"
"""`Run.stopped` and `History.stopped` of a run that Ctrl-C ended."""

TERMINATED = "terminated"
"""The same of a run that SIGTERM ended, which is what schedulers send, or SIGHUP, when the terminal was closed."""


@dataclass(eq=False)
class Run:
    """One training run.

    Attributes:
        network: what is trained.
        training: how.
        optimization: the optimizer, with its slots and step count.
        greater_is_better: figure name -> whether a greater value is better, None where there is no such order.
        history: the figures of the epochs so far.
        callbacks: name -> callback.
        registry: where components come from.
        data: name -> a text that tells these data from others, made when it is asked for.
        tally: the figures of the current epoch, as far as it has come.
        order: draws the order of the samples.
        noise: draws for the layers that need random numbers.
        order_at_epoch: the state of `order` when the current epoch began.
        epoch: the current epoch, counted from 1; 0 before the first.
        batch: the steps made in the current epoch; 0 between two epochs.
        step: the optimizer steps made so far.
        penalties: the sum of the penalties in the current epoch's losses.
        steps_per_epoch: None where that is not known yet.
        loss: of the last batch.
        learning_rate: of the last step.
        figures: those of the epoch that has just ended.
        seconds: how long that epoch took.
        stopped: why the run is to end, or "".
        terminated: whether SIGTERM or SIGHUP has come: the process ends when the run has ended.
        failed: whether an exception has ended the run.
        states: callback name -> what it remembers.
    """

    network: Network
    training: TrainingSpec
    optimization: Optimization
    greater_is_better: dict[str, bool | None]
    history: History
    callbacks: dict[str, Callback]
    registry: Registry
    data: Callable[[], dict[str, str]]
    tally: Tally
    order: np.random.Generator
    noise: np.random.Generator
    order_at_epoch: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0
    batch: int = 0
    step: int = 0
    penalties: float = 0.0
    steps_per_epoch: int | None = None
    loss: float = float("nan")
    learning_rate: float = 0.0
    figures: dict[str, float | Array] = field(default_factory=dict)
    seconds: float = 0.0
    stopped: str = ""
    terminated: bool = False
    failed: bool = False
    states: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def interrupted(self) -> bool:
        """Whether the run was stopped from outside, so that it can go on later."""
        return self.stopped in (INTERRUPTED, TERMINATED)

    def stop(self, reason: str) -> None:
        """Ends the run after the current step; the first reason counts."""
        self.stopped = self.stopped or reason

    def state_of(self, callback: Callback) -> dict[str, Any]:
        """What a callback remembers during the run: plain values and arrays, under the callback's name."""
        name = next(name for name, other in self.callbacks.items() if other is callback)
        return self.states.setdefault(name, {})

    def monitored(self, name: str) -> tuple[float, bool]:
        """The last value of a figure, and whether a greater one is better.

        "validation_loss" stands for "loss" in a run without validation.

        Raises:
            TrainingError: there is no such figure, or it has no order.
        """
        try:
            name, greater = monitored_figure(name, {known: self.greater_is_better[known] for known in self.figures})
        except ValueError as error:
            raise TrainingError(str(error)) from None
        value = self.figures[name]
        if greater is None or not isinstance(value, float | int):
            raise TrainingError(f"{show(name)} cannot be monitored: it has no order of better and worse")
        return float(value), greater
