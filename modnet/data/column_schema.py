"""How a column of a table becomes numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import Configuration, field
from modnet.data.column import Column
from modnet.data.date_parts import DatePart, encode_dates, parts_width
from modnet.data.dates import DateFormat
from modnet.data.faults import Faults, Report
from modnet.data.intervals import Interval
from modnet.data.labels import labels_in, split_labels
from modnet.data.numbers import NumberFormat
from modnet.data.spec import EMPTY_IS_VALUE, Encoding, Kind, MissingPolicy, Unknown
from modnet.data.table import Table, shorten
from modnet.data.text_hashing import LONGEST_NGRAM, NGRAMS, hash_texts
from modnet.data.values import category_key, is_code, no_value
from modnet.words import did_you_mean, show

BY_VALUE = ("mean", "median", "most_frequent")
"""The ways of filling a gap for which a value is learnt."""

FLOAT32 = float(np.finfo(np.float32).eps)
"""The relative distance of numbers that float32 tells apart."""

NO_TEXT = "\0{}"
"""Replaces the category of this number to make it unknown: no file has such a text."""

MOST_SUGGESTIONS = 20
"""For how many of the unknown categories of a column a near one is looked for."""


class ColumnSchema(Configuration):
    """How a column is read.

    Attributes:
        name: of the column.
        kind: what its values are.
        categories: all categories, in their order; for a target, the classes.
        encoding: of an input that is a category.
        missing: what is done if a value is missing.
        fill: the value that replaces a missing one; None if it is refused, or has a code of its own.
        unknown: what is done with a category that is not among `categories`: "error", or "code": zeros for one-hot, 0
            for an embedding, one half for a boolean.
        number_format: how numbers are written in texts, if not as programs write them.
        date_format: how dates are written in texts, if not as in ISO 8601.
        parts: of a date: what becomes numbers.
        buckets: of a text: how many numbers it becomes.
        ngrams: of a text: the lengths of its n-grams, from the shortest to the longest.
        separator: of labels: the text between them.
        missing_values: texts that stand for a missing value in this column, besides those of the table.
        lowest, highest: the range of an input in training, of a number or a date (ISO 8601); None if it is not known.
        quantiles: of a target that is a number: those that its output gives, if it gives several.
        interval: of a target: how predictions get intervals, or sets of classes.
    """

    called: ClassVar[str] = "schema of a column"

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()
    encoding: Encoding = "one_hot"
    missing: MissingPolicy = "error"
    fill: float | str | None = None
    unknown: Unknown = "error"
    number_format: NumberFormat | None = None
    date_format: DateFormat | None = None
    parts: tuple[DatePart, ...] = ()
    buckets: int = 0
    ngrams: tuple[int, int] = field(default=NGRAMS, minimum=1, maximum=LONGEST_NGRAM)
    separator: str = ""
    missing_values: tuple[str, ...] = ()
    lowest: float | str | None = None
    highest: float | str | None = None
    quantiles: tuple[float, ...] = field(default=(), above=0.0, below=1.0)
    interval: Interval | None = None

    def check(self) -> None:
        if self.has_categories != bool(self.categories):
            raise ValueError("expected categories if kind is category, and only then")
        if len(set(self.categories)) < len(self.categories):
            raise ValueError("expected categories that are all different")
        if self.kind == "boolean" and len(self.categories) != 2:
            raise ValueError("a boolean has two categories")
        if self.kind != "category" and self.encoding != "one_hot":
            raise ValueError(f"the encoding {self.encoding} is for categories, found a {self.kind}")
        if (self.kind == "labels") != bool(self.separator):
            raise ValueError("expected separator if kind is labels, and only then")
        if (self.kind == "date") != bool(self.parts) or (self.kind == "text") != (self.buckets > 0):
            raise ValueError("expected parts if kind is date, and buckets if kind is text, and only then")
        self._check_ngrams()
        self._check_fill()
        self._check_range()
        self._check_interval()

    def _check_ngrams(self) -> None:
        if self.ngrams[0] > self.ngrams[1] or (self.ngrams != NGRAMS and self.kind != "text"):
            raise ValueError("ngrams are the shortest length and the longest, and only if kind is text")

    def _check_range(self) -> None:
        given = (self.lowest, self.highest)
        if given == (None, None):
            return
        fits = self.kind in ("number", "date") and all(map(self._is_value, given))
        if not fits or self._limits()[0] > self._limits()[1]:
            raise ValueError(
                f"lowest and highest: expected two numbers, or two dates, of which the first is not greater; "
                f"found {show(self.lowest)} and {show(self.highest)}"
            )

    def _is_value(self, value: float | str | None) -> bool:
        """Whether this is a number or a date, as the kind of the column asks for."""
        if self.kind == "date":
            return isinstance(value, str) and not np.isnat(DateFormat().parse([value])).any()
        return isinstance(value, float | int) and math.isfinite(value)

    def _limits(self) -> Array:
        """The lowest and the highest value, (2,): numbers, or dates."""
        if self.kind == "date":
            return DateFormat().parse([str(self.lowest), str(self.highest)])
        return np.array([self.lowest, self.highest], np.float64)

    def _check_interval(self) -> None:
        if self.quantiles and (self.kind != "number" or len({*self.quantiles}) < max(2, len(self.quantiles))):
            raise ValueError("expected quantiles if kind is number, at least two, which differ, or none")
        if self.interval is not None:
            needed = {"number": "margin", "category": "threshold"}.get(self.kind)
            if needed is None or getattr(self.interval, needed) is None:
                raise ValueError("an interval is of a number, with a margin, or of a category, with a threshold")

    def _check_fill(self) -> None:
        if self.fill is None:
            if self.missing in BY_VALUE:
                raise ValueError("expected fill if missing is mean, median or most_frequent")
            return
        if self.missing == "error":
            raise ValueError("a missing value is an error, and yet there is a fill")
        if self.has_categories:
            fits = self.fill in self.categories
        elif self.kind == "date":
            fits = not np.isnat(DateFormat().parse([str(self.fill)])).any()
        else:
            fits = self.kind == "number" and not isinstance(self.fill, str)
        if not fits:
            raise ValueError(f"fill is {show(self.fill)}; expected a number, a date, or one of the categories")

    @property
    def has_categories(self) -> bool:
        """Whether its values are categories: of the kinds "category", "boolean" and "labels"."""
        return self.kind in ("category", "boolean", "labels")

    @property
    def width(self) -> int:
        """How many numbers encode one value."""
        if self.kind in ("category", "labels") and self.encoding == "one_hot":
            return len(self.categories)
        return parts_width(self.parts) if self.kind == "date" else self.buckets or 1

    @property
    def is_id(self) -> bool:
        """Whether a value becomes a whole number, for an embedding."""
        return self.encoding != "one_hot"

    def gaps(self, column: Column, missing_values: Collection[str]) -> Array:
        """bool (rows,): where this column has no value. A text that is one of the categories is a value.

        So is an empty text of the kinds in `EMPTY_IS_VALUE`.
        """
        values = {*self.categories, ""} if self.kind in EMPTY_IS_VALUE else self.categories
        return column.gaps_by({*missing_values, *self.missing_values}.difference(values))

    def as_seen_in(self, column: Column) -> ColumnSchema:
        """The same, but a category that none of these values has is as unknown as one that is not listed.

        The number of categories stays. Where an unknown category is an error, all of them stay known.
        """
        if not self.has_categories or self.unknown == "error":
            return self
        if self.kind == "labels":
            has = self._which_labels(column, ~column.gaps, Faults(Table({})), Report())
            there: Array = np.any(has, axis=0)
        else:
            there = np.isin(np.arange(len(self.categories)), self.codes(column)[~column.gaps])
        known = zip(self.categories, there.tolist(), strict=True)
        return self.replace(categories=tuple(c if seen else NO_TEXT.format(n) for n, (c, seen) in enumerate(known)))

    # Inputs

    def encode(self, column: Column, gaps: Array, out: Array, faults: Faults, report: Report) -> None:
        """Writes the values of a column as numbers.

        Args:
            gaps: where there is no value.
            out: (rows, width), all zeros.
        """
        present = ~gaps
        refused = gaps & self.refuses_gaps
        if refused.any():
            faults.add(self.name, column, refused, self._no_value)
        if self.kind == "number":
            out[:, 0] = numbers = self._filled(self.numbers(column, present, faults), gaps)
            self._note_outside(column, numbers, faults, report)
        elif self.kind == "date":
            moments = self._filled(self.dates(column, present, faults), gaps)
            encode_dates(moments, self.parts, out)
            self._note_outside(column, moments, faults, report)
        elif self.kind == "text":
            texts = column.as_texts()
            out[present] = hash_texts(texts.texts or (), self.buckets, self.ngrams)[texts.values[present]]
        elif self.kind == "labels":
            out[...] = self._which_labels(column, present, faults, report)
        else:
            self.encode_codes(self._codes_with_fill(column, gaps, present, faults, report), out)

    def _note_outside(self, column: Column, values: Array, faults: Faults, report: Report) -> None:
        """Tells the report of values, (rows,), outside of the range of training, if it asks for them.

        Numbers that float32 cannot tell from the limits are within.
        """
        if report.outside is None or self.lowest is None or not len(values):
            return
        low, high = self._limits()
        rounding: Any = np.timedelta64(0, "us") if self.kind == "date" else FLOAT32 * max(abs(low), abs(high))
        if values.min() >= low - rounding and values.max() <= high + rounding:
            return
        outside: Array = (values < low - rounding) | (values > high + rounding)
        wrong = faults.rows()  # in which there is no value
        if wrong is not None:
            outside &= ~wrong
        if outside.any():
            distances = np.where(outside, np.maximum(low - values, values - high), rounding * 0)
            report.note_outside(self.name, column, self.range_texts(), outside, distances.astype(np.float64))

    def range_texts(self) -> tuple[str, str]:
        """The lowest and the highest value of training."""
        if self.kind == "date":
            return str(self.lowest).removesuffix("T00:00:00"), str(self.highest).removesuffix("T00:00:00")
        return f"{self.lowest:.10g}", f"{self.highest:.10g}"

    def encode_codes(self, codes: Array, out: Array) -> None:
        """Writes positions in `categories`, -1 for others, as numbers (rows, width) into zeros."""
        if self.kind == "boolean":
            out[:, 0] = np.where(codes < 0, 0.5, codes)
        elif self.encoding == "one_hot":
            known = np.flatnonzero(codes >= 0)
            out[known, codes[known]] = 1
        else:
            out[:, 0] = codes if self.encoding == "ordinal" else codes + 1

    @property
    def refuses_gaps(self) -> bool:
        """Whether a missing value is refused in prediction."""
        if self.fill is not None:
            return False
        return not (self.missing == "code" or (self.missing == "drop" and self.unknown == "code"))

    def _no_value(self, text: str) -> str:
        advice = (
            'each row needs a prediction, but the model has no fill value: train with "mean" or "most_frequent"'
            if self.missing == "drop"
            else 'complete it, or train with missing = "mean", "most_frequent" or "drop"'
        )
        return f"{no_value(text)}; {advice}"

    def _filled(self, values: Array, gaps: Array) -> Array:
        if self.fill is not None and gaps.any():
            values[gaps] = DateFormat().parse([str(self.fill)])[0] if self.kind == "date" else self.fill
        return values

    def _codes_with_fill(self, column: Column, gaps: Array, present: Array, faults: Faults, report: Report) -> Array:
        codes = self.codes(column)
        if gaps.any():
            codes[gaps] = -1 if self.fill is None else self.categories.index(str(self.fill))
        unknown = (codes < 0) & present
        if unknown.any():
            if self.unknown == "error":
                faults.add(self.name, column, unknown, self._unknown_category(int(unknown.sum()), len(column)))
            else:
                report.unknown[self.name] = report.unknown.get(self.name, 0) + int(unknown.sum())
                report.replace(self.name, column, unknown, self._replaced_unknown())
        return codes

    def _replaced_unknown(self) -> Callable[[str], str]:
        near = self._near()
        return lambda text: f"unknown category {show(text)}{near(text)}; given the code of unknown ones"

    def replaced_gap(self, text: str) -> str:
        """What a report says of a missing value that is not refused."""
        fill = f"{self.fill:.6g}" if isinstance(self.fill, float) else show(self.fill)
        return f"{no_value(text)}; given " + ("its own code" if self.fill is None else f"{fill}, learnt in training")

    def _unknown_category(
        self, count: int, rows: int, remedy: str = 'correct or drop such rows, or train with unknown = "code"'
    ) -> Callable[[str], str]:
        more = f" ({count:,} of {rows:,} rows have unknown ones)" if count > 1 else ""
        near = self._near()

        def message(text: str) -> str:
            advice = near(text) or f"; {remedy}"
            return f"unknown category {show(text)}{more}; expected one of {shorten(self.categories)}{advice}"

        return message

    def _near(self) -> Callable[[str], str]:
        """A function that suggests a category, for as many texts as anyone reads: each is a search in all of them."""
        asked = 0

        def suggest(text: str) -> str:
            nonlocal asked
            asked += 1
            return did_you_mean(text, self.categories) if asked <= MOST_SUGGESTIONS else ""

        return suggest

    # Targets

    def labels(self, column: Column, present: Array, faults: Faults) -> Array:
        """The class of each row, int64 (rows,); 0 where it is missing or at fault."""
        codes = self.codes(column)
        unknown = (codes < 0) & present
        if unknown.any():
            faults.add(
                self.name,
                column,
                unknown,
                self._unknown_category(int(unknown.sum()), len(column), "correct or drop such rows"),
            )
        codes[codes < 0] = 0
        return codes

    def label_rows(self, column: Column, present: Array, faults: Faults) -> Array:
        """Which labels each row has, float32 (rows, labels), 0 or 1; none where the value is missing."""
        return self.replace(unknown="error")._which_labels(column, present, faults, Report()).astype(np.float32)

    def _which_labels(self, column: Column, present: Array, faults: Faults, report: Report) -> Array:
        """Which labels each row has, bool (rows, labels)."""
        texts = column.as_texts()
        different = texts.texts or ()
        spelled, rows, places = labels_in(different, self.separator)
        positions = self._positions(spelled)[places] if spelled else places
        has = np.zeros((len(different), len(self.categories)), np.bool_)
        has[rows[positions >= 0], positions[positions >= 0]] = True
        lost = np.zeros(len(different), np.bool_)
        lost[rows[positions < 0]] = True
        unknown = lost[texts.values] & present
        if unknown.any():
            if self.unknown == "error":
                wrong = frozenset(spelled[place] for place in places[positions < 0].tolist())
                faults.add(self.name, column, unknown, partial(self._unknown_label, wrong))
            else:
                report.unknown[self.name] = report.unknown.get(self.name, 0) + int(unknown.sum())
        return has[texts.values] & present[:, None]

    def _unknown_label(self, wrong: Collection[str], text: str) -> str:
        label = next((label for label in split_labels(text, self.separator) if label in wrong), text)
        near = did_you_mean(label, self.categories)
        return f"unknown label {show(label)}; expected some of {shorten(self.categories)}{near}"

    # Values

    def codes(self, column: Column) -> Array:
        """The position of each value in `categories`, int64 (rows,); -1 for others."""
        texts = column.as_texts()
        if not texts.texts:
            return np.full(len(column), -1, np.int64)
        return self._positions(texts.texts)[texts.values]

    def _positions(self, texts: Sequence[str]) -> Array:
        """The position of each text in `categories`; -1 for others.

        The exact text goes first, so that spellings that are declared as different categories stay different; then the
        category with its key; then, for 501, a code such as 00501: who reads codes as numbers loses their zeros.
        """
        index = {category: position for position, category in enumerate(self.categories)}
        positions = np.array([index.get(text, -1) for text in texts], np.int64)
        others = np.flatnonzero(positions < 0).tolist()
        if others:
            by_key = self._by_key()
            for place in others:
                key = category_key(texts[place])
                positions[place] = by_key.get(key, TRUTHS.get(key, -1) if self.kind == "boolean" else -1)
            by_number = self._by_number()
            for place in np.flatnonzero(positions < 0).tolist() if by_number else ():
                positions[place] = by_number.get(category_key(texts[place]), -1)
        return positions

    def _by_key(self) -> dict[str, int]:
        """Key -> the position of the only category that has it."""
        by_key: dict[str, int] = {}
        for position, category in enumerate(self.categories):
            key = category_key(category)
            by_key[key] = -1 if key in by_key else position
        return by_key

    def _by_number(self) -> dict[str, int]:
        """Number -> the position of the only category that is this number with zeros before it."""
        by_number: dict[str, int] = {}
        for position, category in enumerate(self.categories):
            if is_code(category) and category.isdecimal():
                number = category.lstrip("0") or "0"
                by_number[number] = -1 if number in by_number else position
        return by_number

    def numbers(self, column: Column, present: Array, faults: Faults) -> Array:
        """The values as numbers, float64 (rows,); 0 where one is missing or at fault."""
        if column.type == "date":
            numbers = np.full(len(column), np.nan)
        elif column.texts is None:
            numbers = column.values.astype(np.float64)
        else:
            numbers = (self.number_format or NumberFormat()).parse(column.texts)[column.values]
        bad = ~np.isfinite(numbers)
        if bad.any():
            faults.add(self.name, column, bad & present, self._no_number)
            numbers[bad] = 0
        return numbers

    def _no_number(self, text: str) -> str:
        return f"expected a number{self._written()}, found {show(text)}"

    def dates(self, column: Column, present: Array, faults: Faults) -> Array:
        """The values as dates, datetime64[us] (rows,); 1970 where one is missing or at fault."""
        if column.type == "date":
            moments = column.values.copy()
        else:
            texts = column.as_texts()
            moments = _parsed(texts.texts or (), self.date_format)[texts.values]
        bad = np.isnat(moments)
        if bad.any():
            faults.add(self.name, column, bad & present, self._no_date)
            moments[bad] = np.datetime64(0, "us")
        return moments

    def _no_date(self, text: str) -> str:
        return f"expected a date{self._written()}, found {show(text)}"

    def _written(self) -> str:
        """How values of this kind are written, for a message."""
        if self.kind == "date" and self.date_format is not None:
            return f" ({self.date_format.date_format})"
        unit = self.number_format.unit if self.number_format is not None else ""
        comma = self.number_format is not None and self.number_format.decimal == ","
        return (" with a decimal comma" if comma else "") + (f" ({unit})" if unit else "")


TRUTHS = {"false": 0, "no": 0, "f": 0, "n": 0, "0": 0, "off": 0, "true": 1, "yes": 1, "t": 1, "y": 1, "1": 1, "on": 1}
"""What other spellings of a boolean mean, by their key."""


def _parsed(texts: Sequence[str], date_format: DateFormat | None) -> Array:
    """The date of each text; ISO dates are understood whatever the format, since programs write them so."""
    moments = (date_format or DateFormat()).parse(texts)
    others = np.flatnonzero(np.isnat(moments))
    if date_format is not None and len(others):
        moments[others] = DateFormat().parse([texts[place] for place in others.tolist()])
    return moments
