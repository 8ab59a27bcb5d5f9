"""The callback that writes checkpoints during a run."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import finalize

from modnet.configuration.fields import field
from modnet.errors import TrainingError
from modnet.kinds.callback import Callback
from modnet.model.atomic import remove_leftovers
from modnet.plugins.hooks import hookimpl
from modnet.training.checkpoint import NAME, check_state, lock_folder, write
from modnet.training.run import Run


class Checkpoint(Callback, type="checkpoint"):
    """Writes checkpoints: model files from which the run can be resumed as if it had never been stopped.

    Their names, `step-0000004800.modnet`, sort by step. Another one is written if the run is stopped from outside: by
    Ctrl-C, or by a signal that ends `modnet train`. Without `every_...`, one is written after every epoch.

    Fields:
        directory: the folder, relative to the working directory; it is made if it does not exist. A ~ at its beginning
            is the home folder.
        every_epochs, every_steps, every_minutes: how often.
        keep: how many of the newest files of this run are kept.

    Only one run at a time can use a folder (if the system has `flock`). A checkpoint that cannot be written, because
    the disk is full for example, gives a warning; the run continues, and tries again with the next one. The files stay
    after the run; `History.checkpoints` lists them. Each has the best weights so far, as the state of `early_stopping`.
    """

    of_one_run = True

    directory: str = "checkpoints"
    every_epochs: int | None = field(default=None, minimum=1)
    every_steps: int | None = field(default=None, minimum=1)
    every_minutes: float | None = field(default=None, above=0.0)
    keep: int = field(default=3, minimum=1)

    def join(self, run: Run) -> object:
        path = Path(self.directory).expanduser()
        run.checkpoint_folders.append(path)
        return _Writer(self, path)


class _Writer:
    """Writes the checkpoints of one run.

    Attributes:
        folder: the folder of the checkpoints.
        files: the names of the run's checkpoints in it, oldest first.
        made: whether this run has made the folder.
        step: the step of the last checkpoint, or of the beginning of the run.
        tried: the time of the last attempt to write one, by `time.monotonic`.
    """

    def __init__(self, asked: Checkpoint, folder: Path) -> None:
        self.asked = asked
        self.folder = folder
        self.files: list[str] = []
        self.made = False
        self.step, self.tried = 0, 0.0
        self._unlock: finalize[..., Any] | None = None

    # First, so that a folder that cannot be written to is noticed before any work is done.
    @hookimpl(tryfirst=True)
    def modnet_training_started(self, run: Run) -> None:
        self.made = not self.folder.exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        # Also closes the lock if the run is garbage-collected without its end event.
        self._unlock = finalize(run, _close, lock_folder(self.folder))
        self.step, self.tried = run.step, time.monotonic()

    # Last, so that the file has the state of the other callbacks after this step or epoch.
    @hookimpl(trylast=True)
    def modnet_step_ended(self, run: Run) -> None:
        if run.step == self.step + 1:
            _try_state(run)
        asked = self.asked
        by_steps = asked.every_steps is not None and run.step % asked.every_steps == 0
        if by_steps or (asked.every_minutes is not None and time.monotonic() - self.tried >= 60 * asked.every_minutes):
            self._write(run)

    @hookimpl(trylast=True)
    def modnet_epoch_ended(self, run: Run) -> None:
        every = self.asked.every_epochs
        if every is None and self.asked.every_steps is None and self.asked.every_minutes is None:
            every = 1
        if every is not None and run.epoch % every == 0:
            self._write(run)

    # First, before another callback restores the best weights: a resumed run continues from the last ones.
    @hookimpl(tryfirst=True)
    def modnet_training_ended(self, run: Run) -> None:
        if self._unlock is None:  # another run has the folder
            return
        if (run.interrupted or run.terminated) and not run.failed and run.step != self.step:
            self._write(run)
        run.history.checkpoints += [self.folder / name for name in self.files if (self.folder / name).exists()]
        self._unlock()
        if self.made:
            with suppress(OSError):  # it is not empty, or has been removed
                self.folder.rmdir()

    def state(self) -> dict[str, Any]:
        return {"files": self.files} if self.files else {}

    def restore(self, state: Mapping[str, Any]) -> None:
        names = state.get("files", [])
        # Old files are removed by these names, and a file from a stranger must not name other files.
        if type(names) is not list or not all(type(name) is str and NAME.fullmatch(name) for name in names):
            raise ValueError("expected names of checkpoints")
        self.files = names

    def _write(self, run: Run) -> None:
        name = f"step-{run.step:010d}.modnet"
        before = self.files
        files = self.files = [*(other for other in before if other != name), name]  # as the file itself has it
        self.tried = time.monotonic()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # For all names, not only for this one: the temporary file of a killed run may be for a step that no later
            # run saves.
            remove_leftovers(self.folder, r"step-\d{10,}\.modnet")
            write(run, self.folder / name)
        except Exception as error:
            self.files = before
            reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            warnings.warn(
                f"{self.folder / name} could not be written ({reason or type(error).__name__}); the training goes on "
                "until the next checkpoint",
                stacklevel=2,
            )
            return
        self.step = run.step
        for old in files[: -self.asked.keep]:
            with suppress(OSError):
                (self.folder / old).unlink()
        self.files = files[-self.asked.keep :]


def _try_state(run: Run) -> None:
    """Warns, after the first step, if a checkpoint cannot hold the state of a metric or callback."""
    try:
        check_state(run)
    except TrainingError as error:
        what = "a checkpoint from the middle of an epoch cannot be written in this run"
        warnings.warn(f"{what}: {error}", stacklevel=2)


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
