"""A first spec for a table: the text of a file that can be trained as it is, with comments that explain its choices."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.guess import FEW, MOST_ONE_HOT, Guess, are_classes, guess_columns, said
from modnet.data.options import Decimal
from modnet.data.schema import DataSchema
from modnet.data.spec import ColumnSpec, DataSpec
from modnet.data.table import Table
from modnet.errors import DataError
from modnet.words import counted, free_name, printable, show

SMALL, LARGE = 1_000, 10_000
"""A table with fewer rows than the first is small, with the second or more it is large."""

SHORT = 80
"""A list that is shorter fits on a line with its key."""


def suggest_spec(
    table: Table, targets: Sequence[str], path: str, reading: Mapping[str, str | int] | None = None
) -> str:
    """The text of a TOML spec that predicts columns of a table from its other columns.

    Columns that look like names of rows (texts that are nearly all different, a running number) and columns without
    values are left out. What is predicted as classes and what as numbers, `guess.are_classes` says. All that was
    assumed stands in comments.

    Args:
        table: the rows.
        targets: the columns to predict: one, or several with numbers.
        path: the path of the table, for the spec.
        reading: the options of `[data]` with which the table was read, besides those that it knows itself.

    Raises:
        DataError: there is no such column, or several targets are not all numbers.
    """
    if not path.isascii() and re.search("[\ud800-\udfff]", path):
        raise DataError(f"{path}: this name is not valid UTF-8 and cannot be written in a spec; rename the file")
    table.require(targets)
    table.require_rows()
    _check_targets(table, targets)
    guesses = guess_columns(table)
    classes = _predicts_classes(table, targets, guesses)
    left_out = {name: found.left_out for name, found in guesses.items() if found.left_out and name not in targets}
    data = _data_spec(table, targets, path, guesses, left_out)
    schema = DataSchema.learn(
        table,
        data,
        input_names=list(network_inputs(data)),
        output_names=["output"],
        label_outputs=["output"] if classes else [],
    )
    text = _Text(table, data, schema, guesses, left_out, classes, {**table.reading, **(reading or {})})
    return "\n".join([*text.head(), *text.network(), "", *text.training(), "", *text.data_table()]) + "\n"


def _check_targets(table: Table, targets: Sequence[str]) -> None:
    """Raises DataError for a target that is given twice, or targets that are all columns."""
    twice = next((name for place, name in enumerate(targets) if name in targets[:place]), None)
    if twice is not None:
        raise DataError(f"{table.name}: the target {show(twice)} is given twice; give each target once")
    if len(targets) == len(table.columns):
        what = "its only column is the target" if len(targets) == 1 else f"all {len(targets)} columns are targets"
        raise DataError(f"{table.name}: {what}; there has to be a column to predict from")


def network_inputs(data: DataSpec) -> Mapping[str, Sequence[str]]:
    """Network input -> its columns."""
    return data.inputs if isinstance(data.inputs, Mapping) else {"input": data.inputs or ()}


def _data_spec(
    table: Table, targets: Sequence[str], path: str, guesses: Mapping[str, Guess], left_out: Mapping[str, str]
) -> DataSpec:
    inputs = tuple(name for name in table.columns if name not in targets and name not in left_out)
    if not inputs:
        raise DataError(f"{table.name}: no column is left to predict from: {_listed(left_out)}")
    columns, decimal = _columns(targets, inputs, guesses)
    embedded = [name for name in inputs if _is_embedded(guesses[name])]
    return DataSpec(
        train=path,
        target=targets[0] if len(targets) == 1 else tuple(targets),
        inputs=_grouped(inputs, embedded) if embedded else inputs,
        missing="mean" if _with_gaps(inputs, guesses) else None,
        decimal=decimal,
        columns=columns,
    )


def _with_gaps(names: Iterable[str], guesses: Mapping[str, Guess]) -> list[str]:
    return [name for name in names if guesses[name].profile.missing]


def _columns(
    targets: Sequence[str], inputs: Sequence[str], guesses: Mapping[str, Guess]
) -> tuple[dict[str, ColumnSpec], Decimal | None]:
    """The options of each column, and the decimal mark of all."""
    columns = {name: guesses[name].column or ColumnSpec() for name in (*inputs, *targets)}
    for name in filter(lambda name: _is_embedded(guesses[name]), inputs):
        columns[name] = columns[name].replace(kind="category", encoding="embedding")
    for name in _with_gaps(targets, guesses):
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


def _grouped(inputs: Sequence[str], embedded: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Network input -> columns: one for all that become numbers, and one for each column of ids."""
    numbers = tuple(name for name in inputs if name not in embedded)
    groups = {"numbers": numbers} if numbers else {}
    for name in embedded:
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name) or "ids"
        groups[free_name(plain, groups)] = (name,)
    return groups


