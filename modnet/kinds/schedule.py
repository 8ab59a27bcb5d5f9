"""Schedules: how a number, such as the learning rate, changes during a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modnet.kinds.component import Component


class Progress:
    """The progress of a run, for a schedule.

    Attributes:
        epoch: epochs since the start, as a fraction: 2.5 in the middle of the third.
        epochs: the number of epochs of the whole run.
        history: name -> the values at the end of each epoch so far: "loss", "validation_loss", metrics.
        greater_is_better: name -> whether a greater value is better, None if there is no such order; for every figure
            that the run records.
        memory: a cache, schedule -> what it has computed from the history, so that it need not read all of it at every
            step. The same dict for a whole run; it may be empty at any time, and results must not depend on it.
    """

    __slots__ = ("epoch", "epochs", "greater_is_better", "history", "memory")

    def __init__(
        self,
        epoch: float,
        epochs: int,
        history: Mapping[str, Sequence[float]],
        greater_is_better: Mapping[str, bool | None] | None = None,
        memory: dict[Schedule, Any] | None = None,
    ) -> None:
        losses = {"loss": False, "validation_loss": False}
        self.epoch = epoch
        self.epochs = epochs
        self.history = history
        self.greater_is_better: Mapping[str, bool | None] = losses if greater_is_better is None else greater_is_better
        self.memory: dict[Schedule, Any] = {} if memory is None else memory


class Schedule(Component):
    """A factor for every step, by which a number is multiplied: the learning rate, the weight decay, a layer's rate."""

    kind = "schedule"

    def check_figures(self, figures: Mapping[str, bool | None]) -> None:
        """Raises ValueError if the schedule needs a figure that the run does not record. Called before the first step.

        Args:
            figures: name -> whether a greater value is better, None if there is no such order.
        """

    def factor(self, progress: Progress) -> float:
        """The factor at a place in the run. A pure function of the progress, so that a resumed run repeats it."""
        raise NotImplementedError
