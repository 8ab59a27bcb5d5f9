"""What a column of texts is: numbers, dates, truth values, codes, or texts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np

from modnet.arrays import Array
from modnet.data.dates import DateGuess, DatesShare, dates_share, find_date_format, is_date_name
from modnet.data.numbers import Decimal, NumberGuess, NumbersShare, find_number_format, numbers_share
from modnet.data.values import MISSING_VALUES, are_missing, is_code, may_be_missing, parse_numbers
from modnet.records import Record

Meant = Literal["nothing", "number", "date", "boolean", "code", "text"]

TRUTH = ({"false", "true"}, {"no", "yes"}, {"n", "y"}, {"f", "t"})
"""Pairs of texts, in small letters, for False and True."""

MOST_FAULTS = 0.1
"""A column with a larger share of faults is one of texts."""


SAMPLE = 1000
"""How many texts tell whether it is worth the time to look for faults in all of them."""


class Meaning(Record):
    """What the texts of a column are.

    Attributes:
        kind: "nothing" if all are missing; "code" for digits with zeros in front, which count; "text" for the rest.
        missing: bool (texts,): which mean that there is no value.
        number: of numbers: how they are written. `number.format` is `NumberFormat()` and `plain` true where programs
            write them so.
        plain: whether all are plain numbers.
        date: of dates: how they are written.
        faulty_numbers, faulty_dates: of texts: nearly all are numbers, or dates, but for a few faults.
    """

    kind: Meant
    missing: Array
    number: NumberGuess | None = None
    plain: bool = False
    date: DateGuess | None = None
    faulty_numbers: NumbersShare | None = None
    faulty_dates: DatesShare | None = None


class Hints(Record):
    """What is known of a column beside its texts.

    Attributes:
        name: its name.
        order: for each row the position of its text, -1 for none; see `find_date_format`.
        decimal: the decimal mark of other columns.
        day_first: whether other columns have the day before the month.
    """

    name: str = ""
    order: Array | None = None
    decimal: Decimal | None = None
    day_first: bool | None = None


NO_HINTS = Hints()


def meaning_of(
    texts: Sequence[str], missing_values: Collection[str] = MISSING_VALUES, hints: Hints = NO_HINTS
) -> Meaning:
    """What the different texts of a column are.

    Texts such as `-` and `none` are missing values if all others are numbers or dates.

    Args:
        texts: the different texts, with those that mean that there is no value.
        missing_values: which these are.
        hints: what is known beside them.
    """
    missing = are_missing(texts, missing_values)
    if missing.all():
        return Meaning("nothing", missing)
    found = _typed(texts, missing, hints)
    if found is None:
        gaps = missing | may_be_missing(texts)
        found = _typed(texts, gaps, hints) if gaps.sum() > missing.sum() and not gaps.all() else None
    return found or _untyped(texts, missing, hints)


def _typed(texts: Sequence[str], missing: Array, hints: Hints) -> Meaning | None:
    """Numbers, dates or truth values; None for anything else."""
    rows = np.flatnonzero(~missing)
    values = [texts[row] for row in rows.tolist()]
    named = is_date_name(hints.name)
    plain = parse_numbers(values) is not None
    if not plain or named:
        date = find_date_format(values, named=named, order=_order(hints.order, rows), day_first=hints.day_first)
        if date is not None:
            return Meaning("date", missing, date=date)
    number = find_number_format(values, hints.decimal)
    if number is not None:
        return Meaning("number", missing, number, plain)
    return Meaning("boolean", missing) if {value.strip().casefold() for value in values} in TRUTH else None


def _order(order: Array | None, rows: Array) -> Array | None:
    """The positions among the texts of these positions."""
    if order is None:
        return None
    place = np.full(max(order.max(initial=-1), rows.max(initial=-1)) + 2, -1, np.int64)  # the last is that of -1
    place[rows] = np.arange(len(rows))
    return place[order]


def _untyped(texts: Sequence[str], missing: Array, hints: Hints) -> Meaning:
    rows = np.flatnonzero(~missing)
    values = [texts[row] for row in rows.tolist()]
    if any(map(is_code, values)) and all(value.strip().isdigit() for value in values):
        return Meaning("code", missing)
    some = values[:: max(len(values) // SAMPLE, 1)]  # the values of a column of names are not all looked at in vain
    least, named = 1 - MOST_FAULTS, is_date_name(hints.name)
    if numbers_share(some, hints.decimal).share >= least - MOST_FAULTS:
        numbers = numbers_share(values, hints.decimal)
        if numbers.share >= least:
            return Meaning("text", missing, faulty_numbers=numbers.replace(faults=rows[numbers.faults]))
    if dates_share(some, named=named).share >= least - MOST_FAULTS:
        dates = dates_share(values, named=named)
        if dates.share >= least:
            return Meaning("text", missing, faulty_dates=dates.replace(faults=rows[dates.faults]))
    return Meaning("text", missing)
