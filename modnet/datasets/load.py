"""From the `[data]` table of a spec to datasets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.column_schema import ColumnSchema
from modnet.data.faults import Faults, Report
from modnet.data.files import Read, Reader, read
from modnet.data.learning import assign_targets, index_column, rows_to_drop
from modnet.data.named_arrays import NamedArrays
from modnet.data.options import DEFAULTS, ReadOptions
from modnet.data.profile import sort_categories
from modnet.data.schema import DataSchema
from modnet.data.source import is_address
from modnet.data.spec import ColumnSpec, DataSource, DataSpec
from modnet.data.split import Classes, can_stratify, joint_classes
from modnet.data.table import Table
from modnet.data.values import category_key
from modnet.datasets.dataset import Dataset
from modnet.datasets.parts import Parts, random_parts
from modnet.datasets.splitting import Division, divide, folds_of_members, sets_aside, shares_of
from modnet.errors import DataError
from modnet.words import counted

HEAD = 2
"""How many of the first rows `LoadedData.head` has."""


@dataclass(frozen=True)
class LoadedData:
    """The data of a training run.

    Attributes:
        train: the rows to train on.
        validation: the rows to validate with, or None.
        test: the rows that are measured once, at the end, or None.
        schema: how columns of a table, or class labels that are text, become numbers; None for arrays of numbers.
        notes: lines for the screen about what was read and done.
        head: the first of the rows of a table to train on, as they were read; None for arrays.
    """

    train: Dataset
    validation: Dataset | None
    schema: DataSchema | None
    notes: list[str]
    test: Dataset | None = None
    head: Table | None = None


def located(path: str, folder: Path) -> Path:
    """A path of a `[data]` table: relative to the folder, or to the home folder if it begins with ~."""
    return folder / Path(path).expanduser()


@dataclass(frozen=True)
class Loader:
    """Reads files as the data of a network.

    An .npz file has arrays with the names of the network's inputs and outputs, or `x` and `y` if there is one of each.

    Attributes:
        folder: the folder to which paths are relative.
        input_names: of the network.
        output_names: the outputs whose loss takes a target.
        label_outputs: the outputs whose loss takes class labels.
        members: how many members the network has.
        readers: for other kinds of files, see `read`.
        options: how files are read that no spec names.
    """

    folder: Path
    input_names: Sequence[str]
    output_names: Sequence[str]
    label_outputs: Collection[str] = ()
    members: int = 1
    readers: Sequence[Reader] = ()
    options: ReadOptions = DEFAULTS

    def load(
        self,
        spec: DataSpec,
        *,
        rows: Table | NamedArrays | None = None,
        only: Array | None = None,
        schema: DataSchema | None = None,
    ) -> LoadedData:
        """The data of a spec: those to train on, to validate with and to test on.

        Args:
            rows: the training data, instead of those that `spec.train` names.
            only: the positions of the rows that there are, sorted; the others only say how wide the schema is: none of
                what it learns is from their values. None for all.
            schema: of a network that has been trained: its columns are encoded as before. By default it is learnt.

        Raises:
            DataError: with the file, and the row and column if there is one.
        """
        assert rows is not None or spec.train is not None  # the caller has told of this, with the spec's place
        source = rows if rows is not None else self.read(spec.train or "", spec)
        if isinstance(source, Table):
            loaded = self.load_table(source, spec, schema, only)
        else:
            loaded = self.load_arrays(source, spec, schema, only)
        if spec.validation is not None and not isinstance(spec.validation, float):
            validation, notes = self.load_source(spec.validation, loaded.schema, spec=spec)
            notes[0] += " to validate"
            loaded = replace(loaded, validation=validation, notes=[*loaded.notes, *notes])
        if spec.test is not None and not isinstance(spec.test, float):
            test, notes = self.load_source(spec.test, loaded.schema, spec=spec)
            notes[0] += " to test"
            loaded = replace(loaded, test=test, notes=[*loaded.notes, *notes])
        return loaded

    def load_source(
        self,
        source: str | DataSource,
        schema: DataSchema | None,
        *,
        targets: bool = True,
        spec: DataSpec | None = None,
    ) -> tuple[Dataset, list[str]]:
        """Data for a network that has been trained, and notes for the screen.

        Args:
            source: a file, or a source of a spec.
            schema: the schema that the network was trained with.
            targets: True for evaluation; False for prediction, which needs none.
            spec: how its file is read.

        Raises:
            DataError: with the file, and the row and column if there is one.
        """
        found = self.read(source, spec, schema)
        if isinstance(found, NamedArrays):
            dataset = self.dataset(found, schema, targets)
            return dataset, [f"{found.name}: {counted(len(dataset), 'row')}", *found.notes]
        if schema is None:
            raise DataError(f"{found.name}: found a table, but the model was trained on arrays and has no columns")
        report = Report()
        found = schema.measurable(found, report) if targets else found
        dataset = Dataset.of_table(schema, found, targets, report)
        return dataset, [f"{found.name}: {counted(len(found), 'row')}", *found.notes, *report.texts()]

    def load_aside(self, spec: DataSpec) -> tuple[Table | NamedArrays, str]:
        """The rows that a training does not learn from, as they were read, and which these are.

        Returns:
            The rows of the spec's test part, or else those to validate with; and "test" or "validation".

        Raises:
            DataError: the spec sets no rows aside, or they cannot be read.
        """
        for name, given in (("test", spec.test), ("validation", spec.validation)):
            if given is not None and not isinstance(given, float):
                return self.read(given, spec), name
        source = self.read(spec.train or "", spec)
        if isinstance(source, Table):
            parts = self.divide(source, spec, Report()).parts
        else:
            parts = self.divide_arrays(self.dataset(source, self.learn_classes(source)), spec).parts
        for name, rows in (("test", parts.test), ("validation", parts.validation)):
            if rows is not None:
                return source.take(rows), name
        what = "the spec sets no rows aside"
        if spec.member_folds:
            what = "with member_folds, there is no row from which no member has learnt"
        raise DataError(f"{source.name}: {what}; give the spec a share for test or validation")

    # Files

    def read(
        self, source: str | DataSource, spec: DataSpec | None = None, schema: DataSchema | None = None
    ) -> Table | NamedArrays:
        """Args: spec, or else schema: how files are read, where their kind leaves a choice."""
        if isinstance(source, str):
            source = DataSource(path=source)
        if spec is not None:
            options = spec.reading(source)
        else:
            options = self.options if schema is None else schema.reading(self.options)
        found: Table | NamedArrays
        if source.path is not None:
            place = source.path if is_address(source.path) else self.place(source.path)
            found = _table_or_arrays(read(place, self.readers, options), str(place))
        else:
            paths = {key: self.place(path) for key, path in (("x", source.x), ("y", source.y)) if path is not None}
            found = NamedArrays(
                " and ".join(map(str, paths.values())), {key: self.read_array(p) for key, p in paths.items()}
            )
        return found if source.rows is None else _rows(found, *source.rows)

    def place(self, path: str) -> Path:
        """The file of a path of the spec: relative to the folder, or to the home folder if it begins with ~."""
        found = located(path, self.folder)
        if path.startswith("~") and not found.exists():
            raise DataError(f"{path}: no such file; ~ is the home folder, so this is {found}")
        return found

    def read_array(self, path: Path) -> Array:
        contents = read(path, self.readers)
        if not isinstance(contents, np.ndarray):
            raise DataError(
                f"{path}: expected a file with a single array (.npy, IDX) for x or y; use path for this file"
            )
        return contents

    # Tables

    def load_table(
        self, whole: Table, spec: DataSpec, schema: DataSchema | None = None, only: Array | None = None
    ) -> LoadedData:
        whole.require_rows()
        report = Report()
        table = whole if only is None else whole.take(only)
        division = self.divide(table, spec, report) if sets_aside(spec) else None
        if schema is None:
            schema = self.learn(whole, spec, only, None if division is None else division.parts.train)
        parts, how, folds = division or Division(Parts(np.arange(len(table))), "")
        train = Dataset.of_table(schema, table if division is None else table.take(parts.train), report=report)
        validation, test = (
            None if part is None else Dataset.of_table(schema, table.take(part), report=report) for part in parts[1:]
        )
        if folds is not None:
            train = validation = train.in_folds(folds)
        sizes = f"{_sizes(len(table), train, validation, test, how)}; {schema.describe()}"
        notes = [sizes, *table.notes, *_left_out(table, spec, schema), *report.texts()]
        head = table.take(parts.train[:HEAD])
        return LoadedData(train, validation, schema, notes, test, head)

    def learn(self, whole: Table, spec: DataSpec, only: Array | None, train: Array | None) -> DataSchema:
        """The schema of a table.

        Args:
            only: the positions of the rows that count; None for all.
            train: among these, those that fills are learnt from; None for all.
        """
        schema = DataSchema.learn(
            whole,
            spec,
            input_names=self.input_names,
            output_names=self.output_names,
            label_outputs=self.label_outputs,
            rows=train if only is None else only if train is None else only[train],
        )
        return schema if only is None else schema.as_seen_in(whole.take(only))

    def divide(self, table: Table, spec: DataSpec, report: Report) -> Division:
        """The parts of a table, of those of its rows that are not dropped."""
        dropped = rows_to_drop(table, spec, self.input_names, self.output_names)
        kept = np.setdiff1d(np.arange(len(table)), dropped)
        if dropped and len(kept) < 2:
            left = f"only {counted(len(kept), 'row')} of {len(table):,} without missing values"
            raise DataError(f"{table.name}: {left}; expected at least 2, to set some aside for validation")
        report.dropped_rows = len(dropped)
        return divide(table, spec, kept, self.classes_of_rows(table, spec, kept), self.members)

    def classes_of_rows(self, table: Table, spec: DataSpec, rows: Array) -> Classes:
        """The classes of these rows for a stratified draw."""
        targets = assign_targets(table, spec, self.output_names)
        found = [self._classes(table, spec, rows, output, columns) for output, columns in targets.items()]
        return joint_classes([classes for classes in found if classes.labels is not None])

    def _classes(self, table: Table, spec: DataSpec, rows: Array, output: str, columns: Sequence[str]) -> Classes:
        if len(columns) > 1 or spec.columns.get(columns[0], ColumnSpec()).kind == "labels":
            return Classes()
        column = table.columns[columns[0]].take(rows)
        different = column.as_texts()
        keys = np.array([category_key(text) for text in different.texts or ()])
        gaps = column.gaps_by(spec.missing_in(columns[0]))
        found = np.unique(keys[different.values[~gaps]])
        if output not in self.label_outputs and len(found) != 2:
            return Classes()  # a loss that takes no labels has classes where there are two
        # A row without a target is refused later, so it does not matter that it counts as class 0 here.
        labels = np.searchsorted(found, keys[different.values])
        return Classes(np.where(gaps, 0, labels), found.tolist())

    # Arrays

    def load_arrays(
        self, found: NamedArrays, spec: DataSpec, schema: DataSchema | None = None, only: Array | None = None
    ) -> LoadedData:
        self.refuse_columns(found, spec)
        schema = schema or self.learn_classes(found)
        whole = self.dataset(found, schema)
        dataset = whole if only is None else whole.take(only)
        parts, how, folds = self.divide_arrays(dataset, spec)
        train = dataset if parts.test is None and parts.validation is None else dataset.take(parts.train)
        validation, test = (None if part is None else dataset.take(part) for part in parts[1:])
        if folds is not None:
            train = validation = train.in_folds(folds)
        sizes = f"{_sizes(len(dataset), train, validation, test, how)}; {self.describe(found, schema)}"
        return LoadedData(train, validation, schema, [sizes, *found.notes], test)

    def refuse_columns(self, found: NamedArrays, spec: DataSpec) -> None:
        """Raises DataError for a spec that speaks of columns, which arrays do not have."""
        given = [key for key in ("target", "inputs", "columns", "weights") if getattr(spec, key)]
        if spec.split is not None and spec.split.by != "random":
            given.append("split")
        if given:
            raise DataError(f"{found.name}: {given[0]} is only for columns of a table; found arrays: {found.listing()}")

    def divide_arrays(self, dataset: Dataset, spec: DataSpec) -> Division:
        labels, names = dataset.classes_of_rows(self.label_outputs) if sets_aside(spec) else Classes()
        parts = random_parts(len(dataset), shares_of(spec), spec.split_seed, labels, names)
        folds = folds_of_members(spec, self.members, parts.train, labels)
        return Division(parts, "stratified" if labels is not None and can_stratify(labels) else "", folds)

    def learn_classes(self, found: NamedArrays) -> DataSchema | None:
        """The class names of targets that are text."""
        targets = {}
        for output, key in found.keys_for(self.output_names, "y", "output").items():
            array = found.arrays[key]
            if array.dtype.kind == "U":
                categories = sort_categories(np.unique(array).tolist())
                targets[output] = (ColumnSchema(key, "category", categories),)
        return DataSchema({}, targets) if targets else None

    def dataset(self, found: NamedArrays, schema: DataSchema | None, targets: bool = True) -> Dataset:
        inputs = found.keys_for(self.input_names, "x", "input")
        outputs = found.keys_for(self.output_names, "y", "output") if targets else {}
        found.check([*inputs.values(), *outputs.values()], empty=not targets)
        for key in inputs.values():
            found.check_numbers(key)
        return Dataset(
            {name: found.arrays[key] for name, key in inputs.items()},
            {name: self.target(found, key, name, schema) for name, key in outputs.items()},
            classes=schema.classes() if schema else {},
            name=found.name,
        )

    def target(self, found: NamedArrays, key: str, output: str, schema: DataSchema | None) -> Array:
        array = found.arrays[key]
        if array.dtype.kind == "U" and schema is not None and output in schema.classes():
            if array.ndim != 1:
                raise DataError(f"{found.name}: {key} has shape {array.shape}; expected one class name for each row")
            (column,) = schema.targets[output]
            table = Table({column.name: Column.of(array)}, found.name)
            faults = Faults(table)
            labels = column.labels(table.columns[column.name], np.ones(len(table), bool), faults)
            faults.refuse()
            return labels
        if schema is not None and output in schema.classes():
            known = ", ".join(schema.classes()[output][:6])
            raise DataError(f"{found.name}: {key} contains {array.dtype}; expected class names, such as {known}")
        found.check_numbers(key)
        # The network's output has a last axis of features, here of one.
        return array[:, None] if array.ndim == 1 and output not in self.label_outputs else array

    def describe(self, found: NamedArrays, schema: DataSchema | None) -> str:
        inputs = found.keys_for(self.input_names, "x", "input").values()
        outputs = found.keys_for(self.output_names, "y", "output")
        classes = schema.classes() if schema else {}
        samples = ", ".join(f"{key} {found.arrays[key].shape[1:]}" for key in inputs)
        goals = (key + (f" ({len(classes[name])} classes)" if name in classes else "") for name, key in outputs.items())
        return f"{samples} -> {', '.join(goals)}" if outputs else samples


def _left_out(table: Table, spec: DataSpec, schema: DataSchema) -> list[str]:
    index = index_column(table, spec)
    return [] if index is None or index in schema.columns() else [f"column {index} numbers the rows: left out"]


def _table_or_arrays(contents: Read, name: str) -> Table | NamedArrays:
    if isinstance(contents, Table | NamedArrays):
        return contents
    return NamedArrays(name, {"x": contents} if isinstance(contents, np.ndarray) else contents)


def _rows(found: Table | NamedArrays, first: int, end: int) -> Table | NamedArrays:
    lengths = [len(found)] if isinstance(found, Table) else [len(a) for a in found.arrays.values() if a.ndim]
    if end > min(lengths, default=0):
        raise DataError(f"{found.name}: rows = [{first}, {end}], but it has {counted(min(lengths, default=0), 'row')}")
    if isinstance(found, Table):
        return found.take(range(first, end))
    name = f"{found.name}, rows = [{first}, {end}]"
    return NamedArrays(name, {key: array[first:end] for key, array in found.arrays.items()}, found.notes)


def _sizes(rows: int, train: Dataset, validation: Dataset | None, test: Dataset | None, how: str) -> str:
    if train.folds is not None:
        tested = "" if test is None else f", {len(test):,} to test"
        folds = f"{len(train):,} in {1 + int(train.folds.max())} folds"
        used = f"{folds}, each to validate one member and to train the others"
        return f"{counted(rows, 'row')}: {used}{tested}{f' ({how})' if how else ''}"
    if validation is None and test is None:
        return f"{counted(rows, 'row')} to train"
    parts = ((train, "train"), (validation, "validate"), (test, "test"))
    sizes = ", ".join(f"{len(part):,} to {purpose}" for part, purpose in parts if part is not None)
    return f"{counted(rows, 'row')}: {sizes}{f' ({how})' if how else ''}"
