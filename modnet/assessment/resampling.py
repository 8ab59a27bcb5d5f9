"""Resamples of rows, drawn with replacement: how far figures of other rows of the same kind could differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from modnet.arrays import Array
from modnet.waiting import watched

Statistic = Callable[[Array], Array]
"""From row numbers, of which some may occur several times, to the values of the figures."""

CONFIDENCE = 0.95
"""The share of resamples that an interval holds."""

MOST_RESAMPLES, FEWEST_RESAMPLES = 2000, 400
"""How many resamples there are by default for few rows, and for many."""

ROWS_OF_ALL = 20_000_000
"""About so many rows the resamples have together by default, between these."""


class Interval(NamedTuple):
    """Where a figure lies in most of the resamples.

    Attributes:
        low, high: percentiles of its values, 2.5 and 97.5 for 95 of 100; nan where it has none.
        undefined: in how many resamples it has no value.
    """

    low: float
    high: float
    undefined: int = 0

    @classmethod
    def of(cls, values: Array, share: float = CONFIDENCE) -> Interval:
        """The percentile interval of the values of a figure in all resamples, which holds this share of them.

        Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
        """
        known = values[np.isfinite(values)]
        if not len(known):
            return cls(np.nan, np.nan, len(values))
        low, high = np.quantile(known, [(1 - share) / 2, (1 + share) / 2])
        return cls(float(low), float(high), len(values) - len(known))


def resamples_for(rows: int) -> int:
    """How many resamples are made by default: 2,000, and fewer of more than 10,000 rows."""
    return int(min(MOST_RESAMPLES, max(FEWEST_RESAMPLES, ROWS_OF_ALL // max(1, rows))))


def resampled(statistic: Statistic, rows: int, resamples: int, seed: int, groups: Array | None = None) -> Array:
    """The values of a statistic in resamples of the rows, drawn with replacement, (resamples, figures).

    Args:
        groups: the group of each row, 0, 1, ...; whole groups are drawn then, since their rows are not independent.
    """
    draws = watched(_draws(rows, resamples, seed, groups), "resamples measured", resamples)
    return np.stack([statistic(drawn) for drawn in draws])


def _draws(rows: int, resamples: int, seed: int, groups: Array | None) -> Iterator[Array]:
    rng = np.random.default_rng(seed)
    if groups is None:
        for _ in range(resamples):
            yield rng.integers(0, rows, rows)
        return
    members = np.split(np.argsort(groups, kind="stable"), np.bincount(groups).cumsum()[:-1])
    for _ in range(resamples):
        yield np.concatenate([members[group] for group in rng.integers(0, len(members), len(members)).tolist()])
