"""What a careful analyst notices before training: what its figures will hide, and what rows have in common."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from modnet.arrays import Array
from modnet.data.sides import repeated_ids
from modnet.data.task import Goal, Task
from modnet.words import counted, legible, listed

RARE = 0.1
"""Where the rarest of two classes has a smaller share of the rows than this (of more, as much less), or..."""

COMMON = 0.8
"""...the most frequent one a greater, the share of right answers says little."""

FEW_ROWS = 10
"""With fewer rows, a class can hardly be learnt and cannot be measured."""

LONG_TAIL = 5.0
"""The skewness above which squares are decided by few rows; that of an exponential distribution is 2."""

SKEWED = 1.0
"""Whole numbers of a greater skewness, from 0 on, are counts."""

SMALL = 200
"""With fewer rows, the figures of a fifth of them vary much with the draw."""


TELLING = 0.9999
"""A column that is so strongly correlated with the target tells it alone."""

ENOUGH = 30
"""With fewer rows, a column may tell the target by chance."""


def notices(task: Task) -> list[str]:
    """The lines of what is noticed, for the head of a spec."""
    return [*_about_rows(task), *(line for goal in task.goals for line in _about_goal(task, goal))]


def metrics_for(task: Task, goal: Goal) -> tuple[str, ...]:
    """The metrics that show how well a goal is met."""
    if goal.kind == "labels":
        return ("accuracy", "f1")
    if goal.kind == "numbers":
        return ("r2", "mean_absolute_error")
    if not _is_uneven(task, goal):
        return ("accuracy",)
    # Where a class has no row in the validation, its area is unknown, and so is the mean of the areas.
    measurable = task.counts(goal).min() >= FEW_ROWS
    return ("accuracy", "balanced_accuracy", "auc") if measurable else ("accuracy", "balanced_accuracy")


# Rows


def _about_rows(task: Task) -> Iterator[str]:
    split = task.data.split
    if split is None:
        yield from _about_splits(task)
    elif split.by == "group":
        count = task.guesses[str(split.column)].profile.distinct
        yield (
            f"{split.column}: {task.rows:,} rows of {count:,}; all rows of one are on the same side of the split, "
            "since predictions will be wanted for others"
        )
    else:
        yield (
            f"{split.column}: the rows are in the order of time, so the last of them validate, as predictions will be "
            "wanted for later ones; remove split to draw by chance"
        )
    if task.rows < SMALL:
        yield (
            f"{counted(task.rows, 'row')} are few: the figures of {counted(max(task.rows // 5, 1), 'row')} vary much "
            "with the draw; modnet cross-validate measures with all of them"
        )


def _about_splits(task: Task) -> Iterator[str]:
    """What could decide how rows are set aside; only who made the table knows."""
    targets = {name for goal in task.goals for name in goal.columns}
    ids = repeated_ids(task.table, task.guesses, targets)
    dates = [name for name, found in task.guesses.items() if found.kind == "date" and name not in targets]
    if ids:
        yield (
            f"{listed(ids, 3)}: looks like an id that rows share; if predictions are wanted for new ones, leave it out "
            f'and set split = {{ by = "group", column = "{legible(ids[0])}" }}'
        )
    if dates:
        yield (
            f"{listed(dates, 3)}: if predictions are wanted for later rows, validate with the last ones: "
            f'split = {{ by = "time", column = "{legible(dates[0])}" }}'
        )


# Targets


def _about_goal(task: Task, goal: Goal) -> Iterator[str]:
    if telling := _telling(task, goal):
        yield (
            f"{legible(telling)}: tells {legible(goal.columns[0])} all by itself; if it is not known yet when "
            "predictions are made, leave it out of inputs"
        )
    if goal.kind == "classes":
        yield from _about_classes(task, goal)
    elif goal.kind == "numbers":
        for name in goal.columns:
            yield from _about_numbers(task, name)


def _telling(task: Task, goal: Goal) -> str | None:
    """The first column of numbers from which alone the target follows, by a straight line or by limits of classes."""
    if goal.kind == "labels" or len(goal.columns) > 1:
        return None
    target = task.schema.targets[goal.output][0]
    truth = task.table.columns[target.name]
    classes = goal.kind == "classes"
    tells, wanted = (
        (_are_apart, target.codes(truth)) if classes else (_are_in_line, task.guesses[target.name].numbers(truth))
    )
    return next((name for name, values in _numbers_of_inputs(task) if tells(values, wanted)), None)


def _numbers_of_inputs(task: Task) -> Iterator[tuple[str, Array]]:
    """The columns of more than two numbers that are inputs; none of an only input, which has to tell the target."""
    names = dict.fromkeys(column.name for columns in task.schema.inputs.values() for column in columns)
    for name in names if len(names) > 1 else ():
        guess = task.guesses[name]
        if guess.kind == "number" and guess.profile.distinct > 2:
            yield name, guess.numbers(task.table.columns[name])


def _are_in_line(values: Array, wanted: Array) -> bool:
    """Whether the points of two columns are on a straight line, as far as rounding shows it."""
    both = np.isfinite(values) & np.isfinite(wanted)
    x, y = values[both], wanted[both]
    if len(x) < ENOUGH or x.min() == x.max() or y.min() == y.max():
        return False
    return bool(abs(np.corrcoef(x, y)[0, 1]) > TELLING)


def _are_apart(values: Array, codes: Array) -> bool:
    """Whether the values of each class are all below or all above those of each other class."""
    known = np.isfinite(values) & (codes >= 0)
    if known.sum() < ENOUGH:
        return False
    order = np.lexsort((codes[known], values[known]))
    changes = np.diff(codes[known][order]) != 0
    return bool(changes.sum() == len(np.unique(codes[known])) - 1 and np.diff(values[known][order])[changes].all())


def _is_uneven(task: Task, goal: Goal) -> bool:
    shares = task.counts(goal) / max(int(task.counts(goal).sum()), 1)
    return bool(
        shares.max() > COMMON or (len(shares) == 2 and shares.min() < RARE) or shares.min() * len(shares) < RARE
    )


def _about_classes(task: Task, goal: Goal) -> Iterator[str]:
    name, counts = goal.columns[0], task.counts(goal)
    names = [legible(category) for category in task.schema.targets[goal.output][0].categories]
    if _is_uneven(task, goal):
        often = int(counts.argmax())
        share = counts[often] / counts.sum()
        choice = ", and choose a threshold when predicting (predict --threshold)" if len(counts) == 2 else ""
        yield (
            f"{name}: {share:.1%} of the rows are {names[often]}, so always predicting it is right as often; look at "
            f"{' and '.join(metrics_for(task, goal)[1:])}{choice}"
        )
    rare = [f"{names[place]} ({counted(int(counts[place]), 'row')})" for place in np.flatnonzero(counts < FEW_ROWS)]
    if rare:
        yield f"{name}: too few rows to learn or to measure: {listed(rare, 5)}"


def _about_numbers(task: Task, name: str) -> Iterator[str]:
    values = task.numbers(name)
    if len(values) < 3 or values.min() < 0:
        return
    skewness = float((((values - values.mean()) / values.std()) ** 3).mean())
    if is_count(task, name):
        yield (f"{name}: counts; the network predicts their mean, which can come out a little below 0: take 0 for it")
    elif skewness > LONG_TAIL:
        yield (
            f"{name}: a long tail, the greatest is {values.max() / max(np.median(values), 1e-300):,.0f} times the "
            "median; few rows decide r2, so look at mean_absolute_error"
        )


def is_count(task: Task, name: str) -> bool:
    """Whether a target is counts: whole numbers from 0 on, few of them large."""
    values = task.numbers(name)
    if not task.guesses[name].is_whole or values.min() < 0 or len(values) < 3:
        return False
    return bool((((values - values.mean()) / values.std()) ** 3).mean() > SKEWED) and bool((values == 0).any())
