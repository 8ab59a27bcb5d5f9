"""Which columns of a table predict which, if only the targets are known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from modnet.arrays import Array
from modnet.data.guess import FEW, MOST_ONE_HOT, Guess, are_classes, guess_columns
from modnet.data.options import Decimal
from modnet.data.schema import DataSchema
from modnet.data.sides import person_column, time_column
from modnet.data.spec import ColumnSpec, DataSpec, SplitSpec
from modnet.data.table import Table
from modnet.errors import DataError
from modnet.records import Record
from modnet.words import free_name, show

GoalKind = Literal["classes", "labels", "numbers"]


class Goal(Record):
    """What one output of the network predicts.

    Attributes:
        output: the name of the output; "output" if it is the only one.
        kind: one of several classes, any of several labels, or numbers.
        columns: the target columns; one, or several of numbers.
        width: how many numbers the network gives for it.
    """

    output: str
    kind: GoalKind
    columns: tuple[str, ...]
    width: int = 1


class Task(Record):
    """What is to be predicted from what.

    Attributes:
        table: the rows.
        guesses: what each column is taken for.
        left_out: column -> why it is no input; the targets are not among them.
        goals: of each output of the network, in their order.
        data: the `[data]` table.
        schema: how the columns become numbers.
    """

    table: Table
    guesses: Mapping[str, Guess]
    left_out: Mapping[str, str]
    goals: tuple[Goal, ...]
    data: DataSpec
    schema: DataSchema

    @property
    def rows(self) -> int:
        return len(self.table)

    def input_width(self, name: str) -> int:
        """How many numbers an input of the network has in a sample."""
        return sum(column.width for column in self.schema.inputs[name])

    @property
    def number_input(self) -> str | None:
        """The input of the network with the columns of numbers and dates, and no categories; None if there is none."""
        for name, columns in self.schema.inputs.items():
            if all(column.kind in ("number", "date") for column in columns):
                return name if any(self.guesses[column.name].profile.distinct > 2 for column in columns) else None
        return None

    @property
    def width(self) -> int:
        """How many numbers one sample is, an id counted as one."""
        return sum(column.width for columns in self.schema.inputs.values() for column in columns)

    def counts(self, goal: Goal) -> Array:
        """How many rows each class has, (classes,) in the order of its categories, where the goal is classes."""
        target = self.schema.targets[goal.output][0]
        present = ~self.guesses[target.name].profile.gaps
        codes = target.codes(self.table.columns[target.name])[present]
        return np.bincount(codes[codes >= 0], minlength=len(target.categories))

    def numbers(self, column: str) -> Array:
        """The values of a column of numbers, float64, of the rows that have one."""
        found = self.guesses[column]
        return found.numbers(self.table.columns[column])[~found.profile.gaps]


def task_of(table: Table, targets: Sequence[str], path: str, apart: bool = False) -> Task:
    """The task of predicting columns of a table from its other columns.

    Args:
        path: of the table, for the spec.
        apart: whether numbers and codes are two inputs of the network.

    Raises:
        DataError: there is no such column, or it cannot be predicted, or nothing is left to predict from.
    """
    table.require(targets)
    table.require_rows()
    _check_targets(table, targets)
    guesses = guess_columns(table)
    _check_values(table, targets, guesses)
    split = _split(table, targets, guesses)
    left_out = _left_out(targets, guesses, split)
    goals = _goals(table, targets, guesses)
    data = _data_spec(table, goals, path, guesses, left_out, split, apart)
    schema = DataSchema.learn(
        table,
        data,
        input_names=list(network_inputs(data)),
        output_names=[goal.output for goal in goals],
        label_outputs=[goal.output for goal in goals if goal.kind == "classes"],
    )
    goals = tuple(goal.replace(width=_width(schema, goal)) for goal in goals)
    return Task(table, guesses, left_out, goals, data, schema)


def _width(schema: DataSchema, goal: Goal) -> int:
    columns = schema.targets[goal.output]
    return len(columns[0].categories) or len(columns)


# Targets


def _check_targets(table: Table, targets: Sequence[str]) -> None:
    """Raises DataError for a target that is given twice, or targets that are all columns."""
    twice = next((name for place, name in enumerate(targets) if name in targets[:place]), None)
    if twice is not None:
        raise DataError(f"{table.name}: the target {show(twice)} is given twice; give each target once")
    if len(targets) == len(table.columns):
        what = "its only column is the target" if len(targets) == 1 else f"all {len(targets)} columns are targets"
        raise DataError(f"{table.name}: {what}; there must be a column to predict from")


def _check_values(table: Table, targets: Sequence[str], guesses: Mapping[str, Guess]) -> None:
    """Raises DataError for a column that no network can learn to predict."""
    for name in targets:
        _check_target(table, name, guesses[name])


def _check_target(table: Table, name: str, found: Guess) -> None:
    place = f"{table.name}: column {name}"
    if found.left_out == "every value is missing":
        raise DataError(f"{place}: every value is missing")
    if found.kind == "date":
        raise DataError(
            f"{place}: these are dates, which cannot be a target; make a number of them, such as the days until then"
        )
    present = len(table) - found.profile.missing
    if found.kind == "category" and found.profile.distinct == present > FEW:
        raise DataError(f"{place}: {present:,} different texts in {present:,} rows are names, not classes")
    if found.kind == "number" and found.profile.distinct == 1:
        raise DataError(f"{place}: every value is {found.profile.different.text(0)}; there is nothing to learn")


def _goals(table: Table, targets: Sequence[str], guesses: Mapping[str, Guess]) -> tuple[Goal, ...]:
    """A goal for each target of classes or labels, and one for all numbers; several goals have names."""
    kinds = {name: _goal_kind(table, name, guesses[name], len(targets)) for name in targets}
    numbers = tuple(name for name in targets if kinds[name] == "numbers")
    goals = [
        Goal("output", kinds[name], numbers if name in numbers else (name,))
        for name in targets
        if name not in numbers[1:]
    ]
    if len(goals) == 1:
        return tuple(goals)
    taken = {"numbers", "codes"}  # inputs of the network
    for place, goal in enumerate(goals):
        output = free_name(_plain(goal.columns[0] if len(goal.columns) == 1 else "values", "output"), taken)
        taken.add(output)
        goals[place] = goal.replace(output=output)
    return tuple(goals)


def _goal_kind(table: Table, name: str, found: Guess, targets: int) -> GoalKind:
    if found.kind == "labels":
        return "labels"
    if targets > 1 and found.kind == "number" and found.profile.distinct > 2:
        return "numbers"  # several targets of whole numbers are more often measurements than codes
    column = table.columns[name]
    counts = np.unique(column.values[~found.profile.gaps], return_counts=True)[1]
    return "classes" if are_classes(name, found, counts) else "numbers"


# Columns


def network_inputs(data: DataSpec) -> Mapping[str, Sequence[str]]:
    """Network input -> its columns."""
    return data.inputs if isinstance(data.inputs, Mapping) else {"input": data.inputs or ()}


def listed_reasons(left_out: Mapping[str, str]) -> str:
    """The columns that are left out, each with the reason."""
    return ", ".join(f"{name} ({why})" for name, why in left_out.items())


def _data_spec(
    table: Table,
    goals: Sequence[Goal],
    path: str,
    guesses: Mapping[str, Guess],
    left_out: Mapping[str, str],
    split: SplitSpec | None,
    apart: bool,
) -> DataSpec:
    targets = [name for goal in goals for name in goal.columns]
    inputs = tuple(name for name in table.columns if name not in targets and name not in left_out)
    if not inputs:
        raise _no_inputs(table, left_out)
    columns, decimal = _columns(targets, inputs, guesses)
    return DataSpec(
        train=path,
        validation=0.2,
        split=split,
        target=_target(goals),
        inputs=_inputs(inputs, guesses, [goal.output for goal in goals], apart),
        missing="mean" if with_gaps(inputs, guesses) else None,
        decimal=decimal,
        columns=columns,
    )


def _left_out(targets: Sequence[str], guesses: Mapping[str, Guess], split: SplitSpec | None) -> dict[str, str]:
    """Column -> why it is no input."""
    left_out = {name: found.left_out for name, found in guesses.items() if found.left_out and name not in targets}
    if split is not None and split.by == "group":
        left_out[str(split.column)] = "says whose the row is"
    return left_out


def _no_inputs(table: Table, left_out: Mapping[str, str]) -> DataError:
    """The error for a table of which every column but the targets is left out."""
    texts = any(why.endswith("different texts") for why in left_out.values())
    hint = '; if their words or letters say something, write a spec with kind = "text" for them' if texts else ""
    return DataError(f"{table.name}: no column is left to predict from: {listed_reasons(left_out)}{hint}")


def _target(goals: Sequence[Goal]) -> str | tuple[str, ...] | dict[str, str | tuple[str, ...]]:
    of_goal = {goal.output: goal.columns[0] if len(goal.columns) == 1 else goal.columns for goal in goals}
    return of_goal if len(goals) > 1 else of_goal[goals[0].output]


def _split(table: Table, targets: Sequence[str], guesses: Mapping[str, Guess]) -> SplitSpec | None:
    """How rows are set aside if the table shows that a random split would give figures that are too good."""
    person = person_column(table, guesses, targets)
    if person is not None:
        return SplitSpec(by="group", column=person)
    when = time_column(table, guesses, targets)
    return None if when is None else SplitSpec(by="time", column=when)


def with_gaps(names: Iterable[str], guesses: Mapping[str, Guess]) -> list[str]:
    """The columns of these that have missing values."""
    return [name for name in names if guesses[name].profile.missing]


def _columns(
    targets: Sequence[str], inputs: Sequence[str], guesses: Mapping[str, Guess]
) -> tuple[dict[str, ColumnSpec], Decimal | None]:
    """The options of each column, and the decimal mark of all."""
    columns = {name: guesses[name].column or ColumnSpec() for name in (*inputs, *targets)}
    for name in filter(lambda name: _is_embedded(guesses[name]), inputs):
        columns[name] = columns[name].replace(kind="category", encoding="embedding")
    for name in with_gaps(targets, guesses):
        if guesses[name].kind == "labels":
            continue  # a row without labels has none of them
        columns[name] = columns[name].replace(missing="drop")
    decimal = _decimal_of_all(columns, guesses)
    if decimal:
        columns = {name: _without_decimal(column) for name, column in columns.items()}
    return {name: column for name, column in columns.items() if column != ColumnSpec()}, decimal


def _decimal_of_all(columns: Mapping[str, ColumnSpec], guesses: Mapping[str, Guess]) -> Decimal | None:
    """The comma, if all numbers with a fraction have it: then it is said once, and csv files are read by it."""
    found = [guesses[name] for name in columns if guesses[name].kind == "number"]
    points = any(guess.column is None and not guess.is_whole for guess in found)
    return "," if any(column.decimal == "," for column in columns.values()) and not points else None


def _is_embedded(found: Guess) -> bool:
    return found.kind == "category" and found.profile.distinct > MOST_ONE_HOT


def _without_decimal(column: ColumnSpec) -> ColumnSpec:
    shorter = column.replace(decimal=None) if column.decimal == "," else column
    return ColumnSpec() if shorter == ColumnSpec(kind="number") else shorter


def _inputs(
    inputs: tuple[str, ...], guesses: Mapping[str, Guess], outputs: Iterable[str], apart: bool
) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
    """The columns of the only input; or network input -> columns.

    Each column of ids has an input of its own. With `apart` there is one for numbers and one for codes, which are
    categories and numbers with no more than two values.
    """
    embedded = [name for name in inputs if _is_embedded(guesses[name])]
    groups: dict[str, tuple[str, ...]] = {}
    for name in inputs:
        if name not in embedded:
            group = "codes" if apart and _is_code(guesses[name]) else "numbers"
            groups[group] = (*groups.get(group, ()), name)
    if len(groups) == 1 and not embedded:
        return inputs
    for name in embedded:
        groups[free_name(_plain(name, "ids"), {*groups, *outputs})] = (name,)
    return groups


def _is_code(found: Guess) -> bool:
    return found.kind not in ("number", "date") or found.profile.distinct <= 2


def _plain(name: str, otherwise: str) -> str:
    """A name for a node of the network."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name) or otherwise
