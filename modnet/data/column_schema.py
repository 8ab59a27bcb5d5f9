"""How a column of a table becomes numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import Configuration
from modnet.data.column import Column
from modnet.data.faults import Faults, Report
from modnet.data.spec import Encoding, Kind, MissingPolicy, Unknown
from modnet.data.table import shorten
from modnet.data.values import category_key, is_number
from modnet.words import did_you_mean, show

BY_VALUE = ("mean", "median", "most_frequent")
"""The ways of filling a gap for which a value is learnt."""


class ColumnSchema(Configuration):
    """How a column is read.

    Attributes:
        name: of the column.
        kind: what its values are.
        categories: all categories, in their order; for a target, the classes.
        encoding: of an input that is a category.
        missing: what is done if a value is missing.
        fill: the value that replaces a missing one; None where it is refused, or has a code of its own.
        unknown: what is done with a category that is not among `categories`: "error", or "code": zeros for one-hot, 0
            for an embedding.
    """

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()
    encoding: Encoding = "one_hot"
    missing: MissingPolicy = "error"
    fill: float | str | None = None
    unknown: Unknown = "error"

    def check(self) -> None:
        if (self.kind == "category") != bool(self.categories):
            raise ValueError("expected categories if kind is category, and only then")
        if len(set(self.categories)) < len(self.categories):
            raise ValueError("expected categories that are all different")
        if self.kind != "category" and self.encoding != "one_hot":
            raise ValueError(f"the encoding {self.encoding} is for categories, found a {self.kind}")
        self._check_fill()

    def _check_fill(self) -> None:
        if self.fill is None:
            if self.missing in BY_VALUE:
                raise ValueError("expected fill if missing is mean, median or most_frequent")
            return
        if self.missing == "error":
            raise ValueError("a missing value is an error, and yet there is a fill")
        fits = self.fill in self.categories if self.kind == "category" else not isinstance(self.fill, str)
        if not fits:
            raise ValueError(f"fill is {show(self.fill)}; expected a number, or one of the categories")

    @property
    def width(self) -> int:
        """How many numbers encode one value."""
        return len(self.categories) if self.kind == "category" and self.encoding == "one_hot" else 1

    @property
    def is_id(self) -> bool:
        """Whether a value becomes a whole number, for an embedding."""
        return self.encoding != "one_hot"

    def gaps(self, column: Column, missing_values: Collection[str]) -> Array:
        """bool (rows,): where this column has no value. A text that is one of the categories is a value."""
        return column.gaps_by(set(missing_values).difference(self.categories))

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
            out[:, 0] = self._filled(self.numbers(column, present, faults), gaps)
            return
        codes = self._codes_with_fill(column, gaps, present, faults, report)
        if self.encoding == "one_hot":
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
        return f"missing value (found {show(text)}); {advice}"

    def _filled(self, numbers: Array, gaps: Array) -> Array:
        if self.fill is not None and gaps.any():
            numbers[gaps] = self.fill
        return numbers

    def _codes_with_fill(self, column: Column, gaps: Array, present: Array, faults: Faults, report: Report) -> Array:
        codes = self.codes(column)
        if gaps.any():
            codes[gaps] = -1 if self.fill is None else self.categories.index(str(self.fill))
        unknown = (codes < 0) & present
        if unknown.any():
            if self.unknown == "error":
                faults.add(self.name, column, unknown, self._unknown_category(int(unknown.sum()), len(column)))
            else:
                report.unknown[self.name] = int(unknown.sum())
        return codes

    def _unknown_category(self, count: int, rows: int) -> Callable[[str], str]:
        more = f" ({count:,} of {rows:,} rows have unknown ones)" if count > 1 else ""

        def message(text: str) -> str:
            advice = (
                did_you_mean(text, self.categories) or '; correct or drop such rows, or train with unknown = "code"'
            )
            return f"unknown category {show(text)}{more}; expected one of {shorten(self.categories)}{advice}"

        return message

    # Targets

    def labels(self, column: Column, present: Array, faults: Faults) -> Array:
        """The class of each row, int64 (rows,); 0 where it is missing or at fault."""
        codes = self.codes(column)
        unknown = (codes < 0) & present
        if unknown.any():
            faults.add(self.name, column, unknown, self._unknown_category(int(unknown.sum()), len(column)))
        codes[codes < 0] = 0
        return codes

    # Values

    def codes(self, column: Column) -> Array:
        """The position of each value in `categories`, int64 (rows,); -1 for others."""
        texts = column.as_texts()
        if not texts.texts:
            return np.full(len(column), -1, np.int64)
        return self._positions(texts.texts)[texts.values]

    def _positions(self, texts: Sequence[str]) -> Array:
        """The position of each text in `categories`; -1 for others.

        The exact text goes first, so that spellings that are declared as different categories stay different.
        """
        index = {category: position for position, category in enumerate(self.categories)}
        positions = np.array([index.get(text, -1) for text in texts], np.int64)
        others = np.flatnonzero(positions < 0).tolist()
        if others:
            by_key = self._by_key()
            for place in others:
                positions[place] = by_key.get(category_key(texts[place]), -1)
        return positions

    def _by_key(self) -> dict[str, int]:
        """Key -> the position of the only category that has it."""
        by_key: dict[str, int] = {}
        for position, category in enumerate(self.categories):
            key = category_key(category)
            by_key[key] = -1 if key in by_key else position
        return by_key

    def numbers(self, column: Column, present: Array, faults: Faults) -> Array:
        """The values as numbers, float64 (rows,); 0 where one is missing or at fault."""
        if column.type == "date":
            numbers = np.full(len(column), np.nan)
        elif column.texts is None:
            numbers = column.values.astype(np.float64)
        else:
            numbers = _parsed(column.texts)[column.values]
        bad = ~np.isfinite(numbers)
        if bad.any():
            at_fault = bad & present
            if at_fault.any():
                faults.add(self.name, column, at_fault, lambda text: f"expected a number, found {show(text)}")
            numbers[bad] = 0
        return numbers


def _parsed(texts: Sequence[str]) -> Array:
    """The number of each text, or nan."""
    try:
        numbers = np.array([*map(float, texts)], np.float64)
    except ValueError:
        return np.array([float(text) if is_number(text) else np.nan for text in texts], np.float64)
    numbers[[place for place, text in enumerate(texts) if "_" in text]] = np.nan
    return numbers
