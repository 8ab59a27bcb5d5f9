"""Guesses the kinds of the columns of an unknown table, as a careful analyst would, with remarks about them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.dates import ISO, DateFormat, DateGuess, dates_share, find_date_format, is_date_name
from modnet.data.labels import find_separator, is_list, split_labels
from modnet.data.numbers import NumberFormat, NumberGuess, NumbersShare, find_number_format, numbers_share
from modnet.data.options import Decimal
from modnet.data.profile import ColumnProfile, profile_column
from modnet.data.spec import ColumnSpec, Kind
from modnet.data.table import Table, shorten
from modnet.data.values import MISSING_VALUES, is_code, is_number, may_be_missing
from modnet.records import Record
from modnet.words import counted, show

FEW = 10
"""A table with fewer rows says little about whether its texts are names of the rows."""

MOST_ONE_HOT = 64
"""A column with more categories has an embedding."""

MOST_FAULTS = 0.05
"""If no larger share of the different values are no numbers, it is a column of numbers with faults."""

ROWS_OF_A_CATEGORY = 2
"""Texts that occur less often on average are names or comments, and no categories."""

LONGEST_LABEL = 40
"""What is longer is a sentence."""

IDENTIFIER = re.compile(
    r"(^|[\W_])(id|ids|key|uuid|guid|index|nr|no|number|row|rownames?)$|^Unnamed: \d+$|^(id|ID|Id)([\W_]|$)|"
    r"[a-z](Id|ID)$"
)
"""Names of columns that name the rows."""


RUNNING = "a running number"
"""Why a column is left out whose numbers only count the rows."""


class Guess(Record):
    """What a column is taken for.

    Attributes:
        kind: of its values.
        column: the options that a spec needs to read it so; None if it needs none.
        left_out: why it is not used as an input; "" if it is.
        notes: what was assumed, a line each.
        profile: the summary of the values, where those that stand for missing ones are missing.
        ambiguous: whether the values do not show how they are written.
    """

    kind: Kind
    column: ColumnSpec | None
    left_out: str
    notes: tuple[str, ...]
    profile: ColumnProfile
    ambiguous: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers."""
        return self.kind == "number" and _whole(self.numbers(self.profile.different))

    def numbers(self, column: Column) -> Array:
        """The values of a column as this one reads them, float64; nan where one is no number."""
        if column.texts is None:
            return column.values
        spec = self.column or ColumnSpec()
        written = NumberFormat(spec.decimal or ".", spec.thousands or "", spec.unit, spec.negative)
        return written.parse(column.texts)[column.values]

    def dates(self, column: Column) -> Array:
        """The values of a column of dates as this one reads them, datetime64[us]; NaT where one is no date."""
        if column.texts is None and column.type == "date":
            return column.values
        texts, written = column.as_texts(), DateFormat((self.column or ColumnSpec()).date_format or ISO)
        return written.parse(texts.texts or ())[texts.values]


class _Texts(Record):
    """The different texts of a column that are values, those that are taken for missing, and its name."""

    name: str
    texts: tuple[str, ...]
    missing: tuple[str, ...]
    column: Column


def guess_columns(table: Table) -> dict[str, Guess]:
    """Column name -> what it is taken for.

    How numbers and dates are written in some columns decides where others leave it open: `1,234` is a decimal number in
    a file with `0,5`, and 01/02/2024 is in February in one with 31/12/2023.
    """
    first = {name: guess_column(table, name) for name in table.columns}
    options = [found.column for found in first.values() if found.column is not None and not found.ambiguous]
    decimal, day_first = _decimal(options), _day_first([column.date_format or "" for column in options])
    again = [name for name, found in first.items() if found.ambiguous]
    return {**first, **{name: guess_column(table, name, decimal, day_first) for name in again}}


def guess_column(table: Table, name: str, decimal: Decimal | None = None, day_first: bool | None = None) -> Guess:
    """What a column is taken for.

    Args:
        decimal, day_first: what other columns of the file show.
    """
    column = table.columns[name]
    profile = profile_column(column, MISSING_VALUES)
    if profile.kind is None:
        return Guess("category", None, "every value is missing", (), profile)
    found = _guess_texts(column, name, profile, decimal, day_first) if column.texts is not None else None
    if found is None:
        found = _guess_typed(column, name, profile)
    return found if found.left_out else found.replace(left_out=_useless(found, column, name))


