"""The `[data]` table of a spec: which files, which columns, and what to do about missing values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from modnet.configuration.fields import Configuration, field
from modnet.data.date_parts import DatePart
from modnet.data.options import Decimal, Negative, ReadOptions, Thousands
from modnet.data.text_hashing import LONGEST_NGRAM, NGRAMS
from modnet.data.values import MISSING_VALUES
from modnet.words import show

Kind = Literal["number", "category", "boolean", "labels", "date", "text", "identifier"]

EMPTY_IS_VALUE = ("labels", "text")
"""The kinds of which an empty cell is a value: it has no label, or it is a text without words."""
Encoding = Literal["one_hot", "ordinal", "embedding"]
MissingPolicy = Literal["error", "drop", "mean", "median", "most_frequent", "code"]
Unknown = Literal["error", "code"]


class DataSource(Configuration):
    """Where rows come from: one file, or one for the inputs and one for the targets.

    Attributes:
        path: a table (.csv, .parquet, .xlsx ...), a file with named arrays (.npz), a folder of images, or the address
            of a database.
        x, y: instead of `path`: files with one array each (.npy, IDX).
        rows: use only these rows: the first, and the one after the last, counted from 0.
        encoding, delimiter, comment, header, sheet, query, size: as those of the data, for this source alone.
    """

    called: ClassVar[str] = "source"

    path: str | None = None
    x: str | None = None
    y: str | None = None
    rows: tuple[int, int] | None = field(default=None, minimum=0)
    encoding: str | None = None
    delimiter: str | None = None
    comment: str | None = None
    header: int | None = field(default=None, minimum=0)
    sheet: str | int | None = field(default=None, minimum=1)
    query: str | None = None
    size: tuple[int, int] | None = field(default=None, minimum=1)

    def check(self) -> None:
        if (self.path is None) == (self.x is None) or (self.path is not None and self.y is not None):
            raise ValueError("give either path, or x and y")
        if self.rows is not None and self.rows[0] >= self.rows[1]:
            raise ValueError(f"rows = {show(self.rows)} is empty; expected the first row and the one after the last")


class ColumnSpec(Configuration):
    """How a column of a table is read, if its values do not make it clear.

    Attributes:
        kind: by default a number if all values are numbers, a date if all are dates, otherwise a category. "boolean" is
            a category of two, as one number, 0 or 1; "labels" are any number of categories in one text, as in `comedy;
            drama`, each of which becomes a 0 or 1; "text" becomes hashed n-grams of its characters; an "identifier" is
            not used.
        categories: all categories, in their order; by default those found, sorted.
        encoding: of an input: "one_hot", a one for its category and zeros for the others; "ordinal", its position in
            `categories`, counted from 0; or "embedding", its position counted from 1, where 0 is for what is missing or
            unknown.
        missing: what to do if a value is missing; by default as for the whole table.
        missing_values: texts that stand for a missing value in this column, besides those of the table.
        unknown: what to do with a category that is not known, as for the whole table; by default, a list of
            `categories` is complete and others are an error.
        decimal, thousands, unit, negative: how numbers are written, see `NumberFormat`.
        date_format: how dates are written: "iso", or as for `strptime`; by default found.
        parts: of a date: "day", the running day; "year"; "month", "day_of_month", "day_of_week", "day_of_year", "hour".
            By default those that vary.
        buckets: of a text, how many numbers it becomes.
        ngrams: of a text, the lengths of its n-grams in characters, from the shortest to the longest.
        separator: of labels, the text between them; by default ";", "|" or ",", whichever most texts have.
    """

    called: ClassVar[str] = "column"

    kind: Kind | None = None
    categories: tuple[str, ...] | None = None
    encoding: Encoding = "one_hot"
    missing: MissingPolicy | None = None
    missing_values: tuple[str, ...] = ()
    unknown: Unknown | None = None
    decimal: Decimal | None = None
    thousands: Thousands | None = None
    unit: str = ""
    negative: Negative = "minus"
    date_format: str | None = None
    parts: tuple[DatePart, ...] | None = None
    buckets: int = field(default=64, minimum=1)
    ngrams: tuple[int, int] = field(default=NGRAMS, minimum=1, maximum=LONGEST_NGRAM)
    separator: str = ""

    def check(self) -> None:
        if self.categories is None:
            if self.encoding == "ordinal":
                raise ValueError('encoding = "ordinal" needs categories, in their order')
        elif self.kind not in (None, "category", "boolean", "labels"):
            raise ValueError(f'a column with categories is not a {self.kind}; expected kind = "category"')
        elif not self.categories or len(set(self.categories)) < len(self.categories):
            raise ValueError("expected categories that are all different, at least one")
        elif self.kind == "boolean" and len(self.categories) != 2:
            raise ValueError("a boolean has two categories, that of 0 and that of 1")
        if self.date_format is not None:
            from modnet.data.dates import (
                DateFormat,  # not at the top: few specs have dates, and every process reads one
            )

            DateFormat(self.date_format)
        if self.ngrams[0] > self.ngrams[1]:
            raise ValueError(f"ngrams = {show(self.ngrams)}; expected the shortest length, then the longest")
        self._check_kind()

    def _check_kind(self) -> None:
        """Refuses options that mean nothing for the kind."""
        of_kind = {
            "date": ("date_format", "parts"),
            "text": ("buckets", "ngrams"),
            "number": ("decimal", "thousands", "unit"),
            "labels": ("separator",),
        }
        for kind, names in of_kind.items():
            for name in names:
                changed = getattr(self, name) != getattr(ColumnSpec, name)
                if changed and self.kind not in (None, kind):
                    raise ValueError(f"{name} is for a {kind}, found kind = {show(self.kind)}")


class SplitSpec(Configuration):
    """How the rows of a file are parted into those to train on, to validate with and to test on.

    Attributes:
        by: "random": drawn at random, stratified by classes; "group": the rows with the same value of a column stay
            together, on one side; "time": the last rows by a column are for the test, those before them for
            validation; "column": a column says for each row where it belongs.
        column: the column; "time" without one goes by the order of the file.
        train, validation, test: by "column", the values that stand for each part. By default "train", "validation" (or
            "val", "valid", "dev") and "test". A share for `validation` in [data] is one of the rows to train on.
    """

    by: Literal["random", "group", "time", "column"]
    column: str | None = None
    train: str | tuple[str, ...] | None = None
    validation: str | tuple[str, ...] | None = None
    test: str | tuple[str, ...] | None = None

    def check(self) -> None:
        if self.column is None and self.by in ("group", "column"):
            raise ValueError(f'by = "{self.by}" needs column, the name of a column')
        if self.column is not None and self.by == "random":
            raise ValueError('by = "random" needs no column; expected by = "group", "time" or "column"')
        if self.by != "column" and any((self.train, self.validation, self.test)):
            raise ValueError(
                f'train, validation and test in split are values of a column, for by = "column"; found by = '
                f'"{self.by}", whose shares are validation and test of [data]'
            )


class DataSpec(Configuration):
    """The data of a training run.

    Attributes:
        train: the training data: a file's path, relative to the spec, or a source. Without it, rows are given to
            `modnet.train(spec, rows)`.
        validation: the data for the validation after each epoch: the fraction of the training rows that is set aside
            for it, or a separate file or source; None for no validation.
        member_folds: for an ensemble, instead of `validation`: the rows are parted into as many folds as there are
            members, and each member is validated with its own fold and learns from the others, so that together
            they learn from all rows. The figures of the validation are then those of all rows, each predicted by the
            one member that has not learnt from it.
        test: the same for rows that training never sees, which are measured once, at its end.
        split: how the rows are set aside; by default drawn at random, stratified by classes.
        split_seed: the same seed sets the same rows aside, whatever the seed of the training is.
        weights: of a table, the column with the weight of each row, in training, validation, test and `evaluate`.
        target: of a table, the column to predict, or several; for a network with several outputs: output -> columns.
        inputs: of a table, the columns to predict from, by default all others; for a network with several inputs:
            input -> columns.
        columns: of a table, name -> how that column is read.
        missing: what to do if a value is missing: refuse it, drop the row, fill in the mean or the median of the
            column's training rows (for a category, which has neither, the most frequent value), the most frequent
            value, or "code": zeros for a category, the mean for a number. A target is never filled. By default a gap is
            refused in training, and has its code in prediction.
        unknown: what to do in prediction with a category that training had not: "code", zeros (for an embedding, id
            0), or "error". By default "code" where the categories are learnt.
        missing_values: the texts that stand for a missing value.
        decimal, thousands: how numbers are written in all columns whose options do not say otherwise.
        encoding: of csv files, "utf-8", "utf-16", "cp1252" (Windows in the West) ...; by default found.
        delimiter: of csv files, the sign between values; by default found.
        comment: of csv files, the sign with which a line begins that is no row; by default "#", where such lines are
            above the names of the columns or have another number of values.
        header: of csv files, the line with the names of the columns, counted from 1; 0 if there is none; by default
            found.
        sheet: of workbooks, the name of the sheet, or its position counted from 1; by default the first with a table.
        query: of databases, a SELECT, or the name of a table; needed where there are several tables.
        size: of a folder of images, the (height, width) to which they are scaled; needed where they differ.
    """

    called: ClassVar[str] = "data"

    train: str | DataSource | None = None
    validation: float | str | DataSource | None = field(default=None, above=0.0, below=1.0)
    member_folds: bool = False
    test: float | str | DataSource | None = field(default=None, above=0.0, below=1.0)
    split: SplitSpec | None = None
    split_seed: int = field(default=0, minimum=0)
    target: str | tuple[str, ...] | Mapping[str, str | tuple[str, ...]] | None = None
    weights: str | None = None
    inputs: tuple[str, ...] | Mapping[str, tuple[str, ...]] | None = None
    columns: Mapping[str, ColumnSpec] = field(default={})
    missing: MissingPolicy | None = None
    unknown: Unknown | None = None
    missing_values: tuple[str, ...] = MISSING_VALUES
    decimal: Decimal | None = None
    thousands: Thousands | None = None
    encoding: str | None = None
    delimiter: str | None = None
    comment: str | None = None
    header: int | None = field(default=None, minimum=0)
    sheet: str | int | None = field(default=None, minimum=1)
    query: str | None = None
    size: tuple[int, int] | None = field(default=None, minimum=1)

    def check(self) -> None:
        targets = column_names(self.target)
        _check_twice("target", targets)
        # A column may be in several inputs, but in each of them once.
        for name, names in (self.inputs if isinstance(self.inputs, Mapping) else {"": self.inputs or ()}).items():
            _check_twice(f"inputs.{name}" if name else "inputs", names)
        both = set(targets).intersection(column_names(self.inputs))
        if both:
            raise ValueError(f"column {show(min(both))} is both a target and an input")
        self._check_split()

    def _check_split(self) -> None:
        _check_share("validation", self.validation)
        _check_share("test", self.test)
        shares = [share for share in (self.validation, self.test) if isinstance(share, float)]
        if sum(shares) >= 1:
            raise ValueError(f"validation and test take {sum(shares):g} of the rows; nothing is left to train on")
        if self.member_folds:
            self._check_member_folds()
        if self.split is None:
            return
        if self.split.by != "column" and not shares and not self.member_folds:
            raise ValueError(f'split by = "{self.split.by}" needs a share of the rows, such as validation = 0.2')

    def _check_member_folds(self) -> None:
        if self.validation is not None:
            raise ValueError(
                "member_folds and validation are two ways to set rows aside for validation; leave one of them out"
            )
        if self.split is not None and self.split.by in ("time", "column"):
            raise ValueError(
                f'member_folds cannot go with split by = "{self.split.by}": each member learns from other rows, also '
                "from those of the folds before and behind; give a share for validation instead"
            )

    @property
    def validates(self) -> bool:
        """Whether rows are set aside for validation, of all networks or of each member of an ensemble."""
        return self.validation is not None or self.member_folds

    def side_columns(self) -> tuple[str, ...]:
        """The columns that say something about the rows; they are no inputs unless `inputs` lists them."""
        columns = (self.weights, None if self.split is None else self.split.column)
        return tuple(dict.fromkeys(name for name in columns if name is not None))

    def reading(self, source: DataSource | None = None) -> ReadOptions:
        """How files are read; the options of the source override those of the data."""
        own = source or DataSource(path="")
        names = ("encoding", "delimiter", "comment", "header", "sheet", "query", "size")
        options = {name: getattr(self if getattr(own, name) is None else own, name) for name in names}
        return ReadOptions(
            decimal=self.decimal,
            thousands=self.thousands,
            missing_values=self.missing_values,
            texts=frozenset(name for name in self.columns if self._needs_texts(name)),
            **options,
        )

    def _needs_texts(self, column: str) -> bool:
        """Whether the values of a column are to be read as they are spelled: its options say what they mean."""
        declared = self.columns[column]
        written = (declared.decimal, declared.thousands, declared.unit, declared.date_format, declared.categories)
        return any(written) or declared.negative != "minus" or declared.kind not in (None, "number")

    def missing_policy(self, column: str) -> MissingPolicy | None:
        """What to do if this column has no value; None if the spec does not say."""
        return self.columns.get(column, ColumnSpec()).missing or self.missing

    def unknown_policy(self, column: str) -> Unknown:
        """What to do in prediction with a category of this column that training had not."""
        declared = self.columns.get(column, ColumnSpec())
        return declared.unknown or self.unknown or ("error" if declared.categories else "code")

    def missing_in(self, column: str) -> set[str]:
        """The values that mean that this column has none.

        What is listed as a category is a value, and so is an empty text of the kinds in `EMPTY_IS_VALUE`.
        """
        declared = self.columns.get(column, ColumnSpec())
        values = {*(declared.categories or ()), *([""] if declared.kind in EMPTY_IS_VALUE else [])}
        return {*self.missing_values, *declared.missing_values}.difference(values)


def _check_share(name: str, value: object) -> None:
    """Refuses a text that looks like a share, and would be the name of a file."""
    if isinstance(value, str) and (share := re.fullmatch(r"0[.,](\d{1,6})|(\d{1,2})\s*%", value)):
        meant = float(f"0.{share[1]}") if share[1] else int(share[2]) / 100
        raise ValueError(f"{name} = {show(value)} is the name of a file; for a share write {name} = {meant:g}")


def _check_twice(what: str, names: Sequence[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{what} names {show(min(twice))} twice")


def column_names(value: str | tuple[str, ...] | Mapping[str, str | tuple[str, ...]] | None) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value
    return [name for part in parts for name in column_names(part)]
