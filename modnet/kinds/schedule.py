"""Schedules: how a number, such as the learning rate, changes during a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modnet.kinds.component import Component


@dataclass(slots=True)  # frozen, it would take ten times as long to make, and there is one for each step
class Progress:
    """Where a run stands, for a schedule.

    Attributes:
        epoch: epochs since the start, as a fraction: 2.5 in the middle of the third.
        epochs: the number of epochs of the whole run.
        history: name -> the values at the end of each epoch so far: "loss", "validation_loss", metrics.
        greater_is_better: name -> whether a greater value is better, None if there is no such order; for every figure
            that the run records.
        memory: a cache, schedule -> what it has computed from the history, so that it need not read all of it at every
            step. The same dict for a whole run; it may be empty at any time, and results must not depend on it.
    """

    epoch: float
    epochs: int
    history: Mapping[str, Sequence[float]]
    greater_is_better: Mapping[str, bool | None] = dataclasses.field(
        default_factory=lambda: {"loss": False, "validation_loss": False}
    )
    memory: dict[Schedule, Any] = dataclasses.field(default_factory=dict, compare=False, repr=False)


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
