"""What the values of a column are."""

import pytest

from modnet.data.profile import profile, sort_categories
from modnet.data.table import Table


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
    found = {name: (p.kind, p.distinct, p.distinct_numbers, p.missing) for name, p in profile(table).items()}
    assert found == {
        "mass": ("number", 2, 2, 1),
        "sex": ("category", 2, 0, 0),
        "notes": (None, 0, 0, 3),
        "faulty": ("category", 3, 2, 0),
        "comma": ("category", 3, 2, 0),
    }
