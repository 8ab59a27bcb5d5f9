"""The datatypes of the Open Inference Protocol: between numpy's arrays, values of JSON and raw bytes.

Source: https://github.com/kserve/open-inference-protocol, specification of version 2, and its binary tensor extension.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.words import show
from modnet_serve.refusal import Refusal

BYTES = "BYTES"
"""The datatype of texts."""

DTYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    BYTES: np.dtype(object),
}
"""Datatype -> dtype of numpy; raw bytes are little-endian."""

NAMES = {dtype: name for name, dtype in DTYPES.items()}

IN_JSON: Mapping[str, tuple[str, frozenset[type]]] = {
    "b": ("true or false", frozenset({bool})),
    "u": ("whole numbers", frozenset({int})),
    "i": ("whole numbers", frozenset({int})),
    "f": ("numbers", frozenset({int, float, NoneType})),
    "O": ("texts", frozenset({str, NoneType})),
}
"""Kind of a dtype -> what its values are in JSON, in words and as types. null is a missing value."""

LENGTH = struct.Struct("<I")
"""Precedes each text in raw bytes."""


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The name of a dtype in the protocol."""
    return NAMES.get(dtype.newbyteorder("<") if dtype.itemsize > 1 else dtype, BYTES)


def from_json(data: Any, datatype: str, shape: Sequence[int], place: str) -> Array:
    """The array of a tensor whose values are in the JSON.

    Args:
        data: its values, flat in row-major order or in nested lists.
        place: what it is, for messages.

    Raises:
        Refusal: they are not of the datatype, or their number does not match the shape.
    """
    dtype = DTYPES[datatype]
    flat = _flat(data, shape, place)
    expected, types = IN_JSON[dtype.kind]
    if not set(map(type, flat)) <= types:
        wrong = next(index for index, value in enumerate(flat) if type(value) not in types)
        found = "null" if flat[wrong] is None else show(flat[wrong])
        raise Refusal(400, f"{place}: expected {expected} for {datatype}, found {found} at position {wrong} of data")
    if dtype.kind == "f":
        return _floats(flat, datatype, place).reshape(shape)
    try:
        return np.array(flat, dtype).reshape(shape)
    except OverflowError:
        raise Refusal(400, f"{place}: a number in data is beyond what {datatype} can hold") from None


def _floats(flat: list[Any], datatype: str, place: str) -> Array:
    """An array of floats (values,), in which None is nan."""
    numbers = [math.nan if value is None else value for value in flat] if None in flat else flat
    try:
        with np.errstate(over="ignore"):
            array: Array = np.array(numbers, np.float64).astype(DTYPES[datatype])
    except OverflowError:
        raise Refusal(400, f"{place}: a number in data is beyond what {datatype} can hold") from None
    for index in np.flatnonzero(np.isinf(array)).tolist():
        if not math.isinf(numbers[index]):
            found = f"{show(numbers[index])} at position {index} of data"
            raise Refusal(400, f"{place}: {found} is beyond what {datatype} can hold")
    return array


def _flat(data: Any, shape: Sequence[int], place: str) -> list[Any]:
    if not isinstance(data, list):
        raise Refusal(400, f"{place}: expected data to be a list of values, found {show(data)}")
    flat = _joined(data, shape, place) if data and isinstance(data[0], list) else data
    if len(flat) != math.prod(shape):
        expected = f"{math.prod(shape)} values of the shape {list(shape)}"
        raise Refusal(400, f"{place}: expected {expected}, found {len(flat)} in data")
    return flat


def _joined(data: list[Any], shape: Sequence[int], place: str) -> list[Any]:
    """The values of nested lists."""
    if len(data) != shape[0]:
        raise Refusal(400, f"{place}: shape says {shape[0]} rows, data has {len(data)}")
    flat = data
    for length in shape[1:]:
        if not all(isinstance(part, list) and len(part) == length for part in flat):
            raise Refusal(400, f"{place}: the nested lists of data do not have the shape {list(shape)}")
        flat = list(itertools.chain.from_iterable(flat))
    return flat


def from_bytes(raw: memoryview, datatype: str, shape: Sequence[int], place: str) -> Array:
    """The array of a tensor whose values are raw bytes.

    Raises:
        Refusal: their number does not match the shape, or a text is no UTF-8.
    """
    dtype, count = DTYPES[datatype], math.prod(shape)
    if datatype == BYTES:
        return _texts(raw, count, place).reshape(shape)
    if len(raw) != count * dtype.itemsize:
        expected = f"{count * dtype.itemsize} bytes ({datatype} of the shape {list(shape)})"
        raise Refusal(400, f"{place}: expected {expected}, found {len(raw)}")
    if datatype == "BOOL":
        truths: Array = np.frombuffer(raw, np.uint8).reshape(shape) != 0
        return truths
    return np.frombuffer(raw, dtype).reshape(shape)


def _texts(raw: memoryview, count: int, place: str) -> Array:
    if len(raw) < count * LENGTH.size:
        raise Refusal(400, f"{place}: expected {count} texts, each after its length; found {len(raw)} bytes")
    texts: Array = np.empty(count, object)
    start = 0
    for index in range(count):
        if start + LENGTH.size > len(raw):
            raise Refusal(400, f"{place}: the bytes end before text {index} of {count}")
        (length,) = LENGTH.unpack_from(raw, start)
        start += LENGTH.size
        if start + length > len(raw):
            raise Refusal(400, f"{place}: text {index} should have {length} bytes, and {len(raw) - start} are left")
        try:
            texts[index] = str(raw[start : start + length], "utf-8")
        except UnicodeDecodeError:
            raise Refusal(400, f"{place}: text {index} is not UTF-8") from None
        start += length
    if start != len(raw):
        raise Refusal(400, f"{place}: {len(raw) - start} bytes are left after {count} texts")
    return texts


def to_bytes(array: Array) -> bytes:
    """The values of an array as raw bytes; objects are texts."""
    if array.dtype.kind != "O":
        return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    texts = [str(value).encode() for value in array.reshape(-1).tolist()]
    return b"".join([part for text in texts for part in (LENGTH.pack(len(text)), text)])


def to_json(values: Array) -> list[Any]:
    """The values of an array, nested as its shape, as JSON has them: what is not finite becomes null."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        values = values.astype(object)
        values[~np.isfinite(values.astype(np.float64))] = None
    listed: list[Any] = values.tolist()
    return listed
