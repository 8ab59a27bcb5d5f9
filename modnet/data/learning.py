"""Learns from a training table the use, kind and categories of its columns, and the values that fill gaps."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.column_schema import ColumnSchema
from modnet.data.date_parts import GROWING, parts_of
from modnet.data.dates import ISO, DateFormat, dates_share, find_date_format, is_date_name
from modnet.data.faults import Faults
from modnet.data.labels import find_labels, find_separator
from modnet.data.numbers import NumberFormat, find_number_format
from modnet.data.profile import ColumnProfile, profile_column, sort_categories
from modnet.data.spec import EMPTY_IS_VALUE, ColumnSpec, DataSpec, Kind, MissingPolicy, column_names
from modnet.data.table import Table, shorten
from modnet.data.values import category_key, is_code, is_number, no_value
from modnet.errors import DataError
from modnet.words import did_you_mean, legible, show

Columns = dict[str, tuple[ColumnSchema, ...]]

UNNAMED = ("index", "Unnamed: 0")
"""What a first column without a name is called, by modnet and by pandas."""

MOST_CATEGORIES = 256
"""A text column with more different values is probably a name or a comment, and is only accepted as categories if the
spec declares it.
"""


MOST_WITH_RANGES = 20_000
"""Of more columns, as of genes, the ranges are not kept: the header of a model file has room for so many values."""

MOST_LABELS = 4096
"""More different labels are probably sentences."""


def learn_columns(
    table: Table,
    spec: DataSpec,
    *,
    input_names: Sequence[str],
    output_names: Sequence[str],
    label_outputs: Collection[str] = (),
    rows: Sequence[int] | Array | None = None,
) -> tuple[Columns, Columns]:
    """How the columns of a training table are read: of each network input, and of each output.

    Arguments and errors are those of `DataSchema.learn`.
    """
    inputs, targets = assign_columns(table, spec, input_names, output_names)
    return (
        {name: tuple(_Learner(table, spec, c).input(rows) for c in columns) for name, columns in inputs.items()},
        {
            name: tuple(_Learner(table, spec, c).target(name, columns, name in label_outputs) for c in columns)
            for name, columns in targets.items()
        },
    )


def learn_weights(table: Table, spec: DataSpec) -> ColumnSchema | None:
    """How the column with the weights of the rows is read, if the spec names one."""
    return None if spec.weights is None else _Learner(table, spec, spec.weights).weights()


# The use of the columns


def rows_to_drop(table: Table, spec: DataSpec, input_names: Sequence[str], output_names: Sequence[str]) -> list[int]:
    """The rows of a training table that are dropped because of missing values, in order."""
    inputs, targets = assign_columns(table, spec, input_names, output_names)
    dropped: set[int] = set()
    used = (*inputs.values(), *targets.values(), spec.side_columns())
    for name in dict.fromkeys(name for names in used for name in names):
        if spec.missing_policy(name) == "drop":
            dropped.update(np.flatnonzero(table.columns[name].gaps_by(spec.missing_in(name))).tolist())
    return sorted(dropped)


def assign_columns(
    table: Table, spec: DataSpec, input_names: Sequence[str], output_names: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Network input -> its columns, and network output -> its target columns; the table has all of them."""
    targets = assign_targets(table, spec, output_names)
    table.require(spec.side_columns())
    no_inputs = {name for names in (*targets.values(), spec.side_columns()) for name in names}
    others = _other_columns(table, spec, no_inputs)
    if spec.inputs is None and not others:
        uses = "targets, weights or for the split" if spec.side_columns() else "targets"
        raise DataError(f"{table.name}: all columns are {uses}; there must be a column to predict from")
    inputs = _assign(spec.inputs if spec.inputs is not None else others, input_names, "inputs", "input", table)
    table.require([name for names in inputs.values() for name in names])
    table.require(spec.columns)
    return inputs, targets


def _other_columns(table: Table, spec: DataSpec, no_inputs: Collection[str]) -> tuple[str, ...]:
    """The columns that are inputs if the spec does not name them: all but targets, identifiers and side columns."""
    others = {name for name, column in spec.columns.items() if column.kind == "identifier"} | {
        index_column(table, spec)
    }
    return tuple(name for name in table.columns if name not in no_inputs and name not in others)


