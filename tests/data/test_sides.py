"""Columns by which rows hang together: whose they are, and when."""

import datetime

import pytest

from modnet.data.guess import guess_columns
from modnet.data.sides import person_column, repeated_ids, time_column
from modnet.data.table import Table


def found(function, **columns):
    table = Table({name: list(values) for name, values in columns.items()}, "t.csv")
    return function(table, guess_columns(table), ["y"])


X = {"x": [n * 7 % 60 / 4 for n in range(60)], "y": [n % 2 for n in range(60)]}
THREE_EACH = [100 + n // 3 for n in range(60)]


@pytest.mark.parametrize("name", ["patient", "patient_id", "PatientID", "customerId", "user.id", "household"])
def test_whose_a_row_is(name):
    assert found(person_column, **{name: THREE_EACH}, **X) == name
    assert found(person_column, **{name: [f"p{n}" for n in THREE_EACH]}, **X) == name


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("patient", list(range(60))),  # each row is another's
        ("patient", [n % 5 for n in range(60)]),  # too few to part
        ("patient", [n / 7 for n in THREE_EACH]),
        ("impatient", THREE_EACH),
        ("patients_seen", THREE_EACH),
        ("shop_id", THREE_EACH),
        ("y", THREE_EACH),
    ],
)
def test_what_is_not_whose_a_row_is(name, values):
    assert found(person_column, **{**X, name: values}) is None


def test_ids_that_come_again():
    assert found(repeated_ids, shop_id=THREE_EACH, id=list(range(60)), size=THREE_EACH, **X) == ["shop_id"]


DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(n) for n in range(60)]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (DAYS, "day"),
        (DAYS[::-1], "day"),
        ([day.strftime("%d.%m.%Y") for day in DAYS], "day"),
        ([DAYS[n // 2] for n in range(60)], "day"),
        ([DAYS[n * 7 % 60] for n in range(60)], None),
        ([DAYS[n // 10] for n in range(60)], None),
        ([*DAYS[:59], None], None),
    ],
)
def test_the_dates_in_whose_order_the_rows_are(days, expected):
    assert found(time_column, day=days, **X) == expected
