"""Folds of rows for cross-validation: by chance, by groups, by time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.data.split import can_stratify
from modnet.datasets.parts import NEAR, TRIES
from modnet.errors import DataError
from modnet.words import counted

FOLDS = 2
"""What the seed of a draw of folds has beside those of the draws of validation and test rows."""


class Fold(NamedTuple):
    """Row numbers: those to train on and those to measure by, disjoint, each sorted."""

    train: Array
    test: Array


def random_folds(rows: int, count: int, seed: int, repeat: int = 0, labels: Array | None = None) -> list[Fold]:
    """Folds drawn by chance. Each row is measured in one of them and trained on in the others.

    The sizes of the folds differ by one row at most. With labels, so do the numbers of rows of each class.

    Args:
        seed, repeat: the same two give the same folds.
        labels: the class of each row, (rows,).

    Raises:
        DataError: there are fewer rows than folds.
    """
    if rows < count:
        raise DataError(f"found {counted(rows, 'row')}; expected at least {count}, one for each fold")
    order = _generator(seed, repeat).permutation(rows)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    fold_of = np.empty(rows, np.intp)
    fold_of[order] = np.arange(rows) % count  # dealt out class by class, so that each fold gets its share of each
    return _each(fold_of, count)


def group_folds(groups: Array, count: int, seed: int, repeat: int = 0) -> list[Fold]:
    """Folds that hold whole groups, as nearly of one size as chance allows; else as `random_folds`.

    Args:
        groups: the group of each row, 0, 1, ..., each of which occurs.

    Raises:
        DataError: there are fewer groups than folds.
    """
    sizes = np.bincount(groups)
    if len(sizes) < count:
        raise DataError(f"found {counted(len(sizes), 'group')}; expected at least {count}, one for each fold")
    rng = _generator(seed, repeat)
    best, spread = np.zeros(0, np.intp), len(groups) + 1
    for _ in range(TRIES):
        fold_of, totals = _dealt(sizes, count, rng)
        if np.ptp(totals) < spread:
            best, spread = fold_of, int(np.ptp(totals))
        if spread <= NEAR * len(groups):
            break
    return _each(best[groups], count)


def _dealt(sizes: Array, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """The fold of each group, dealt out in a random order, each to the smallest fold so far; and the folds' sizes."""
    fold_of, totals = np.zeros(len(sizes), np.intp), np.zeros(count, np.int64)
    for group in rng.permutation(len(sizes)).tolist():
        fold_of[group] = smallest = int(totals.argmin())
        totals[smallest] += sizes[group]
    return fold_of, totals


def time_folds(times: Array, count: int, first: int = 1) -> list[Fold]:
    """Folds that train on the past and are measured by what follows: the first on the oldest block of rows.

    The rows are parted into one block more than there are folds, about equally large, in the order of their times; rows
    of the same time stay together. Fold 1 trains on block 1 and is measured by block 2, fold 2 trains on blocks 1 and 2
    and is measured by block 3, and so on. The rows of block 1 are never measured.

    Args:
        times: of each row: numbers or datetime64.
        first: how many different times block 1 has at least: 2 where some of its rows are set aside by time.

    Raises:
        DataError: there are not as many different times.
    """
    rows = len(times)
    order = np.argsort(times, kind="stable")
    sorted_times = times[order]
    borders = 1 + np.flatnonzero(sorted_times[1:] != sorted_times[:-1])
    if len(borders) < count + first - 1:
        found = f"found {counted(len(borders) + 1, 'time')} in {counted(rows, 'row')}"
        more = ", the first with two, to validate with the later one" if first > 1 else ""
        raise DataError(
            f"{found}; expected at least {count + first} different ones, for one block more than folds{more}"
        )
    borders = borders[first - 1 :]
    starts: list[int] = []
    for place in range(count):
        wanted = rows - (count - place) * (rows // (count + 1))
        after = len(borders) - (count - place - 1)  # the blocks behind this one need borders too
        possible = borders[:after][borders[:after] > (starts[-1] if starts else 0)]
        starts.append(int(possible[np.abs(possible - wanted).argmin()]))
    ends = [*starts[1:], rows]
    return [Fold(np.sort(order[:start]), np.sort(order[start:end])) for start, end in zip(starts, ends, strict=True)]


def member_folds(rows: int, members: int, seed: int, labels: Array | None = None, groups: Array | None = None) -> Array:
    """The fold of each row, (rows,): the member of an ensemble that is validated with it and does not learn from it.

    Args:
        labels: the class of each row: the folds have the same shares of each, as `random_folds` makes them.
        groups: the group of each row: the rows of a group are in one fold.

    Raises:
        DataError: there is one member, or there are fewer rows or groups than members.
    """
    if members < 2:
        raise DataError("member_folds is for an ensemble, and the network has one member; set members in [network]")
    if groups is not None:
        folds = group_folds(np.unique(groups, return_inverse=True)[1].reshape(-1), members, seed)
    else:
        stratified = labels is not None and can_stratify(labels)
        folds = random_folds(rows, members, seed, labels=labels if stratified else None)
    found = np.empty(rows, np.intp)
    for member, fold in enumerate(folds):
        found[fold.test] = member
    return found


def _generator(seed: int, repeat: int) -> np.random.Generator:
    return np.random.default_rng([seed, FOLDS, repeat])


def _each(fold_of: Array, count: int) -> list[Fold]:
    return [Fold(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(count)]
