"""The parts of data: rows to train on, to validate with and to test on; by chance, by groups, by time, by a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.data.split import split
from modnet.errors import DataError
from modnet.words import counted

TRIES = 50
"""In how many random orders groups are dealt out, to come near to the sizes that are asked for."""

NEAR = 1e-3
"""A part whose size differs by this share of all rows from what is asked for is near enough."""

TEST = 1
"""What the seed of the draw of test rows has beside that of the validation rows."""


class Shares(NamedTuple):
    """The shares of the rows for validation and for the test, between 0 and 1; None for none."""

    validation: float | None = None
    test: float | None = None

    @property
    def parts(self) -> int:
        """The number of parts, with that to train on."""
        return 1 + sum(share is not None for share in self)


class Parts(NamedTuple):
    """Row numbers: disjoint, each sorted; None for a part that there is not."""

    train: Array
    validation: Array | None = None
    test: Array | None = None


def random_parts(
    rows: int, shares: Shares, seed: int, labels: Array | None = None, names: Sequence[str] | None = None
) -> Parts:
    """Parts drawn by chance, stratified by labels as `split` does it. The test rows are drawn after those to validate.

    Raises:
        DataError: there are not enough rows.
    """
    if rows < shares.parts:
        raise DataError(f"expected at least {shares.parts} rows to set some aside, found {rows}")
    train, validation, test = np.arange(rows), None, None
    if shares.validation is not None:
        train, validation = split(rows, shares.validation, seed, labels, names)
        if len(train) < shares.parts - 1:  # two of three rows are to be validated with
            train, validation = np.sort(np.append(train, validation[-1])), validation[:-1]
    if shares.test is not None:
        share = min(rows * shares.test / len(train), 1 - 0.5 / len(train))
        classes = None if labels is None else labels[train]
        quiet = shares.validation is not None  # the draw of the validation rows has warned already
        kept, drawn = split(len(train), share, [seed, TEST], classes, names, quiet=quiet)
        train, test = train[kept], train[drawn]
    return Parts(train, validation, test)


def group_parts(groups: Array, shares: Shares, seed: int) -> Parts:
    """Parts that hold whole groups, as near as possible to the sizes that are asked for, drawn by chance.

    Args:
        groups: the group of each row, 0, 1, ..., each of which occurs.

    Raises:
        DataError: there are fewer groups than parts.
    """
    sizes = np.bincount(groups)
    needed = shares.parts
    if len(sizes) < needed:
        raise DataError(f"found {counted(len(sizes), 'group')}; expected at least {needed}, one for each part")
    rng = np.random.default_rng(seed)
    left = np.arange(len(sizes))
    drawn: list[Array | None] = []
    for share in shares:
        if share is None:
            drawn.append(None)
            continue
        needed -= 1
        picked = _dealt(sizes[left], share * len(groups), len(left) - needed, rng)
        drawn.append(np.flatnonzero(np.isin(groups, left[picked])))
        left = np.delete(left, picked)
    return Parts(np.flatnonzero(np.isin(groups, left)), *drawn)


def _dealt(sizes: Array, wanted: float, most: int, rng: np.random.Generator) -> Array:
    """The positions of groups, at least one and at most `most`, whose sizes add up to about `wanted`."""
    best, miss = np.zeros(1, np.intp), np.inf
    for _ in range(TRIES):
        order = rng.permutation(len(sizes))
        totals = sizes[order[:most]].cumsum()
        count = int(np.abs(totals - wanted).argmin()) + 1
        if abs(totals[count - 1] - wanted) < miss:
            best, miss = order[:count], abs(totals[count - 1] - wanted)
        if miss <= NEAR * sizes.sum():
            break
    return best


def time_parts(times: Array, shares: Shares) -> Parts:
    """The last rows for the test, those before them for validation. Rows of the same time stay together.

    Args:
        times: of each row: numbers or datetime64.

    Raises:
        DataError: there are fewer different times than parts.
    """
    rows = len(times)
    order = np.argsort(times, kind="stable")
    sorted_times = times[order]
    borders = 1 + np.flatnonzero(sorted_times[1:] != sorted_times[:-1])
    needed = shares.parts - 1
    if len(borders) < needed:
        found = f"found {counted(len(borders) + 1, 'time')} in {counted(rows, 'row')}"
        raise DataError(f"{found}; expected at least {needed + 1} different ones, one for each part")
    end = rows
    parts: list[Array | None] = []
    for share in reversed(shares):
        if share is None:
            parts.append(None)
            continue
        needed -= 1
        possible = borders[needed:][borders[needed:] < end]
        start = int(possible[np.abs(possible - (end - rows * share)).argmin()])
        parts.append(np.sort(order[start:end]))
        end = start
    test, validation = parts
    return Parts(np.sort(order[:end]), validation, test)
