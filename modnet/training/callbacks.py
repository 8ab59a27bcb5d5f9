"""Built-in callbacks: history and logs."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from modnet.errors import TrainingError
from modnet.kinds.callback import Callback
from modnet.specs.model import TrainingSpec
from modnet.training.run import Run
from modnet.words import free_name


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