# Texts


def _guess_texts(
    column: Column, name: str, profile: ColumnProfile, decimal: Decimal | None, day_first: bool | None
) -> Guess | None:
    """What a column of texts is taken for, or None if it needs no options."""
    of_values = _values_of(column, name, profile)
    values = of_values.texts
    if not values:
        return None
    if all(map(is_number, values)) and not (is_date_name(name) and _look_like_days(values)):
        return _numbers(of_values, NumberGuess(NumberFormat()))
    order = _order(column, profile, values)
    date = find_date_format(values, named=is_date_name(name), order=order, day_first=day_first)
    if date is not None:
        return _dates(of_values, date)
    if any(map(is_code, values)):
        return _codes(name, profile, values)
    number = find_number_format(values, decimal)
    if number is None or _has_odd_unit(number.format, values):
        return _labels(of_values) or _with_faults(of_values, decimal)
    return _numbers(of_values, number)


def _look_like_days(texts: Sequence[str]) -> bool:
    """Whether these may be days as 20240131."""
    return all(len(text) == 8 and text.isdecimal() for text in texts)


def _has_odd_unit(written: NumberFormat, texts: Sequence[str]) -> bool:
    """Whether hardly any number has the unit, so that it is rather a slip of the pen: `12O` for 120."""
    return bool(written.unit) and sum(map(is_number, texts)) > (1 - MOST_FAULTS) * len(texts)


def _values_of(column: Column, name: str, profile: ColumnProfile) -> _Texts:
    """The different texts, apart from those that stand for missing ones if the others are numbers or dates."""
    texts = list(profile.different.texts or ())
    perhaps = may_be_missing(texts).tolist()
    values = tuple(text for text, gap in zip(texts, perhaps, strict=True) if not gap)
    return _Texts(name, values, tuple(text for text in texts if text not in set(values)), column)


def _order(column: Column, profile: ColumnProfile, values: Sequence[str]) -> Array:
    """The position in `values` of the value of each row that has one."""
    place = {text: position for position, text in enumerate(values)}
    positions = np.array([place.get(text, -1) for text in column.texts or ()], np.int64)
    return positions[column.values[~profile.gaps]]


def _numbers(texts: _Texts, guess: NumberGuess) -> Guess:
    """A column of numbers, however they are written."""
    written = guess.format
    column = ColumnSpec(
        kind="number",
        missing_values=texts.missing,
        decimal=None if written.decimal == "." else written.decimal,
        thousands=written.thousands or None,
        unit=written.unit,
        negative=written.negative,
    )
    notes = []
    if not all(map(is_number, texts.texts)):
        notes.append(f"{texts.name}: numbers written as {_example(texts.texts)}{_described(written)}")
    if guess.other is not None:
        other = guess.other.parse([guess.example])[0]
        here = written.parse([guess.example])[0]
        notes.append(f"{texts.name}: {show(guess.example)} is read as {here:g}; it could be {other:g}: set decimal")
    return _made("number", column, [*notes, *_missing_note(texts)], texts, guess.other is not None)


def _example(texts: Sequence[str]) -> str:
    return show(max(texts[:100], key=len))


def _described(written: NumberFormat) -> str:
    said = [f"unit {show(written.unit)}"] if written.unit else []
    said += ["decimal comma"] if written.decimal == "," else []
    return f" ({', '.join(said)})" if said else ""


def _dates(texts: _Texts, guess: DateGuess) -> Guess:
    written = guess.format.date_format
    what = "times" if "%H" in written and "%d" not in written and "%Y" not in written else "dates"
    notes = [f"{texts.name}: {what}" + ("" if written == ISO else f" written as {_example(texts.texts)} ({written})")]
    if guess.other is not None:
        other = guess.other.date_format
        notes.append(
            f"{texts.name}: {show(guess.example)} can be read with day and month exchanged; if it is {other}, set "
            "date_format"
        )
    column = ColumnSpec(kind="date", missing_values=texts.missing, date_format=None if written == ISO else written)
    return _made("date", column, [*notes, *_missing_note(texts)], texts, guess.other is not None)


