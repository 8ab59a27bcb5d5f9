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

CALIBRATED = 400
"""With fewer rows, a fifth of them says too little of how sure the probabilities should be."""

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
        dropout: of each hidden layer, the share of the units that is left out in a step; 0 for none.
        bins: in how many bins each number is encoded; 0 for none.
        composite: instead of all of these, a layer that stands for a whole network, with its options.
        clip: whether numbers are cut off at the range that they have in training.
        members: how many networks are trained side by side, whose predictions are averaged.
        losses: of each kind of goal.
        optimizer, schedule: their types and options; no schedule for a constant rate.
        batch_size, epochs: of the training.
        drop_last: whether an epoch leaves out the rows that do not fill its last batch.
        stopping: the callback that chooses the epoch.
        corrected: the kinds of goals whose predictions are corrected: probabilities are calibrated at the end, numbers
            kept within the range of the target.
        about: what is to be said of it, a line each.
    """

    hidden: tuple[int, ...]
    activation: str
    dropout: tuple[float, ...]
    bins: int
    clip: bool
    members: int
    losses: Mapping[GoalKind, Any]
    optimizer: Mapping[str, Any]
    schedule: Mapping[str, Any] | None
    batch_size: int
    epochs: int
    stopping: Mapping[str, Any]
    drop_last: bool = False
    composite: Mapping[str, Any] | None = None
    corrected: tuple[GoalKind, ...] = ()
    about: tuple[str, ...] = ()


def recipe_for(task: Task, effort: Effort) -> Recipe:
    """The recipe for a table.

    Args:
        effort: "quick" is a small network, which trains in seconds; "good" five larger ones, whose mean is better;
            "best" three of the largest, which the plugin modnet-tabular has.
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
        activation="relu",
        dropout=(0.1 if task.rows < SMALL else 0.0, 0.0),
        bins=0,
        clip=_has_long_tail(task),
        members=1,
        losses=LOSSES,
        optimizer={"type": "adam", "learning_rate": 1e-3},
        schedule=None,
        batch_size=_batch_size(task.rows),
        epochs=epochs,
        stopping={"type": "early_stopping", "patience": patience},
    )


def _good(task: Task) -> Recipe:
    return Recipe(
        hidden=(256, 128),
        activation="relu",
        dropout=(0.15, 0.15),
        bins=_bins(task),
        clip=_has_long_tail(task),
        members=5,
        losses=LOSSES,
        optimizer={"type": "adam", "learning_rate": 1e-3},
        schedule=None,
        batch_size=_batch_size(task.rows),
        epochs=200,
        stopping={"type": "early_stopping", "patience": 20},
    )


ROWS_OF_A_BIN, MOST_BINS, FEWEST_BINS, MOST_CODES = 50, 64, 16, 1024
"""A bin for so many rows, but no more and no fewer than these; and the most codes of all numbers of a sample."""


def _bins(task: Task) -> int:
    """In how many bins numbers are encoded: a multiple of four, or 0."""
    if task.number_input is None:
        return 0
    bins = min(MOST_BINS, max(FEWEST_BINS, task.rows // ROWS_OF_A_BIN))
    return min(bins, MOST_CODES // task.input_width(task.number_input)) // 4 * 4


def _best(task: Task) -> Recipe:
    """Three of RealMLP-TD as its authors tuned it, which is the component `realmlp` of modnet-tabular."""
    classes = task.goals[0].kind != "numbers"
    composite = {"type": "realmlp"} if classes else {"type": "realmlp", "activation": "mish"}
    if task.number_input is None:
        composite["number_embedding"] = "identity"
    return Recipe(
        hidden=(256, 256, 256),
        activation="selu",
        dropout=(0.15, 0.15, 0.15),
        bins=0,
        clip=False,
        composite=composite,
        corrected=("numbers", "classes") if task.rows >= CALIBRATED else ("numbers",),
        members=3,
        losses={**LOSSES, "classes": {"type": "cross_entropy", "label_smoothing": 0.1}},
        optimizer={
            "type": "adamw",
            "learning_rate": 0.04 if classes else 0.2,
            "beta2": 0.95,
            "weight_decay": 0.02,
            "weight_decay_schedule": "flat_cosine",
        },
        schedule={"type": "coslog4"},
        batch_size=256,
        drop_last=True,
        epochs=256,
        stopping={"type": "early_stopping", "patience": 256, "latest": True},
    )


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


PBLD = 3
"""How many numbers the embedding of `realmlp` adds to each."""

SECONDS_OF_STEP, SECONDS_OF_PARAMETER, SECONDS_OF_PRODUCT = 2e-4, 2.5e-9, 9e-11
"""Measured on one core of a server of 2021: of each step, of each parameter in a step, and of each multiplication of a
row forth and back.
"""

SLOWER = 1.6
"""How much longer `realmlp` takes than its products do, for its embeddings, activations and schedules."""

STOPS_AT = 0.3
"""The share of the epochs after which early stopping ended most runs."""


def expected_seconds(task: Task, recipe: Recipe) -> float:
    """About how long the training takes on one core."""
    widths = [task.width + _encoded(task, recipe), *recipe.hidden, sum(goal.width for goal in task.goals)]
    parameters = recipe.members * sum(a * b for a, b in pairwise(widths))
    rows = 0.8 * task.rows
    steps = math.ceil(rows / recipe.batch_size)
    of_epoch = steps * (SECONDS_OF_STEP + parameters * SECONDS_OF_PARAMETER) + rows * parameters * SECONDS_OF_PRODUCT
    of_epoch *= SLOWER if recipe.composite else 1.0
    stops = STOPS_AT if recipe.stopping["patience"] < recipe.epochs else 1.0
    return 0.5 + recipe.epochs * stops * of_epoch


def _encoded(task: Task, recipe: Recipe) -> int:
    """How many numbers the encoding of numbers adds to a sample."""
    if task.number_input is None:
        return 0
    of_each = PBLD if recipe.composite else recipe.bins
    return of_each * task.input_width(task.number_input)


def readable_seconds(seconds: float) -> str:
    """The order of a time: `2 s`, `20 s`, `5 min`, `2 h`."""
    if seconds < 60:
        return f"{_order(seconds)} s"
    return f"{_order(seconds / 60)} min" if seconds < 3600 else f"{_order(seconds / 3600)} h"


def _order(number: float) -> int:
    """The nearest of 1, 2, 5, 10, 20, 30, 40, 50."""
    return min((1, 2, 5, 10, 20, 30, 40, 50), key=lambda step: abs(math.log(step / max(number, 1e-9))))
