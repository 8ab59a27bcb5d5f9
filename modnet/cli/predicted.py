"""Rows and their predictions, block by block: what `modnet predict` does between reading and writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from modnet.arrays import Array
from modnet.cli.data import names_of, tables_of
from modnet.data.column import Column
from modnet.data.faults import Report
from modnet.data.named_arrays import NamedArrays
from modnet.data.options import ReadOptions
from modnet.data.path_columns import PathValue, with_path_columns
from modnet.data.table import Table, require_columns
from modnet.data.values import has_decimal_comma
from modnet.datasets.read import loader_for
from modnet.engine.network import Network
from modnet.errors import DataError, SampleError, ShapeError
from modnet.words import counted, legible

Faults = Literal["raise", "skip", "blank"]

MOST_TOLD = 5
"""How many of the rows at fault are told."""

NOT_FINITE = "it has a number that is not finite, or beyond what the network's type can hold"

BLOCK = 10_000
"""How many rows are predicted at once where some may be at fault, since those are then predicted again."""


@dataclass(frozen=True)
class Rows:
    """Some rows as the network takes them.

    Attributes:
        name: of their file.
        inputs: network input -> array (rows, ...).
        kept: the columns that are carried through.
        row_name: the name of a row in messages.
        faults: row -> what is wrong with it.
    """

    name: str
    inputs: Mapping[str, Array]
    kept: Table
    row_name: Callable[[int], str]
    faults: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))


@dataclass(frozen=True)
class Predicted:
    """Some rows with their predictions.

    Attributes:
        outputs: network output -> array (rows, ...); nan for a row without a prediction.
        kept: the columns that are carried through.
        blank: bool (rows,), the rows without a prediction; None if there are none.
    """

    outputs: Mapping[str, Array]
    kept: Table
    blank: Array | None = None


@dataclass
class Account:
    """What there is to say about rows that were predicted for.

    Attributes:
        faults: what was done about a row that the network cannot take, as in `Predictor`.
        report: what was done about missing and unknown values, and what was outside of the training's.
        notes: what the reader assumed, each once.
        rows: how many there were.
        told: the first rows at fault, in words.
        lost: how many rows have no prediction.
    """

    faults: Faults = "raise"
    report: Report = field(default_factory=lambda: Report(outside={}))
    notes: dict[str, None] = field(default_factory=dict)
    rows: int = 0
    told: list[str] = field(default_factory=list)
    lost: int = 0

    def tell(self, row_name: Callable[[int], str], faults: Mapping[int, str]) -> None:
        """Notes rows without a prediction.

        Args:
            faults: row -> what is wrong with it.
        """
        self.lost += len(faults)
        first = sorted(faults)[: MOST_TOLD - len(self.told)]
        self.told += [f"{row_name(row)}, {faults[row]}" for row in first]

    def add(self, other: Account, name: str) -> None:
        """Adds what there is to say about the rows of another file, which messages call by its name."""
        self.report.add(other.report)
        self.notes |= other.notes
        self.rows += other.rows
        self.told += [f"{name}: {told}" for told in other.told[: MOST_TOLD - len(self.told)]]
        self.lost += other.lost

    def texts(self) -> list[str]:
        """What was assumed and done, in lines for the screen."""
        found = [*self.notes, *self.report.texts()]
        if self.lost:
            left = "were left out" if self.faults == "skip" else "have no prediction"
            found.append(f"{self.lost:,} of {counted(self.rows, 'row')} {left}:")
            found += [f"  {told}" for told in self.told]
            found += [f"  and {self.lost - len(self.told):,} more"] if self.lost > len(self.told) else []
        return found + self.report.outside_texts()


@dataclass
class Predictor:
    """Predicts for the rows of a file.

    Attributes:
        network: what predicts.
        faults: what is done about a row that the network cannot take: "raise", "skip", or "blank" for no prediction.
        keep: the columns that are carried through; None for all.
        spelled: whether these stay as they are spelled; else numbers are read as such.
        reading: what is known of how the file is written.
        constants: the columns that stand in the path of the file: name -> value.
        account: what there is to say about the rows.
    """

    network: Network
    faults: Faults = "raise"
    keep: Sequence[str] | None = ()
    spelled: bool = True
    reading: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, PathValue] = field(default_factory=dict)
    account: Account = field(init=False)

    def __post_init__(self) -> None:
        self.account = Account(self.faults)

    def predict(self, data: str, chunk: int | None) -> Iterator[Predicted]:
        """The predictions for the rows of a file, or of standard input for "-".

        Args:
            chunk: how many rows are read, predicted and given at a time; None for all at once.

        Raises:
            DataError: the file cannot be read, a column is missing, or, unless `faults` says otherwise, a row cannot be
                predicted for.
        """
        blocks = self._blocks(data, chunk)
        for rows in blocks:
            self.account.rows += len(rows)
            yield self._predicted(rows)

    # Reading

    def _blocks(self, data: str, chunk: int | None) -> Iterator[Rows]:
        schema = self.network.card.schema
        if data == "-" and (schema is None or not schema.columns()):
            raise DataError("standard input: expected a file with arrays: the model knows no columns")
        found = tables_of(data, chunk, self._options(data))
        if not isinstance(found, NamedArrays):
            return map(self._encoded, found)
        self.account.notes.update(dict.fromkeys(found.notes))
        dataset = loader_for(self.network).dataset(found, schema, targets=False)
        return self._of_arrays(dataset.inputs, self._kept_arrays(found, len(dataset)), chunk)

    def _options(self, data: str) -> ReadOptions:
        """How the file is read: what is carried through stays as it is spelled, if it is written as text."""
        schema = self.network.card.schema
        options = loader_for(self.network).options
        options = (options if schema is None else schema.reading(options)).replace(**self.reading)
        if not self.spelled or self.keep == ():
            return options
        kept = names_of(data, options) if self.keep is None else self.keep
        return options.replace(texts=options.texts.union(kept))

    def _kept_arrays(self, found: NamedArrays, count: int) -> Table:
        """The arrays that are carried through; those with one value for each row can be."""
        columns = {name: array for name, array in found.arrays.items() if array.shape == (count,)}
        names = columns if self.keep is None else self.keep
        require_columns(columns, names, found.name, "an array with one value for each row is a column")
        return Table({name: Column.of(columns[name], name) for name in names}, found.name)

    def _of_arrays(self, inputs: Mapping[str, Array], kept: Table, chunk: int | None) -> Iterator[Rows]:
        count = len(next(iter(inputs.values())))
        size = max(1, chunk or count)
        for start in range(0, max(1, count), size):
            part = {key: array[start : start + size] for key, array in inputs.items()}
            here = kept.take(np.arange(start, min(start + size, count)))
            yield Rows(kept.name, part, here, partial(_row_name, start))

    def _encoded(self, table: Table) -> Rows:
        schema = self.network.card.schema
        if schema is None:
            raise DataError(f"{table.name}: found a table, but the model was trained on arrays and has no columns")
        self.account.notes.update(dict.fromkeys(table.notes))
        names = list(table.columns) if self.keep is None else list(dict.fromkeys(self.keep))
        table = with_path_columns(table, self.constants)
        table.require(names)
        try:
            encoded = schema.encode(table, False, self.account.report, "raise" if self.faults == "raise" else "none")
        except DataError as error:
            raise _advised(error, self.reading) from None
        faults: dict[int, str] = {}
        for fault in encoded.faults:
            faults.setdefault(fault.row, f"column {legible(fault.column)}: {fault.message}")
        return Rows(table.name, encoded.inputs, table.select(names), encoded.row_names, faults)

    # Predicting

    def _predicted(self, rows: Rows) -> Predicted:
        if self.faults == "raise":
            return Predicted(self._outputs_or_error(rows), rows.kept)
        faults = dict(rows.faults)
        starts = range(0, max(1, len(rows)), BLOCK)
        parts = [self._outputs(rows, start, start + BLOCK, faults) for start in starts]
        outputs = {name: np.concatenate([part[name] for part in parts]) for name in self.network.outputs}
        if not faults:
            return Predicted(outputs, rows.kept)
        self.account.tell(rows.row_name, faults)
        blank = np.zeros(len(rows), bool)
        blank[list(faults)] = True
        if self.faults == "skip":
            return Predicted({name: array[~blank] for name, array in outputs.items()}, _without(rows.kept, blank))
        for array in outputs.values():
            array[blank] = np.nan
        return Predicted(outputs, rows.kept, blank)

    def _outputs_or_error(self, rows: Rows) -> dict[str, Array]:
        """The outputs; errors name rows as in the file."""
        try:
            return self._forward(rows.inputs)
        except (DataError, ShapeError) as error:
            if isinstance(error, SampleError):
                error = error.at(rows.row_name(error.sample))
            raise DataError(f"{rows.name}: {error}" if rows.name else str(error)) from None

    def _outputs(self, rows: Rows, start: int, end: int, faults: dict[int, str]) -> dict[str, Array]:
        """The outputs for some of the rows; adds those that the network cannot take to the faults."""
        inputs = {name: array[start:end] for name, array in rows.inputs.items()}
        while True:
            try:
                return self._forward(inputs)
            except SampleError as error:
                row = start + error.sample
                if row in faults:  # zeros, which took the place of its values, do not help
                    raise DataError(f"{rows.name}: {error.at(rows.row_name(row))}") from None
                bad = self._not_finite(inputs)
                bad[error.sample] = True
                for place in np.flatnonzero(bad).tolist():
                    faults.setdefault(start + place, str(error.at("it")) if start + place == row else NOT_FINITE)
                inputs = {name: array.copy() for name, array in inputs.items()}
                for array in inputs.values():
                    array[bad] = 0

    def _not_finite(self, inputs: Mapping[str, Array]) -> Array:
        """bool (rows,): where a number is not finite in the type that the network computes in."""
        bad: Array = np.zeros(len(next(iter(inputs.values()))), bool)
        for array in inputs.values():
            if array.dtype.kind == "f":
                with np.errstate(over="ignore"):
                    finite = np.isfinite(array.astype(self.network.dtype, copy=False))
                bad |= ~finite.reshape(len(bad), -1).all(axis=1)
        return bad

    def _forward(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        found = self.network.forward(inputs)
        return found if isinstance(found, dict) else dict.fromkeys(self.network.outputs, found)


def _advised(error: DataError, reading: Mapping[str, Any]) -> DataError:
    """The error, with the option that reads numbers with a decimal comma, if they are at fault."""
    commas = [fault for fault in error.problems if isinstance(fault.value, str) and has_decimal_comma(fault.value)]
    if not commas or len(commas) < len(error.problems) / 2 or "decimal" in reading:
        return error
    return DataError(f"{error}; if numbers are written with a decimal comma, add:  --decimal ,", error.problems)


def _row_name(start: int, row: int) -> str:
    return f"row {start + row}"


def _without(table: Table, rows: Array) -> Table:
    return table.take(np.flatnonzero(~rows)) if table.columns else table


def blanked(column: Column, blank: Array | None) -> Column:
    """A column without the values of some rows."""
    return column if blank is None else Column(column.values, column.gaps | blank, column.texts)