def _codes(name: str, profile: ColumnProfile, values: Sequence[str]) -> Guess | None:
    code = next(text for text in values if is_code(text))
    if not all(text.strip().isdecimal() for text in values):
        return None
    return Guess("category", None, "", (f"{name}: codes with leading zeros ({show(code)}), not numbers",), profile)


def _with_faults(texts: _Texts, decimal: Decimal | None) -> Guess | None:
    """Numbers or dates nearly all of them; the few others are taken for missing values."""
    numbers = numbers_share(texts.texts, decimal)
    dates = dates_share(texts.texts, named=is_date_name(texts.name))
    if _has_odd_unit(numbers.format, texts.texts):
        plain = np.array([is_number(text) for text in texts.texts])
        numbers = NumbersShare(NumberFormat(), float(plain.mean()), np.flatnonzero(~plain))
    share, faults = max((numbers.share, numbers.faults), (dates.share, dates.faults), key=lambda found: found[0])
    if len(texts.texts) - len(faults) < FEW or share < 1 - MOST_FAULTS:
        return _mixed(texts, numbers)
    wrong = tuple(texts.texts[place] for place in faults.tolist())
    kept = _Texts(
        texts.name, tuple(text for text in texts.texts if text not in wrong), (*texts.missing, *wrong), texts.column
    )
    if numbers.share >= dates.share:
        return _numbers(kept, NumberGuess(numbers.format))
    return None if dates.format is None else _dates(kept, DateGuess(dates.format))


def _categories(texts: _Texts) -> Guess | None:
    """Categories, or names: a lone dash or point among words stands for a missing value."""
    marks = tuple(text for text in texts.missing if not any(map(str.isalnum, text)))
    words = all(any(map(str.isalnum, text)) for text in texts.texts)
    if not marks or not words:
        return None
    found = _Texts(
        texts.name, (*texts.texts, *(text for text in texts.missing if text not in marks)), marks, texts.column
    )
    column = ColumnSpec(missing_values=marks)
    return _made("category", column, _missing_note(found), found, ambiguous=False)


def _labels(of_values: _Texts) -> Guess | None:
    """Several labels in one cell: lists, or few labels that come together in many ways."""
    texts = of_values.texts
    lists = sum(map(is_list, texts))
    separator = find_separator(texts)
    split = [split_labels(text, separator) for text in texts]
    uses = Counter(label for labels in split for label in labels)
    if not 2 <= len(uses) <= MOST_ONE_HOT or max(map(len, uses)) > LONGEST_LABEL:
        return None
    if lists < len(texts) and (lists or not _come_together(split, uses)):
        return None
    example = show(max(texts[:100], key=len))
    notes = [f"{of_values.name}: {len(uses)} labels, several in one cell, as in {example}"]
    column = ColumnSpec(kind="labels", separator="" if lists else separator)
    return _made("labels", column, notes, of_values.replace(missing=()), ambiguous=False)


def _come_together(split: Sequence[Sequence[str]], uses: Mapping[str, int]) -> bool:
    """Whether labels are combined freely: in different numbers, most of them in several texts, none of them twice.

    The parts of an address or of a name are as many in each text, and hardly one of them comes again.
    """
    counts = set(map(len, split))
    several = sum(uses[label] > 1 for label in uses)
    distinct = all(len(set(labels)) == len(labels) for labels in split)
    return len(counts) > 1 and distinct and len(split) > len(uses) and several > len(uses) / 2


def _mixed(texts: _Texts, numbers: NumbersShare) -> Guess | None:
    """Categories; if most of them are numbers, this is said: they may be numbers with remarks, `~12`."""
    found = _categories(texts)
    if numbers.share <= 0.5 or len(texts.texts) <= FEW:
        return found
    odd = texts.texts[int(numbers.faults[0])]
    note = (
        f"{texts.name}: taken for categories, as {len(numbers.faults):,} of {len(texts.texts):,} different values are "
        f"no numbers, such as {show(odd)}"
    )
    if found is None:
        found = Guess("category", None, "", (), profile_column(texts.column, MISSING_VALUES))
    return found.replace(notes=(note, *found.notes))


def _missing_note(texts: _Texts) -> list[str]:
    return [f"{texts.name}: {shorten(map(show, texts.missing), 5)} taken for missing"] if texts.missing else []


