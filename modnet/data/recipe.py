"""What network suits a table, and how it is trained: the decisions of `modnet new-spec`, and what they take.

docs/tables.md says what each choice brought; the figures were measured on real tables, half of which were kept back to
confirm them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from modnet.data.task import GoalKind, Task
from modnet.records import Record

Effort = Literal["quick", "good", "best"]

SMALL, LARGE = 1_000, 10_000
"""A table with fewer rows than the first is small, with the second or more it is large."""

FOLDS = 10
"""How many members the best ensemble has, each with a fold of its own; no table is parted by fewer groups."""

LOSSES: Mapping[GoalKind, str] = {
    "classes": "cross_entropy",
    "labels": "binary_cross_entropy",
    "numbers": "mse",
}

ACTIVATION = "relu"

OPTIMIZER: Mapping[str, Any] = {"type": "adam", "learning_rate": 1e-3}


class Recipe(Record):
    """The network and its training.

    Attributes:
        hidden: how many units each hidden layer has.
        dropout: of each hidden layer, the share of the units that is left out in a step; 0 for none.
        bins: in how many bins each number is encoded; 0 for none.
        waves: whether each number is also embedded by periodic functions, which `modnet-tabular` has.
        clip: whether numbers are cut off at the range that they have in training.
        bounded: whether predictions of numbers are kept within the range of the target, by `modnet-tabular`.
        members: how many networks are trained side by side, whose predictions are averaged.
        member_folds: whether each of them is validated with rows of its own, so that together they learn from all.
        batch_size, epochs: of the training.
        patience: the epochs without an improvement after which a network is trained no longer.
        about: remarks about it, a line each.
    """

    hidden: tuple[int, ...]
    dropout: tuple[float, ...]
    bins: int
    clip: bool
    members: int
    batch_size: int
    epochs: int
    patience: int
    waves: bool = False
    bounded: bool = False
    member_folds: bool = False
    about: tuple[str, ...] = ()


def recipe_for(task: Task, effort: Effort) -> Recipe:
    """The recipe for a table.

    Args:
        effort: "quick" is a small network, which trains in seconds; "good" five larger ones, whose mean is better;
            "best" ten, each of which sets other rows aside for validation, and sees numbers in one form more.
    """
    recipes = {"quick": _quick(task), "good": _good(task), "best": _best(task)}
    times = {name: readable_seconds(expected_seconds(task, recipe)) for name, recipe in recipes.items()}
    others = ", ".join(f"{name} about {time}" for name, time in times.items() if name != effort)
    said = f"training takes about {times[effort]} on one core (with --effort {others})"
    return recipes[effort].replace(about=(said,))


def _quick(task: Task) -> Recipe:
    width = 32 if task.rows < SMALL else 64 if task.rows < LARGE else 128
    epochs, patience = (200, 20) if task.rows < LARGE else (60, 6)
    return Recipe(
        hidden=(width, width // 2),
        dropout=(0.1 if task.rows < SMALL else 0.0, 0.0),
        bins=0,
        clip=_has_long_tail(task),
        members=1,
        batch_size=_batch_size(task.rows),
        epochs=epochs,
        patience=patience,
    )


def _good(task: Task) -> Recipe:
    return Recipe(
        hidden=(256, 128),
        dropout=(0.15, 0.15),
        bins=_bins(task),
        clip=_has_long_tail(task),
        members=5,
        batch_size=_batch_size(task.rows),
        epochs=200,
        patience=20,
    )


def _best(task: Task) -> Recipe:
    """The good one with twice as many members, each with a fold of its own, and numbers in waves, too."""
    in_time = task.data.split is not None and task.data.split.by == "time"
    return _good(task).replace(
        waves=task.number_input is not None,
        bounded=True,
        members=min(FOLDS, task.rows),
        member_folds=not in_time,
    )


ROWS_OF_A_BIN, MOST_BINS, FEWEST_BINS, MOST_CODES = 50, 64, 16, 1024
"""A bin for so many rows, but no more and no fewer than these; and the most codes of all numbers of a sample."""


def _bins(task: Task) -> int:
    """In how many bins numbers are encoded: a multiple of four, or 0."""
    if task.number_input is None:
        return 0
    bins = min(MOST_BINS, max(FEWEST_BINS, task.rows // ROWS_OF_A_BIN))
    return min(bins, MOST_CODES // task.input_width(task.number_input)) // 4 * 4


FAR = 8.0
"""Deviations from the mean. A column with numbers that far away has a long tail, and new rows have some yet further."""


def _has_long_tail(task: Task) -> bool:
    """Whether an input has numbers far away from the others, which would lead a network where it has learnt nothing."""
    names = {column.name for columns in task.schema.inputs.values() for column in columns if column.kind == "number"}
    for name in names:
        values = task.numbers(name)
        spread = float(values.std())
        if spread > 0 and float(np.abs(values - values.mean()).max()) > FAR * spread:
            return True
    return False


def _batch_size(rows: int) -> int:
    """About thirty steps an epoch: a power of two from 32 to 256."""
    return int(min(256, max(32, 2 ** round(math.log2(max(rows, 1) / 30)))))


WAVES = 4
"""How many numbers the embedding by periodic functions makes of each."""

SECONDS_OF_STEP, SECONDS_OF_PARAMETER, SECONDS_OF_PRODUCT = 2e-4, 2.5e-9, 9e-11
"""Measured on one core of a server of 2021: of each step, of each parameter in a step, and of each multiplication of a
row forth and back.
"""

STOPS_AT, LAST_STOPS_AT = 0.3, 0.45
"""The share of the epochs after which early stopping ended most runs; and the last of ten members, each with rows of
its own to stop by.
"""


def expected_seconds(task: Task, recipe: Recipe) -> float:
    """About how long the training takes on one core."""
    widths = [task.width + _encoded(task, recipe), *recipe.hidden, sum(goal.width for goal in task.goals)]
    parameters = recipe.members * sum(a * b for a, b in pairwise(widths))
    rows = 0.8 * task.rows
    steps = math.ceil(rows / recipe.batch_size)
    of_epoch = steps * (SECONDS_OF_STEP + parameters * SECONDS_OF_PARAMETER) + rows * parameters * SECONDS_OF_PRODUCT
    return 0.5 + recipe.epochs * (LAST_STOPS_AT if recipe.member_folds else STOPS_AT) * of_epoch


def _encoded(task: Task, recipe: Recipe) -> int:
    """How many numbers the encoding of numbers adds to a sample."""
    if task.number_input is None:
        return 0
    return (recipe.bins + WAVES * recipe.waves) * task.input_width(task.number_input)


def readable_seconds(seconds: float) -> str:
    """The order of a time: `2 s`, `20 s`, `5 min`, `2 h`."""
    if seconds < 60:
        return f"{_order(seconds)} s"
    return f"{_order(seconds / 60)} min" if seconds < 3600 else f"{_order(seconds / 3600)} h"


def _order(number: float) -> int:
    """The nearest of 1, 2, 5, 10, 20, 30, 40, 50."""
    return min((1, 2, 5, 10, 20, 30, 40, 50), key=lambda step: abs(math.log(step / max(number, 1e-9))))
