"""The parts of a table, as the `split` of a spec asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.dates import DateFormat, dates_share, find_date_format
from modnet.data.faults import Faults
from modnet.data.spec import ColumnSpec, DataSpec, SplitSpec
from modnet.data.split import Classes, can_stratify
from modnet.data.table import Table, shorten
from modnet.data.values import category_key, is_number, parse_numbers
from modnet.datasets.folds import member_folds
from modnet.datasets.parts import Parts, Shares, group_parts, random_parts, time_parts
from modnet.errors import DataError
from modnet.words import counted, did_you_mean, legible, show

VALUES = {"train": ("train", "training"), "validation": ("validation", "val", "valid", "dev"), "test": ("test",)}
"""The values of a column that say which part a row belongs to, where the spec names none."""


class Division(NamedTuple):
    """The parts of some rows, numbered in their table, and in a few words how they were made.

    Attributes:
        folds: of each row to train on, the member of an ensemble that is validated with it; or None.
    """

    parts: Parts
    how: str
    folds: Array | None = None


def shares_of(spec: DataSpec) -> Shares:
    """The shares of the rows of the training file that are set aside."""
    return Shares(*(part if isinstance(part, float) else None for part in (spec.validation, spec.test)))


def sets_aside(spec: DataSpec) -> bool:
    """Whether rows of the training file are set aside."""
    return shares_of(spec).parts > 1 or spec.member_folds or (spec.split is not None and spec.split.by == "column")


def folds_of_members(
    spec: DataSpec, members: int, train: Array, labels: Array | None = None, groups: Array | None = None
) -> Array | None:
    """The folds of the rows to train on, if a spec asks for them; see `member_folds`, which raises the errors.

    Args:
        train: the numbers of these rows.
        labels, groups: the class, and the group, of each of all rows.
    """
    if not spec.member_folds:
        return None
    own = [None if array is None else array[train] for array in (labels, groups)]
    return member_folds(len(train), members, spec.split_seed, *own)


def divide(table: Table, spec: DataSpec, rows: Array, classes: Classes, members: int = 1) -> Division:
    """Parts some rows of a training table.

    Args:
        rows: those that are used.
        classes: of these rows, for a stratified draw.
        members: how many members the network has.

    Raises:
        DataError: there are not enough rows, groups or times, or a row does not say where it belongs.
    """
    how = spec.split
    if how is None or how.by == "random":
        parts = random_parts(len(rows), shares_of(spec), spec.split_seed, *classes)
        stratified = classes.labels is not None and can_stratify(classes.labels)
        folds = folds_of_members(spec, members, parts.train, classes.labels)
        return Division(_in_table(parts, rows), "stratified" if stratified else "", folds)
    if how.column is None:
        return Division(_in_table(time_parts(rows, shares_of(spec)), rows), "by time, in the order of the file")
    column = table.columns[how.column].take(rows)
    refuse_gaps(table, spec, how.column, rows)
    try:
        if how.by == "time":
            return _by_time(column, spec, how.column, rows)
        if how.by == "group":
            return _by_group(column, how.column, spec, rows, members)
        return _by_column(table, column, spec, rows, classes.labels)
    except DataError as error:
        raise DataError(f"{table.name}: column {legible(how.column)}: {error}") from None


def _in_table(parts: Parts, rows: Array) -> Parts:
    validation, test = (None if part is None else rows[part] for part in parts[1:])
    return Parts(rows[parts.train], validation, test)


def refuse_gaps(table: Table, spec: DataSpec, name: str, rows: Array) -> None:
    taken = table.take(rows)
    column, faults = taken.columns[name], Faults(taken)
    gaps = column.gaps_by(spec.missing_in(name))
    if gaps.any():
        faults.add(name, column, gaps, partial(_no_part, name))
    faults.refuse()


def _no_part(name: str, text: str) -> str:
    return (
        f"missing value (found {show(text)}), so the row belongs to no part; complete it, or set "
        f'columns.{name}.missing = "drop"'
    )


def keys_of(column: Column) -> Array:
    """What makes values the same: their texts, but for spelling; (rows,)."""
    texts = column.as_texts()
    return np.array([category_key(text) for text in texts.texts or ()])[texts.values]


# By groups


def groups_of(column: Column) -> Array:
    """The group of each row, 0, 1, ...: rows with the same value, but for its spelling, are in one."""
    return np.unique(keys_of(column), return_inverse=True)[1].reshape(-1)


def _by_group(column: Column, name: str, spec: DataSpec, rows: Array, members: int) -> Division:
    groups = groups_of(column)
    parts = group_parts(groups, shares_of(spec), spec.split_seed)
    counts = [len(np.unique(groups[part])) for part in parts if part is not None]
    told = f"{counts[-1]:,} groups"
    if len(counts) > 1:
        told = f"{', '.join(f'{count:,}' for count in counts[:-1])} and {counts[-1]:,} of {sum(counts):,} groups"
    folds = folds_of_members(spec, members, parts.train, groups=groups)
    return Division(_in_table(parts, rows), f"by group {legible(name)}: {told}", folds)


# By time


def _by_time(column: Column, spec: DataSpec, name: str, rows: Array) -> Division:
    times, read_as = times_of(column, spec.columns.get(name, ColumnSpec()).date_format)
    parts = time_parts(times, shares_of(spec))
    starts = []
    for part, verb in ((parts.validation, "validation"), (parts.test, "test")):
        if part is not None:
            starts.append(f"{verb} from {column.text(int(part[times[part].argmin()]))}")
    return Division(_in_table(parts, rows), f"by time {legible(name)}: {', '.join(starts)}{read_as}")


def times_of(column: Column, written: str | None) -> tuple[Array, str]:
    """The values in an order, numbers or datetime64, and how texts were read where that is in doubt.

    Args:
        written: the format of dates, if the spec says it.
    """
    if column.texts is None:
        return column.values, ""
    used, codes = np.unique(column.values, return_inverse=True)
    texts = [column.texts[code] for code in used.tolist()]
    if written is not None:
        times = DateFormat(written).parse(texts)
        if np.isnat(times).any():
            raise DataError(
                f"expected dates of the format {show(written)}, found {show(texts[np.isnat(times).argmax()])}"
            )
        return times[codes.reshape(-1)], ""
    numbers = parse_numbers(texts)
    if numbers is not None:
        return numbers[codes.reshape(-1)], ""
    guess = find_date_format(texts, named=True, order=codes.reshape(-1))
    if guess is None:
        raise DataError(_no_time(texts))
    doubt = f", read as {guess.format.date_format}" if guess.other is not None else ""
    return guess.format.parse(texts)[codes.reshape(-1)], doubt


def _no_time(texts: Sequence[str]) -> str:
    share = dates_share(texts, named=True)
    wrong = [texts[place] for place in share.faults.tolist() if not is_number(texts[place])]
    found = show(wrong[0] if share.share > 0 and wrong else texts[0])
    return f'by = "time" needs numbers or dates, all in one format; found {found}'


# By a column


def _by_column(table: Table, column: Column, spec: DataSpec, rows: Array, labels: Array | None) -> Division:
    assert spec.split is not None
    train, validation, test = _rows_of_parts(table, column, spec, spec.split, rows)
    classes = None if labels is None else labels[train]
    drawn = random_parts(len(train), shares_of(spec), spec.split_seed, classes)
    parts = Parts(
        train[drawn.train],
        _some(validation) if drawn.validation is None else train[drawn.validation],
        _some(test) if drawn.test is None else train[drawn.test],
    )
    return Division(_in_table(parts, rows), f"by column {legible(str(spec.split.column))}")


def _some(rows: Array) -> Array | None:
    return rows if len(rows) else None


def _rows_of_parts(table: Table, column: Column, spec: DataSpec, split: SplitSpec, rows: Array) -> list[Array]:
    """The rows of each part, as the column says; those to validate with or to test on may be none."""
    part_of = _part_of_values(spec, split)
    keys = keys_of(column)
    found = np.unique(keys).tolist()
    for key in found:
        if key not in part_of:
            raise DataError(_unknown_part(table, split, rows, keys == key, [*part_of]))
    parts = [np.flatnonzero(np.isin(keys, [key for key in found if part_of[key] == part])) for part in VALUES]
    train, *others = map(len, parts)
    if not train or not (any(others) or shares_of(spec).parts > 1):
        raise DataError(_no_rows(split, part_of, "validation" if train else "train", found))
    return parts


def _no_rows(split: SplitSpec, part_of: Mapping[str, str], part: str, found: Sequence[str]) -> str:
    listed = " or ".join(show(key) for key, its in part_of.items() if its == part)
    return (
        f"no row is for {part}: none is {listed}; the values are {shorten(map(show, found))}. Say which it is: split = "
        f'{{ by = "column", column = {show(split.column)}, {part} = "..." }}'
    )


def _part_of_values(spec: DataSpec, split: SplitSpec) -> dict[str, str]:
    """The key of a value -> the part that it stands for; a part that is a file of its own has none."""
    part_of: dict[str, str] = {}
    for part, usual in VALUES.items():
        if part != "train" and getattr(spec, part) is not None:
            continue
        given = getattr(split, part) or usual
        for value in (given,) if isinstance(given, str) else given:
            other = part_of.setdefault(category_key(value), part)
            if other != part:
                raise DataError(f"split: {show(value)} stands for {other} and for {part}")
    return part_of


def _unknown_part(table: Table, split: SplitSpec, rows: Array, of_value: Array, known: Sequence[str]) -> str:
    row = int(rows[of_value.argmax()])
    value = table.columns[str(split.column)].text(row)
    more = f" ({counted(int(of_value.sum()), 'row')})" if of_value.sum() > 1 else ""
    near = did_you_mean(value, known) or f"; expected one of {shorten(map(show, known))}"
    return (
        f"{show(value)} in {table.row_name(row)}{more} is no part{near}; name it in split: train = ..., "
        "validation = ... or test = ..."
    )
