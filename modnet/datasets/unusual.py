"""Rows that stand out: with numbers that are not finite, very large, or the smallest or greatest of all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.datasets.dataset import Dataset
from modnet.words import show

PIECE = 1 << 20
"""About how many bytes are searched at a time."""

MOST_LOOKED_AT = 4 << 20
"""In how many bytes of a target its extremes are searched; `Loss.check_targets` has checked all of them."""

LARGE = 1e15
"""Smaller numbers cannot make a conversion to another type, or a sum of squares, overflow."""

MOST_MAPPED = 64 << 20
"""A mapped file with more bytes is not searched."""


def unusual_rows(dataset: Dataset, input_dtypes: Sequence[np.dtype[Any]]) -> Iterator[int]:
    """The rows with the most unusual inputs and targets among those with a weight; a row may occur twice.

    If a network, a loss or a metric fails for some row, it is probably one of these: rows with numbers that are not
    finite or very large, and, for ids and targets, rows with the smallest and the greatest numbers.

    Args:
        input_dtypes: the dtypes to which the inputs will be converted.
    """
    for array, dtype in zip(dataset.inputs.values(), input_dtypes, strict=True):
        yield from _not_finite_or_large(array, dataset)
        if dtype.kind == "i":
            looks = [_itself, _fraction] if array.dtype.kind == "f" else [_itself]
            yield from _extreme_rows(array, dataset, looks, len(dataset))
    for target in dataset.targets.values():
        yield from _not_finite_or_large(target, dataset)
        looks = [_itself, _magnitude]
        looks += [_fraction] if target.dtype.kind == "f" else []
        looks += [_totals] if target.ndim > 1 else []
        yield from _extreme_rows(target, dataset, looks, MOST_LOOKED_AT // _width(target))


def what_is_not_finite(dataset: Dataset, row: int) -> str:
    """Which array has nan or an infinite number in a row of the arrays, as a message; or ""."""
    named = {f"input {show(name)}": array for name, array in dataset.inputs.items()}
    named |= {f"the target of {show(name)}": array for name, array in dataset.targets.items()}
    for name, array in named.items():
        if array.dtype.kind == "f" and not np.isfinite(array[row]).all():
            return f"{name} contains {'nan' if np.isnan(array[row]).any() else 'an infinite number'}"
    return ""


def _not_finite_or_large(array: Array, dataset: Dataset) -> list[int]:
    """The first row with a number that is not finite, and the row with the greatest of very large numbers.

    All rows of the array are searched in place, also those that do not belong to the dataset, because one product for a
    piece (its sum of squares) is faster than selecting rows; only a large sum is looked into.
    """
    if array.dtype.kind != "f" or _is_large_file(array):
        return []
    size = max(1, PIECE // _width(array))
    wanted = None
    first: list[int] = []
    greatest: list[int] = []
    largest = LARGE
    for start in range(0, len(array), size):
        piece = array[start : start + size]
        with np.errstate(all="ignore"):
            if np.vdot(piece, piece) < LARGE**2:
                continue
        if wanted is None:
            wanted = _wanted(dataset)
        peaks = np.abs(piece).reshape(len(piece), -1).max(axis=1)
        peaks[~wanted[start : start + size]] = 0
        if not first and not (finite := np.isfinite(peaks)).all():
            first = [start + int(finite.argmin())]
        peaks[~np.isfinite(peaks)] = 0
        if peaks.max() > largest:
            largest, greatest = peaks.max(), [start + int(peaks.argmax())]
    return first + greatest


def _wanted(dataset: Dataset) -> Array:
    """For each row of the arrays, whether it belongs to the dataset and has a weight."""
    wanted = np.zeros(len(next(iter(dataset.inputs.values()))), np.bool_)
    wanted[slice(None) if dataset.rows is None else dataset.rows] = True
    if dataset.weights is not None:
        wanted &= dataset.weights.reshape(len(wanted), -1).any(axis=1)
    return wanted


def _extreme_rows(
    array: Array, dataset: Dataset, looks: Sequence[Callable[[Array], Array]], most: int
) -> Iterable[int]:
    """The rows, among the first `most`, for which one of `looks` gives the smallest or the greatest number."""
    if _is_large_file(array):
        return ()
    found: dict[tuple[int, int], tuple[float, int]] = {}
    for piece, rows in _pieces(array, dataset, min(most, len(dataset))):
        for key, rank, row in _ranked(piece, looks):
            place = int(rows[row])
            if dataset.weights is not None and not np.any(dataset.weights[place]):
                continue
            if key not in found or rank > found[key][0]:
                found[key] = rank, place
    return {place for _, place in found.values()}


def _pieces(array: Array, dataset: Dataset, end: int) -> Iterator[tuple[Array, Sequence[int] | Array]]:
    """The first rows of the data, piece by piece, each with the places of its rows in the arrays."""
    size = max(1, PIECE // _width(array))
    for start in range(0, end, size):
        stop = min(start + size, end)
        rows = range(start, stop) if dataset.rows is None else dataset.rows[start:stop]
        piece = array[start:stop] if dataset.rows is None else array[rows]
        if piece.size:
            yield piece, rows


def _ranked(piece: Array, looks: Sequence[Callable[[Array], Array]]) -> Iterator[tuple[tuple[int, int], float, int]]:
    """For each look the smallest and the greatest number: which of them it is, how extreme it is, and its row."""
    for number, look in enumerate(looks):
        for sign, (value, row) in enumerate(_ends(look(piece))):
            yield (number, sign), value if sign else -value, row


def _is_large_file(array: Array) -> bool:
    return isinstance(array, np.memmap) and array.nbytes > MOST_MAPPED


def _width(array: Array) -> int:
    """The size of a row in bytes."""
    return max(1, array.nbytes // max(1, len(array)))


def extremes(array: Array) -> Iterable[int]:
    """The rows with the smallest and the greatest number; one with nan is both."""
    return {row for _, row in _ends(array)} if array.size else ()


def _ends(array: Array) -> Iterator[tuple[float, int]]:
    """The smallest and the greatest number, each with its row; nan is both."""
    width = array.size // len(array)
    for position in (int(array.argmin()), int(array.argmax())):
        yield (
            float(array.reshape(-1)[position]) if array.flags.c_contiguous else float(array.flat[position]),
            (position // width),
        )


def _itself(array: Array) -> Array:
    return array


def _magnitude(array: Array) -> Array:
    found: Array = np.abs(array)
    return found


def _fraction(array: Array) -> Array:
    """How far numbers are from whole ones."""
    with np.errstate(invalid="ignore"):
        found: Array = np.abs(array - np.rint(array))
    return found


def _totals(array: Array) -> Array:
    """The sums along the last axis, which are 1 for one-hot rows."""
    with np.errstate(all="ignore"):
        found: Array = np.add.reduce(array, axis=-1)
    return found
