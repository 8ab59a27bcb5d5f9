"""Built-in callbacks: history and logs."""

from __future__ import annotations

import csv
import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
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


class EpochLog(Callback):
    """What `json_log` and `csv_log` have in common: a file with a line for every epoch."""

    of_one_run = True

    path: str

    def modnet_training_started(self, run: Run) -> None:
        path = Path(self.path).expanduser()
        if path.is_file() and not self.is_log(path):
            raise TrainingError(
                f"{self.type}: {path} exists and is not the log of a training, so it is not overwritten; remove it, or "
                "choose another path"
            )
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if run.step and path.exists() else []
        path.write_text(self.kept(lines, run.history.epochs), encoding="utf-8", newline="\n")

    def modnet_epoch_ended(self, run: Run) -> None:
        record = {"epoch": run.epoch, "step": run.step, "seconds": round(run.seconds, 6)}
        try:
            self.add(Path(self.path).expanduser(), {**record, "learning_rate": run.learning_rate, **run.figures})
        except OSError as error:
            what = f"{self.path} could not be written ({error.strerror or error})"
            warnings.warn(f"{what}; the training continues without the line of epoch {run.epoch}", stacklevel=2)

    def is_log(self, path: Path) -> bool:
        """Whether a file is empty or is a log of this kind."""
        with path.open("rb") as file:
            line = file.readline(1 << 20)
        return not line or self.begins(line)

    def begins(self, line: bytes) -> bool:
        """Whether a log of this kind begins with such a line."""
        raise NotImplementedError

    def kept(self, lines: Sequence[str], epochs: int) -> str:
        """The part of an older log that a run keeps when it resumes after a number of epochs."""
        raise NotImplementedError

    def add(self, path: Path, record: Mapping[str, Any]) -> None:
        """Adds an epoch: name -> number or array."""
        raise NotImplementedError


FIRST = ("epoch", "step", "seconds", "learning_rate")
"""What every line of a log has."""


class JSONLog(EpochLog, type="json_log"):
    """Writes a line of JSON for every epoch: its number, the step, its seconds, the learning rate, the figures.

    Fields:
        path: the file, relative to the working directory; a ~ at its beginning is the home folder. A new run overwrites
            an older log; a run that resumes from a checkpoint keeps the lines of the epochs before it. An existing file
            that is not such a log is refused before the first step. A line that cannot be written gives a warning.
    """

    def begins(self, line: bytes) -> bool:
        try:
            found = json.loads(line)
        except ValueError:
            return False
        return isinstance(found, dict) and set(FIRST) <= found.keys()

    def kept(self, lines: Sequence[str], epochs: int) -> str:
        # By the epoch in each line, and not by counting lines: after a full disk, some may be missing or incomplete.
        return "".join(line for line in lines if 1 <= _epoch_of(line) <= epochs)

    def add(self, path: Path, record: Mapping[str, Any]) -> None:
        plain = {
            name: value.tolist() if isinstance(value, np.ndarray) else value if math.isfinite(value) else None
            for name, value in record.items()
        }
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(plain) + "\n")


class CSVLog(EpochLog, type="csv_log"):
    """Writes a row of a table for every epoch: its number, the step, its seconds, the learning rate, the figures.

    The first line has the names. A figure of several numbers has a column for each, `recall[0]`, `confusion[0,1]`; what
    is not finite is an empty cell. Every program for tables reads it, and so does `modnet new-spec`.

    Fields:
        path: the file; everything about it is as of `json_log`. If a run that resumes has further figures, they become
            further columns, empty for the epochs before it.
    """

    def begins(self, line: bytes) -> bool:
        return line.startswith(",".join(FIRST).encode())

    def kept(self, lines: Sequence[str], epochs: int) -> str:
        numbers = [line.partition(",")[0] if line.endswith("\n") else "" for line in lines]
        known = [number.isdecimal() and 1 <= int(number) <= epochs for number in numbers]
        return "".join(line for place, line in enumerate(lines) if place == 0 or known[place])

    def add(self, path: Path, record: Mapping[str, Any]) -> None:
        cells = dict(_cells(record))
        with path.open(encoding="utf-8", newline="") as file:
            names, *rows = [*csv.reader(file)] or [[]]
        further = [name for name in cells if name not in names]
        made = [cells.get(name, "") for name in (*names, *further)]
        with path.open("w" if further else "a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if further:
                writer.writerow([*names, *further])
                writer.writerows([*row, *[""] * len(further)] for row in rows)
            writer.writerow(made)


def _cells(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The columns of an epoch with their values."""
    for name, value in record.items():
        for place in np.ndindex(np.shape(value)):
            number = value[place] if place else value
            yield f"{name}[{','.join(map(str, place))}]" if place else name, number if math.isfinite(number) else ""


def _epoch_of(line: str) -> int:
    """The epoch of a line of a log; 0 if it is not such a line, or incomplete."""
    try:
        found = json.loads(line) if line.endswith("\n") else None
    except ValueError:
        return 0
    epoch = found.get("epoch") if isinstance(found, dict) else None
    return epoch if isinstance(epoch, int) else 0