def _made(kind: Kind, column: ColumnSpec, notes: Sequence[str], texts: _Texts, ambiguous: bool) -> Guess:
    profile = profile_column(texts.column, {*MISSING_VALUES, *texts.missing})
    plain = column == ColumnSpec(kind="number") and all(map(is_number, texts.texts))
    return Guess(kind, None if plain else column, "", tuple(notes), profile, ambiguous)


def _decimal(columns: Sequence[ColumnSpec]) -> Decimal | None:
    """The decimal comma, if a column shows it."""
    return "," if any(column.decimal == "," for column in columns) else None


def _day_first(formats: Sequence[str]) -> bool | None:
    """Whether the day stands before the month in dates that show it; None if no date does, or they differ."""
    found = {text.find("%d") < text.find("%m") for text in formats if "%d" in text and "%m" in text}
    return found.pop() if len(found) == 1 else None


# Typed columns


def _guess_typed(column: Column, name: str, profile: ColumnProfile) -> Guess:
    if profile.kind == "number" and is_date_name(name):
        texts = profile.different.as_texts()
        days = texts.texts or ()
        guess = find_date_format(days, named=True) if _look_like_days(days) else None
        if guess is not None:
            written = guess.format.date_format
            spec = ColumnSpec(kind="date", date_format=written)
            return Guess("date", spec, "", (f"{name}: dates written as {texts.text(0)} ({written})",), profile)
    if profile.kind == "date" and column.type == "date":
        return Guess("date", None, "", (f"{name}: dates",), profile)
    return Guess(profile.kind or "category", None, "", (), profile)


# Columns that tell nothing about other rows


def _useless(found: Guess, column: Column, name: str) -> str:
    """Why a column is left out, or ""."""
    profile, rows = found.profile, len(column)
    if profile.distinct == 1 and not profile.missing:
        return "always the same"
    if found.kind == "category":
        return _useless_texts(profile, rows)
    all_differ = profile.distinct == rows > FEW
    if found.kind == "number" and all_differ and _whole(found.numbers(column)):
        if (np.diff(found.numbers(column)) == 1).all():
            return RUNNING
        if IDENTIFIER.search(name):
            return "a number that names the rows"
    return ""


def _useless_texts(profile: ColumnProfile, rows: int) -> str:
    present = rows - profile.missing
    if present > FEW and profile.distinct * ROWS_OF_A_CATEGORY > present and profile.distinct > ROWS_OF_A_CATEGORY:
        return f"{profile.distinct:,} different texts"
    return ""


def _whole(numbers: Array) -> bool:
    return bool((numbers == np.round(numbers)).all())


# Targets


MOST_CLASSES = 26
"""Whole numbers with more different values are numbers."""

EVEN = 0.94
"""Classes have about the same number of rows: the entropy of their shares is at least this part of the greatest. Counts
and ratings have few common values and many rare ones.
"""

CLASS_NAMES = re.compile(r"class|label|categor|species|type|kind|digit|letter|cluster|group|segment|outcome", re.I)


def are_classes(name: str, found: Guess, counts: Array) -> bool:
    """Whether a target is classes rather than a number.

    Texts are classes, and whatever has two values. Other whole numbers are classes if they count on without a gap from
    0 or 1, and either are called so or have rows in even numbers: then they are codes. Counts (how many children) and
    ratings are numbers: their order tells more, and a value that training had not can come up. The rule looks at shares
    and not at numbers of rows, so that samples of a table have the task of the whole.

    Args:
        counts: how many rows each of the different values has.
    """
    if found.kind in ("category", "boolean"):
        return True
    if found.kind != "number":
        return False
    numbers = np.sort(found.numbers(found.profile.different))
    if len(numbers) == 2:
        return _whole(numbers)
    if not 2 < len(numbers) <= MOST_CLASSES or numbers[0] not in (0, 1) or (np.diff(numbers) != 1).any():
        return False
    shares = counts / counts.sum()
    entropy = -(shares * np.log(shares)).sum()
    return bool(CLASS_NAMES.search(name)) or bool(entropy >= EVEN * np.log(len(shares)))


def said(guesses: Mapping[str, Guess]) -> list[str]:
    """All notes, in the order of the columns; many of one kind are counted."""
    notes = [note for found in guesses.values() for note in found.notes]
    most = 12
    return notes if len(notes) <= most else [*notes[:most], f"and {counted(len(notes) - most, 'more note')}"]
