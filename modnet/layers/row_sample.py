"""A uniform sample of rows, for layers that learn quantiles and their like from the training data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from modnet.arrays import Array, Shape
from modnet.errors import DataError, ShapeError
from modnet.layers.norm import rows_of_steps

MOST_KEPT, FEWEST_KEPT = 1 << 23, 1 << 10
"""How many numbers are kept, and for how many rows at least."""


def features_of(shape: Shape) -> int:
    """The size of the last axis.

    Raises:
        ShapeError: it has no fixed size, or there is none.
    """
    if not shape or shape[-1] is None:
        raise ShapeError("expects a last axis (features) of fixed size")
    return shape[-1]


class RowSample:
    """Rows (n, features) that come in batches: all of them, or a uniform sample if they are many.

    Source: Vitter 1985, "Random sampling with a reservoir", algorithm R, with a fixed seed.

    Attributes:
        count: the number of rows so far.
    """

    def __init__(self, features: int, most: int | None = None) -> None:
        self.count = 0
        self._most = max(FEWEST_KEPT, MOST_KEPT // max(features, 1)) if most is None else most
        self._kept: list[Array] = []
        self._sample: Array | None = None
        self._rng: np.random.Generator | None = None

    def add(self, rows: Array) -> None:
        """Takes rows, at least one."""
        room = max(self._most - self.count, 0)
        if room:
            self._kept.append(rows[:room])
        if len(rows) > room:
            self._replace(rows[room:], self.count + min(room, len(rows)))
        self.count += len(rows)

    def _replace(self, rows: Array, before: int) -> None:
        """Lets each row take the place of a kept one with the probability kept / rows so far."""
        if self._sample is None or self._rng is None:
            self._sample, self._rng = np.concatenate(self._kept), np.random.default_rng(0)
        places = self._rng.integers(0, np.arange(before, before + len(rows)) + 1)
        chosen = places < self._most
        self._sample[places[chosen]] = rows[chosen]

    def rows(self) -> Array:
        """The kept rows; there has to be one."""
        return np.concatenate(self._kept) if self._sample is None else self._sample


def sample_rows(
    batches: Iterable[tuple[Array, Array | None]],
    features: int,
    dtype: np.dtype[Any],
    label: str,
    most: int | None = None,
) -> RowSample:
    """A sample of the rows of batches (..., features), each with its mask or None, in float64.

    Args:
        dtype: of the network, which has to hold the numbers.
        label: the type of the layer, for messages.
        most: how many rows are kept; by default the number that makes 2^23 numbers.

    Raises:
        DataError: for numbers that are not finite, or too large for the dtype.
    """
    sample = RowSample(features, most)
    for rows, _ in finite_rows(batches, features, dtype, label):
        sample.add(rows)
    return sample


def finite_rows(
    batches: Iterable[tuple[Array, Array | None]], features: int, dtype: np.dtype[Any], label: str
) -> Iterator[tuple[Array, Array]]:
    """(rows (n, features) in float64, the batch they are from) for each batch (..., features) with a row that counts.

    Raises:
        DataError: for numbers that are not finite, or too large for the dtype.
    """
    for batch, mask in batches:
        rows = np.array(batch, np.float64).reshape(-1, features)
        left = rows_of_steps(mask, batch)
        rows = rows if left is None else rows[left]
        if len(rows):
            _check_range(rows, dtype, label)
            yield rows, batch


def _check_range(rows: Array, dtype: np.dtype[Any], label: str) -> None:
    held = np.abs(rows) <= np.finfo(dtype).max
    if not held.all():
        row, feature = np.argwhere(~held)[0]
        found = rows[row, feature]
        kind = f" that {dtype} can hold" if np.isfinite(found) else ""
        raise DataError(f"{label}: expected finite numbers{kind}, found {found} in feature {feature}")
