"""Records as JSON, and the same predictions as `modnet predict` gives for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.errors import Fault
from modnet.records import Record
from modnet.words import show
from modnet_serve.protocol import Answer, parsed_json
from modnet_serve.refusal import Refusal
from modnet_serve.served import Given, Plain, Served, require_rows, rows_in


class Rows(Record, eq=False):
    """The rows of a request.

    Attributes:
        given: a list of records, or network input -> array.
        single: whether the request was a single row, so that one record is the answer.
    """

    given: Given
    single: bool


def rows_of(served: Served, body: bytes, most_rows: int) -> Rows:
    """The rows in a body: a record, or a list of them; for a model without columns arrays.

    Raises:
        Refusal: there are none, too many, or something else.
    """
    message = parsed_json(body)
    found = _records(message) if served.columns else _arrays(served, message)
    count = rows_in(found.given)
    require_rows(count, most_rows)
    if not count:
        raise Refusal(400, "found no rows; expected at least one")
    return found


def _records(message: Any) -> Rows:
    single = isinstance(message, dict)
    records = [message] if single else message
    if not isinstance(records, list):
        raise Refusal(400, f"expected a record, column -> value, or a list of them, found {show(message)}")
    for place, record in enumerate(records):
        if not isinstance(record, dict):
            raise Refusal(400, f"row {place + 1}: expected a record, column -> value, found {show(record)}")
    return Rows(records, single)


def _arrays(served: Served, message: Any) -> Rows:
    """One sample or several, as nested lists of numbers; for several inputs an object, input -> samples."""
    inputs = served.network.inputs
    if isinstance(message, dict) and (message.keys() != inputs.keys()):
        raise Refusal(400, f"expected an object with {', '.join(map(show, inputs))}, found {show([*message])}")
    if not isinstance(message, dict):
        if len(inputs) > 1:
            raise Refusal(400, f"expected an object with {', '.join(map(show, inputs))}, found {show(message)}")
        message = {next(iter(inputs)): message}
    arrays = {name: _numbers(name, values) for name, values in message.items()}
    single = all(array.ndim == len(inputs[name]) for name, array in arrays.items())
    if single:
        arrays = {name: array[None] for name, array in arrays.items()}
    served.network.arrays(arrays if len(arrays) > 1 else next(iter(arrays.values())))
    return Rows(arrays, single)


def _numbers(name: str, values: Any) -> Array:
    try:
        array: Array = np.asarray(values)
    except (ValueError, OverflowError):
        raise Refusal(400, f"input {show(name)}: expected numbers, in lists of equal lengths") from None
    if array.dtype.kind not in "iuf":
        raise Refusal(400, f"input {show(name)}: expected numbers, in lists of equal lengths, found {show(values)}")
    return array


def answer(rows: Rows, predictions: list[Plain], report: list[Fault] | None) -> Answer:
    """The answer: in the form of the rows, or with a report."""
    found: Any = predictions[0] if rows.single else predictions
    if report is not None:
        found = {"predictions": found, "report": [_told(fault) for fault in report]}
    return Answer(_json(found))


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:  # JSON has no infinity, and rows with one are too few to look for them each time
        return json.dumps(_finite(value), ensure_ascii=False).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _told(fault: Fault) -> Plain:
    return {name: value for name, value in fault._asdict().items() if value is not None or name == "value"}
