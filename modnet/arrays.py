"""Arrays: their types, aligned memory, sums of rows, and masks of sequences."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from modnet.errors import DataError, SampleError
from modnet.words import show

Array = NDArray[Any]
Shape = tuple[int | None, ...]

ALIGNMENT = 64
"""Buffers start on cache lines, in bytes: numpy's own arrays are aligned to 16 only."""


SHORT_ROW = 32
"""The longest last axis that numpy reduces faster along columns than along rows."""


MANY_ROWS = 32
"""The number of rows from which it pays to copy short rows into columns."""


PIECE = 1 << 18
"""How many elements of a long sum of rows are added up at a time: few enough for BLAS to use a single thread, so that
the result does not depend on the number of threads, and few enough to keep rounding errors small.
"""


def common_mask(masks: Sequence[Array | None]) -> Array | None:
    """True where all masks of one length say that a sequence goes on: the default mask of a layer's output.

    Inputs without a mask are ignored, and so are masks whose length differs from that of the first mask: they belong to
    sequences that a layer only attends to.
    """
    common = None
    for mask in masks:
        if mask is None or mask is common:
            continue
        if common is None:
            common = mask
        elif mask.shape == common.shape:
            common = np.logical_and(common, mask)
    return common


def aligned_empty(size: int, dtype: np.dtype[Any]) -> Array:
    """An uninitialised 1-D array that starts on a cache line."""
    return _aligned(np.empty(size * dtype.itemsize + ALIGNMENT, np.uint8), dtype)


def aligned_zeros(size: int, dtype: np.dtype[Any]) -> Array:
    """A 1-D array of zeros that starts on a cache line; the system provides its memory when it is first written to."""
    return _aligned(np.zeros(size * dtype.itemsize + ALIGNMENT, np.uint8), dtype)


def _aligned(raw: Array, dtype: np.dtype[Any]) -> Array:
    # The view keeps `raw` alive. At most ALIGNMENT - 1 bytes are lost in front of it, hence the spare bytes of callers.
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + raw.nbytes - ALIGNMENT].view(dtype)


@lru_cache(maxsize=32)
def ones(length: int, dtype: np.dtype[Any]) -> Array:
    """A read-only array of ones, the same for every caller."""
    made = np.ones(length, dtype)
    made.flags.writeable = False
    return made


@lru_cache(maxsize=256)
def constant(number: float, dtype: np.dtype[Any]) -> Array:
    """A number as a read-only array without axes: numpy takes longer to convert a number than to add it to a few."""
    made = np.array(number, dtype)
    made.flags.writeable = False
    return made


