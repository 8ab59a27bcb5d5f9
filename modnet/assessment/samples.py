"""The rows by which a trained network is looked at: encoded, and as a person knows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modnet.data.faults import Report
from modnet.data.named_arrays import NamedArrays
from modnet.data.rows import are_rows, table_of
from modnet.data.table import Table
from modnet.datasets.dataset import Dataset
from modnet.datasets.read import loader_for, output_losses
from modnet.engine.network import Network
from modnet.errors import DataError
from modnet.records import Record
from modnet.training.trained_on import doubts_about_rows
from modnet.words import counted


class Samples(Record, eq=False):
    """Rows as a network takes them, with the table that they come from.

    Attributes:
        data: the encoded rows; without targets where none were asked for.
        table: the same rows as they were read, in the same order; None for arrays.
        notes: what was done about missing and unknown values, in lines.
    """

    data: Dataset
    table: Table | None = None
    notes: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.data)

    def warning(self, network: Network) -> list[str]:
        """A line if the network was trained on these rows, or may have been; none otherwise."""
        return doubts_about_rows(network, self.data)

    def row_name(self, row: int) -> str:
        """The name of a row for people, counted from 1: `row 17 (line 18)`."""
        return f"row {row + 1}" if self.table is None else self.table.row_name(row)

    def cell(self, column: str, row: int) -> str:
        """A value of the table as text, a number with no more than seven digits; "" for a missing one."""
        assert self.table is not None
        known = self.table.columns[column]
        is_float = known.type == "number" and known.values.dtype.kind == "f" and not known.gaps[row]
        return f"{known.values[row]:.7g}" if is_float else known.text(row)

    @classmethod
    def of(cls, network: Network, x: Any, y: Any = None, *, targets: bool = True) -> Samples:
        """The rows of a caller.

        Args:
            x: rows of a table for a network that was trained on one, with the targets among their columns or as y;
                a `Dataset`; or arrays, as `evaluate` takes them.
            y: the targets; None if they are in x, or are not needed.
            targets: whether targets are needed.

        Raises:
            ShapeError, DataError: the rows do not fit the network, or targets are missing.
        """
        schema = network.card.schema
        if isinstance(x, NamedArrays):
            return cls(loader_for(network).dataset(x, schema, targets), notes=x.notes)
        if schema is not None and schema.inputs and are_rows(x, network.inputs):
            return cls._of_table(network, _table(network, x, y), targets)
        if isinstance(x, Table):
            raise DataError(f"{x.name}: found a table, but the model was trained on arrays and has no columns")
        if isinstance(x, Dataset) or targets:
            return cls._of_arrays(network, x, y, target_outputs(network) if targets else [])
        return cls(Dataset(dict(zip(network.inputs, network.arrays(x), strict=True))))

    @classmethod
    def _of_arrays(cls, network: Network, x: Any, y: Any, outputs: Sequence[str]) -> Samples:
        found = Dataset.of(network, x, y, outputs=outputs)
        if not isinstance(found, Dataset):
            raise DataError("expected rows, or arrays x and y; found an iterable of batches")
        return cls(found)

    @classmethod
    def _of_table(cls, network: Network, table: Table, targets: bool) -> Samples:
        schema = network.card.schema
        report = Report(outside={})
        if targets:
            table = schema.measurable(table, report)
        table = schema.complete(table, targets, report)
        table.require_rows()
        dataset = Dataset.of_table(schema, table, targets, report)
        notes = [*table.notes, *report.texts(), *report.outside_texts()]
        return cls(dataset, table, [f"{table.name}: {counted(len(table), 'row')}", *notes])


def target_outputs(network: Network) -> list[str]:
    """The outputs whose loss takes a target."""
    return [name for name, loss in output_losses(network).items() if loss.takes_target]


def _table(network: Network, x: Any, y: Any) -> Table:
    """The table of rows, with their target if that is apart."""
    schema = network.card.schema
    if y is None or schema is None:
        return table_of(x)
    columns = [column for group in schema.targets.values() for column in group]
    if len(columns) != 1:
        raise DataError("the model predicts several columns; give them among the rows, and not as y")
    return table_of(x, columns[0].name, y)
