"""The data of a spec in folds: the table or the arrays as they were read, and which rows each fold trains on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from modnet.arrays import Array
from modnet.data.faults import Report
from modnet.data.learning import assign_columns, rows_to_drop
from modnet.data.named_arrays import NamedArrays
from modnet.data.schema import DataSchema
from modnet.data.spec import ColumnSpec, DataSpec, SplitSpec, column_names
from modnet.data.split import Classes, can_stratify
from modnet.data.table import Table, shorten
from modnet.datasets.dataset import Dataset
from modnet.datasets.folds import Fold, group_folds, random_folds, time_folds
from modnet.datasets.load import Loader
from modnet.datasets.parts import Parts
from modnet.datasets.splitting import groups_of, refuse_gaps, times_of
from modnet.errors import DataError
from modnet.records import Record
from modnet.words import counted, legible, show


class FoldedData(Record, eq=False):
    """The data of a spec, parted into folds.

    Attributes:
        source: the table or the arrays as they were read.
        spec: how the rows of a fold are used: the `[data]` of the spec, without its test part, whose rows are in no
            fold.
        folds: those of each repeat, of row numbers in the source.
        notes: lines for the screen: how the folds were made, and which rows are in none.
    """

    source: Table | NamedArrays
    spec: DataSpec
    folds: Sequence[Sequence[Fold]]
    notes: Sequence[str]

    def test(self, loader: Loader, fold: Fold, schema: DataSchema | None, report: Report) -> Dataset:
        """The rows that a network is measured by.

        Args:
            schema: that the network has learnt.
            report: is told what was done about missing and unknown values.

        Raises:
            DataError: a row cannot be used.
        """
        if isinstance(self.source, NamedArrays):
            return loader.dataset(self.source, schema).take(fold.test)
        assert schema is not None  # which every network that was trained on a table has
        return Dataset.of_table(schema, self.source.take(fold.test), report=report)


class Folding(Record):
    """How rows are parted into folds.

    Attributes:
        count: how many folds; by default drawn by chance, stratified by classes, or as the spec's `split` says.
        repeats: how often all of the rows are parted, each time in another way.
        seed: the same one parts the same rows in the same way, whatever the seed of the training is; None for the
            `split_seed` of the spec.
        group: a column: the rows with the same value stay together in one fold.
        time: a column: each fold trains on the past and is measured by the block of rows that follows. There is one
            block more than folds; the oldest one is never measured.
    """

    count: int
    repeats: int = 1
    seed: int | None = None
    group: str | None = None
    time: str | None = None

    def __post_init__(self) -> None:
        if self.count < 2 or self.repeats < 1:
            raise ValueError(
                f"expected at least 2 folds and 1 repeat, found {show(self.count)} and {show(self.repeats)}"
            )
        if self.group is not None and self.time is not None:
            raise ValueError("folds are made by groups or by time; found both")

    def apply(self, loader: Loader, source: Table | NamedArrays, spec: DataSpec) -> FoldedData:
        """Parts the training data of a spec.

        Rows that training drops, and those that the spec sets aside for a test, are in no fold. Without `group` and
        `time` the folds are made as the `split` of the spec asks for it: by chance, stratified by classes, by groups or
        by time.

        Raises:
            DataError: a column is missing or is the target, there are not enough rows, groups or times, or a row lacks
                its group or time.
        """
        if self.seed is None:
            return self.replace(seed=spec.split_seed).apply(loader, source, spec)
        if isinstance(source, NamedArrays):
            return self._of_arrays(loader, source, spec)
        source.require_rows()
        how = self._split(spec)
        if how.column is not None:
            _check_column(source, spec, how.column)
        report = Report()
        rows, tested = _rows(loader, source, spec, how, report)
        classes = loader.classes_of_rows(source, spec, rows)
        folds, told = self._folds(source, spec, how, rows, classes)
        left_out = [*_left_out(tested), *report.texts()]
        notes = [self._sizes(rows, told), *source.notes, *left_out, *_rare(classes, self.count, how)]
        return FoldedData(source, _spec_of_folds(loader, source, spec, how), folds, notes)

    def _of_arrays(self, loader: Loader, found: NamedArrays, spec: DataSpec) -> FoldedData:
        loader.refuse_columns(found, spec)
        for option, column in (("group", self.group), ("time", self.time)):
            if column is not None:
                raise DataError(f"{found.name}: {option} is a column of a table; found arrays: {found.listing()}")
        dataset = loader.dataset(found, loader.learn_classes(found))
        parts = (
            loader.divide_arrays(dataset, spec).parts
            if isinstance(spec.test, float)
            else Parts(np.arange(len(dataset)))
        )
        rows, tested = _in_folds(parts)
        classes = dataset.take(rows).classes_of_rows(loader.label_outputs)
        folds, told = self._random(rows, classes)
        rare = _rare(classes, self.count, SplitSpec(by="random"))
        notes = [self._sizes(rows, told), *found.notes, *_left_out(tested), *rare]
        return FoldedData(found, spec.replace(test=None), folds, notes)

    def _sizes(self, rows: Array, told: str) -> str:
        """How the folds are made: `344 rows in 5 folds, parted 3 times: stratified`."""
        times = f", parted {self.repeats} times" if self.repeats > 1 else ""
        return f"{counted(len(rows), 'row')} in {self.count} folds{times}: {told}"

    def _split(self, spec: DataSpec) -> SplitSpec:
        if self.group is not None:
            return SplitSpec(by="group", column=self.group)
        if self.time is not None:
            return SplitSpec(by="time", column=self.time)
        by_spec = spec.split is not None and spec.split.by in ("group", "time")
        return spec.split if by_spec and spec.split is not None else SplitSpec(by="random")

    def _folds(
        self, table: Table, spec: DataSpec, how: SplitSpec, rows: Array, classes: Classes
    ) -> tuple[list[list[Fold]], str]:
        if how.by == "random":
            return self._random(rows, classes)
        if how.column is None:
            return self._by_time(rows, rows, "in the order of the file", spec)
        refuse_gaps(table, spec, how.column, rows)
        column = table.columns[how.column].take(rows)
        name = legible(how.column)
        try:
            if how.by == "time":
                times, read_as = times_of(column, spec.columns.get(how.column, ColumnSpec()).date_format)
                return self._by_time(times, rows, f"{name}{read_as}", spec)
            groups = groups_of(column)
            make = partial(group_folds, groups, self.count, self.seed or 0)
            told = f"by group {name}: {counted(int(groups.max()) + 1, 'group')}"
            return [_in_source(make(repeat), rows) for repeat in range(self.repeats)], told
        except DataError as error:
            raise DataError(f"{table.name}: column {name}: {error}") from None

    def _random(self, rows: Array, classes: Classes) -> tuple[list[list[Fold]], str]:
        stratified = classes.labels is not None and can_stratify(classes.labels)
        make = partial(
            random_folds, len(rows), self.count, self.seed or 0, labels=classes.labels if stratified else None
        )
        folds = [_in_source(make(repeat=repeat), rows) for repeat in range(self.repeats)]
        return folds, "stratified" if stratified else "drawn by chance"

    def _by_time(self, times: Array, rows: Array, name: str, spec: DataSpec) -> tuple[list[list[Fold]], str]:
        if self.repeats > 1:
            raise DataError("folds that go forward in time can be made in one way alone; leave repeats out")
        told = f"forward in time, {name}: each is measured by a network that was trained on what is before it"
        first = 2 if isinstance(spec.validation, float) else 1
        return [_in_source(time_folds(times, self.count, first), rows)], told


def _check_column(table: Table, spec: DataSpec, column: str) -> None:
    table.require([column])
    if column in column_names(spec.target):
        raise DataError(f"{table.name}: column {legible(column)} is the target, and cannot say how rows are parted")


def _rows(loader: Loader, table: Table, spec: DataSpec, how: SplitSpec, report: Report) -> tuple[Array, Array | None]:
    """The rows that folds are made of, and those of the spec's test part."""
    if isinstance(spec.test, float) or (spec.split is not None and spec.split.by == "column"):
        rows, tested = _in_folds(loader.divide(table, spec, report).parts)
    else:
        dropped = rows_to_drop(table, spec, loader.input_names, loader.output_names)
        report.dropped_rows = len(dropped)
        rows, tested = np.setdiff1d(np.arange(len(table)), dropped), None
    if how.column is not None and spec.missing_policy(how.column) == "drop":
        gaps = table.columns[how.column].gaps_by(spec.missing_in(how.column))[rows]
        report.dropped_rows += int(gaps.sum())
        rows = rows[~gaps]
    return rows, tested