def sum_rows(rows: Array, out: Array) -> None:
    """Writes the sum over the first of two axes into `out`.

    As a product with a vector of ones, by BLAS: this takes a third of the time of `add.reduce`.
    """
    if rows.size <= PIECE:
        ones(len(rows), rows.dtype).dot(rows, out)
        return
    length = max(1, PIECE // rows.shape[1])
    column = ones(length, rows.dtype)
    column.dot(rows[:length], out)
    for start in range(length, len(rows), length):
        piece = rows[start : start + length]
        out += column[: len(piece)].dot(piece)


def norm(array: Array) -> float:
    """The Euclidean norm of all elements, also of numbers whose squares overflow: from 1e19 on, in float32."""
    flat = array.reshape(-1)
    with np.errstate(over="ignore"):
        square = float(np.dot(flat, flat))
    return math.sqrt(square) if math.isfinite(square) else _scaled_norm(flat)


def _scaled_norm(flat: Array) -> float:
    """`norm` with all elements divided by the greatest magnitude first, so that no square can overflow."""
    peak = float(np.max(np.abs(flat), initial=0.0))
    if not math.isfinite(peak) or not peak:
        return peak
    squares = 0.0
    for start in range(0, len(flat), PIECE):
        # In float64, piece by piece: the ratios need its range (peak may be 1e38), and a whole copy would need memory.
        part = flat[start : start + PIECE] / np.float64(peak)
        squares += float(np.dot(part, part))
    return peak * math.sqrt(squares)


def workspace_along_rows(like: Array, allocate: Callable[[tuple[int, ...], np.dtype[Any]], Array]) -> Array | None:
    """An uninitialised array for work along a short last axis: of the same shape, but stored column by column.

    numpy goes through many short rows one by one, up to ten times slower than through a few long columns. None where
    rows are long, or few, so that there is nothing to gain.
    """
    length = like.shape[-1]
    if length > SHORT_ROW or like.size < MANY_ROWS * length:
        return None
    columns = allocate((length, *like.shape[:-1]), like.dtype)
    return columns.transpose(*range(1, like.ndim), 0)


def as_numbers(value: ArrayLike, what: str, for_text: str = "") -> Array:
    """The value as an array of numbers; an array that is mapped from a file stays mapped.

    Args:
        what: what it is, for messages.
        for_text: advice for the message if it is text.

    Raises:
        DataError: it is not one: text, objects, lists of different lengths, or an array with masked elements.
    """
    if type(value) is np.ndarray and value.dtype.kind in "biuf":
        return value
    array = _converted(value, what)
    if array.dtype.kind in "biuf":
        return array
    raise DataError(f"{what}: {_not_numbers(array, value, for_text)}")


def _converted(value: ArrayLike, what: str) -> Array:
    _check_mask(value, what)
    try:
        # numpy turns a masked element in a list into nan, with a warning that means nothing to the user.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return value if isinstance(value, np.memmap) else np.asarray(value)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        lengths = "inhomogeneous" in str(error)
        found = "rows of different lengths" if lengths else f"{show(value)} ({error})"
        raise DataError(f"{what}: expected an array of numbers, found {found}") from None


def _not_numbers(array: Array, value: ArrayLike, for_text: str) -> str:
    """What was expected of an array that holds no numbers, and what it holds."""
    kind = array.dtype.kind
    if kind == "O" and not array.ndim:
        return f"expected an array of numbers, found {'None' if value is None else show(value)}"
    if kind in "USO" and _is_text(array):
        return "expected numbers, found text" + (f"; {for_text}" if for_text else "")
    if kind == "O":
        found = f"values of type object{_example(array)}"
        return f"expected numbers, found {found}; convert it, for example with astype(float)"
    found = {"c": "complex numbers", "M": "dates", "m": "durations"}.get(kind, f"values of type {array.dtype}")
    return f"expected numbers, found {found}"


def _example(array: Array) -> str:
    """The type of the first object that is no number, or of the first one; "" where there is none."""
    items = [item for item in array.flat if not isinstance(item, int | float)] or [*array.flat[:1]]
    return "".join(f", such as {'None' if item is None else type(item).__name__}" for item in items[:1])


def _check_mask(value: Any, what: str) -> None:
    """Refuses masked elements: `asarray` would take the numbers under the mask, which are arbitrary."""
    parts = value if isinstance(value, list | tuple) else (value,)
    for row, part in enumerate(parts):
        masked = np.ma.getmask(part) if isinstance(part, np.ma.MaskedArray) else False
        if np.any(masked):
            place = [int(index) for index in np.argwhere(masked)[0]]
            place = [row, *place] if part is not value else place
            where = f"row {place[0]}" + "".join(f", {index}" for index in place[1:])
            raise DataError(
                f"{what}: the element at {where} is masked; fill it, x.filled(value), or leave such rows out"
            )


def _is_text(array: Array) -> bool:
    return array.dtype.kind in "US" or (array.size > 0 and all(isinstance(item, str) for item in array.flat))


def beyond(array: Array, dtype: np.dtype[Any]) -> Array:
    """True where a number is finite but too large for a dtype of floats."""
    found: Array = (np.abs(array) > float(np.finfo(dtype).max)) & np.isfinite(array)
    return found


def beyond_error(name: str, array: Array, dtype: np.dtype[Any]) -> SampleError:
    """The error for the first number of an input that its dtype cannot hold."""
    first = np.argwhere(beyond(array, dtype))[0]
    feature = f", feature {first[-1]}" if len(first) > 1 else ""
    what = f"input {show(name)}{feature}: found {array[tuple(first)]:g}"
    limit = f"beyond what {dtype} can hold ({float(np.finfo(dtype).max):.2g})"
    return SampleError(what, int(first[0]), f', {limit}; rescale it, or set dtype = "float64" in [network]')
