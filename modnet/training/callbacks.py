"""Callbacks: what takes part in a run beside the training itself."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.component import Callback, field

if TYPE_CHECKING:
    from modnet.training.run import Run


class RecordHistory(Callback, type="history"):
    """Adds the figures of every epoch to `run.history`. Every run has it, as the first of its callbacks."""

    def modnet_epoch_ended(self, run: Run) -> None:
        run.history.append(run.figures)
        run.history.seconds.append(run.seconds)


class EarlyStopping(Callback, type="early_stopping"):
    """Stops when a figure has not improved for a number of epochs, and brings the best weights back.

    Fields:
        patience: epochs without improvement after which the run stops.
        monitor: the figure; "validation_loss" stands for "loss" in a run without validation.
        minimum_delta: what counts as an improvement: more than this.
        restore_best: whether the network ends with the weights and state of the best epoch, however the run ended.

    Source: Prechelt 1998, "Early stopping - but when?", the criterion UP counted in epochs.
    """

    patience: int = field(default=10, minimum=1)
    monitor: str = "validation_loss"
    minimum_delta: float = field(default=0.0, minimum=0.0)
    restore_best: bool = True

    def modnet_epoch_ended(self, run: Run) -> None:
        state = run.state_of(self)
        value, greater = run.monitored(self.monitor)
        if "best" not in state or _better(value, state["best"], greater, self.minimum_delta):
            state.update(best=value, epoch=run.epoch)
            if self.restore_best:
                state["parameters"] = run.network.parameters.flat.copy()
                state["state"] = run.network.state.flat.copy()
        elif run.epoch - state["epoch"] >= self.patience:
            plural = "" if self.patience == 1 else "s"
            run.stop(f"{self.monitor.replace('_', ' ')} has not improved for {self.patience} epoch{plural}")

    def modnet_training_ended(self, run: Run) -> None:
        state = run.state_of(self)
        if self.restore_best and "epoch" in state and state["epoch"] != run.epoch:
            np.copyto(run.network.parameters.flat, state["parameters"])
            np.copyto(run.network.state.flat, state["state"])
            run.history.best_epoch = state["epoch"]


class Checkpoint(Callback, type="checkpoint"):
    """Writes the network to a model file every so many epochs.

    The files are called `step-0000004800.modnet`, so that their names sort; the older ones are removed.

    Fields:
        directory: where to; made if it is not there.
        every_epochs: how often.
        keep: how many of the newest files stay.
    """

    directory: str = "checkpoints"
    every_epochs: int = field(default=1, minimum=1)
    keep: int = field(default=3, minimum=1)

    def modnet_epoch_ended(self, run: Run) -> None:
        if run.epoch % self.every_epochs:
            return
        from modnet.modelfile import save

        folder = Path(self.directory)
        folder.mkdir(parents=True, exist_ok=True)
        run.network.history = run.history.figures
        written = run.state_of(self).setdefault("files", [])
        written.append(f"step-{run.step:010d}.modnet")
        save(run.network, folder / written[-1])
        while len(written) > self.keep:
            (folder / written.pop(0)).unlink(missing_ok=True)


class JSONLog(Callback, type="json_log"):
    """Writes a line of JSON for every epoch: its number, the step, the seconds it took, the learning rate, the figures.

    Fields:
        path: the file; a run begins it anew.
    """

    path: str

    def modnet_training_started(self, run: Run) -> None:
        Path(self.path).write_text("")

    def modnet_epoch_ended(self, run: Run) -> None:
        line: dict[str, Any] = {"epoch": run.epoch, "step": run.step, "seconds": round(run.seconds, 6)}
        line["learning_rate"] = run.learning_rate
        for name, value in run.figures.items():
            line[name] = value.tolist() if isinstance(value, np.ndarray) else value if math.isfinite(value) else None
        with Path(self.path).open("a") as file:
            file.write(json.dumps(line) + "\n")


def _better(value: float, best: float, greater: bool, delta: float) -> bool:
    """Whether a figure has improved; anything is better than nan."""
    if math.isnan(best):
        return not math.isnan(value)
    return value > best + delta if greater else value < best - delta
