"""Figures of an answer, and the files that keep them: a line of JSON for each table, split and contestant."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tables.contestants import Answer
from benchmarks.tables.files import Split

LEAST_PROBABILITY = 1e-6
"""Smaller ones of the right class count as this: a forest says 0, and its log loss would be infinite."""

Line = dict[str, Any]
Key = tuple[str, int, str]


def figures(split: Split, answer: Answer) -> dict[str, float]:
    """Accuracy and log loss, or R2 and root mean squared error, on the test rows.

    Rows without an answer get the shares of the classes, or the mean, of the training rows.
    """
    predicted, truth = _filled(split, answer), split.answers()
    if split.task == "numbers":
        squares = (predicted - truth) ** 2
        spread = ((truth - truth.mean()) ** 2).mean()
        return {"r2": float(1 - squares.mean() / spread), "rmse": float(np.sqrt(squares.mean()))}
    classes = np.asarray(answer.classes, object)
    right = truth[:, None] == classes[None, :]
    probability = np.where(right, predicted, 0).sum(axis=1)
    return {
        "accuracy": float((classes[predicted.argmax(axis=1)] == truth).mean()),
        "log_loss": float(-np.log(probability.clip(LEAST_PROBABILITY)).mean()),
    }


def _filled(split: Split, answer: Answer) -> Any:
    predicted = answer.predicted.astype(float).reshape(len(split.test), *([-1] if split.task == "classes" else []))
    answers = split.train[split.target]
    if split.task == "numbers":
        return np.where(np.isnan(predicted), answers.mean(), predicted)
    shares = answers.astype(str).value_counts(normalize=True).reindex(list(answer.classes), fill_value=0).to_numpy()
    return np.where(np.isnan(predicted).any(axis=1, keepdims=True), shares, predicted)


def key(line: Line) -> Key:
    return line["table"], line["split"], line["contestant"]


def append(file: Path, line: Line) -> None:
    """Adds a line at once, so that a kill loses at most the one that is being computed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    cut_off = file.exists() and not file.read_bytes().endswith(b"\n")
    with file.open("a") as opened:
        opened.write("\n" * cut_off + json.dumps(line) + "\n")


def read(files: Iterable[Path]) -> dict[Key, Line]:
    """The lines of some files by key; the last of several; a line that a kill has cut off is left out."""
    found: dict[Key, Line] = {}
    for file in files:
        for text in file.read_text().splitlines():
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue
            found[key(line)] = line
    return found
