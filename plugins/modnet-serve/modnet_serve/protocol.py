"""The messages of the Open Inference Protocol, version 2: a request to infer, and its answer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.records import Record
from modnet.words import did_you_mean, show
from modnet_serve.datatypes import DTYPES, datatype_of, from_bytes, from_json, to_bytes, to_json
from modnet_serve.refusal import Refusal
from modnet_serve.served import Found, Given, Served, few_as_records, require_rows, rows_in

HEADER_LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of a body are JSON; raw bytes of tensors follow."""

MOST_AXES = 32
"""The greatest number of axes that every version of numpy allows."""

REFUSED = {
    "shared_memory_region": "shared memory is not offered; send the values in the request",
    "classification": "classification is not offered; the names of classes are a separate output",
}
"""Parameters of a tensor that would change the meaning of the request."""


class Answer(Record):
    """What is sent back: the body, its type, and further headers."""

    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}


class Wanted(Record):
    """A requested output, and whether as raw bytes."""

    name: str
    binary: bool


class Asked(Record, eq=False):
    """A request to infer.

    Attributes:
        given: the rows.
        wanted: the requested outputs, in order.
    """

    id: str | None
    given: Given
    wanted: tuple[Wanted, ...]


def parsed_json(raw: bytes | memoryview) -> Any:
    """Raises Refusal: this is no JSON."""
    try:
        return json.loads(bytes(raw))
    except RecursionError:
        raise Refusal(400, "the body is nested too deeply") from None
    except UnicodeDecodeError:
        raise Refusal(400, "the body is not JSON: it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refusal(400, f"the body is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except ValueError:
        raise Refusal(400, "the body has a whole number with too many digits") from None


def asked(served: Served, body: bytes, header_length: str | None, most_rows: int) -> Asked:
    """The request in a body.

    Args:
        header_length: of the header of that name: how many bytes of the body are JSON; None for all.
        most_rows: that a request may have.

    Raises:
        Refusal: something in it is wrong.
    """
    head, rest = _split(body, header_length)
    message = parsed_json(head)
    if not isinstance(message, dict):
        raise Refusal(400, f'expected an object with "inputs", found {show(message)}')
    identity = message.get("id")
    if identity is not None and not isinstance(identity, str):
        raise Refusal(400, f"id: expected a text, found {show(identity)}")
    wanted = _wanted(served, message)
    tensors = _Tensors(served, rest).read(_objects(message, "inputs"))
    given = _rows(served, tensors)
    require_rows(rows_in(given), most_rows)
    return Asked(identity, few_as_records(given) if served.columns else given, wanted)


def _split(body: bytes, header_length: str | None) -> tuple[memoryview, memoryview]:
    whole = memoryview(body)
    if header_length is None:
        return whole, whole[len(whole) :]
    if not header_length.isascii() or not header_length.isdigit() or int(header_length[:20]) > len(whole):
        expected = f"a number of bytes up to {len(whole)}, those of the body"
        raise Refusal(400, f"{HEADER_LENGTH}: expected {expected}, found {show(header_length)}")
    return whole[: int(header_length)], whole[int(header_length) :]


def _objects(message: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The tensors that a message names; all names are different."""
    listed = message.get(key)
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise Refusal(400, f"{key}: expected a list of objects, found {show(listed)}")
    names = [item.get("name") for item in listed]
    for place, name in enumerate(names):
        if not isinstance(name, str):
            raise Refusal(400, f"{key}[{place}]: expected a text as name, found {show(name)}")
        if name in names[:place]:
            raise Refusal(400, f"{key}: {show(name)} is there twice")
    return listed


def _parameters(item: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    found = item.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Refusal(400, f"{place}: expected an object as parameters, found {show(found)}")
    for name, reason in REFUSED.items():
        if found.get(name):
            raise Refusal(400, f"{place}: {reason}")
    return found


def _flag(parameters: Mapping[str, Any], name: str, default: bool, place: str) -> bool:
    found = parameters.get(name, default)
    if not isinstance(found, bool):
        raise Refusal(400, f"{place}: expected true or false for {name}, found {show(found)}")
    return found


def _wanted(served: Served, message: Mapping[str, Any]) -> tuple[Wanted, ...]:
    binary = _flag(_parameters(message, "the request"), "binary_data_output", False, "the request")
    names = [tensor.name for tensor in served.outputs]
    items = _objects(message, "outputs") if message.get("outputs") is not None else []
    if not items:
        return tuple(Wanted(name, binary) for name in names)
    found = []
    for item in items:
        name = item["name"]
        place = f"output {show(name)}"
        if name not in names:
            raise Refusal(400, f"{place}: {_unknown(served, 'output', name, names)}")
        found.append(Wanted(name, _flag(_parameters(item, place), "binary_data", binary, place)))
    return tuple(found)


def _unknown(served: Served, noun: str, name: str, names: Sequence[str]) -> str:
    near = did_you_mean(name, names) or f"; it has {', '.join(map(show, names[:20]))}"
    return f"model {show(served.name)} has no such {noun}{near}"


class _Tensors:
    """Reads the tensors of a request, whose raw bytes follow one another."""

    def __init__(self, served: Served, raw: memoryview) -> None:
        self._served, self._raw, self._start = served, raw, 0
        self._names = [tensor.name for tensor in served.inputs]

    def read(self, items: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
        """Name -> array.

        Raises:
            Refusal: one is unknown, missing, or malformed; bytes are left.
        """
        found = {item["name"]: self._array(item) for item in items}
        if self._start != len(self._raw):
            raise Refusal(400, f"{len(self._raw) - self._start} raw bytes belong to no input")
        missing = [name for name in self._names if name not in found]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise Refusal(400, f"input {show(missing[0])} is missing{more}; expected all of {self._expected()}")
        return found

    def _expected(self) -> str:
        listed = [f"{tensor.name} {tensor.datatype}{list(tensor.shape)}" for tensor in self._served.inputs[:20]]
        return ", ".join(listed) + (", ..." if len(self._names) > 20 else "")

    def _array(self, item: Mapping[str, Any]) -> Array:
        name = item["name"]
        place = f"input {show(name)}"
        if name not in self._names:
            raise Refusal(400, f"{place}: {_unknown(self._served, 'input', name, self._names)}")
        datatype, shape = item.get("datatype"), _shape(item.get("shape"), place)
        if not isinstance(datatype, str) or datatype not in DTYPES:
            raise Refusal(400, f"{place}: expected one of {', '.join(DTYPES)} as datatype, found {show(datatype)}")
        size = _parameters(item, place).get("binary_data_size")
        if size is None:
            if "data" not in item:
                raise Refusal(400, f"{place}: expected data, or binary_data_size in its parameters")
            return from_json(item["data"], datatype, shape, place)
        if "data" in item:
            raise Refusal(400, f"{place}: found data and binary_data_size; expected one of them")
        return from_bytes(self._taken(size, place), datatype, shape, place)

    def _taken(self, size: Any, place: str) -> memoryview:
        left = len(self._raw) - self._start
        if type(size) is not int or not 0 <= size <= left:
            raise Refusal(400, f"{place}: binary_data_size is {show(size)}, and {left} raw bytes are left in the body")
        self._start += size
        return self._raw[self._start - size : self._start]


def _shape(shape: Any, place: str) -> list[int]:
    right = isinstance(shape, list) and 0 < len(shape) <= MOST_AXES
    if not right or not all(type(axis) is int and 0 <= axis < 1 << 62 for axis in shape):
        raise Refusal(400, f"{place}: expected a list of whole numbers as shape, rows first, found {show(shape)}")
    if math.prod(shape) >= 1 << 62:
        raise Refusal(413, f"{place}: the shape {show(shape)} is too large")
    return list(shape)


def _rows(served: Served, tensors: dict[str, Array]) -> dict[str, Array]:
    """The columns, (rows,), or arrays; all with the same number of rows."""
    if served.columns:
        tensors = {tensor.name: _column(tensors[tensor.name], tensor.name) for tensor in served.inputs}
    counts = {name: len(array) for name, array in tensors.items()}
    first, *others = counts
    for name in others:
        if counts[name] != counts[first]:
            found = f"{counts[first]} rows in {show(first)} and {counts[name]} in {show(name)}"
            raise Refusal(400, f"found {found}; expected as many in each input")
    if not counts[first]:
        raise Refusal(400, f"input {show(first)}: found no rows; expected at least one")
    return tensors


def _column(array: Array, name: str) -> Array:
    if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):
        flat = array.reshape(-1)
        return flat.astype(np.float64) if flat.dtype == np.float16 else flat
    raise Refusal(400, f"input {show(name)}: expected the shape [rows] or [rows, 1], found {list(array.shape)}")


def answer(served: Served, request: Asked, found: Found) -> Answer:
    """The answer to a request, with the predictions that it asks for."""
    outputs, raw = [], []
    for wanted in request.wanted:
        values = found[wanted.name]
        output: dict[str, Any] = {"name": wanted.name, "datatype": datatype_of(values.dtype), "shape": [*values.shape]}
        if wanted.binary:
            raw.append(to_bytes(values))
            output["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            output["data"] = to_json(values.reshape(-1))
        outputs.append(output)
    message: dict[str, Any] = {"model_name": served.name, "model_version": served.version, "outputs": outputs}
    if request.id is not None:
        message["id"] = request.id
    head = json.dumps(message, ensure_ascii=False).encode()
    if not raw:
        return Answer(head)
    return Answer(b"".join([head, *raw]), "application/octet-stream", {HEADER_LENGTH: str(len(head))})
