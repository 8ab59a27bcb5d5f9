"""Dates as numbers: the parts of a date that a network can learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from modnet.arrays import Array

DatePart = Literal["day", "year", "month", "day_of_month", "day_of_week", "day_of_year", "hour"]

WIDTHS: dict[DatePart, int] = {
    "day": 1,
    "year": 1,
    "month": 2,
    "day_of_month": 2,
    "day_of_week": 7,
    "day_of_year": 2,
    "hour": 2,
}
"""How many numbers each part becomes: one that only grows becomes one; one that begins again becomes the sine and
cosine of its angle, so that December is near January; and the days of the week one each, as a working day is nothing
like the Sunday beside it.
"""

GROWING: frozenset[DatePart] = frozenset(("day", "year"))
"""The parts that only grow: a later date than any before is a number beyond all others."""

SEASON = 120
"""Days: within fewer, the day of the year tells nothing that the running day does not."""

YEAR = 366.0
"""Days. Days of the year are counted from 0, so that 31 December is 364 or 365, at the same angle to within a day."""


def parts_width(parts: Sequence[DatePart]) -> int:
    """How many numbers a date becomes."""
    return sum(WIDTHS[part] for part in parts)


def encode_dates(moments: Array, parts: Sequence[DatePart], out: Array) -> None:
    """Writes the parts of dates.

    Args:
        moments: datetime64[us] (rows,), without NaT.
        parts: in their order.
        out: (rows, parts_width(parts)), all zeros.
    """
    days = moments.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    years = days.astype("datetime64[Y]")
    of_day = (moments - days).astype(np.float64) / 3.6e9
    start = 0
    for part in parts:
        place = out[:, start : start + WIDTHS[part]]
        start += WIDTHS[part]
        if part == "day":
            place[:, 0] = days.astype(np.float64) + of_day / 24
        elif part == "year":
            place[:, 0] = years.astype(np.float64) + 1970
        elif part == "month":
            _angle((months - years).astype(np.float64) / 12, place)
        elif part == "day_of_month":
            _angle((days - months).astype(np.float64) / 31, place)
        elif part == "day_of_week":
            # 1970-01-01 was a Thursday; Monday is the first day (ISO 8601).
            place[np.arange(len(days)), (days.astype(np.int64) + 3) % 7] = 1
        elif part == "day_of_year":
            _angle((days - years).astype(np.float64) / YEAR, place)
        else:
            _angle(of_day / 24, place)


def _angle(turns: Array, out: Array) -> None:
    out[:, 0] = np.sin(2 * np.pi * turns)
    out[:, 1] = np.cos(2 * np.pi * turns)


def parts_of(moments: Array) -> tuple[DatePart, ...]:
    """The parts that can tell something about dates like these.

    The running day always can; the others where they vary: the day of the year (for dates of whole months, the month)
    if the dates come from more than a season, the day of the week, and the hour if there is a time of day.
    """
    days = np.unique(moments.astype("datetime64[D]"))
    parts: list[DatePart] = []
    if len(days) > 1:
        parts += ["day", *_recurring(days)]
    if len(np.unique(moments - moments.astype("datetime64[D]"))) > 1:
        parts.append("hour")
    return tuple(parts) or ("day",)


def _recurring(days: Array) -> list[DatePart]:
    """The parts that begin again after a year or a week, for different days in order."""
    parts: list[DatePart] = []
    whole_months = bool((days == days.astype("datetime64[M]")).all())
    if (days[-1] - days[0]).astype(int) > SEASON:
        parts.append("month" if whole_months else "day_of_year")
    if not whole_months and len(days) > 6 and len(np.unique(days.astype(np.int64) % 7)) > 1:
        parts.append("day_of_week")
    return parts
