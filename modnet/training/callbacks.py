"""Callbacks: what takes part in a run beside the training itself."""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.component import Callback, field
from modnet.hooks import hookimpl

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
    """Writes checkpoints: model files from which the run can go on as if it had never been stopped.

    They are called `step-0000004800.modnet`, so that their names sort. One more is written when Ctrl-C or SIGTERM stops
    the run. Where neither epochs, steps nor minutes are given, every epoch has one.

    Fields:
        directory: where to, seen from the working directory; made if it is not there.
        every_epochs, every_steps, every_minutes: how often.
        keep: how many of the newest files of this run stay.
        remove_when_done: whether they go when the run has come to its end.
    """

    directory: str = "checkpoints"
    every_epochs: int | None = field(default=None, minimum=1)
    every_steps: int | None = field(default=None, minimum=1)
    every_minutes: float | None = field(default=None, above=0.0)
    keep: int = field(default=3, minimum=1)
    remove_when_done: bool = False

    def modnet_training_started(self, run: Run) -> None:
        self._remember(run)

    # Last, so that the other callbacks' part of the step or epoch is in the file.
    @hookimpl(trylast=True)
    def modnet_step_ended(self, run: Run) -> None:
        by_steps = self.every_steps is not None and run.step % self.every_steps == 0
        if by_steps or self._minutes_are_over(run):
            self._write(run)

    @hookimpl(trylast=True)
    def modnet_epoch_ended(self, run: Run) -> None:
        every = self.every_epochs
        if every is None and self.every_steps is None and self.every_minutes is None:
            every = 1
        if every is not None and run.epoch % every == 0:
            self._write(run)

    # First, before another callback brings back the best weights: the run goes on from the last ones.
    @hookimpl(tryfirst=True)
    def modnet_training_ended(self, run: Run) -> None:
        if run.interrupted and run.step != run.state_of(self)["step"]:
            self._write(run)
        if self.remove_when_done and run.done:
            for name in run.state_of(self).get("files", ()):
                (Path(self.directory) / name).unlink(missing_ok=True)
            with suppress(OSError):  # it is not there, or has something else in it
                Path(self.directory).rmdir()

    def _minutes_are_over(self, run: Run) -> bool:
        if self.every_minutes is None:
            return False
        written: float = run.state_of(self)["time"]
        return time.monotonic() - written >= 60 * self.every_minutes

    def _remember(self, run: Run) -> None:
        run.state_of(self).update(step=run.step, time=time.monotonic())

    def _write(self, run: Run) -> None:
        from modnet.modelfile.atomic import remove_leftovers
        from modnet.training.checkpoint import write

        folder = Path(self.directory)
        folder.mkdir(parents=True, exist_ok=True)
        # A killed run's last checkpoint may have had a name that never comes again.
        remove_leftovers(folder, r"step-\d{10}\.modnet")
        name = f"step-{run.step:010d}.modnet"
        written = run.state_of(self).setdefault("files", [])
        if name not in written:
            written.append(name)
        self._remember(run)
        write(run, folder / name)
        while len(written) > self.keep:
            (folder / written.pop(0)).unlink(missing_ok=True)


class JSONLog(Callback, type="json_log"):
    """Writes a line of JSON for every epoch: its number, the step, the seconds it took, the learning rate, the figures.

    Fields:
        path: the file, seen from the working directory. A run begins it anew; one that goes on from a checkpoint keeps
            the lines of the epochs before that.
    """

    path: str

    def modnet_training_started(self, run: Run) -> None:
        path = Path(self.path)
        lines = path.read_text().splitlines(keepends=True) if run.step and path.exists() else []
        path.write_text("".join(lines[: run.history.epochs]))

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
