"""Callbacks: what takes part in a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modnet.kinds.component import Component


class Callback(Component):
    """Takes part in one training run, by implementing any of its events.

    State that changes belongs into `run.state_of(self)`, a dict of the run that checkpoints save.
    """

    kind = "callback"

    def modnet_training_started(self, run: Any) -> None:
        """Called once, before the first step."""

    def modnet_reduce_gradients(self, run: Any, gradients: Any) -> None:
        """Called before every step of the optimizer; may change the flat array of gradients in place."""

    def modnet_step_ended(self, run: Any) -> None:
        """Called after every step of the optimizer."""

    def modnet_epoch_ended(self, run: Any) -> None:
        """Called after every epoch, when its metrics are in `run.history`."""

    def modnet_training_ended(self, run: Any) -> None:
        """Called once, after the last step, also where the run was stopped or has failed."""

    def check_figures(self, figures: Mapping[str, bool | None]) -> None:
        """Raises ValueError where the callback needs a figure that a run does not record. Called before the first step.

        Args:
            figures: name -> whether a greater value is a better one, None where there is no such order.
        """

    def check_state(self, state: Mapping[str, Any], run: Any) -> None:
        """Raises ValueError where `state`, which comes from a file, is none that this callback can go on from.

        Called when a run goes on from a checkpoint, whose state it has, and before the network is changed.
        """
