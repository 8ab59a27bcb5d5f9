"""Dates as numbers."""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modnet.data.date_parts import WIDTHS, encode_dates, parts_of, parts_width


def encoded(moments, *parts):
    out = np.zeros((len(moments), parts_width(parts)))
    encode_dates(np.array(moments, "datetime64[us]"), parts, out)
    return out


@given(st.datetimes(datetime.datetime(1800, 1, 1), datetime.datetime(2200, 1, 1)))
def test_parts_are_those_of_datetime(moment):
    assert encoded([moment], "year")[0, 0] == moment.year
    assert encoded([moment], "day_of_week")[0].argmax() == moment.weekday()
    days = (moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1)
    np.testing.assert_allclose(encoded([moment], "day")[0, 0], days, rtol=0, atol=1e-9)
    of_day = moment - datetime.datetime.combine(moment, datetime.time())
    for part, turn in (
        ("month", (moment.month - 1) / 12),
        ("day_of_month", (moment.day - 1) / 31),
        ("day_of_year", (moment.timetuple().tm_yday - 1) / 366),
        ("hour", of_day / datetime.timedelta(days=1)),
    ):
        angle = 2 * np.pi * turn
        np.testing.assert_allclose(encoded([moment], part)[0], [np.sin(angle), np.cos(angle)], atol=1e-12)


def test_several_parts_stand_beside_each_other():
    moments = ["2024-02-29T12:00", "1999-12-31"]
    apart = [encoded(moments, part) for part in WIDTHS]
    np.testing.assert_array_equal(encoded(moments, *WIDTHS), np.hstack(apart))


@pytest.mark.parametrize(
    ("first", "step", "count", "parts"),
    [
        ("2024-01-01", "1D", 600, ("day", "day_of_year", "day_of_week")),
        ("2024-01-01", "1D", 60, ("day", "day_of_week")),
        ("2024-01-07", "7D", 100, ("day", "day_of_year")),
        ("2024-01-01T06:00", "1h", 5000, ("day", "day_of_year", "day_of_week", "hour")),
        ("2024-01-01T00:00", "1h", 20, ("hour",)),
        ("2024-01-01", "0D", 5, ("day",)),
    ],
)
def test_the_parts_that_vary_are_used(first, step, count, parts):
    size, unit = int(step[:-1]), step[-1]
    moments = np.datetime64(first, "us") + np.arange(count) * np.timedelta64(size, unit)
    assert parts_of(moments) == parts


def test_whole_months_have_months():
    months = (np.datetime64("2020-01", "M") + np.arange(30).astype("m8[M]")).astype("datetime64[us]")
    assert parts_of(months) == ("day", "month")