def _in_folds(parts: Parts) -> tuple[Array, Array | None]:
    """The rows that are trained on or validated with, sorted, and those of the test."""
    known = [part for part in (parts.train, parts.validation) if part is not None]
    return np.sort(np.concatenate(known)), parts.test


def _in_source(folds: Sequence[Fold], rows: Array) -> list[Fold]:
    return [Fold(rows[fold.train], rows[fold.test]) for fold in folds]


def _spec_of_folds(loader: Loader, table: Table, spec: DataSpec, how: SplitSpec) -> DataSpec:
    """The `[data]` by which the rows that a fold trains on are used.

    The inputs are written out: a column by which the folds are made stays one where it is one.
    """
    inputs, _ = assign_columns(table, spec, loader.input_names, loader.output_names)
    split = spec.split if spec.split is not None and spec.split.by == "column" else None
    # Within the past that a fold trains on, the folds of members are drawn by chance.
    if (isinstance(spec.validation, float) and how.by != "random") or (spec.member_folds and how.by == "group"):
        split = how
    return spec.replace(test=None, split=split, inputs=inputs)


def _left_out(tested: Array | None) -> Iterator[str]:
    if tested is not None:
        yield f"{counted(len(tested), 'row')} for the test of the spec are left out"


def _rare(classes: Classes, count: int, how: SplitSpec) -> Iterator[str]:
    """Says which classes cannot be in every fold."""
    if classes.labels is None or how.by != "random" or not can_stratify(classes.labels):
        return
    found, counts = np.unique(classes.labels, return_counts=True)
    rare = [
        f"{legible(str(classes.names[int(label)] if classes.names else label))} ({rows:,})"
        for label, rows in zip(found.tolist(), counts.tolist(), strict=True)
        if rows < count
    ]
    if rare:
        yield f"fewer rows than folds, so that not each has some, in class{'es' * (len(rare) > 1)} {shorten(rare)}"