def index_column(table: Table, spec: DataSpec) -> str | None:
    """The first column, if it has the numbers that pandas and R give to rows, and the spec does not speak of it."""
    name = next(iter(table.columns), "")
    if name not in UNNAMED or spec.inputs is not None or name in spec.columns:
        return None
    column = table.columns[name]
    if column.type != "number" or column.missing is not None or len(table) < 2:
        return None
    different = np.unique(column.values)
    return name if len(different) == len(table) and bool((different == np.round(different)).all()) else None


def assign_targets(table: Table, spec: DataSpec, output_names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Network output -> its target columns; the table has all of them.

    Args:
        output_names: the outputs whose loss takes a target.
    """
    if not output_names:
        if spec.target is not None:
            raise DataError(f"{table.name}: target = {show(spec.target)}, but no loss takes a target; remove target")
        return {}
    if spec.target is None:
        raise DataError(f"{table.name}: no target is set; set target to one of {shorten(table.columns)}")
    targets = _assign(spec.target, output_names, "target", "output", table)
    table.require([name for names in targets.values() for name in names])
    return targets


def _assign(
    value: str | tuple[str, ...] | Mapping[str, Any], names: Sequence[str], key: str, noun: str, table: Table
) -> dict[str, tuple[str, ...]]:
    """Name of a network's input or output -> columns, from the spec's value of `key`."""
    place = f"{table.name}: {key}"
    if isinstance(value, Mapping):
        _require_same_names(value, names, place, noun)
        assigned = {name: _several(value[name]) for name in names}
    elif len(names) > 1:
        raise DataError(
            f"{table.name}: the network has the {noun}s {shorten(names)}; give {key} as a table: {noun} -> columns"
        )
    else:
        assigned = {names[0]: _several(value)}
    for name, columns in assigned.items():
        if not columns:
            raise DataError(f"{place}: the list of columns for the {noun} {show(name)} is empty")
    return assigned


def _require_same_names(value: Mapping[str, Any], names: Sequence[str], place: str, noun: str) -> None:
    for name in value:
        if name not in names:
            near = did_you_mean(name, names) or f"; it has {shorten(names)}"
            raise DataError(f"{place}: the network has no {noun} {show(name)}{near}")
    for name in names:
        if name not in value:
            raise DataError(f"{place}: no columns for the {noun} {show(name)} of the network")


def _several(columns: str | Sequence[str]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)


# How one column is read


class _Learner:
    """Learns from its values how one column of the table is read, unless the spec declares it."""

    def __init__(self, table: Table, spec: DataSpec, name: str) -> None:
        self.table, self.spec, self.name = table, spec, name
        self.declared = spec.columns.get(name, ColumnSpec())
        self.policy = spec.missing_policy(name)
        self.values = table.columns[name]
        self.profile = profile_column(self.values, spec.missing_in(name))
        self.place = f"{table.name}: column {name}"
        if self.profile.kind is None:
            is_target = name in column_names(spec.target)
            remedy = "choose another target" if is_target else "leave it out of inputs"
            raise DataError(f"{self.place}: every value is missing; {remedy}")

    def input(self, rows: Sequence[int] | Array | None) -> ColumnSchema:
        """Args: rows: the training rows; None for all."""
        self._refuse_gaps()
        schema = self._schema(self._kind())
        # A list of categories in the spec is complete: a missing value is none of them.
        policy = self.policy or ("error" if self.declared.categories else "code")
        schema = schema.replace(missing_values=self.declared.missing_values)
        if len(self.table.columns) <= MOST_WITH_RANGES:
            schema = self._with_range(schema, rows)
        if schema.kind in EMPTY_IS_VALUE and policy not in ("error", "drop"):
            policy = "code"  # no label, no text: to fill in those of other rows would be a claim
        if policy == "error" or (schema.kind not in ("number", "date") and policy in ("code", "drop")):
            return schema.replace(missing=policy)
        return schema.replace(missing=policy, fill=self._fill(schema, policy, rows))

    def _kind(self) -> Kind:
        if self.declared.kind is not None:
            return self.declared.kind
        has_categories = self.declared.categories or self.declared.encoding != "one_hot"
        return "category" if has_categories else self._guessed_kind()

    def _schema(self, kind: Kind) -> ColumnSchema:
        """How the values are read, but for what fills the gaps."""
        declared = self.declared
        if kind == "number":
            return ColumnSchema(self.name, kind, number_format=self._number_format())
        if kind == "date":
            written = self._date_format()
            schema = ColumnSchema(self.name, kind, date_format=written, parts=declared.parts or ("day",))
            return schema if declared.parts else schema.replace(parts=parts_of(self._dates(schema)))
        if kind == "identifier":
            raise DataError(f"{self.place}: an identifier is no input; leave it out of inputs, or give it another kind")
        if kind == "text":
            return ColumnSchema(self.name, kind, buckets=declared.buckets, ngrams=declared.ngrams)
        if kind == "labels":
            return self._labels().replace(unknown=self.spec.unknown_policy(self.name))
        categories = self._categories()
        if kind == "boolean" and len(categories) != 2:
            raise DataError(f"{self.place}: a boolean has two values, found {len(categories)}: {shorten(categories)}")
        unknown = self.spec.unknown_policy(self.name)
        return ColumnSchema(self.name, kind, categories, declared.encoding, unknown=unknown)

    def _number_format(self) -> NumberFormat | None:
        """How numbers are written, by the spec; None for as programs write them."""
        declared, spec = self.declared, self.spec
        found = NumberFormat(
            declared.decimal or spec.decimal or ".",
            spec.thousands or "" if declared.thousands is None else declared.thousands,
            declared.unit,
            declared.negative,
        )
        return None if found == NumberFormat() else found

    def _date_format(self) -> DateFormat | None:
        """How dates are written, by the spec or by what they look like; None for ISO 8601."""
        if self.declared.date_format is not None:
            written = DateFormat(self.declared.date_format)
        else:
            texts = self.profile.different.as_texts().texts or ()
            guess = find_date_format(texts, named=True, order=self._order())
            if guess is None:
                share = dates_share(texts, named=True)
                fault = texts[int(share.faults[0])] if len(share.faults) else texts[0]
                raise DataError(
                    f"{self.place}: expected dates, found {show(fault)}; set columns.{self.name}.date_format, "
                    'for example "%d.%m.%Y"'
                )
            written = guess.format
        return None if written.date_format == ISO else written

    def _order(self) -> Array | None:
        """The position of the value of each row among the different ones."""
        if self.values.texts is None:
            return None
        _, positions = np.unique(self.values.values[~self.profile.gaps], return_inverse=True)
        return positions

    def _dates(self, schema: ColumnSchema) -> Array:
        return schema.dates(self.values, ~self.profile.gaps, Faults(self.table))[~self.profile.gaps]

    def _refuse_gaps(self) -> None:
        """A gap in the training table needs a policy: what is right depends on what the gap means."""
        if self.policy in (None, "error") and self.profile.gaps.any():
            row = int(self.profile.gaps.argmax())
            raise DataError(
                f"{self.table.place(row, self.name)}: {no_value(self.values.text(row))}; "
                'complete it, or train with missing = "mean", "most_frequent" or "drop"'
            )

    def target(self, output: str, together: Sequence[str], labels: bool) -> ColumnSchema:
        """Args: together: all target columns of the output; labels: whether its loss takes class labels."""
        policy: MissingPolicy = "drop" if self.policy == "drop" else "error"
        if self.declared.kind == "labels":
            self._check_labels(output, together, labels)
            schema = self._labels()
        else:
            schema = self._numbers_or_classes(output, together, labels)
        return schema.replace(missing=policy, missing_values=self.declared.missing_values)

    def _numbers_or_classes(self, output: str, together: Sequence[str], labels: bool) -> ColumnSchema:
        numeric = self._is_numeric()
        # Numbers are classes too if the loss takes labels, unless the spec says that they are numbers.
        if len(together) == 1 and (not numeric or (labels and self.declared.kind != "number")):
            classes = self._categories()
            if len(classes) < 2:
                raise DataError(f"{self.place}: expected at least 2 classes, found only {show(classes[0])}")
            # Two classes need no loss that takes labels: one probability is enough, with labels 0 and 1 as numbers.
            if labels or len(classes) == 2:
                return ColumnSchema(self.name, "category", classes)
        if not numeric:
            raise self._not_numeric(output, len(together) > 1)
        return ColumnSchema(self.name, "number", number_format=self._number_format())

    def _check_labels(self, output: str, together: Sequence[str], classes: bool) -> None:
        if len(together) > 1:
            raise DataError(f"{self.place}: a column of labels is the only target of its output {show(output)}")
        if classes:
            raise DataError(
                f"{self.place}: a row has several labels, but the loss of output {show(output)} takes one class; end "
                'the network with sigmoid and set loss = "binary_cross_entropy"'
            )

    def _labels(self) -> ColumnSchema:
        """The labels that the spec declares, or those found."""
        texts = self.profile.different.as_texts().texts or ()
        separator = self.declared.separator or find_separator(texts)
        categories = self.declared.categories or sort_categories(find_labels(texts, separator))
        if not categories:
            raise DataError(f"{self.place}: no row has a label; leave it out")
        if len(categories) > MOST_LABELS and not self.declared.categories:
            raise DataError(
                f"{self.place}: {len(categories):,} different labels, such as {shorten(map(show, categories), 3)}; if "
                f"{show(separator)} does not stand between them, set columns.{self.name}.separator; to use them all, "
                "list them as categories"
            )
        return ColumnSchema(self.name, "labels", categories, separator=separator)

    def weights(self) -> ColumnSchema:
        policy: MissingPolicy = "drop" if self.policy == "drop" else "error"
        return ColumnSchema(
            self.name,
            "number",
            missing=policy,
            number_format=self._number_format(),
            missing_values=self.declared.missing_values,
        )

    @property
    def _is_declared_category(self) -> bool:
        return self.declared.kind == "category" or self.declared.categories is not None

    def _is_numeric(self) -> bool:
        if self.declared.kind == "number":
            return True
        return not self._is_declared_category and self._sound_profile().kind == "number"

    def _not_numeric(self, output: str, several: bool) -> DataError:
        if several:
            reason = f"output {show(output)} has several target columns"
        else:
            reason = f"the loss of output {show(output)} takes numbers or two classes; use cross_entropy for more"
        place, found = self.place, "a column of categories"
        if not self._is_declared_category:
            row = self._first_text()
            place, found = self.table.place(row, self.name), show(self.values.text(row))
        return DataError(f"{place}: expected numbers as target, found {found}; {reason}")

    def _categories(self) -> tuple[str, ...]:
        """Those that the spec declares, or those found; of several spellings of one, the most frequent."""
        if self.declared.categories:
            return self.declared.categories
        found = self.profile.different.as_texts().texts or ()
        spellings: dict[str, list[str]] = {}
        for text in found:
            spellings.setdefault(category_key(text), []).append(text)
        chosen = [alike[0] if len(alike) == 1 else self._most_frequent(alike) for alike in spellings.values()]
        return sort_categories(chosen)

    def _most_frequent(self, alike: Sequence[str]) -> str:
        """The most frequent of several spellings of one category; says that they are taken for one."""
        texts = self.values.as_texts()
        counts = np.bincount(texts.values[~self.profile.gaps], minlength=len(texts.texts or ()))
        count = dict(zip(texts.texts or (), counts.tolist(), strict=True))
        first, *others = sorted(alike, key=lambda text: (-count[text], text))
        warnings.warn(
            f"{self.table.name}: column {legible(self.name)}: {', '.join(map(show, others))} and {show(first)} differ "
            f"only in spelling and are one category; to keep them apart, list the categories: "
            f"columns.{self.name}.categories = [...]",
            stacklevel=2,
        )
        return first

    def _guessed_kind(self) -> Kind:
        """The kind of the values, unless it is doubtful."""
        profile = self._sound_profile()
        if profile.kind == "category" and profile.distinct > MOST_CATEGORIES and self.declared.encoding == "one_hot":
            raise DataError(
                f"{self.place}: {profile.distinct:,} different texts; leave it out of inputs, or, if they are "
                f'categories, set columns.{self.name}.kind = "category"; for words of a language, kind = "text"'
            )
        return profile.kind or "number"

    def _sound_profile(self) -> ColumnProfile:
        """The summary of a column whose kind is not declared; refuses a column of numbers with a few faults.

        Numbers in disguise (`$1,200`, `39 %`) are refused as well: the spec is to say how they are written, so that
        whoever reads it knows, and prediction reads them alike. `modnet new-spec` writes that line.
        """
        profile = self.profile
        if profile.kind != "category" or profile.different.type != "text":
            return profile
        texts = profile.different.texts or ()
        if find_date_format(texts, named=is_date_name(self.name), order=self._order()) is not None:
            return replace(profile, kind="date")
        if any(map(is_code, texts)):
            return profile
        guess = find_number_format(texts, self.spec.decimal)
        if guess is not None:
            if guess.format == self._number_format():
                return replace(profile, kind="number")
            raise self._disguised(guess.format)
        if profile.distinct_numbers >= 0.9 * profile.distinct:
            raise self._nearly_numbers()
        return profile

    def _disguised(self, written: NumberFormat) -> DataError:
        row = self._first_text()
        options = ", ".join(f"{name} = {show(value)}" for name, value in written.options().items())
        return DataError(
            f"{self.table.place(row, self.name)}: {show(self.values.text(row))} looks like a number; to read the "
            f"column as numbers, set columns.{self.name} = {{ {options} }}; if they are categories, "
            f'set columns.{self.name}.kind = "category"'
        )

    def _nearly_numbers(self) -> DataError:
        row = self._first_text()
        value = self.values.text(row)
        listed = ", ".join(map(show, (*self.spec.missing_values, value)))
        return DataError(
            f"{self.table.place(row, self.name)}: expected a number, as in nearly all rows of this column, found "
            f'{show(value)}; if they are categories, set columns.{self.name}.kind = "category"; '
            f"if it stands for a missing value, set data.missing_values = [{listed}]"
        )

    def _first_text(self) -> int:
        """The row of the first value that is not a number."""
        texts = self.values.as_texts()
        wrong = np.array([not is_number(text) for text in texts.texts or ()], bool)[texts.values]
        return int((wrong & ~self.profile.gaps).argmax())

    def _with_range(self, schema: ColumnSchema, rows: Sequence[int] | Array | None) -> ColumnSchema:
        """The schema with the lowest and the highest value of the training rows, for numbers and dates that grow."""
        faults, chosen, present = Faults(self.table), self._chosen(rows), ~self.profile.gaps
        if not len(chosen):
            return schema
        known: tuple[float | str, float | str]
        if schema.kind == "number":
            numbers = schema.numbers(self.values, present, faults)[chosen]
            known = float(numbers.min()), float(numbers.max())
        elif schema.kind == "date" and GROWING.intersection(schema.parts):
            moments = schema.dates(self.values, present, faults)[chosen].astype("datetime64[s]")
            known = str(moments.min()), str(moments.max())
        else:
            return schema
        # What is at fault is told when the rows are encoded.
        return schema if faults.found else schema.replace(lowest=known[0], highest=known[1])

    def _chosen(self, rows: Sequence[int] | Array | None) -> Array:
        """The training rows that have a value."""
        if rows is None:
            return np.flatnonzero(~self.profile.gaps)
        given = np.asarray(rows, np.intp)
        return given[~self.profile.gaps[given]]

    def _fill(self, schema: ColumnSchema, policy: MissingPolicy, rows: Sequence[int] | Array | None) -> float | str:
        """The mean, the median, or the most frequent value, of the training rows that have one."""
        chosen = self._chosen(rows)
        if not len(chosen):
            raise DataError(f"{self.place}: every value of the training rows is missing; leave it out of inputs")
        faults = Faults(self.table)
        present = ~self.profile.gaps
        if schema.has_categories:
            labels = schema.labels(self.values, present, faults)[chosen]
            faults.refuse()
            return schema.categories[int(_most_frequent(labels))]
        if schema.kind == "date":
            moments = np.sort(schema.dates(self.values, present, faults)[chosen])
            faults.refuse()
            return str(moments[len(moments) // 2])  # dates have no mean that is one of them
        numbers = schema.numbers(self.values, present, faults)[chosen]
        faults.refuse()
        if policy == "most_frequent":
            return float(_most_frequent(numbers))
        return float(np.median(numbers) if policy == "median" else numbers.mean())


def _most_frequent(values: Array) -> float:
    """The most frequent value; the smallest of several, so that the result does not depend on the order of rows."""
    found, counts = np.unique(values, return_counts=True)
    chosen: float = found[counts.argmax()].item()
    return chosen
