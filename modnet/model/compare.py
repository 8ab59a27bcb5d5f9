"""The differences between two model files. No network is built, and no plugin has to be installed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from modnet.model.container import View
from modnet.model.damage import require_whole
from modnet.model.header import Header
from modnet.model.reader import HeaderOnly, opened, structure
from modnet.model.source import File
from modnet.words import Path

CHUNK = 1 << 18
"""How many elements are compared at a time; three float64 arrays of this size stay in the cache."""


class Absent:
    """The value of a key that a file does not have; None would be a value that it may have."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class Difference:
    """A value of the header that differs between the files; `ABSENT` if one of them has none.

    Attributes:
        path: its place, `("spec", "network", "layers", 2, "rate")`. Numbers in it are positions in the list of A, or of
            B for an item that only B has. In `needs` it consists of distribution and component.
    """

    path: Path
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class ArrayPlace:
    """The name of an array and its group."""

    group: str
    name: str


@dataclass(frozen=True)
class ArrayDifference:
    """An array that is in both files and differs.

    Attributes:
        place: its group and name.
        dtypes, shapes: in A and in B.
        differing: how many elements differ; two nan are equal. None if the shapes differ.
        largest, mean: of the absolute differences of all elements; infinite if one of two elements is nan or infinite.
            None if the shapes differ.
    """

    place: ArrayPlace
    dtypes: tuple[str, str]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    differing: int | None
    largest: float | None
    mean: float | None


@dataclass(frozen=True)
class Comparison:
    """Two model files side by side.

    Attributes:
        identical: the files are equal byte for byte.
        header: the values that differ, in the order of the files.
        only_in_a, only_in_b: arrays that only one of them has.
        arrays: the arrays in both that differ: different shapes first, then by the largest difference.
    """

    identical: bool
    header: tuple[Difference, ...]
    only_in_a: tuple[ArrayPlace, ...]
    only_in_b: tuple[ArrayPlace, ...]
    arrays: tuple[ArrayDifference, ...]

    @property
    def same(self) -> bool:
        """Whether they hold the same values. The order of keys and arrays, and the sign of zero, do not count."""
        return not (self.header or self.only_in_a or self.only_in_b or self.arrays)


def compare(a: str | PathLike[str], b: str | PathLike[str]) -> Comparison:
    """Compares two model files of any size, in little memory.

    Raises:
        ModelFileError: one of them is damaged, or is not a model file.
        OSError: one of them cannot be read.
    """
    with _whole(a) as ours, _whole(b) as theirs:
        if ours.found.id == theirs.found.id:  # a hash of the header, which has the checksums of all arrays
            return Comparison(True, (), (), (), ())
        header = _differences((), _comparable(ours.header), _comparable(theirs.header))
        in_a, in_b = ours.arrays, theirs.arrays
        arrays = [_compared(place, array, in_b[place]) for place, array in in_a.items() if place in in_b]
        return Comparison(
            False,
            tuple(header),
            tuple(place for place in in_a if place not in in_b),
            tuple(place for place in in_b if place not in in_a),
            tuple(sorted(filter(None, arrays), key=_size, reverse=True)),
        )


@dataclass(frozen=True, eq=False)
class _Compared:
    """An open file whose checksums have been verified. Read, not mapped: if it were shortened, a map would crash."""

    file: File
    found: HeaderOnly
    header: Header

    @property
    def arrays(self) -> dict[ArrayPlace, _Array]:
        return {ArrayPlace(view.group, view.name): _Array(self.file, view) for view in self.found.views}


@contextmanager
def _whole(path: str | PathLike[str]) -> Iterator[_Compared]:
    with opened(path) as file:
        found = structure(file)
        header = Header.of_file(file.path, found.header)
        for segment in found.segments:
            require_whole(file, segment)
        yield _Compared(file, found, header)


def _size(difference: ArrayDifference) -> tuple[bool, float, int]:
    return difference.largest is None, difference.largest or 0.0, difference.differing or 0


# Headers


