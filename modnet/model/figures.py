"""The figures of a run in a model file: plain values of its header, or arrays if there are many.

A header may have 500,000 values, which 2,000 epochs with a confusion matrix can reach. If there are more than
`PLAIN_LIMIT` values, figures are stored as groups of arrays: `history.float64`, `history.int64` and the same for
`metrics`. A view has the name of its figure, and its first axis (in the history) is that of the epochs. The header then
only has the figures that are not arrays of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from modnet.model.container import DIMENSION_LIMIT, Fault, check_name
from modnet.model.header import Header
from modnet.model.reader import HeaderOnly, ReadGroup, load_group
from modnet.model.source import File

if TYPE_CHECKING:
    from modnet.model.writer import Group

PLAIN_LIMIT = 20_000
"""How many values history and metrics together may have in the header."""

KEYS = ("history", "metrics")
"""The keys of the header that hold figures."""

_DTYPES = ("float64", "int64")


def packed(figures: Mapping[str, Any]) -> tuple[dict[str, Any], list[Group]]:
    """The values of `KEYS` for the header, and groups of arrays for what is too large for it.

    Values that are not arrays of numbers stay in the header.

    Args:
        figures: for each of `KEYS`, a mapping from name to value; anything else is returned unchanged.
    """
    if sum(_count(value, PLAIN_LIMIT) for value in figures.values()) <= PLAIN_LIMIT:
        return {key: _plain(value) for key, value in figures.items()}, []
    plain: dict[str, Any] = {}
    arrays: dict[str, dict[str, np.ndarray[Any, Any]]] = {}
    for key, values in figures.items():
        plain[key], found = _parted(values)
        for name, array in found.items():
            arrays.setdefault(f"{key}.{array.dtype.name}", {})[name] = array
    # In one order, so that the same figures give the same bytes.
    return plain, [_group(name, arrays[name]) for name in sorted(arrays)]


def _parted(values: Any) -> tuple[Any, dict[str, np.ndarray[Any, Any]]]:
    """The figures that stay in the header, and those that are arrays of numbers."""
    if not isinstance(values, dict):
        return values, {}
    found = {name: array for name, value in values.items() if (array := _array(name, value)) is not None}
    return {name: value for name, value in values.items() if name not in found}, found


def is_figures(group: str, key: str) -> bool:
    """Whether a group of arrays has figures that belong to a key of the header."""
    return group in [f"{key}.{dtype}" for dtype in _DTYPES]


def unpacked(file: File, header: Header, found: HeaderOnly, verify: bool = True) -> dict[str, dict[str, Any]]:
    """The values of `KEYS`, from the header and from arrays.

    Arrays with one axis become lists. Those with more stay arrays, since lists would take many times the memory.

    Raises Fault and ModelFileError.
    """
    groups = {}
    for name, segments in found.groups.items():
        if any(is_figures(name, key) for key in KEYS):
            groups[name] = load_group(file, segments, verify)
    return joined(header, groups)


def joined(header: Header, groups: Mapping[str, ReadGroup]) -> dict[str, dict[str, Any]]:
    """As `unpacked`, from groups that have been read. Raises Fault."""
    made: dict[str, dict[str, Any]] = {key: getattr(header, key) for key in KEYS}
    for key in KEYS:
        for name in (name for name in groups if is_figures(name, key)):
            values = made[key] = dict(made[key])
            for figure, array in groups[name].views.items():
                _check_figure(name, array, is_known=figure in values)
                values[figure] = array.tolist() if array.ndim == 1 else array
    return made


def _check_figure(group: str, array: np.ndarray[Any, Any], *, is_known: bool) -> None:
    if array.dtype.name != group.rpartition(".")[2]:
        raise Fault(f"the dtype is {array.dtype.name}", group)
    if is_known or not array.ndim:
        raise Fault("expected figures that are not in the header, with a value for each epoch", group)
    if _lists(array.shape) > array.size:
        raise Fault(f"the shape {array.shape} stands for more lists than numbers", group)


def _count(value: Any, most: int) -> int:
    """How many numbers a value has; counting stops above `most`."""
    if isinstance(value, np.ndarray):
        return value.size
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else None
    if items is None:
        return 1
    count = 0
    for item in items:
        count += _count(item, most - count)
        if count > most:
            break
    return count


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: item.tolist() if isinstance(item, np.ndarray) else item for name, item in value.items()}
    return value


def _array(name: Any, value: Any) -> np.ndarray[Any, Any] | None:
    """The value as an array, or None if it is not an array of numbers."""
    dtype = None
    if isinstance(value, np.ndarray):
        dtype = value.dtype.name
    elif isinstance(value, list | tuple):
        kinds = set(_kinds(value))
        dtype = "int64" if kinds == {int} else "float64" if kinds and kinds <= {int, float} else None
    if dtype in _DTYPES:
        with suppress(ValueError, OverflowError, Fault):  # rows of different lengths; beyond 64 bits; not a valid name
            array = np.array(value, dtype, order="C")
            if array.ndim and array.ndim <= DIMENSION_LIMIT and _lists(array.shape) <= array.size:
                check_name(name)
                return array
    return None


def _lists(shape: Sequence[int]) -> int:
    """How many lists an array would become: shape (10**9, 0) is an empty array, but a billion lists."""
    return sum(math.prod(shape[:axis]) for axis in range(1, len(shape)))


def _kinds(values: Sequence[Any]) -> Iterator[type]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from set(_kinds(value))
        else:
            yield type(value)


def _group(name: str, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Group:
    from modnet.model.writer import Group  # a process that only predicts does not need the writer

    views, offset = [], 0
    for figure, array in arrays.items():
        views.append((figure, offset, array.shape))
        offset += array.size
    return Group(name, np.concatenate([array.reshape(-1) for array in arrays.values()]), views)
