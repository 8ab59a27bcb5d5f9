"""A first spec for a table: the text of a file that can be trained as it is, with comments that explain its choices."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.learning import MOST_CATEGORIES
from modnet.data.profile import ColumnProfile, profile
from modnet.data.schema import DataSchema
from modnet.data.spec import ColumnSpec, DataSpec
from modnet.data.table import Table
from modnet.errors import DataError
from modnet.words import printable

SMALL, LARGE = 1_000, 10_000
"""A table with fewer rows than the first is small, with the second or more it is large."""

MOST_CLASSES = 20
"""A target of whole numbers with more different values than this is predicted as a number."""


def suggest_spec(table: Table, targets: Sequence[str], path: str) -> str:
    """The text of a TOML spec that predicts columns of a table from its other columns.

    Columns that look like names of rows (texts that are nearly all different, a running number) and columns without
    values are left out. Texts, and whole numbers with few different values, are predicted as classes, everything else
    as numbers.

    Args:
        table: the rows.
        targets: the columns to predict: one, or several with numbers.
        path: the path of the table, for the spec.

    Raises:
        DataError: there is no such column, or several targets are not all numbers.
    """
    if not path.isascii() and re.search("[\ud800-\udfff]", path):
        raise DataError(f"{path}: this name is not valid UTF-8 and cannot be written in a spec; rename the file")
    table.require(targets)
    table.require_rows()
    profiles = profile(table)
    classes = _are_classes(table, targets, profiles)
    left_out = _left_out(table, targets, profiles)
    inputs = tuple(name for name in table.columns if name not in targets and name not in left_out)
    if not inputs:
        raise DataError(f"{table.name}: no column is left to predict from: {_listed(left_out)}")
    data = _data_spec(path, targets, inputs, profiles)
    schema = DataSchema.learn(
        table, data, input_names=["input"], output_names=["output"], label_outputs=["output"] if classes else []
    )
    text = _Text(table, data, schema, profiles, left_out, classes)
    return "\n".join([*text.head(), *text.network(), "", *text.training(), "", *text.data_table()]) + "\n"


def _data_spec(
    path: str, targets: Sequence[str], inputs: tuple[str, ...], profiles: dict[str, ColumnProfile]
) -> DataSpec:
    return DataSpec(
        train=path,
        target=targets[0] if len(targets) == 1 else tuple(targets),
        inputs=inputs,
        missing="mean" if any(profiles[name].missing for name in inputs) else "error",
        columns={name: ColumnSpec(missing="drop") for name in targets if profiles[name].missing},
    )


def _are_classes(table: Table, targets: Sequence[str], profiles: dict[str, ColumnProfile]) -> bool:
    texts = [name for name in targets if profiles[name].kind == "category"]
    if len(targets) > 1 and texts:
        raise DataError(
            f"{table.name}: column {texts[0]} contains text, but several targets have to be numbers; "
            "make a separate spec for each target of classes"
        )
    if len(targets) > 1:
        return False
    found = profiles[targets[0]]
    if found.kind is None:
        raise DataError(f"{table.name}: column {targets[0]}: every value is missing")
    return bool(texts) or _are_labels(found, len(table))


def _are_labels(found: ColumnProfile, rows: int) -> bool:
    """Whether numbers look like those of classes: few different whole ones, each of many rows."""
    numbers = _numbers(found.different)
    whole = bool((numbers == np.round(numbers)).all())
    return whole and 2 <= found.distinct <= MOST_CLASSES and rows >= 10 * found.distinct


def _numbers(column: Column) -> Array:
    return column.values if column.texts is None else np.array([*map(float, column.strings())])


def _left_out(table: Table, targets: Sequence[str], profiles: dict[str, ColumnProfile]) -> dict[str, str]:
    """Column -> why it is left out."""
    reasons = {name: _useless(table, name, profiles) for name in table.columns if name not in targets}
    return {name: why for name, why in reasons.items() if why}


def _useless(table: Table, name: str, profiles: dict[str, ColumnProfile]) -> str:
    """Why a column is left out, or ""."""
    found, rows = profiles[name], len(table)
    if found.kind is None:
        return "every value is missing"
    if found.distinct == 1 and not found.missing:
        return "always the same"
    if found.kind == "category":
        return _useless_texts(found, rows)
    return "a running number" if found.distinct == rows > 10 and _counts_up(table.columns[name]) else ""


def _useless_texts(found: ColumnProfile, rows: int) -> str:
    if found.distinct_numbers >= 0.9 * found.distinct:
        return ""  # numbers with a few faults: keep it, so that reading the table reports them
    all_differ = found.distinct == rows - found.missing and rows > 10
    return f"{found.distinct:,} different texts" if all_differ or found.distinct > MOST_CATEGORIES else ""


def _counts_up(column: Column) -> bool:
    return bool((np.diff(_numbers(column)) == 1).all())


def _listed(left_out: dict[str, str]) -> str:
    return ", ".join(f"{name} ({why})" for name, why in left_out.items())


@dataclass
class _Text:
    """The parts of the spec's text; in the order in which they are written."""

    table: Table
    data: DataSpec
    schema: DataSchema
    profiles: dict[str, ColumnProfile]
    left_out: dict[str, str]
    classes: bool

    @property
    def rows(self) -> int:
        return len(self.table)

    def head(self) -> list[str]:
        return [*_comment(f"{self.schema.describe_targets()} from {self.data.train}: {self.rows:,} rows"), ""]

    def network(self) -> list[str]:
        width = sum(column.width for column in self.schema.inputs["input"])
        sample = _comment(f"one sample as numbers: {', '.join(self._made_of())}")
        return ["[network]", *sample, f"input = [{width}]", "layers = [", *self._layers(), "]"]

    def _made_of(self) -> list[str]:
        columns = self.schema.inputs["input"]
        categories = [f"{column.name} ({column.width} categories)" for column in columns if column.kind == "category"]
        numbers = len(columns) - len(categories)
        return [*([f"{numbers} number{'' if numbers == 1 else 's'}"] if numbers else []), *categories]

    def _layers(self) -> list[str]:
        hidden = 32 if self.rows < SMALL else 64 if self.rows < LARGE else 128
        targets = self.schema.targets["output"]
        outputs = len(targets[0].categories) or len(targets)
        lines = ['  "standardize",  # mean 0 and standard deviation 1, learnt from the training rows']
        lines.append(f'  {{ type = "linear", out_features = {hidden}, activation = "relu" }},')
        if self.classes and self.rows < SMALL:
            lines.append('  { type = "dropout", rate = 0.1 },  # few rows: keeps the network from memorizing them')
        lines.append(f'  {{ type = "linear", out_features = {hidden // 2}, activation = "relu" }},')
        lines.append(f'  {{ type = "linear", out_features = {outputs} }},')
        if self.classes:
            lines.append('  "softmax",  # a probability for each class')
        else:
            lines.append('  "unstandardize",  # back to the units of the target')
        return lines

    def training(self) -> list[str]:
        loss, metrics = ("cross_entropy", '["accuracy"]') if self.classes else ("mse", '["r2", "mean_absolute_error"]')
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
        lines.append("validation = 0.2  # the share of the rows that is set aside for validation")
        lines += [f"target = {_list_text(self.data.target)}"]
        if self.left_out:
            lines += _comment(f"left out: {_listed(self.left_out)}")
            lines.append(f"inputs = {_list_text(self.data.inputs)}")
        if self.data.missing == "mean":
            incomplete = (column.name for column in self.schema.inputs["input"] if self.profiles[column.name].missing)
            lines += _comment(f"values are missing in {', '.join(incomplete)}")
            lines.append('missing = "mean"  # of the training rows; for a category, the most frequent value')
        for name in self.data.columns:
            lines += ["", f"[data.columns.{_key(name)}]"]
            lines.append(f'missing = "drop"  # {self.profiles[name].missing:,} rows have no target')
        return lines


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
    lines = [""]
    for text in (_quoted(name) for name in names):
        if lines[-1] and len(lines[-1]) + len(text) > 96:
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else ''}{text}"
    return f"[{lines[0]}]" if len(lines) == 1 else "[\n" + "".join(f"  {line},\n" for line in lines) + "]"