def _predicts_classes(table: Table, targets: Sequence[str], guesses: Mapping[str, Guess]) -> bool:
    for name in targets:
        _check_target(table, name, guesses[name])
    texts = [name for name in targets if guesses[name].kind in ("category", "labels")]
    if len(targets) > 1:
        if texts:
            raise DataError(
                f"{table.name}: column {texts[0]} contains text, but several targets have to be numbers; "
                "make a separate spec for each target of classes"
            )
        return False
    found = guesses[targets[0]]
    column = table.columns[targets[0]]
    counts = np.unique(column.values[~found.profile.gaps], return_counts=True)[1]
    return are_classes(targets[0], found, counts)


def _check_target(table: Table, name: str, found: Guess) -> None:
    """Raises DataError for a column that no network can learn to predict."""
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


def _listed(left_out: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({why})" for name, why in left_out.items())


@dataclass
class _Text:
    """The parts of the spec's text; in the order in which they are written."""

    table: Table
    data: DataSpec
    schema: DataSchema
    guesses: Mapping[str, Guess]
    left_out: Mapping[str, str]
    classes: bool
    reading: Mapping[str, str | int]

    @property
    def rows(self) -> int:
        return len(self.table)

    @property
    def _labels(self) -> bool:
        """Whether the target is several labels in one cell."""
        return self.schema.targets["output"][0].kind == "labels"

    def head(self) -> list[str]:
        about = _comment(f"{self.schema.describe_targets()} from {self.data.train}: {self.rows:,} rows")
        used = {name: found for name, found in self.guesses.items() if name not in self.left_out}
        return [
            *about,
            *(line for note in (*self.table.notes, *_names_again(self.table), *said(used)) for line in _comment(note)),
            "",
        ]

    def network(self) -> list[str]:
        sample = _comment(f"one sample as numbers: {', '.join(self._made_of())}")
        widths = {name: sum(column.width for column in columns) for name, columns in self.schema.inputs.items()}
        if "input" in widths:
            return ["[network]", *sample, f"input = [{widths['input']}]", "layers = [", *self._layers(), "]"]
        several = [f"{name} = [{width}]" for name, width in widths.items()]
        if len(", ".join(several)) < SHORT:
            return ["[network]", *sample, f"input = {{ {', '.join(several)} }}", "layers = [", *self._layers(), "]"]
        return ["[network]", *sample, "layers = [", *self._layers(), "]", "", "[network.input]", *several]

    def _made_of(self) -> list[str]:
        columns = [column for group in self.schema.inputs.values() for column in group]
        others = [
            f"{column.name} ({counted(column.width, 'part')} of a date)"
            if column.kind == "date"
            else f"{column.name} ({len(column.categories)} {'labels' if column.kind == 'labels' else 'categories'})"
            for column in columns
            if column.kind != "number"
        ]
        numbers = len(columns) - len(others)
        return [*([f"{numbers} number{'' if numbers == 1 else 's'}"] if numbers else []), *others]

    def _layers(self) -> list[str]:
        hidden = 32 if self.rows < SMALL else 64 if self.rows < LARGE else 128
        targets = self.schema.targets["output"]
        outputs = len(targets[0].categories) or len(targets)
        lines = self._first_layers()
        lines.append(f'  {{ type = "linear", out_features = {hidden}, activation = "relu" }},')
        if (self.classes or self._labels) and self.rows < SMALL:
            lines.append('  { type = "dropout", rate = 0.1 },  # few rows: keeps the network from memorizing them')
        lines.append(f'  {{ type = "linear", out_features = {hidden // 2}, activation = "relu" }},')
        lines.append(f'  {{ type = "linear", out_features = {outputs} }},')
        if self.classes:
            lines.append('  "softmax",  # a probability for each class')
        elif self._labels:
            lines.append('  "sigmoid",  # a probability for each label')
        else:
            lines.append('  "unstandardize",  # back to the units of the target')
        return lines

    def _first_layers(self) -> list[str]:
        """What brings the inputs together: numbers to a common scale, ids to vectors."""
        about = "  # mean 0, deviation 1"
        if list(self.schema.inputs) == ["input"]:
            return ['  "standardize",  # mean 0 and standard deviation 1, learnt from the training rows']
        lines, joined = [], []
        for name, (column, *_) in self.schema.inputs.items():
            if column.is_id:
                size = len(column.categories) + 1
                lines.append(
                    f'  {{ type = "embedding", vocabulary_size = {size}, inputs = ["{name}"] }},  # 0: unknown'
                )
                lines.append(f'  {{ type = "flatten", name = "{name}_vector" }},')
                joined.append(f"{name}_vector")
            else:
                lines.append(f'  {{ type = "standardize", inputs = ["{name}"], name = "{name}_scaled" }},{about}')
                joined.append(f"{name}_scaled")
        if len(joined) > 1:
            names = _list_text(tuple(joined)).replace("\n", "\n  ")  # TOML 1.0 has line breaks in lists within braces
            lines.append(f'  {{ type = "concatenate", inputs = {names} }},')
        return lines

    def training(self) -> list[str]:
        loss, metrics = ("cross_entropy", '["accuracy"]') if self.classes else ("mse", '["r2", "mean_absolute_error"]')
        if self._labels:
            loss, metrics = "binary_cross_entropy", '["accuracy", "f1"]'
        batch_size = 32 if self.rows < LARGE else 256
        epochs, patience = (200, 20) if self.rows < LARGE else (60, 6)
        return [
            "[training]",
            f'loss = "{loss}"',
            'optimizer = { type = "adam", learning_rate = 1e-3 }',
            f"metrics = {metrics}",
            f"epochs = {epochs}  # at most: training stops when validation no longer improves",
            f"batch_size = {batch_size}",
            f'callbacks = [{{ type = "early_stopping", patience = {patience} }}]',
            "seed = 0",
        ]

    def data_table(self) -> list[str]:
        lines = ["[data]", f"train = {_quoted(str(self.data.train))}"]
        lines += [f"{name} = {_quoted(v) if isinstance(v, str) else v}" for name, v in self.reading.items()]
        lines.append("validation = 0.2  # the share of the rows that is set aside for validation")
        lines += [f"target = {_list_text(self.data.target)}"]
        lines += self._inputs()
        if self.data.decimal and "decimal" not in self.reading:
            lines.append(f'decimal = "{self.data.decimal}"  # numbers have a decimal comma')
        if self.data.missing == "mean":
            lines += _comment(f"values are missing in {', '.join(_with_gaps(self.schema.columns(), self.guesses))}")
            lines.append('missing = "mean"  # of the training rows; for a category, the most frequent value')
        lines += self._several_inputs()
        for name, column in self.data.columns.items():
            lines += ["", f"[data.columns.{_key(name)}]", *self._options(name, column)]
        return lines

    def _inputs(self) -> list[str]:
        """What is left out, and, where something is, the columns of the only input."""
        lines = _comment(f"left out: {_listed(self.left_out)}") if self.left_out else []
        if self.left_out and not isinstance(self.data.inputs, Mapping):
            lines.append(f"inputs = {_list_text(self.data.inputs)}")
        return lines

    def _several_inputs(self) -> list[str]:
        """The columns of each of several inputs, in a table of their own."""
        inputs = self.data.inputs
        if not isinstance(inputs, Mapping):
            return []
        return ["", "[data.inputs]", *(f"{_key(name)} = {_list_text(names)}" for name, names in inputs.items())]

    def _options(self, name: str, column: ColumnSpec) -> list[str]:
        """The options of a column that are not the default."""
        lines = []
        for option, value in column.plain().items():
            if value not in (getattr(ColumnSpec, option), []):
                said = _list_text(tuple(value)) if isinstance(value, list) else _quoted(value)
                about = f"  # {self.guesses[name].profile.missing:,} rows have no target" if value == "drop" else ""
                lines.append(f"{option} = {said}{about}")
        return lines


def _names_again(table: Table) -> list[str]:
    """A line about rows that have the names of the columns, as where files were joined."""
    texts = [_is_name(name, column) for name, column in table.columns.items() if column.texts is not None]
    rows = np.flatnonzero(np.all(texts, axis=0)).tolist() if texts and len(table.columns) > 1 else []
    if not rows:
        return []
    named = ", ".join(map(table.row_name, rows[:3]))
    more = f" and {counted(len(rows) - 3, 'more row')}" if len(rows) > 3 else ""
    return [f"{named}{more}: the names of the columns again, as where files were joined; remove them"]


def _is_name(name: str, column: Column) -> Array:
    """bool (rows,): where the value is the name of the column."""
    codes = [code for code, text in enumerate(column.texts or ()) if text.strip("\ufeff ") == name]
    return np.isin(column.values, codes) & ~column.gaps


def _comment(text: str) -> list[str]:
    """A comment in lines of moderate length; control characters in names cannot end it."""
    return textwrap.wrap(printable(text), 100, initial_indent="# ", subsequent_indent="#   ", break_long_words=False)


def _quoted(text: str) -> str:
    """A TOML string, by way of JSON, whose escapes TOML has as well; control characters are written as code points."""
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in quoted)


def _escaped(character: str) -> str:
    return f"\\u{ord(character):04x}" if ord(character) < 1 << 16 else f"\\U{ord(character):08x}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _list_text(names: object) -> str:
    """One name, or a list of them broken into lines."""
    if isinstance(names, str):
        return _quoted(names)
    assert isinstance(names, tuple)
    lines = _filled(map(_quoted, names))
    if len(lines) == 1 and len(lines[0]) < SHORT:
        return f"[{lines[0]}]"
    return "[\n" + "".join(f"  {line},\n" for line in lines) + "]"


def _filled(texts: Iterable[str]) -> list[str]:
    """Texts with commas between them, in lines."""
    lines = [""]
    for text in texts:
        if lines[-1] and len(lines[-1]) + len(text) > 94:
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else ''}{text}"
    return lines
