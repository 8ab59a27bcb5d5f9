"""Callbacks: what takes part in a run beside the training itself."""

from __future__ import annotations

import json
import math
import os
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, finalize

import numpy as np

from modnet.configuration.fields import field
from modnet.errors import TrainingError
from modnet.kinds.callback import Callback
from modnet.kinds.figures import monitored_figure
from modnet.plugins.hooks import hookimpl
from modnet.words import show

if TYPE_CHECKING:
    from modnet.training.run import Run


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

    def modnet_epoch_ended(self, run: Run) -> None:
        state = run.state_of(self)
        value, greater = run.monitored(self.monitor)
        figure = self.monitor.replace("_", " ")
        if math.isnan(value) and not state.get("nan"):
            state["nan"] = True
            warnings.warn(
                f"{figure} is nan in epoch {run.epoch}: early_stopping counts such an epoch as one without improvement",
                stacklevel=2,
            )
        if "best" not in state or _better(value, state["best"], greater, self.minimum_delta):
            state.update(best=value, epoch=run.epoch)
            if self.restore_best and not math.isnan(value):
                state["parameters"] = run.network.parameters.flat.copy()
                state["state"] = run.network.state.flat.copy()
        elif run.epoch - state["epoch"] >= self.patience:
            plural = "" if self.patience == 1 else "s"
            never = " (it was nan in all of them)" if math.isnan(state["best"]) else ""
            run.stop(f"{figure} has not improved for {self.patience} epoch{plural}{never}")

    def modnet_training_ended(self, run: Run) -> None:
        state = run.state_of(self)
        # The best of a run from before nan was never the best may be nan.
        known = "parameters" in state and not math.isnan(state["best"])
        if self.restore_best and known and state["epoch"] != run.epoch:
            np.copyto(run.network.parameters.flat, state["parameters"])
            np.copyto(run.network.state.flat, state["state"])
            run.history.best_epoch = state["epoch"]

    def check_state(self, state: Mapping[str, Any], run: Run) -> None:
        if not state:
            return
        if type(state.get("best")) is not float or type(state.get("epoch")) is not int:
            raise ValueError("expected the best figure and its epoch")
        if not 1 <= state["epoch"] <= run.history.epochs:
            raise ValueError(f"the best epoch is {state['epoch']} of {run.history.epochs}")
        for name, array in (("parameters", run.network.parameters.flat), ("state", run.network.state.flat)):
            best = state.get(name)
            if best is None and "parameters" not in state and "state" not in state:
                continue  # written without restore_best
            if not isinstance(best, np.ndarray) or (best.shape, best.dtype) != (array.shape, array.dtype):
                raise ValueError(f"the best {name} are others")


@dataclass
class _Folder:
    """What a run knows of the folder of its checkpoints, while it lasts.

    Attributes:
        path: of the folder.
        made: whether this run has made it.
        unlock: gives it up.
        step: of the last checkpoint, or the one at which the run has begun.
        tried: when one was last written, or could not be; by the clock of `time.monotonic`.
    """

    path: Path
    made: bool
    unlock: Callable[[], object]
    step: int
    tried: float


_folders: WeakKeyDictionary[Run, dict[int, _Folder]] = WeakKeyDictionary()


