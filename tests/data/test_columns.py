"""What the values of a column are."""

import numpy as np
import pytest

from modnet.data.columns import ColumnProfile, is_number, parse_numbers, profile, sort_categories
from modnet.data.table import Table


@pytest.mark.parametrize("text", ["1", "-1.5", "+2", "1e3", ".5", " 7 ", "00"])
def test_numbers(text):
    assert is_number(text)
    np.testing.assert_array_equal(parse_numbers([text]), [float(text)])


@pytest.mark.parametrize("text", ["", "abc", "1_000", "nan", "inf", "1e999", "3,14", "0x10", "1 2"])
def test_no_numbers(text):
    assert not is_number(text)
    assert parse_numbers(["1", text]) is None


@pytest.mark.parametrize(
    ("values", "order"),
    [(["b", "a", "b"], ("a", "b")), (["10", "9", "-1"], ("-1", "9", "10")), (["10", "9", "x"], ("10", "9", "x"))],
)
def test_categories_are_sorted_as_numbers_where_they_are_numbers(values, order):
    assert sort_categories(values) == order


def test_profile():
    table = Table(
        {
            "mass": ["3", "NA", "4"],
            "sex": ["m", "f", "m"],
            "notes": ["", "", ""],
            "faulty": ["1", "2", "?2"],
            "comma": ["1,5", "2", "1,2,3"],
        }
    )
    assert profile(table) == {
        "mass": ColumnProfile("number", distinct=2, distinct_numbers=2, missing=1),
        "sex": ColumnProfile("category", distinct=2, distinct_numbers=0, missing=0),
        "notes": ColumnProfile(None, distinct=0, distinct_numbers=0, missing=3),
        "faulty": ColumnProfile("category", distinct=3, distinct_numbers=2, missing=0),
        "comma": ColumnProfile("category", distinct=3, distinct_numbers=2, missing=0),
    }
