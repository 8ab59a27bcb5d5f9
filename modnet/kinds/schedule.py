"""Schedules: the course of a number, such as the learning rate, during a training."""

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
        epoch: epochs since the start, with fraction: 2.5 in the middle of the third.
        epochs: how many there are to be.
        history: name -> the values at the end of each epoch so far: "loss", "validation_loss", metrics.
        greater_is_better: name -> whether a greater value is a better one, None where there is no such order; for every
            figure that the run records.
        memory: what a schedule has worked out from the history, by schedule, so that it need not go through all of it
            at every step. The same dict for a whole run; it may be empty at any time, and nothing depends on it.
    """

    epoch: float
    epochs: int
    history: Mapping[str, Sequence[float]]
    greater_is_better: Mapping[str, bool | None] = dataclasses.field(
        default_factory=lambda: {"loss": False, "validation_loss": False}
    )
    memory: dict[Schedule, Any] = dataclasses.field(default_factory=dict, compare=False, repr=False)


class Schedule(Component):
    """The course of the learning rate: a factor of the optimizer's own for every step. So too for weight decay."""

    kind = "schedule"

    def check_figures(self, figures: Mapping[str, bool | None]) -> None:
        """Raises ValueError where the schedule needs a figure that a run does not record. Called before the first step.

        Args:
            figures: name -> whether a greater value is a better one, None where there is no such order.
        """

    def factor(self, progress: Progress) -> float:
        """What the learning rate, or whatever it is the course of, is multiplied by.

        A pure function, so that a resumed run repeats it.
        """
        raise NotImplementedError