class Checkpoint(Callback, type="checkpoint"):
    """Writes checkpoints: model files from which the run can go on as if it had never been stopped.

    They are called `step-0000004800.modnet`, so that their names sort. One more is written when Ctrl-C, SIGTERM or
    SIGHUP stops the run. Where neither epochs, steps nor minutes are given, every epoch has one.

    Fields:
        directory: where to, seen from the working directory; made if it is not there. A ~ at its beginning stands for
            the home folder.
        every_epochs, every_steps, every_minutes: how often.
        keep: how many of the newest files of this run stay.

    A folder is one run's at a time: a second one is refused (where the system has `flock`). A checkpoint that cannot be
    written, because the disk is full for example, triggers a warning; the run goes on, and tries again at the next one.
    The files stay when the run has ended; `History.checkpoints` has them. The best weights so far are in each of them,
    as the state of `early_stopping`.
    """

    directory: str = "checkpoints"
    every_epochs: int | None = field(default=None, minimum=1)
    every_steps: int | None = field(default=None, minimum=1)
    every_minutes: float | None = field(default=None, above=0.0)
    keep: int = field(default=3, minimum=1)

    # First, so that what cannot be written to is known before any work is done.
    @hookimpl(tryfirst=True)
    def modnet_training_started(self, run: Run) -> None:
        from modnet.training.checkpoint import lock_folder

        path = Path(self.directory).expanduser()
        made = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        # Whatever becomes of the run, the lock does not outlive it.
        unlock = finalize(run, _close, lock_folder(path))
        _folders.setdefault(run, {})[id(self)] = _Folder(path, made, unlock, run.step, time.monotonic())

    # Last, so that the other callbacks' part of the step or epoch is in the file.
    @hookimpl(trylast=True)
    def modnet_step_ended(self, run: Run) -> None:
        if run.step == _folders[run][id(self)].step + 1:
            self._try_state(run)
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
        folder = _folders.get(run, {}).pop(id(self), None)
        if folder is None:
            return
        if (run.interrupted or run.terminated) and not run.failed and run.step != folder.step:
            self._write_to(folder, run)
        files = [folder.path / name for name in self._files(run)]
        run.history.checkpoints += [path for path in files if path.exists()]
        folder.unlock()
        if folder.made:
            with suppress(OSError):  # it is not there, or has something in it
                folder.path.rmdir()

    def check_state(self, state: Mapping[str, Any], run: Run) -> None:
        from modnet.training.checkpoint import NAME

        names = state.get("files", [])
        # They are removed when there are too many, and a file must not say which.
        if type(names) is not list or not all(type(name) is str and NAME.fullmatch(name) for name in names):
            raise ValueError("expected names of checkpoints")

    def _files(self, run: Run) -> list[str]:
        """The names of this run's checkpoints, the oldest first."""
        names: list[str] = run.state_of(self).get("files", [])
        return names

    def _minutes_are_over(self, run: Run) -> bool:
        return self.every_minutes is not None and time.monotonic() - _folders[run][id(self)].tried >= (
            60 * self.every_minutes
        )

    def _try_state(self, run: Run) -> None:
        """Warns, after the first step, where metrics or callbacks remember what no checkpoint can hold."""
        from modnet.training.checkpoint import check_state

        try:
            check_state(run)
        except TrainingError as error:
            what = "a checkpoint from the middle of an epoch cannot be written in this run"
            warnings.warn(f"{what}: {error}", stacklevel=2)

    def _write(self, run: Run) -> None:
        self._write_to(_folders[run][id(self)], run)

    def _write_to(self, folder: _Folder, run: Run) -> None:
        from modnet.model.atomic import remove_leftovers
        from modnet.training.checkpoint import write

        name = f"step-{run.step:010d}.modnet"
        before = self._files(run)
        files = [*(other for other in before if other != name), name]
        state = run.state_of(self)
        state["files"] = files
        folder.tried = time.monotonic()
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            # A killed run's last checkpoint may have had a name that never comes again.
            remove_leftovers(folder.path, r"step-\d{10,}\.modnet")
            write(run, folder.path / name)
        except Exception as error:
            state["files"] = before
            reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            warnings.warn(
                f"{folder.path / name} could not be written ({reason or type(error).__name__}); the training goes on, "
                "and the next checkpoint is tried in its turn",
                stacklevel=2,
            )
            return
        folder.step = run.step
        for old in files[: -self.keep]:
            with suppress(OSError):
                (folder.path / old).unlink()
        state["files"] = files[-self.keep :]


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


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _better(value: float, best: float, greater: bool, delta: float) -> bool:
    """Whether a figure has improved; anything is better than nan."""
    if math.isnan(best):
        return not math.isnan(value)
    return value > best + delta if greater else value < best - delta
