"""The preparation of a table's columns inside the graph: one input for each column, and the names of classes."""

from __future__ import annotations

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
        """An input of the network, (batch, width): float64, or int64 for ids alone."""
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
            return _number(writer, column, value)
        codes = _codes(writer, column, value, self.schema.missing_values)
        return _written(writer, column, codes, dtype)

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
        made = self.builder.name(column.name)
        self.builder.node("Gather", [names, winner], [made], axis=0)
        return [helper.make_tensor_value_info(made, TensorProto.STRING, ["batch"])]


def _number(writer: Writer, column: ColumnSchema, x: str) -> str:
    """A gap, nan, gets the value that was learnt in training; without one it stays nan, and so does the prediction."""
    if column.fill is None:
        return x
    fill = writer.constant(float(column.fill), np.float64)
    return str(writer.op("Where", writer.op("IsNaN", x), fill, x))


def _codes(writer: Writer, column: ColumnSchema, x: str, missing_values: Sequence[str]) -> str:
    """The position of each category, int64 (batch, 1): -1 for a gap without a fill, and -2 for what is not known."""
    places = _spellings(column)
    gap = -1 if column.fill is None else column.categories.index(str(column.fill))
    for text in ("", *missing_values, *column.missing_values):
        places.setdefault(text, gap)
    return str(
        writer.op(
            "LabelEncoder",
            x,
            domain=ML,
            keys_strings=list(places),
            values_int64s=list(places.values()),
            default_int64=-2,
        )
    )


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
    known = codes if column.unknown == "code" else None
    if column.kind == "boolean":
        whole = writer.cast(codes, np.float64)
        half = writer.constant(0.5, np.float64)
        found = writer.op("Where", writer.op("Less", codes, 0), half, whole)
    elif column.encoding == "one_hot":
        found = writer.cast(writer.op("Equal", codes, np.arange(len(column.categories))), np.float64)
    else:
        place = writer.op("Max", codes, -1)
        found = place if column.encoding == "ordinal" else writer.op("Add", place, 1)
        found = writer.cast(found, dtype) if dtype.kind == "f" else found
    if known is not None:
        return str(found)
    return _without_faults(writer, column, codes, str(found), dtype)


def _without_faults(writer: Writer, column: ColumnSchema, codes: str, found: str, dtype: np.dtype[Any]) -> str:
    """No prediction for a category that training had not, or a gap that has no code: nan, or an id that is not there."""
    wrong = writer.op("Less", codes, 0 if column.refuses_gaps else -1)
    nothing = writer.constant(np.nan, np.float64) if dtype.kind == "f" else writer.constant(-1)
    return str(writer.op("Where", wrong, nothing, found))
