"""The history of a training from a file: a model file, or the log that `csv_log` or `json_log` has written."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import PurePath
from typing import Any

import numpy as np

from modnet.engine.courses import courses_of
from modnet.engine.history import History
from modnet.errors import DataError
from modnet.model.figures import unpacked
from modnet.model.header import Header
from modnet.model.reader import opened, structure
from modnet.records import Record
from modnet.training.callbacks import FIRST

LOGS = (".csv", ".jsonl", ".json")
"""The suffixes of files that are read as logs."""

CLOSE = 1e-5
"""Figures that differ by less, relatively, are those of the same weights."""


class Recorded(Record, eq=False):
    """What a file says about a training.

    Attributes:
        history: the figures of its epochs; with `seconds` if the file is a log.
        metrics: the figures of the weights in the file; empty for a log.
    """

    history: History
    metrics: Mapping[str, Any]

    @property
    def kept(self) -> int | None:
        """The epoch whose weights the file has: that with the figures of these weights; None if it cannot be told."""
        same = np.ones(self.history.epochs, bool)
        numbers = courses_of(self.history)
        names = [name for name in numbers if _is_number(self.metrics.get(name))]
        for name in names:
            same &= np.isclose(numbers[name], self.metrics[name], rtol=CLOSE, atol=0.0)
        found = np.flatnonzero(same)
        return int(found[0]) + 1 if names and len(found) == 1 else None


def read_history(path: str | PathLike[str]) -> Recorded:
    """The history in a model file, of which only the header is read, or in a log.

    No plugin is imported and no network is built. `best_epoch` of the history is the epoch whose weights the file has,
    if that can be told and is not the last one.

    Raises:
        DataError: a .csv, .jsonl or .json file is not a log of a training; there is no epoch in the file.
        ModelFileError: the file is damaged or is not a model file.
        OSError: the file cannot be read.
    """
    if PurePath(path).suffix.lower() in LOGS:
        found, why = Recorded(_of_log(path), {}), "no epoch of the training has ended yet"
    else:
        found = _of_model(path)
        why = "the file has no history: its network was not trained by modnet, or edit dropped it"
    if not courses_of(found.history):
        raise DataError(f"{path}: {why}")
    kept = found.kept
    if kept != found.history.epochs:
        found.history.best_epoch = kept
    return found


def _of_model(path: str | PathLike[str]) -> Recorded:
    with opened(path) as file:
        found = structure(file)
        header = Header.of_file(file.path, found.header)
        header.require_features(file.path)
        figures = unpacked(file, header, found)
        return Recorded(History(figures["history"]), figures["metrics"])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _of_log(path: str | PathLike[str]) -> History:
    read = _csv if PurePath(path).suffix.lower() == ".csv" else _json
    history = History()
    with open(path, encoding="utf-8", newline="") as file:
        try:
            for record in read(line for line in file if line.endswith("\n")):  # the last one may be half written
                history.seconds.append(record.pop("seconds"))
                history.append({name: value for name, value in record.items() if name not in FIRST})
        except (ValueError, KeyError, TypeError, AttributeError, csv.Error):
            expected = f"expected a file of csv_log or json_log, with {', '.join(FIRST)} and the figures of each epoch"
            raise DataError(f"{path}: this is not the log of a training; {expected}") from None
    return history


def _csv(lines: Iterable[str]) -> Iterator[dict[str, float]]:
    """The epochs of a `csv_log`; an empty cell is nan, and a figure of several numbers is left out."""
    for row in csv.DictReader(lines, strict=True):
        yield {name: _number(text) for name, text in row.items() if "[" not in name}


def _number(text: str) -> float:
    return math.nan if text == "" else float(text)


def _json(lines: Iterable[str]) -> Iterator[dict[str, float]]:
    """The epochs of a `json_log`; null is nan, and a figure of several numbers is left out."""
    for line in lines:
        record = {name: value for name, value in json.loads(line).items() if not isinstance(value, list)}
        yield {name: math.nan if value is None else float(value) for name, value in record.items()}
