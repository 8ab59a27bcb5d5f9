"""Prediction for rows of a table, in the form in which the caller has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.faults import Faults, Report, in_order
from modnet.data.forms import ArrayRows, Rows
from modnet.data.record import RecordEncoder
from modnet.data.rows import rows_of
from modnet.data.schema import DataSchema
from modnet.errors import Fault, SampleError
from modnet.words import show

Forward = Callable[[Mapping[str, Array]], Mapping[str, Array]]
"""From input name -> array to output name -> array, in which predictions may be nan."""

NUMBERS = "fiub"
"""The kinds of dtypes of numbers."""

FEW = 16
"""Up to this number, records are encoded one by one, because making a table costs as much."""


class RowPredictor:
    """Predicts for rows of a table by a schema, for which it is made once; any number of threads may use it."""

    def __init__(self, schema: DataSchema, dtype: np.dtype[Any]) -> None:
        """
        Args:
            dtype: of the network.
        """
        self.schema = schema
        self._dtype = dtype
        self._names = schema.columns()
        self._labels = [c.name for columns in schema.inputs.values() for c in columns if c.kind == "labels"]
        self._record = RecordEncoder(schema)

    def are_encoded(self, rows: Any) -> bool:
        """Whether this is an array of rows that are encoded already: as wide as the input, which the rows are not."""
        if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.dtype.kind not in NUMBERS:
            return False
        widths = self.schema.input_shapes().values()
        return rows.shape[1] != len(self._names) and [(rows.shape[1],)] == list(widths)

    def encode(self, rows: Any) -> dict[str, Array]:
        """Network input -> array, for rows in any form.

        Raises:
            DataError: the rows have no form that `rows_of` knows, or faults.
        """
        table = rows_of(rows, self._names, self._labels).table(self._names)
        return self.schema.encode(table, targets=False).inputs

    def predict(
        self, rows: Any, forward: Forward, report: list[Fault] | None = None, faults: Literal["raise", "none"] = "raise"
    ) -> Any:
        """The predictions for rows, in the form of the rows; see `Network.predict`.

        Raises:
            DataError: the rows have no form that `rows_of` knows, or lack a column; a value is at fault, or a
                prediction is nan, unless `faults` is "none".
            ValueError: `faults` is neither "raise" nor "none".
        """
        if faults not in ("raise", "none"):
            raise ValueError(f'faults: expected "raise" or "none", found {show(faults)}')
        if report is None:
            records = [rows] if type(rows) is dict else rows
            found = self._few(records, forward) if type(records) is list and 0 < len(records) <= FEW else None
            if found is not None:
                return found if records is rows else found[0]
        return self._of_table(rows_of(rows, self._names, self._labels), forward, report, faults)

    def _few(self, records: list[Any], forward: Forward) -> list[dict[str, Any]] | None:
        """The predictions for a few records; None if one is no record, or has a fault, of which a table can tell."""
        encoded = self._record.encode(records)
        if encoded is None:
            return None
        try:
            outputs = forward(encoded)
        except SampleError:
            return None
        if any(map(_has_nan, outputs.values())):
            return None
        lists = {name: values.tolist() for name, values in self.schema.decode(outputs).items()}
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]

    def _of_table(self, rows: Rows, forward: Forward, report: list[Fault] | None, faults: str) -> Any:
        table = rows.table(self._names)
        noted = Report() if report is None else Report(noted=[], outside={})
        encoded = self.schema.encode(table, targets=False, report=noted, faults="none")
        found = Faults(table)
        found.found += encoded.faults
        if faults == "raise":
            found.refuse()
        outputs = self._outputs(encoded.inputs, forward, found, faults)
        _note_nan(outputs, found, {fault.row for fault in encoded.faults})
        if faults == "raise":
            found.refuse()
        if report is not None:
            report += [*self._ignored(rows), *in_order([*(noted.noted or ()), *found.found])]
        if isinstance(rows, ArrayRows) and rows.given.dtype.kind in NUMBERS:
            return _array_answer(outputs, found.rows())
        return rows.answer(self.schema.decode(outputs), found.rows())

    def _outputs(self, inputs: dict[str, Array], forward: Forward, found: Faults, faults: str) -> Mapping[str, Array]:
        """The outputs; numbers that the network's dtype cannot hold are noted as faults."""
        try:
            return forward(inputs)
        except SampleError:
            before = len(found.found)
            for name, values in inputs.items():
                self._note_too_large(name, values, found)
            if len(found.found) == before:
                raise
        if faults == "raise":
            found.refuse()
        return forward(inputs)

    def _note_too_large(self, name: str, encoded: Array, found: Faults) -> None:
        """Notes what the network's dtype cannot hold, and puts zeros in its place."""
        message = f'beyond what {self._dtype} can hold; rescale it, or train with dtype = "float64"'
        start = 0
        for schema in self.schema.inputs[name]:
            values = encoded[:, start : start + schema.width]
            large = np.abs(values) > np.finfo(self._dtype).max
            if large.any():
                found.add(schema.name, Column(values[:, 0]), large.any(axis=1), lambda text: f"{text} is {message}")
                values[large] = 0
            start += schema.width

    def _ignored(self, rows: Rows) -> list[Fault]:
        """The columns that a prediction does not need, but for the targets."""
        known = {*self._names, *(column.name for columns in self.schema.targets.values() for column in columns)}
        message = "the model does not know this column, which is ignored"
        return [Fault(None, name, None, message, "ignored") for name in rows.names if name not in known]


def _array_answer(outputs: Mapping[str, Array], lacking: Array | None) -> Any:
    """The outputs as `Network.forward` gives them, with nan where there is no prediction."""
    if lacking is not None:
        for values in outputs.values():
            values[lacking] = np.nan
    return dict(outputs) if len(outputs) > 1 else next(iter(outputs.values()))


def _has_nan(values: Array) -> bool:
    # argmax takes nan for the greatest value, and for few numbers it is faster than a sum or a maximum.
    return bool(values.size) and (greatest := values.item(values.argmax())) != greatest


def _note_nan(outputs: Mapping[str, Array], found: Faults, faulty: set[int | None]) -> None:
    """Notes the rows whose prediction is nan, but for those that are at fault already."""
    for name, values in outputs.items():
        if not _has_nan(values):
            continue
        wrong = np.asarray(np.isnan(values).reshape(len(values), -1).any(axis=1))
        wrong[[row for row in faulty if row is not None]] = False
        column = Column(np.zeros(len(wrong)), np.ones(len(wrong), bool))
        found.add(name, column, wrong, lambda _: "the prediction is nan: numbers became too large inside the network")
