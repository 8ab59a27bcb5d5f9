"""Columns that stand in the path of a file."""

from pathlib import PurePath

import pytest

from modnet.data.path_columns import path_columns, with_path_columns
from modnet.data.table import Table


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("part-0.parquet", {}),
        ("year=2024/country=fr/part-0.parquet", {"year": 2024, "country": "fr"}),
        ("raw/year=-3/a=b.csv", {"year": -3}),
        ("zip=01234/a.csv", {"zip": "01234"}),
        ("a=1.5/b=/a.csv", {"a": "1.5", "b": ""}),
        ("city=__HIVE_DEFAULT_PARTITION__/a.csv", {"city": None}),
        ("caf%C3%A9=50%25/=1/a.csv", {"café": "50%"}),
    ],
)
def test_what_a_path_says(path, expected):
    assert path_columns(PurePath(path)) == expected


def test_they_are_columns_of_the_table():
    values = path_columns(PurePath("year=5/k=a/n=7/g=__HIVE_DEFAULT_PARTITION__/f"))
    table = with_path_columns(Table({"x": [1.0, 2.0], "year": [1, 2]}, "a.csv"), values)
    assert {name: [column.text(row) for row in range(2)] for name, column in table.columns.items() if name != "g"} == {
        "x": ["1", "2"],
        "year": ["1", "2"],
        "k": ["a", "a"],
        "n": ["7", "7"],
    }
    assert table.columns["g"].gaps.all()
    assert table.name == "a.csv"


def test_a_table_without_rows():
    assert len(with_path_columns(Table({"x": []}), {"k": "a"}).columns["k"]) == 0
