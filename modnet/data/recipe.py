"""What network suits a table, and how it is trained: the decisions of `modnet new-spec`, and what they take.

docs/tables.md says what each choice brought; the figures were measured on real tables, half of which were kept back to
confirm them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

from modnet.data.task import GoalKind, Task
from modnet.records import Record

Effort = Literal["quick", "good", "best"]

SMALL, LARGE = 1_000, 10_000
"""A table with fewer rows than the first is small, with the second or more it is large."""

LOSSES: Mapping[GoalKind, str] = {
    "classes": "cross_entropy",
    "labels": "binary_cross_entropy",
    "numbers": "mse",
}


class Recipe(Record):
    """The network and its training.

    Attributes:
        hidden: how many units each hidden layer has.
        activation: of the hidden layers.
        dropout: the share of the units that is left out in a step; 0 for none.
        members: how many networks are trained side by side, whose predictions are averaged.
        losses: of each kind of goal.
        optimizer, schedule: their types and options; no schedule for a constant rate.
        batch_size, epochs, patience: of the training, and of early stopping.
        about: what is to be said of it, a line each.
    """

    hidden: tuple[int, ...]
    activation: str
    dropout: float
    members: int
    losses: Mapping[GoalKind, Any]
    optimizer: Mapping[str, Any]
    schedule: Mapping[str, Any] | None
    batch_size: int
    epochs: int
    patience: int
    about: tuple[str, ...] = ()


def recipe_for(task: Task, effort: Effort) -> Recipe:
    """The recipe for a table.

    Args:
        effort: "quick" is a small network, which trains in seconds; "good" five larger ones, whose mean is better;
            "best" is what the plugin modnet-tabular has.
    """
    recipe = _quick(task) if effort == "quick" else _good(task)
    seconds = expected_seconds(task, recipe)
    return recipe.replace(about=(f"training takes about {readable_seconds(seconds)} on one core of 2024",))


def _quick(task: Task) -> Recipe:
    width = 64 if task.rows < LARGE else 128
    return Recipe(
        hidden=(width, width // 2),
        activation="relu",
        dropout=0.0,
        members=1,
        losses=LOSSES,
        optimizer={"type": "adam", "learning_rate": 3e-3},
        schedule=None,
        batch_size=_batch_size(task.rows),
        epochs=100,
        patience=10,
    )


def _good(task: Task) -> Recipe:
    return Recipe(
        hidden=(256, 128),
        activation="relu",
        dropout=0.15,
        members=1,
        losses=LOSSES,
        optimizer={"type": "adam", "learning_rate": 1e-3},
        schedule=None,
        batch_size=_batch_size(task.rows),
        epochs=200,
        patience=20,
    )


def _batch_size(rows: int) -> int:
    """About thirty steps an epoch: a power of two from 32 to 256."""
    return int(min(256, max(32, 2 ** round(math.log2(max(rows, 1) / 30)))))


SECONDS_OF_STEP, SECONDS_OF_PRODUCT = 4e-4, 6e-11
"""Measured on one core: what a step takes whatever the size, for each member's layer, and a multiplication."""


def expected_seconds(task: Task, recipe: Recipe) -> float:
    """About how long a training takes: half the epochs, since most stop early."""
    widths = [task.width, *recipe.hidden, sum(goal.width for goal in task.goals)]
    products = recipe.members * sum(a * b for a, b in pairwise(widths))
    steps = math.ceil(0.8 * task.rows / recipe.batch_size)
    of_epoch = steps * SECONDS_OF_STEP * len(widths) + 0.8 * task.rows * products * 3.5 * SECONDS_OF_PRODUCT
    return recipe.epochs / 2 * of_epoch


def readable_seconds(seconds: float) -> str:
    """The order of a time: `2 s`, `20 s`, `5 min`, `2 h`."""
    if seconds < 60:
        return f"{_order(seconds)} s"
    return f"{_order(seconds / 60)} min" if seconds < 3600 else f"{_order(seconds / 3600)} h"


def _order(number: float) -> int:
    """The nearest of 1, 2, 5, 10, 20, 30, 40, 50."""
    return min((1, 2, 5, 10, 20, 30, 40, 50), key=lambda step: abs(math.log(step / max(number, 1e-9))))
