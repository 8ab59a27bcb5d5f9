"""The schema of a model's training table, by which later rows are encoded in the same way and predictions decoded.

It is learnt in `data/learning.py`, which a process that only predicts does not need.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from modnet.arrays import Array, Shape
from modnet.configuration.fields import Configuration
from modnet.configuration.reading import Reader, Reading
from modnet.data.column import Column
from modnet.data.column_schema import ColumnSchema
from modnet.data.faults import Faults, Report, in_order
from modnet.data.intervals import Interval, bounds, class_sets
from modnet.data.options import DEFAULTS, ReadOptions
from modnet.data.spec import DataSpec
from modnet.data.table import Table, shorten
from modnet.data.values import MISSING_VALUES, no_value
from modnet.errors import DataError, Fault, ShapeError
from modnet.words import counted, itemised, legible, show


class Encoded(NamedTuple):
    """Rows of a table as arrays.

    Attributes:
        inputs: network input -> array (rows, width).
        targets: network output -> labels (rows,) or numbers (rows, columns); empty if they were not requested.
        row_names: the name of a row in messages.
        weights: of the rows, float64 (rows,); None if there are none.
        faults: the values that could not be encoded, if they are not an error.
    """

    inputs: dict[str, Array]
    targets: dict[str, Array]
    row_names: Callable[[int], str]
    weights: Array | None = None
    faults: tuple[Fault, ...] = ()


class DataSchema(Configuration):
    """The schema of the table that a model was trained on; a model file holds it as plain values.

    Attributes:
        inputs: network input -> its columns in order; empty for a model that was trained on arrays.
        targets: network output -> its column of categories or of labels, or its columns of numbers.
        missing_values: the texts that stand for a missing value.
        weights: the column with the weight of each row, which training and evaluation use.
    """

    called: ClassVar[str] = "schema of the table"

    inputs: Mapping[str, tuple[ColumnSchema, ...]]
    targets: Mapping[str, tuple[ColumnSchema, ...]]
    missing_values: tuple[str, ...] = MISSING_VALUES
    weights: ColumnSchema | None = None

    def check(self) -> None:
        for columns in (*self.inputs.values(), *self.targets.values()):
            if not columns or len({column.name for column in columns}) < len(columns):
                raise ValueError("expected at least one column for each input and output, with different names")
            if len(columns) > 1 and any(column.quantiles for column in columns):
                raise ValueError("quantiles are of one column; expected no other columns")
        self._check_targets()

    def _check_targets(self) -> None:
        for columns in self.targets.values():
            if len(columns) > 1 and any(column.kind != "number" for column in columns):
                raise ValueError("expected one column of categories or labels for an output, or columns of numbers")
        targets = self._target_columns()
        if any(column.fill is not None for column in targets):
            raise ValueError("a target has a fill; expected none")
        if len({column.name for column in targets}) < len(targets):
            raise ValueError("one column is the target of two outputs")

    def _target_columns(self) -> list[ColumnSchema]:
        return [column for columns in self.targets.values() for column in columns]

    @classmethod
    def learn(
        cls,
        table: Table,
        spec: DataSpec,
        *,
        input_names: Sequence[str] = ("input",),
        output_names: Sequence[str] = ("output",),
        label_outputs: Collection[str] = (),
        rows: Sequence[int] | Array | None = None,
    ) -> DataSchema:
        """The schema of a training table.

        Fills for missing values are learnt from the training rows only. Kinds and categories come from the whole table,
        so that a rare category is known even if all its rows are used for validation.

        Args:
            table: training rows, and perhaps rows for validation.
            spec: the use of its columns.
            input_names, output_names: of the network.
            label_outputs: the outputs whose loss takes class labels: their target, if it is one column, is a category
                even if it contains numbers.
            rows: the training rows; None for all.

        Raises:
            DataError: with the column, and the row if there is one.
        """
        # Not at the top: a process that only predicts learns nothing.
        from modnet.data.learning import learn_columns, learn_weights

        inputs, targets = learn_columns(
            table,
            spec,
            input_names=input_names,
            output_names=output_names,
            label_outputs=label_outputs,
            rows=rows,
        )
        return cls(inputs, targets, spec.missing_values, learn_weights(table, spec))

    def as_seen_in(self, table: Table) -> DataSchema:
        """The schema as wide as it is, but without what only other rows than these have shown of the inputs.

        See `ColumnSchema.as_seen_in`.
        """
        inputs = {
            name: tuple(column.as_seen_in(table.columns[column.name]) for column in columns)
            for name, columns in self.inputs.items()
        }
        return self.replace(inputs=inputs)

    # Reading

    def reading(self, options: ReadOptions = DEFAULTS) -> ReadOptions:
        """How later files are read: columns whose spelling matters to the schema stay as they are spelled.

        Args:
            options: what else is known of the files.
        """
        columns = [column for columns in (*self.inputs.values(), *self.targets.values()) for column in columns]
        return options.replace(
            missing_values=self.missing_values,
            texts=frozenset(c.name for c in columns if c.kind != "number" or c.number_format is not None),
        )

    # Encoding

    def encode(
        self,
        table: Table,
        targets: bool = True,
        report: Report | None = None,
        faults: Literal["raise", "none"] = "raise",
    ) -> Encoded:
        """The table's rows as arrays, by the names of the network's inputs and outputs. Other columns are ignored.

        An input becomes float64 (rows, width), or int64 if all its columns are ids (ordinal or embedding). A target of
        categories becomes labels int64 (rows,), one of several labels float32 (rows, labels), 0 or 1, and one of
        numbers float64 (rows, columns).

        Args:
            table: the rows.
            targets: True for training and evaluation, where rows with missing values may be dropped; False for
                prediction, where each row needs a prediction.
            report: collects what was done about missing and unknown values.
            faults: "raise", or "none" to encode the other rows and tell in `Encoded.faults` which are at fault.

        Raises:
            DataError: for missing columns, categories that the model has not learnt, values that are not numbers, and
                missing values that are neither filled nor dropped; `problems` has each with row and column.
        """
        report = Report() if report is None else report
        table = self.complete(table, targets, report)
        found = Faults(table)
        inputs = self._encode_inputs(table, found, report)
        goals = {name: self._encode_target(table, columns, found) for name, columns in self.targets.items() if targets}
        weights = self._encode_weights(table, found) if targets else None
        if faults == "raise":
            found.refuse()
        return Encoded(inputs, goals, table.row_names(), weights, tuple(in_order(found.found)))

    def measurable(self, table: Table, report: Report) -> Table:
        """The rows by which a network can be measured: with a target, and no class or label that training had not.

        If there are no others, they stay, to be refused by `encode` with the reason.

        Args:
            report: is told of the rows that are left out.

        Raises:
            DataError: a column of a target is missing.
        """
        table.require([column.name for column in self._target_columns()])
        for schema in self._target_columns():
            column = table.columns[schema.name]
            gaps = schema.gaps(column, self.missing_values)
            faults = Faults(table)
            if schema.has_categories:
                (schema.label_rows if schema.kind == "labels" else schema.labels)(column, ~gaps, faults)
            unknown = faults.rows()
            lacking = gaps & (schema.missing != "drop") if unknown is None else gaps | unknown
            if lacking.any() and not lacking.all():
                report.left_out += _left_out(schema, column, gaps & lacking, unknown)
                table = table.take(np.flatnonzero(~lacking))
        return table

    def complete(self, table: Table, targets: bool, report: Report) -> Table:
        """The rows that can be encoded: in training and evaluation without those that are dropped."""
        inputs = [column for columns in self.inputs.values() for column in columns]
        goals = self._target_columns() if targets else []
        if not inputs:
            raise DataError(f"{table.name}: found a table, but the model was trained on arrays and has no columns")
        table.require([column.name for column in (*inputs, *goals)])
        if not targets:
            return table
        table.require_rows()
        weights = [self.weights] if self.weights is not None and self.weights.name in table.columns else []
        return self._drop(table, [*inputs, *goals, *weights], report)

    def _encode_inputs(self, table: Table, faults: Faults, report: Report) -> dict[str, Array]:
        filled: Array = np.zeros(len(table), bool)
        inputs = {}
        for name, columns in self.inputs.items():
            ids = all(column.is_id for column in columns)
            encoded = np.zeros((len(table), sum(column.width for column in columns)), np.int64 if ids else np.float64)
            start = 0
            for schema in columns:
                column = table.columns[schema.name]
                gaps = schema.gaps(column, self.missing_values)
                schema.encode(column, gaps, encoded[:, start : start + schema.width], faults, report)
                start += schema.width
                if gaps.any() and not schema.refuses_gaps:
                    report.replace(schema.name, column, gaps, schema.replaced_gap)
                    filled |= gaps
                    report.by(schema.fill, schema.missing).add(schema.name)
            inputs[name] = encoded
        report.filled_rows += int(np.count_nonzero(filled))
        report.count_outside()
        return inputs

    def _encode_target(self, table: Table, columns: Sequence[ColumnSchema], faults: Faults) -> Array:
        goals = [_encode_goal(table, column, self.missing_values, faults) for column in columns]
        return np.stack(goals, axis=1) if columns[0].kind == "number" else goals[0]

    def _encode_weights(self, table: Table, faults: Faults) -> Array | None:
        """The weights of the rows; None without a column of them, as in a table that is only evaluated."""
        if self.weights is None or self.weights.name not in table.columns:
            return None
        column = table.columns[self.weights.name]
        gaps = self.weights.gaps(column, self.missing_values)
        if gaps.any():
            faults.add(self.weights.name, column, gaps, lambda text: f"missing weight (found {show(text)})")
        weights = self.weights.numbers(column, ~gaps, faults)
        if (weights < 0).any():
            faults.add(self.weights.name, column, weights < 0, lambda text: f"expected a weight >= 0, found {text}")
        return weights

    def columns(self) -> tuple[str, ...]:
        """The names of the columns that a prediction needs, in order; empty for a model that was trained on arrays."""
        return tuple(dict.fromkeys(column.name for columns in self.inputs.values() for column in columns))

    def _drop(self, table: Table, columns: Sequence[ColumnSchema], report: Report) -> Table:
        dropping = [column for column in columns if column.missing == "drop"]
        dropped: Array = np.zeros(len(table), bool)
        for column in dropping:
            dropped |= column.gaps(table.columns[column.name], self.missing_values)
        if not dropped.any():
            return table
        if dropped.all():
            names = shorten(column.name for column in dropping)
            raise DataError(f"{table.name}: every row has a missing value in one of {names}; no rows are left")
        report.dropped_rows += int(np.count_nonzero(dropped))
        return table.take(np.flatnonzero(~dropped))

    # Decoding

    def decode(self, outputs: Mapping[str, Array]) -> dict[str, Array]:
        """Column name -> an array with a value for each row, from a network's outputs; names of classes are objects.

        A target of categories becomes the name of the most probable class, and a column `P(class)` for each class, from
        probabilities (rows, classes). For two classes and one probability (rows, 1), it is that of the second class,
        which is predicted above 0.5. With several targets of categories, the columns are called `P(target=class)`.
        A target of several labels becomes a text of those whose probability is above 0.5, `comedy; drama`, and a column
        `P(label)` for each. Targets of numbers become their columns. An output without a target becomes a column with
        the name of the output, or `name_0`, `name_1` and so on if it has several numbers. Of several quantiles of a
        number each has a column, `price_0.05`, and the median is called `price`.

        A target with an interval (`modnet.intervals`) has columns `lower` and `upper` too, or `set`, a list of the
        names of the classes in it. They are called `price_lower` and so on where several targets have intervals.

        Args:
            outputs: output name -> predictions; probabilities for categories.

        Raises:
            ShapeError: the width of an output is not that of its target.
        """
        several = sum(columns[0].kind != "number" for columns in self.targets.values()) > 1
        found: dict[str, Array] = {}
        for name, given in outputs.items():
            output, columns = np.asarray(given), self.targets.get(name)
            if columns is None:
                found.update(_untargeted(name, output))
                continue
            self._check_output(name, output.shape[1:])
            if columns[0].kind == "number":
                found.update(_numbers(columns, output))
            else:
                found.update(_classified(columns[0], output, several))
        found.update(self._intervals(outputs, found))
        return found

    def _intervals(self, outputs: Mapping[str, Array], found: Mapping[str, Array]) -> dict[str, Array]:
        """The columns `lower` and `upper`, or `set`, of the targets that have intervals."""
        columns = [(n, p, c) for n in outputs for p, c in enumerate(self.targets.get(n, ())) if c.interval is not None]
        alone = len(columns) == 1 and not {"lower", "upper", "set"} & found.keys()
        made: dict[str, Array] = {}
        for name, place, column in columns:
            assert column.interval is not None
            prefix, output = "" if alone else f"{column.name}_", np.asarray(outputs[name])
            if column.kind == "number":
                lower, upper = bounds(column.interval, output, place, column.quantiles)
                made |= {f"{prefix}lower": lower, f"{prefix}upper": upper}
            else:
                made[f"{prefix}set"] = _named_sets(column, class_sets(column.interval, output))
        return made

    def with_intervals(self, intervals: Mapping[str, Interval]) -> DataSchema:
        """The schema with intervals for some of its targets, by column, and none for the others."""
        if all(column.interval == intervals.get(column.name) for column in self._target_columns()):
            return self
        return self.replace(
            targets={
                name: tuple(column.replace(interval=intervals.get(column.name)) for column in columns)
                for name, columns in self.targets.items()
            }
        )

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
        if columns[0].quantiles:
            width = len(columns[0].quantiles)
        if shape == (width,) or (shape == (1,) and len(classes) == 2 and columns[0].kind != "labels"):
            return
        target = (
            f"column {columns[0].name} has {width} {_noun(columns[0])}: {shorten(classes)}"
            if classes
            else f"its target has {counted(width, 'column')}: {shorten(column.name for column in columns)}"
        )
        hint = f"expected ({width},)"
        if not classes:  # a loss may compare other shapes, and arrays then have no columns to name the numbers by
            hint += ", a number for each column; for a loss that compares other shapes, give the data as arrays (.npz)"
        raise ShapeError(f"output {show(name)} gives samples of shape {shape}, but {target}", hint)

    def describe(self) -> str:
        """The columns in a few words: `7 columns -> species (3 classes)`."""
        count = len({column.name for columns in self.inputs.values() for column in columns})
        return f"{counted(count, 'column')}" + (f" -> {self.describe_targets()}" if self.targets else "")

    def describe_targets(self) -> str:
        """The targets in a few words: `species (3 classes)`."""
        targets = self._target_columns()
        words = (f"{c.name} ({len(c.categories)} {_noun(c)})" if c.categories else c.name for c in targets)
        return shorten(words, 5)

    # Plain values

    def to_plain(self) -> dict[str, Any]:
        """The schema as plain None, bool, int, float, str, list and dict; of columns, what is not the default."""
        plain = self.plain()
        for group in ("inputs", "targets"):
            plain[group] = {name: [_shortened(c) for c in columns] for name, columns in plain[group].items()}
        return plain

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


def _shortened(column: Mapping[str, Any]) -> dict[str, Any]:
    """A column without what is the default: tables of genes have tens of thousands of columns."""
    return {key: value for key, value in column.items() if key in ALWAYS or value != PLAIN[key]}


ALWAYS = ("name", "kind", "categories", "encoding", "missing", "fill")
"""What a model file has of each column; the rest came later, and most columns do without."""


PLAIN = ColumnSchema(name="", kind="number").plain()


def _untargeted(name: str, output: Array) -> dict[str, Array]:
    """The columns of an output without a target."""
    if output.ndim != 2 or output.shape[1] == 1:
        return {name: output.reshape(len(output)) if output.ndim == 2 else output}
    return {f"{name}_{index}": output[:, index] for index in range(output.shape[1])}


def _numbers(columns: Sequence[ColumnSchema], output: Array) -> dict[str, Array]:
    """The columns of numbers, or of quantiles of one: of these the median has the name of the target."""
    if not columns[0].quantiles:
        return {column.name: output[:, place] for place, column in enumerate(columns)}
    (column,) = columns
    median = [(column.name, output[:, place]) for place, q in enumerate(column.quantiles) if q == 0.5]
    others = [(f"{column.name}_{q:g}", output[:, place]) for place, q in enumerate(column.quantiles) if q != 0.5]
    return dict([*median, *others])


def _named_sets(column: ColumnSchema, has: Array) -> Array:
    """The names of the classes in each set, as lists."""
    made = np.empty(len(has), object)
    made[:] = [[column.categories[place] for place in np.flatnonzero(row)] for row in has]
    return made


def _classified(column: ColumnSchema, output: Array, several: bool) -> dict[str, Array]:
    """The most probable class of each row, or its labels, and the probability of each."""
    single = output.shape[1] < len(column.categories)
    if column.kind == "labels":
        chosen = np.array([labels_text(column, row) for row in output > 0.5], object)
    else:
        winners = (output[:, 0] > 0.5).astype(np.intp) if single else output.argmax(axis=1)
        chosen = np.array(column.categories, object)[winners]
    found: dict[str, Array] = {column.name: chosen}
    for index, category in enumerate(column.categories[1:] if single else column.categories):
        found[f"P({column.name}={category})" if several else f"P({category})"] = output[:, index]
    return found


def labels_text(column: ColumnSchema, has: Array) -> str:
    """The labels that a row has, bool (labels,), as a text, as they were in the training table."""
    blank = "" if column.separator == "|" else " "
    return f"{column.separator}{blank}".join(column.categories[place] for place in np.flatnonzero(has))


def _noun(column: ColumnSchema) -> str:
    return "labels" if column.kind == "labels" else "classes"


def _widths(columns: Sequence[ColumnSchema]) -> str:
    categories = [f"{column.name} ({column.width}{_made_of(column)})" for column in columns if column.width > 1]
    rest = len(columns) - len(categories)
    return shorten([*categories, *([counted(rest, "single number")] if rest else [])])


def _made_of(column: ColumnSchema) -> str:
    """What the several numbers of a value are."""
    return {"category": ", one-hot", "labels": " labels", "date": " parts of the date"}.get(column.kind, "")


def _encode_goal(table: Table, schema: ColumnSchema, missing_values: Collection[str], faults: Faults) -> Array:
    """A target column: classes, int64 (rows,), numbers, float64 (rows,), or labels, float32 (rows, labels).

    A missing value is a fault.
    """
    column = table.columns[schema.name]
    gaps = schema.gaps(column, missing_values)
    if gaps.any():
        faults.add(schema.name, column, gaps, _missing_goal)
    if schema.kind == "number":
        return schema.numbers(column, ~gaps, faults)
    return (schema.label_rows if schema.kind == "labels" else schema.labels)(column, ~gaps, faults)


def _left_out(schema: ColumnSchema, column: Column, gaps: Array, unknown: Array | None) -> list[str]:
    """Lines about rows that are not measured."""
    found, name = [], legible(schema.name)
    if gaps.any():
        found.append(f"{counted(int(gaps.sum()), 'row')} left out: no {name}, which is to be predicted")
    if unknown is not None:
        example = show(column.text(int(unknown.argmax())))
        found.append(f"{counted(int(unknown.sum()), 'row')} left out: {name} unknown to the model, such as {example}")
    return found


def _missing_goal(text: str) -> str:
    return f'{no_value(text)}; a target is never filled in: complete it, or train with missing = "drop"'