def _comparable(header: Header) -> dict[str, Any]:
    """The header as plain values, with the rows of `needs` by their names."""
    needs = {
        need.distribution: {
            "version": need.version,
            **{f"{component.kind} {component.type}": component.version for component in need.components},
        }
        for need in header.needs
    }
    return {**header.plain(), "needs": needs}


def _differences(path: Path, a: Any, b: Any) -> Iterator[Difference]:
    if _are_alike(a, b, dict) and _type(a) == _type(b):
        for key in dict.fromkeys((*a, *b)):
            yield from _differences((*path, key), a.get(key, ABSENT), b.get(key, ABSENT))
    elif _are_alike(a, b, list) and _has_tables(a) and _has_tables(b):
        for position, left, right in _aligned(a, b):
            yield from _differences((*path, position), left, right)
    elif not _equal(a, b):
        yield Difference(path, a, b)


def _are_alike(a: Any, b: Any, kind: type) -> bool:
    return isinstance(a, kind) and isinstance(b, kind)


def _type(table: Mapping[str, Any]) -> Any:
    """The type of a component: components of different types are compared as wholes, not key by key."""
    found = table.get("type")
    return found if isinstance(found, str) else None


def _has_tables(values: Sequence[Any]) -> bool:
    return any(isinstance(value, dict | list) for value in values)


def _aligned(a: Sequence[Any], b: Sequence[Any]) -> Iterator[tuple[int, Any, Any]]:
    """Pairs of items with their position. Where the lists differ in length, what is too much in one of them is left
    alone where their beginnings and ends, which have tables of the same types and names, leave a gap."""
    shorter = min(len(a), len(b))
    start = 0
    while start < shorter and _key(a[start]) == _key(b[start]):
        start += 1
    end = 0
    while end < shorter - start and _key(a[-1 - end]) == _key(b[-1 - end]):
        end += 1
    middle = shorter - end
    for position in range(middle):
        yield position, a[position], b[position]
    for position in range(middle, len(a) - end):
        yield position, a[position], ABSENT
    for position in range(middle, len(b) - end):
        yield position, ABSENT, b[position]
    for position in range(end):
        yield len(a) - end + position, a[len(a) - end + position], b[len(b) - end + position]


def _key(value: Any) -> Any:
    return (_type(value), str(value.get("name"))) if isinstance(value, dict) else None


def _equal(a: Any, b: Any) -> bool:
    """Whether two plain values are the same: nan equals nan, and true does not equal 1."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b or (a != a and b != b))


# Arrays


@dataclass(frozen=True, eq=False)
class _Array:
    """An array in a file."""

    file: File
    view: View

    @property
    def size(self) -> int:
        return math.prod(self.view.shape)

    def part(self, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Its elements from `start` to `stop`, in C order."""
        length = self.view.dtype.itemsize
        raw = self.file.read(self.view.offset + start * length, (min(stop, self.size) - start) * length)
        return np.frombuffer(raw, self.view.dtype)


def _compared(place: ArrayPlace, a: _Array, b: _Array) -> ArrayDifference | None:
    dtypes, shapes = (a.view.dtype.name, b.view.dtype.name), (a.view.shape, b.view.shape)
    if shapes[0] != shapes[1]:
        return ArrayDifference(place, dtypes, shapes, None, None, None)
    differing, largest, total = 0, 0.0, 0.0
    with np.errstate(all="ignore"):
        for start in range(0, a.size, CHUNK):
            count, most, summed = _measured(a.part(start, start + CHUNK), b.part(start, start + CHUNK))
            differing += count
            largest = max(largest, most)
            total += summed
    if not differing and dtypes[0] == dtypes[1]:
        return None
    return ArrayDifference(place, dtypes, shapes, differing, largest, total / max(a.size, 1))


def _measured(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> tuple[int, float, float]:
    """How many elements differ, and the largest and the sum of their absolute differences."""
    differs = a != b
    if not differs.any():
        return 0, 0.0, 0.0
    differs &= ~((a != a) & (b != b))
    sizes = np.abs(a[differs].astype(np.float64) - b[differs].astype(np.float64))
    sizes[np.isnan(sizes)] = np.inf
    return sizes.size, float(sizes.max(initial=0.0)), float(sizes.sum())
