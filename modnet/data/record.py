"""The encoding of single records, as web services have them, without a table for each call."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection
from decimal import Decimal
from types import NoneType
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.data.column import Column
from modnet.data.column_schema import ColumnSchema
from modnet.data.faults import Faults, Report
from modnet.data.schema import DataSchema
from modnet.data.table import Table
from modnet.data.values import is_number, text_of

Reader = Callable[[Any, list[float]], bool]
"""Writes a value into the encoded row; false if the value is at fault, or no single value."""

SINGLE = (str, int, float, NoneType, Decimal, datetime.date, np.generic)
"""The types of values that are surely one value and not a list of them."""

LARGEST = 1e300
"""Numbers below this are finite, also those of Python's that fit into no float."""


class RecordEncoder:
    """Encodes records one by one, by a schema, into the same arrays as `DataSchema.encode` does for a table.

    It is made once for a schema, and then never changes: any number of threads may use it.
    """

    def __init__(self, schema: DataSchema) -> None:
        self._inputs: list[tuple[str, list[float], type, list[tuple[str, Reader]]]] = []
        for name, columns in schema.inputs.items():
            ids = all(column.is_id for column in columns)
            readers, start = [], 0
            for column in columns:
                readers.append((column.name, _reader(column, start, schema.missing_values)))
                start += column.width
            self._inputs.append((name, [0.0] * start, np.int64 if ids else np.float64, readers))

    def encode(self, records: list[Any]) -> dict[str, Array] | None:
        """Network input -> array (records, width).

        Args:
            records: dicts, column -> value.

        Returns:
            None if one of them is no record, or has faults, of which a table can tell.
        """
        inputs: dict[str, Array] = {}
        for name, blank, dtype, readers in self._inputs:
            rows = [_encoded(record, blank, readers) for record in records]
            if None in rows:
                return None
            inputs[name] = np.array(rows, dtype)
        return inputs


def _encoded(record: Any, blank: list[float], readers: list[tuple[str, Reader]]) -> list[float] | None:
    row = blank.copy()
    try:
        for column, read in readers:
            if not read(record[column], row):
                return None
    except (LookupError, TypeError):  # a column is missing, or this is no record
        return None
    return row


def _reader(schema: ColumnSchema, start: int, missing_values: Collection[str]) -> Reader:
    slow = _any_value(schema, start, missing_values)
    marks = {float(text) for text in set(missing_values).difference(schema.categories) if is_number(text)}
    if schema.kind == "number":
        return _number(schema, start, marks, slow)
    return _category(schema, start, marks, slow) if schema.has_categories else slow


def _number(schema: ColumnSchema, start: int, marks: Collection[float], slow: Reader) -> Reader:
    fill, plain_texts = schema.fill, schema.number_format is None

    def read(value: Any, row: list[float]) -> bool:
        kind = type(value)
        if plain_texts and kind is str and _is_plain_number(value):
            value, kind = float(value), float
        if (kind is float or kind is int) and -LARGEST < value < LARGEST and value not in marks:
            row[start] = value
            return True
        if value is None and isinstance(fill, float | int):
            row[start] = fill
            return True
        return slow(value, row)

    return read


def _is_plain_number(text: str) -> bool:
    """Whether this is surely a number: digits, without zeros before them, that may have a sign and a point."""
    digits = text[1:] if text[:1] == "-" else text
    if not digits.isascii() or not digits.replace(".", "", 1).isdigit():
        return False
    return digits[-1] != "." and (digits[0] not in "0." or digits[:2] == "0." or digits == "0")


def _category(schema: ColumnSchema, start: int, marks: Collection[float], slow: Reader) -> Reader:
    codes = np.arange(len(schema.categories))
    encoded = np.zeros((len(codes), schema.width))
    schema.encode_codes(codes, encoded)
    # Each category has one number that is not 0: a one at its position, or its code.
    places = [start + code if schema.width > 1 else start for code in codes.tolist()]
    known = dict(zip(schema.categories, zip(places, encoded.max(axis=1).tolist(), strict=True), strict=True))

    def read(value: Any, row: list[float]) -> bool:
        kind = type(value)
        if kind is str:
            found = known.get(value)
        elif (kind is bool or kind is int or kind is float) and value not in marks:
            found = known.get(text_of(value)) if value == value else None
        else:
            found = None
        if found is None:
            return slow(value, row)
        row[found[0]] = found[1]
        return True

    return read


def _any_value(schema: ColumnSchema, start: int, missing_values: Collection[str]) -> Reader:
    """A reader of any value, which goes the way of a table's columns."""

    def read(value: Any, row: list[float]) -> bool:
        if not isinstance(value, SINGLE):
            return False
        column = Column.of([value], schema.name)
        faults = Faults(Table({schema.name: column}))
        encoded = np.zeros((1, schema.width))
        schema.encode(column, schema.gaps(column, missing_values), encoded, faults, Report())
        row[start : start + schema.width] = encoded[0].tolist()
        return not faults.found

    return read
