"""Callbacks: what takes part in a run beside the training itself."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import field
from modnet.errors import TrainingError
from modnet.kinds.callback import Callback
from modnet.kinds.figures import monitored_figure
from modnet.specs.model import TrainingSpec
from modnet.training.figures import free_name
from modnet.training.run import Run
from modnet.words import show


def named_callbacks(training: TrainingSpec) -> dict[str, Callback]:
    """The callbacks of a run under the names by which their states are saved; the history is always the first."""
    given = (used.callback for used in training.callbacks if isinstance(used.callback, RecordHistory))
    named: dict[str, Callback] = {"history": next(given, RecordHistory())}
    for used in training.callbacks:
        if not isinstance(used.callback, RecordHistory):
            named[free_name(used.name or used.callback.type or type(used.callback).__name__, named)] = used.callback
    return named


class RecordHistory(Callback, type="history"):
    """Adds the figures of every epoch to `run.history`. Every run has it, as the first of its callbacks."""

    def modnet_epoch_ended(self, run: Run) -> None:
        run.history.append(run.figures)
        run.history.seconds.append(run.seconds)


class EarlyStopping(Callback, type="early_stopping"):
    """Stops when a figure has not improved for a number of epochs, and brings the best weights back.

    The figure itself says whether better is greater or smaller. A figure that is nan is never the best: such an epoch
    is one without improvement, and the first of them triggers a warning.

    Fields:
        patience: epochs without improvement after which the run stops.
        monitor: the figure; "validation_loss" stands for "loss" in a run without validation.
        minimum_delta: what counts as an improvement: more than this.
        restore_best: whether the network ends with the weights and state of the best epoch, however the run ended, also
            where it diverged.

    Source: Prechelt 1998, "Early stopping - but when?", the criterion UP counted in epochs.
    """

    patience: int = field(default=10, minimum=1)
    monitor: str = "validation_loss"
    minimum_delta: float = field(default=0.0, minimum=0.0)
    restore_best: bool = True

    def check_figures(self, figures: Mapping[str, bool | None]) -> None:
        name, greater = monitored_figure(self.monitor, figures)
        if greater is None:
            raise ValueError(f"{show(name)} cannot be monitored: it has no order of better and worse")

    def join(self, run: Run) -> object:
        return _BestSoFar(self, run)


class _BestSoFar:
    """What early stopping knows of one run.

    Attributes:
        best, epoch: the best value of the figure so far, and of which epoch it is; epoch 0 before the first.
        parameters, state: the network's arrays as they were then, if they are to be brought back.
        warned: whether there was the warning of a figure that is nan.
    """

    def __init__(self, stopping: EarlyStopping, run: Run) -> None:
        self.stopping = stopping
        self.run = run
        self.best, self.epoch = math.nan, 0
        self.arrays: dict[str, Array] = {}
        self.warned = False

    def modnet_epoch_ended(self, run: Run) -> None:
        stopping = self.stopping
        value, greater = run.monitored(stopping.monitor)
        figure = stopping.monitor.replace("_", " ")
        if math.isnan(value) and not self.warned:
            self.warned = True
            warnings.warn(
                f"{figure} is nan in epoch {run.epoch}: early_stopping counts such an epoch as one without improvement",
                stacklevel=2,
            )
        if not self.epoch or _better(value, self.best, greater, stopping.minimum_delta):
            self.best, self.epoch = value, run.epoch
            if stopping.restore_best and not math.isnan(value):
                self.arrays = {"parameters": run.weights.copy(), "state": run.network.state.flat.copy()}
        elif run.epoch - self.epoch >= stopping.patience:
            plural = "" if stopping.patience == 1 else "s"
            never = " (it was nan in all of them)" if math.isnan(self.best) else ""
            run.stop(f"{figure} has not improved for {stopping.patience} epoch{plural}{never}")

    def modnet_training_ended(self, run: Run) -> None:
        # The best of a run from before nan was never the best may be nan.
        known = bool(self.arrays) and not math.isnan(self.best)
        if self.stopping.restore_best and known and self.epoch != run.epoch:
            np.copyto(run.network.parameters.flat, self.arrays["parameters"])
            np.copyto(run.network.state.flat, self.arrays["state"])
            run.history.best_epoch = self.epoch

    def state(self) -> dict[str, Any]:
        if not self.epoch:
            return {}
        warned = {"nan": True} if self.warned else {}
        return {**warned, "best": self.best, "epoch": self.epoch, **self.arrays}

    def restore(self, state: Mapping[str, Any]) -> None:
        if not state:
            return
        best, epoch = state.get("best"), state.get("epoch")
        if type(best) is not float or type(epoch) is not int:
            raise ValueError("expected the best figure and its epoch")
        if not 1 <= epoch <= self.run.history.epochs:
            raise ValueError(f"the best epoch is {epoch} of {self.run.history.epochs}")
        if "parameters" in state or "state" in state:  # else it was written without restore_best
            self.arrays = self._arrays(state)
        self.best, self.epoch, self.warned = best, epoch, state.get("nan") is True

    def _arrays(self, state: Mapping[str, Any]) -> dict[str, Array]:
        network = self.run.network
        found: dict[str, Array] = {}
        for name, array, missing in (
            ("parameters", network.parameters, {}),
            ("state", network.state, self.run.missing_state),
        ):
            best = state.get(name)
            if isinstance(best, np.ndarray) and missing:
                best = array.completed(best.reshape(-1), missing)
            if not isinstance(best, np.ndarray) or (best.shape, best.dtype) != (array.flat.shape, array.flat.dtype):
                raise ValueError(f"the best {name} do not match")
            found[name] = best
        return found


class JSONLog(Callback, type="json_log"):
    """Writes a line of JSON for every epoch: its number, the step, the seconds it took, the learning rate, the figures.

    Fields:
        path: the file, seen from the working directory; a ~ at its beginning stands for the home folder. A run begins
            it anew; one that goes on from a checkpoint keeps the lines of the epochs before that. A file that is there
            and is no such log is refused before the first step. A line that cannot be written triggers a warning.
    """

    path: str

    def modnet_training_started(self, run: Run) -> None:
        path = Path(self.path).expanduser()
        if path.is_file() and not _is_log(path):
            raise TrainingError(
                f"json_log: {path} exists and is not the log of a training; it is not overwritten: remove it, or "
                "choose another path"
            )
        lines = path.read_text().splitlines(keepends=True) if run.step and path.exists() else []
        # Not so many lines as epochs: where the disk was full some may be missing, or end in their middle.
        path.write_text("".join(line for line in lines if 1 <= _epoch_of(line) <= run.history.epochs))

    def modnet_epoch_ended(self, run: Run) -> None:
        line: dict[str, Any] = {"epoch": run.epoch, "step": run.step, "seconds": round(run.seconds, 6)}
        line["learning_rate"] = run.learning_rate
        for name, value in run.figures.items():
            line[name] = value.tolist() if isinstance(value, np.ndarray) else value if math.isfinite(value) else None
        try:
            with Path(self.path).expanduser().open("a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            what = f"{self.path} could not be written ({error.strerror or error})"
            warnings.warn(f"{what}; the training goes on, and the line of epoch {run.epoch} is missing", stacklevel=2)


def _is_log(path: Path) -> bool:
    """Whether a file is empty or begins with a line as `JSONLog` writes them."""
    with path.open("rb") as file:
        line = file.readline(1 << 20)
    if not line:
        return True
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and {"epoch", "step", "seconds", "learning_rate"} <= found.keys()


def _epoch_of(line: str) -> int:
    """The epoch whose line of a log this is, 0 where it is none or not whole."""
    try:
        found = json.loads(line) if line.endswith("\n") else None
    except ValueError:
        return 0
    epoch = found.get("epoch") if isinstance(found, dict) else None
    return epoch if isinstance(epoch, int) else 0


def _better(value: float, best: float, greater: bool, delta: float) -> bool:
    """Whether a figure has improved; anything is better than nan."""
    if math.isnan(best):
        return not math.isnan(value)
    return value > best + delta if greater else value < best - delta
