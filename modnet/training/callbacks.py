"""The built-in callbacks: history, early stopping, logs."""

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
from modnet.training.run import Run
from modnet.words import free_name, show


def named_callbacks(training: TrainingSpec) -> dict[str, Callback]:
    """Name -> callback, for all callbacks of a run; checkpoints save states by these names.

    The history is always first, so that the others find the figures of an epoch in it.
    """
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
    """Stops when a figure has not improved for a number of epochs, and restores the best weights.

    The figure itself says whether better is greater or smaller. An epoch in which it is nan counts as one without
    improvement, and the first such epoch triggers a warning.

    Fields:
        patience: the number of epochs without improvement after which the run stops.
        monitor: the figure; "validation_loss" means "loss" in a run without validation.
        minimum_delta: a smaller change than this does not count as an improvement.
        latest: whether of several epochs with the same best value the latest counts. A share of right answers among few
            rows takes few values, and the later of two equal epochs was trained for longer.
        restore_best: whether the network ends with the weights and state of the best epoch, for any end of the run,
            even if it diverged.

    Source: Prechelt 1998, "Early stopping - but when?", the criterion UP counted in epochs.
    """

    patience: int = field(default=10, minimum=1)
    monitor: str = "validation_loss"
    minimum_delta: float = field(default=0.0, minimum=0.0)
    latest: bool = False
    restore_best: bool = True

    def check_figures(self, figures: Mapping[str, bool | None]) -> None:
        name, greater = monitored_figure(self.monitor, figures)
        if greater is None:
            raise ValueError(f"{show(name)} cannot be monitored: it has no order of better and worse")

    def join(self, run: Run) -> object:
        return _BestSoFar(self, run)


class _BestSoFar:
    """The state of early stopping in one run.

    Attributes:
        best, epoch: the best value of the figure so far, and its epoch; 0 before the first epoch.
        arrays: copies of the network's parameters and state from that epoch, if they are to be restored.
        warned: whether the warning about nan has been given.
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
                f"{figure} is nan in epoch {run.epoch}; early_stopping counts this as no improvement",
                stacklevel=2,
            )
        if not self.epoch or _better(value, self.best, greater, stopping):
            self.best, self.epoch = value, run.epoch
            if stopping.restore_best and not math.isnan(value):
                self.arrays = {"parameters": run.weights.copy(), "state": run.network.state.flat.copy()}
        elif run.epoch - self.epoch >= stopping.patience:
            plural = "" if stopping.patience == 1 else "s"
            never = " (it was nan in all of them)" if math.isnan(self.best) else ""
            run.stop(f"{figure} has not improved for {stopping.patience} epoch{plural}{never}")

    def modnet_training_ended(self, run: Run) -> None:
        # A checkpoint of an earlier version may have nan as its best value.
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
        if "parameters" in state or "state" in state:  # otherwise it was written without restore_best
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
    """Writes a line of JSON for every epoch: its number, the step, its seconds, the learning rate, the figures.

    Fields:
        path: the file, relative to the working directory; a ~ at its beginning is the home folder. A new run overwrites
            an older log; a run that resumes from a checkpoint keeps the lines of the epochs before it. An existing file
            that is not such a log is refused before the first step. A line that cannot be written gives a warning.
    """

    path: str

    def modnet_training_started(self, run: Run) -> None:
        path = Path(self.path).expanduser()
        if path.is_file() and not _is_log(path):
            raise TrainingError(
                f"json_log: {path} exists and is not the log of a training, so it is not overwritten; remove it, or "
                "choose another path"
            )
        lines = path.read_text().splitlines(keepends=True) if run.step and path.exists() else []
        # By the epoch in each line, and not by counting lines: after a full disk, some may be missing or incomplete.
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
            warnings.warn(f"{what}; the training continues without the line of epoch {run.epoch}", stacklevel=2)


def _is_log(path: Path) -> bool:
    """Whether a file is empty or begins with a line of `JSONLog`."""
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
    """The epoch of a line of a log; 0 if it is not such a line, or incomplete."""
    try:
        found = json.loads(line) if line.endswith("\n") else None
    except ValueError:
        return 0
    epoch = found.get("epoch") if isinstance(found, dict) else None
    return epoch if isinstance(epoch, int) else 0


def _better(value: float, best: float, greater: bool, stopping: EarlyStopping) -> bool:
    """Whether a figure has improved, or is as good and later; anything is better than nan."""
    if math.isnan(best):
        return not math.isnan(value)
    delta = stopping.minimum_delta
    improved = value > best + delta if greater else value < best - delta
    return improved or (stopping.latest and value == best)
