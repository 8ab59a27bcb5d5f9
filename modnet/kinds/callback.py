"""Callbacks: what takes part in a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modnet.kinds.component import Component

if TYPE_CHECKING:
    from modnet.training.run import Run


class Callback(Component):
    """Takes part in one training run, by implementing any of its events.

    State that changes belongs into `run.state_of(self)`, a dict of the run that checkpoints save.
    """

    kind = "callback"

    def modnet_training_started(self, run: Run) -> None: ...
    def modnet_step_ended(self, run: Run) -> None: ...
    def modnet_epoch_ended(self, run: Run) -> None: ...
    def modnet_training_ended(self, run: Run) -> None: ...

    def check_figures(self, figures: Mapping[str, bool | None]) -> None:
        """Raises ValueError where the callback needs a figure that a run does not record. Called before the first step.

        Args:
            figures: name -> whether a greater value is a better one, None where there is no such order.
        """

    def check_state(self, state: Mapping[str, Any], run: Run) -> None:
        """Raises ValueError where `state`, which comes from a file, is none that this callback can go on from.

        Called when a run goes on from a checkpoint, whose state it has, and before the network is changed.
        """
