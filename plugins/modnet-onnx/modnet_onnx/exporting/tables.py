"""The preparation of a table's columns inside the graph: one input for each column, and the names of classes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, ValueInfoProto, helper

from modnet.arrays import Shape
from modnet.data.column import Column
from modnet.data.column_schema import TRUTHS, ColumnSchema
from modnet.data.schema import DataSchema
from modnet_onnx.exporting.builder import ML, Builder
from modnet_onnx.exporting.writer import Writer

REASONS = {
    "date": "ONNX has no dates",
    "text": "ONNX cannot hash texts",
    "labels": "ONNX cannot look up several labels in one text",
}
"""A kind of columns that has no preparation in ONNX -> why."""

GAP, UNKNOWN = -1, -2
"""The positions of a missing category that has no fill, and of one that training had not."""

HINT = "give the option inputs=encoded, for a file that takes the arrays of Network.encode"


def refused_columns(schema: DataSchema) -> list[tuple[str, str]]:
    """The columns that the graph cannot prepare, each with the reason."""
    names = dict.fromkeys((column.name, column.kind) for columns in schema.inputs.values() for column in columns)
    return [(f"column {name}", f"{REASONS[kind]}; {HINT}") for name, kind in names if kind in REASONS]


class TableWriter:
    """Writes how columns become numbers, and how outputs become classes.

    Args:
        schema: of a table whose columns can all be written.
    """

    def __init__(self, builder: Builder, schema: DataSchema) -> None:
        self.builder, self.schema = builder, schema
        self._values: dict[str, str] = {}
        self._faults: list[str] = []

    def inputs(self) -> list[ValueInfoProto]:
        """One for each column, (batch, 1): float64 for numbers, texts for categories."""
        found = []
        for columns in self.schema.inputs.values():
            for column in columns:
                if column.name not in self._values:
                    value = self._values[column.name] = self.builder.name(column.name)
                    kind = TensorProto.DOUBLE if column.kind == "number" else TensorProto.STRING
                    self.builder.dtypes[value] = np.dtype(np.float64 if column.kind == "number" else object)
                    found.append(helper.make_tensor_value_info(value, kind, ["batch", 1]))
        return found

    def encoded(self, name: str) -> str:
        """An input of the network, (batch, width): float64, or int64 if all numbers are ids."""
        columns = self.schema.inputs[name]
        ids = all(column.is_id for column in columns)
        dtype = np.dtype(np.int64 if ids else np.float64)
        parts = [self._encoded(column, dtype) for column in columns]
        writer = self._writer(name)
        value = parts[0] if len(parts) == 1 else writer.concat(parts, 1)
        self.builder.dtypes[value] = dtype
        return value

    def _writer(self, label: str) -> Writer:
        return Writer(self.builder, f"{label}/table", {}, {}, (), ())

    def _encoded(self, column: ColumnSchema, dtype: np.dtype[Any]) -> str:
        writer, value = self._writer(column.name), self._values[column.name]
        if column.kind == "number":
            gaps = writer.op("IsNaN", value)
            if column.fill is None:
                self._faults.append(gaps)
                return value
            return str(writer.op("Where", gaps, writer.constant(float(column.fill), np.float64), value))
        codes = _codes(writer, column, value, self.schema.missing_values)
        wrong = _faults(writer, column, codes)
        if wrong is not None:
            self._faults.append(wrong)
        return _written(writer, column, codes, dtype)

    def without_faults(self, value: str, shape: Shape) -> str:
        """An output of the network, (batch, ...): nan for rows that modnet refuses, with nothing else to say so."""
        if not self._faults:
            return value
        writer = self._writer("faults")
        axes = [*range(2, len(shape) + 1)]
        wrong = writer.unsqueeze(self._wrong(), *axes) if axes else self._wrong()
        return str(writer.op("Where", wrong, math.nan, value))

    def _wrong(self) -> str:
        """Which rows are at fault, (batch, 1)."""
        while len(self._faults) > 1:
            last = self._faults.pop()
            self._faults[-1] = self._writer("faults").op("Or", self._faults[-1], last)
        return self._faults[0]

    def predicted(self, output: str, value: str, shape: Shape) -> list[ValueInfoProto]:
        """The predicted class of an output of probabilities, as a further output, (batch,) of texts."""
        columns = self.schema.targets.get(output, ())
        if not columns or columns[0].kind not in ("category", "boolean"):
            return []
        (column,) = columns
        writer = self._writer(column.name)
        if shape == (1,) and len(column.categories) == 2:
            winner = writer.cast(writer.op("Greater", writer.squeeze(value, 1), 0.5), np.int64)
        else:
            winner = writer.op("ArgMax", value, axis=1, keepdims=0)
        names = self.builder.constant(np.array(column.categories, object), f"{column.name}/classes")
        made = writer.op("Gather", names, winner, axis=0)
        if self._faults:
            made = writer.op("Where", writer.squeeze(self._wrong(), 1), np.array("", object), made)
        made, found = self.builder.name(column.name), made
        self.builder.node("Identity", [found], [made])
        return [helper.make_tensor_value_info(made, TensorProto.STRING, ["batch"])]


def _codes(writer: Writer, column: ColumnSchema, x: str, missing_values: Sequence[str]) -> str:
    """The position of each category, int64 (batch, 1), or `GAP` or `UNKNOWN`."""
    places = _spellings(column)
    gap = GAP if column.fill is None else column.categories.index(str(column.fill))
    for text in ("", *missing_values, *column.missing_values):
        places.setdefault(text, gap)
    return str(
        writer.op(
            "LabelEncoder",
            x,
            domain=ML,
            keys_strings=list(places),
            values_int64s=list(places.values()),
            default_int64=UNKNOWN,
        )
    )


def _faults(writer: Writer, column: ColumnSchema, codes: str) -> str | None:
    """Which categories modnet refuses, bool (batch, 1); None if it takes all."""
    if column.unknown == "code":
        return writer.op("Equal", codes, GAP) if column.refuses_gaps else None
    return str(writer.op("Less", codes, 0) if column.refuses_gaps else writer.op("Equal", codes, UNKNOWN))


def _spellings(column: ColumnSchema) -> dict[str, int]:
    """Text -> position, for the categories, and for other spellings that a table may have of them."""
    texts = dict.fromkeys(column.categories)
    for category in (*column.categories, *(TRUTHS if column.kind == "boolean" else ())):
        texts.update(dict.fromkeys(_variants(category)))
    found = column.codes(Column.of_texts(texts))
    return {text: place for text, place in zip(texts, found.tolist(), strict=True) if place >= 0}


def _variants(text: str) -> Iterable[str]:
    yield from (text.lower(), text.upper(), text.capitalize(), text.title())
    try:
        number = float(text)
    except ValueError:
        return
    yield repr(number)
    if number.is_integer():
        yield str(int(number))


def _written(writer: Writer, column: ColumnSchema, codes: str, dtype: np.dtype[Any]) -> str:
    """The numbers (batch, width) for positions of categories."""
    if column.kind == "boolean":
        half = writer.constant(0.5, np.float64)
        return str(writer.op("Where", writer.op("Less", codes, 0), half, writer.cast(codes, np.float64)))
    if column.encoding == "one_hot":
        return writer.cast(writer.op("Equal", codes, np.arange(len(column.categories))), np.float64)
    if column.encoding == "ordinal":
        ids = writer.op("Max", codes, -1 if column.unknown == "code" else 0)
    else:
        ids = writer.op("Add", writer.op("Max", codes, -1), 1)
    return writer.cast(ids, dtype) if dtype.kind == "f" else str(ids)
