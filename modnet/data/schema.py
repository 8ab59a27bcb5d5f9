"""The schema of a model's training table, by which later rows are encoded in the same way and predictions decoded.

It is learnt in `data/learning.py`, which a process that only predicts does not need.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import Configuration
from modnet.configuration.reading import Reader, Reading
from modnet.data.columns import (
    is_number,
    missing_rows,
    parse_numbers,
)
from modnet.data.spec import MISSING_VALUES, Encoding, Kind, MissingPolicy
from modnet.data.table import Table, shorten
from modnet.errors import DataError, ShapeError
from modnet.words import counted, did_you_mean, itemised, show


class Encoded(NamedTuple):
    """Rows of a table as arrays.

    Attributes:
        inputs: network input -> array (rows, width).
        targets: network output -> labels (rows,) or numbers (rows, columns); empty if they were not asked for.
        row_names: the name of a row in messages.
    """

    inputs: dict[str, Array]
    targets: dict[str, Array]
    row_names: Callable[[int], str]


class ColumnSchema(Configuration):
    """How a column is read.

    Attributes:
        name: of the column.
        kind: number or category.
        categories: all categories, in their order; for a target, the classes.
        encoding: of an input that is a category.
        missing: what is done if a value is missing.
        fill: the value that replaces a missing one, for "mean" and "most_frequent"; otherwise None.
    """

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()
    encoding: Encoding = "one_hot"
    missing: MissingPolicy = "error"
    fill: float | str | None = None

    def check(self) -> None:
        if (self.kind == "category") != bool(self.categories):
            raise ValueError("expected categories if kind is category, and only then")
        if len(set(self.categories)) < len(self.categories):
            raise ValueError("expected categories that are all different")
        if self.kind == "number" and self.encoding == "ordinal":
            raise ValueError("the encoding ordinal is for categories, found a number")
        if (self.fill is not None) != (self.missing in ("mean", "most_frequent")):
            raise ValueError("expected fill if missing is mean or most_frequent, and only then")
        if isinstance(self.fill, str) if self.kind == "number" else self.fill not in (None, *self.categories):
            raise ValueError(f"fill is {show(self.fill)}; expected a number, or one of the categories")

    @property
    def width(self) -> int:
        """How many numbers encode one value."""
        return len(self.categories) if self.kind == "category" and self.encoding == "one_hot" else 1

    def gaps(self, table: Table, missing_values: Collection[str]) -> list[int]:
        """The rows in which this column has no value. A text that is one of the categories is a value."""
        return missing_rows(table.columns[self.name], set(missing_values).difference(self.categories))

    def codes(self, table: Table, filled: Sequence[int] = ()) -> Array:
        """The position of each value in `categories`, int64 (rows,)."""
        index = {category: position for position, category in enumerate(self.categories)}
        codes = np.array([index.get(value, -1) for value in table.columns[self.name]], np.int64)
        if len(filled):
            codes[filled] = index[cast(str, self.fill)]
        for row in map(int, np.flatnonzero(codes < 0)):
            codes[row] = index.get(_other_spelling(table.columns[self.name][row]), -1)
        unknown = np.flatnonzero(codes < 0)
        if unknown.size:
            row = int(unknown[0])
            value = table.columns[self.name][row]
            more = f" ({unknown.size:,} of {len(table):,} rows have unknown ones)" if unknown.size > 1 else ""
            raise DataError(
                f"{table.place(row, self.name)}: unknown category {show(value)}{more}; expected one of "
                f"{shorten(self.categories)}{did_you_mean(value, self.categories) or '; correct or drop such rows'}"
            )
        return codes

    def numbers(self, table: Table, filled: Sequence[int] = ()) -> Array:
        """The values as numbers, float64 (rows,)."""
        values = table.columns[self.name]
        if len(filled):
            values = list(values)
            for row in filled:
                values[row] = "0"  # parseable; replaced by `fill` below
        numbers = parse_numbers(values)
        if numbers is None:
            row = next(row for row, value in enumerate(values) if not is_number(value))
            raise DataError(f"{table.place(row, self.name)}: expected a number, found {show(values[row])}")
        if len(filled):
            numbers[filled] = self.fill
        return numbers


@dataclass
class MissingReport:
    """What was done about missing values; `texts` describes it."""

    filled_rows: int = 0
    dropped_rows: int = 0
    by_mean: set[str] = field(default_factory=set)
    by_most_frequent: set[str] = field(default_factory=set)

    def texts(self) -> list[str]:
        found = []
        if self.filled_rows:
            ways = (("mean", self.by_mean), ("most frequent", self.by_most_frequent))
            counts = [(way, len(columns)) for way, columns in ways if columns]
            first, *rest = (f"{way} of {count}" for way, count in counts)
            done = ", ".join([first + (" column" if counts[0][1] == 1 else " columns"), *rest])
            found.append(f"{counted(self.filled_rows, 'row')} had missing values: filled ({done})")
        if self.dropped_rows:
            found.append(f"{counted(self.dropped_rows, 'row')} had missing values: dropped")
        return found


class DataSchema(Configuration):
    """The schema of the table that a model was trained on; a model file holds it as plain values.

    Attributes:
        inputs: network input -> its columns in order; empty for a model that was trained on arrays.
        targets: network output -> its column of categories, or its columns of numbers.
        missing_values: the texts that stand for a missing value.
    """

    inputs: Mapping[str, tuple[ColumnSchema, ...]]
    targets: Mapping[str, tuple[ColumnSchema, ...]]
    missing_values: tuple[str, ...] = MISSING_VALUES

    def check(self) -> None:
        for columns in (*self.inputs.values(), *self.targets.values()):
            if not columns or len({column.name for column in columns}) < len(columns):
                raise ValueError("expected at least one column for each input and output, with different names")
        self._check_targets()

    def _check_targets(self) -> None:
        for columns in self.targets.values():
            if len(columns) > 1 and any(column.kind == "category" for column in columns):
                raise ValueError("expected one column of categories for an output, or columns of numbers")
        targets = self._target_columns()
        if any(column.fill is not None for column in targets):
            raise ValueError("a target has a fill; expected none")
        if len({column.name for column in targets}) < len(targets):
            raise ValueError("one column is the target of two outputs")

    def _target_columns(self) -> list[ColumnSchema]:
        return [column for columns in self.targets.values() for column in columns]

    # Encoding

    def encode(self, table: Table, targets: bool = True, report: MissingReport | None = None) -> Encoded:
        """The table's rows as arrays, by the names of the network's inputs and outputs. Other columns are ignored.

        An input becomes float64 (rows, width), or int64 if all its columns are ordinal: ids, for an embedding. A target
        of categories becomes labels int64 (rows,), a target of numbers float64 (rows, columns).

        Args:
            table: the rows.
            targets: True for training and evaluation, where rows with missing values may be dropped; False for
                prediction, where each row needs a prediction.
            report: collects what was done about missing values.

        Raises:
            DataError: for missing columns, categories that the model has not learnt, values that are not numbers, and
                missing values that are neither filled nor dropped; with row and column.
        """
        report = MissingReport() if report is None else report
        table, filled = self._complete(table, targets, report)
        goals = {name: _encode_target(table, columns) for name, columns in self.targets.items()} if targets else {}
        return Encoded(self._encode_inputs(table, filled), goals, table.row_names())

    def _complete(self, table: Table, targets: bool, report: MissingReport) -> tuple[Table, dict[str, list[int]]]:
        """The rows that can be encoded, and column name -> the rows in which it is filled."""
        inputs = [column for columns in self.inputs.values() for column in columns]
        goals = self._target_columns() if targets else []
        if not inputs:
            raise DataError(f"{table.name}: found a table, but the model was trained on arrays and has no columns")
        table.require([column.name for column in (*inputs, *goals)])
        if targets:
            table.require_rows()
            table = self._drop(table, [*inputs, *goals], report)
        return table, self._filled(table, inputs, goals, report)

    def _encode_inputs(self, table: Table, filled: Mapping[str, list[int]]) -> dict[str, Array]:
        return {name: _encode_input(table, columns, filled) for name, columns in self.inputs.items()}

    def columns(self) -> tuple[str, ...]:
        """The names of the columns that a prediction needs, in order; empty for a model that was trained on arrays."""
        return tuple(dict.fromkeys(column.name for columns in self.inputs.values() for column in columns))

    def encode_columns(self, columns: Mapping[str, Iterable[Any]]) -> Mapping[str, Array]:
        """Network input -> array, for rows that all need a prediction; see `encode`.

        Args:
            columns: column name -> values of any type; None and nan are missing values. Other columns are ignored.

        Raises:
            DataError: as `encode`.
        """
        names = self.columns()
        Table(dict.fromkeys(columns, ())).require(names)
        blank = self.missing_values[0] if self.missing_values else ""
        table = Table({name: _as_text(columns[name], blank) for name in names})
        return self._encode_inputs(*self._complete(table, targets=False, report=MissingReport()))

    def _drop(self, table: Table, columns: Sequence[ColumnSchema], report: MissingReport) -> Table:
        dropping = [column for column in columns if column.missing == "drop"]
        dropped = {row for column in dropping for row in column.gaps(table, self.missing_values)}
        if not dropped:
            return table
        if len(dropped) == len(table):
            names = shorten(column.name for column in dropping)
            raise DataError(f"{table.name}: every row has a missing value in one of {names}; no rows are left")
        report.dropped_rows += len(dropped)
        return table.take([row for row in range(len(table)) if row not in dropped])

    def _filled(
        self, table: Table, inputs: Sequence[ColumnSchema], goals: Sequence[ColumnSchema], report: MissingReport
    ) -> dict[str, list[int]]:
        """Column name -> the rows in which it is filled."""
        filled = {}
        for column in (*inputs, *goals):
            gaps = column.gaps(table, self.missing_values)
            if not gaps:
                continue
            if column.fill is None:
                found = f"missing value (found {show(table.columns[column.name][gaps[0]])})"
                advice = _advice(column, column in goals)
                raise DataError(f"{table.place(gaps[0], column.name)}: {found}; {advice}")
            filled[column.name] = gaps
            by_mean = column.kind == "number" and column.missing == "mean"
            (report.by_mean if by_mean else report.by_most_frequent).add(column.name)
        report.filled_rows += len({row for rows in filled.values() for row in rows})
        return filled

    # Decoding

    def decode(self, outputs: Mapping[str, Array]) -> dict[str, list[Any]]:
        """Column name -> values, one for each row, from a network's outputs.

        A target of categories becomes the name of the most probable class, and a column `P(class)` for each class, from
        probabilities (rows, classes). For two classes and one probability (rows, 1), it is that of the second class,
        which is predicted above 0.5. With several targets of categories, the columns are called `P(target=class)`.
        Targets of numbers become their columns. An output without a target becomes a column with the name of the
        output, or `name_0`, `name_1` and so on if it has several numbers.

        Args:
            outputs: output name -> predictions; probabilities for categories.

        Raises:
            ShapeError: the width of an output is not that of its target.
        """
        several = sum(columns[0].kind == "category" for columns in self.targets.values()) > 1
        found: dict[str, list[Any]] = {}
        for name, given in outputs.items():
            output, columns = np.asarray(given), self.targets.get(name)
            if columns is None:
                found.update(_untargeted(name, output))
                continue
            self._check_output(name, output.shape[1:])
            if columns[0].kind == "number":
                found.update((column.name, output[:, index].tolist()) for index, column in enumerate(columns))
            else:
                found.update(_classified(columns[0], output, several))
        return found

    # Shapes and words

    def input_shapes(self) -> dict[str, tuple[int]]:
        """Network input -> the shape of one encoded sample."""
        return {name: (sum(column.width for column in columns),) for name, columns in self.inputs.items()}

    def classes(self) -> dict[str, tuple[str, ...]]:
        """Network output -> its class names, if it has classes."""
        return {name: columns[0].categories for name, columns in self.targets.items() if columns[0].categories}

    def check_shapes(self, input_shapes: Mapping[str, Shape], output_shapes: Mapping[str, Shape]) -> None:
        """Checks the shapes of one sample of a network's inputs and outputs against the columns.

        Raises:
            ShapeError: with the columns and both shapes.
        """
        for noun, known, names in (("input", self.inputs, input_shapes), ("output", self.targets, output_shapes)):
            for name in known:
                if name not in names:
                    raise ShapeError(
                        f"the data have columns for the {noun} {show(name)}, but the network has no such {noun}"
                    )
        for name, found in self.input_shapes().items():
            expected = input_shapes[name]
            if len(expected) != 1 or expected[0] not in (None, *found):
                raise ShapeError(
                    f"input {show(name)} expects samples of shape {expected}, but its columns give {found}: "
                    f"{_widths(self.inputs[name])}",
                    f"set input = [{found[0]}] or choose other columns",
                )
        for name in self.targets:
            self._check_output(name, output_shapes[name])

    def _check_output(self, name: str, shape: Shape) -> None:
        columns = self.targets[name]
        classes = columns[0].categories
        width = len(classes) or len(columns)
        if shape == (width,) or (shape == (1,) and len(classes) == 2):
            return
        target = (
            f"column {columns[0].name} has {width} classes: {shorten(classes)}"
            if classes
            else f"its target has {counted(width, 'column')}: {shorten(column.name for column in columns)}"
        )
        raise ShapeError(f"output {show(name)} gives samples of shape {shape}, but {target}", f"expected ({width},)")

    def describe(self) -> str:
        """The columns in a few words: `7 columns -> species (3 classes)`."""
        count = len({column.name for columns in self.inputs.values() for column in columns})
        return f"{counted(count, 'column')}" + (f" -> {self.describe_targets()}" if self.targets else "")

    def describe_targets(self) -> str:
        """The targets in a few words: `species (3 classes)`."""
        targets = self._target_columns()
        words = (f"{c.name} ({len(c.categories)} classes)" if c.categories else c.name for c in targets)
        return shorten(words, 5)

    # Plain values

    def to_plain(self) -> dict[str, Any]:
        """The schema as plain None, bool, int, float, str, list and dict."""
        return self.plain()

    @classmethod
    def from_plain(cls, value: Any) -> DataSchema:
        """The schema that `to_plain` gave.

        Raises:
            DataError: for anything else, with its place.
        """
        reading = Reading(Reader())
        schema = cls.from_table(value, ("data",), reading)
        if isinstance(schema, DataSchema):
            return schema
        raise DataError("malformed data schema: " + "; ".join(itemised(map(str, reading.problems))))


def _untargeted(name: str, output: Array) -> dict[str, list[Any]]:
    """The columns of an output without a target."""
    if output.ndim != 2 or output.shape[1] == 1:
        return {name: output.reshape(len(output)).tolist() if output.ndim == 2 else output.tolist()}
    return {f"{name}_{index}": output[:, index].tolist() for index in range(output.shape[1])}


def _classified(column: ColumnSchema, output: Array, several: bool) -> dict[str, list[Any]]:
    """The most probable class of each row, and the probability of each class."""
    single = output.shape[1] < len(column.categories)
    winners = (output[:, 0] > 0.5).astype(np.intp) if single else output.argmax(axis=1)
    found: dict[str, list[Any]] = {column.name: [column.categories[winner] for winner in winners]}
    for index, category in enumerate(column.categories[1:] if single else column.categories):
        found[f"P({column.name}={category})" if several else f"P({category})"] = output[:, index].tolist()
    return found


def _widths(columns: Sequence[ColumnSchema]) -> str:
    categories = [f"{column.name} ({column.width}, one-hot)" for column in columns if column.width > 1]
    rest = len(columns) - len(categories)
    return shorten([*categories, *([counted(rest, "single number")] if rest else [])])


def _advice(column: ColumnSchema, target: bool) -> str:
    if target:
        return 'a target is never filled in: complete it, or train with missing = "drop"'
    if column.missing == "drop":
        return 'each row needs a prediction, but the model has no fill value: train with "mean" or "most_frequent"'
    return 'complete it, or train with missing = "mean", "most_frequent" or "drop"'


def _as_text(values: Iterable[Any], blank: str) -> list[str]:
    return [value if isinstance(value, str) else blank if _is_missing(value) else str(value) for value in values]


def _is_missing(value: Any) -> bool:
    """Whether a Python value stands for a missing one: None, nan, and those of pandas."""
    try:
        return value is None or bool(value != value)  # only nan and pandas.NaT differ from themselves
    except TypeError:  # pandas.NA: its comparisons give NA, which has no truth value
        return True


def _encode_input(table: Table, columns: Sequence[ColumnSchema], filled: Mapping[str, list[int]]) -> Array:
    ids = all(column.encoding == "ordinal" for column in columns)
    encoded = np.zeros((len(table), sum(column.width for column in columns)), np.int64 if ids else np.float64)
    rows, start = np.arange(len(table)), 0
    for column in columns:
        gaps = filled.get(column.name, [])
        if column.kind == "number":
            encoded[:, start] = column.numbers(table, gaps)
        elif column.encoding == "ordinal":
            encoded[:, start] = column.codes(table, gaps)
        else:
            encoded[rows, start + column.codes(table, gaps)] = 1
        start += column.width
    return encoded


def _encode_target(table: Table, columns: Sequence[ColumnSchema]) -> Array:
    if columns[0].kind == "category":
        return columns[0].codes(table)
    return np.stack([column.numbers(table) for column in columns], axis=1)


def _other_spelling(value: str) -> str:
    """ "1" for "1.0" and "1.0" for "1", since both are the same class; other texts are unchanged.

    pandas writes a column of whole numbers with decimal points as soon as one of its values is missing.
    """
    whole, point, rest = value.partition(".")
    if not whole.lstrip("-").isdecimal() or rest.strip("0"):
        return value
    return whole if point else f"{whole}.0"
