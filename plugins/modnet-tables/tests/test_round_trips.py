"""One table in every format that pandas, polars and modnet write, as the same table."""

import datetime
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modnet
from modnet.data.files import read
from modnet.data.table import Table
from modnet.datasets.read import foreign_reader, write_foreign

pytest.importorskip("pyarrow")
pytest.importorskip("openpyxl")

COLUMNS = {"number": [1.5, None, -2.0], "text": ["a b", "ü", None], "truth": [True, False, True], "whole": [1, 2, 3]}


def read_plugin(path):
    return read(path, [foreign_reader()])


def values(table):
    return {
        name: [
            None if gap or not column.text(row) else column.text(row) for row, gap in enumerate(column.gaps.tolist())
        ]
        for name, column in table.columns.items()
    }


def to_sqlite(frame, path):
    connection = sqlite3.connect(path)
    # SQLite has no truth values of its own: they come back as 0 and 1.
    frame.astype({"truth": str}).replace({"True": "true", "False": "false"}).to_sql("t", connection, index=False)
    connection.close()


BY_PANDAS = {
    "a.parquet": lambda frame, path: frame.to_parquet(path, index=False),
    "a.feather": lambda frame, path: frame.to_feather(path),
    "a.xlsx": lambda frame, path: frame.to_excel(path, index=False),
    "a.jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "a.jsonl.gz": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "a.json": lambda frame, path: frame.to_json(path),
    "a.sqlite": to_sqlite,
}

BY_POLARS = {
    "a.parquet": lambda frame, path: frame.write_parquet(path),
    "a.feather": lambda frame, path: frame.write_ipc(path),
    "a.ndjson": lambda frame, path: frame.write_ndjson(path),
    "a.json": lambda frame, path: frame.write_json(path),
}


@pytest.mark.parametrize("name", BY_PANDAS)
def test_what_pandas_writes(tmp_path, name):
    pandas = pytest.importorskip("pandas")
    BY_PANDAS[name](pandas.DataFrame(COLUMNS), tmp_path / name)
    assert values(read_plugin(tmp_path / name)) == values(Table(COLUMNS))


@pytest.mark.parametrize("name", BY_POLARS)
def test_what_polars_writes(tmp_path, name):
    polars = pytest.importorskip("polars")
    BY_POLARS[name](polars.DataFrame(COLUMNS), tmp_path / name)
    assert values(read_plugin(tmp_path / name)) == values(Table(COLUMNS))


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=5)
FIRST, LAST = datetime.datetime(1950, 1, 1), datetime.datetime(2100, 1, 1)
DAYS = st.datetimes(FIRST, LAST).map(lambda day: day.replace(microsecond=0))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data(), rows=st.integers(1, 5))
def test_what_modnet_writes(tmp_path_factory, data, rows):
    folder = tmp_path_factory.mktemp("tables")
    kinds = (st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), TEXTS, st.booleans(), DAYS)
    columns = {
        f"column {place}": data.draw(st.lists(st.none() | kind, min_size=rows, max_size=rows))
        for place, kind in enumerate(data.draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3)))
    }
    table = Table({"id": range(rows), **columns})
    for ending in (".parquet", ".feather", ".arrows"):
        assert write_foreign(iter([table]), folder / f"a{ending}")
        found = read_plugin(folder / f"a{ending}")
        assert [column.type for column in found.columns.values()] == [column.type for column in table.columns.values()]
        assert values(found) == values(table)


def test_text_that_looks_like_something_else_stays_text(tmp_path):
    table = Table({"id": [1, 2, 3], "code": ["007", "1e5", "true"]})
    for name in ("a.parquet", "a.xlsx"):
        assert write_foreign(iter([table]), tmp_path / name)
        column = read_plugin(tmp_path / name).columns["code"]
        assert (column.type, column.strings()) == ("text", ["007", "1e5", "true"])


def test_texts_of_a_workbook_are_no_formulas_and_have_no_control_characters(tmp_path):
    table = Table({"=1+2": [1, 2], "name": ["=1+1", "a\x1bb"], "size": [float("inf"), 1.5]})
    assert write_foreign(iter([table]), tmp_path / "a.xlsx")
    columns = read_plugin(tmp_path / "a.xlsx").columns
    assert list(columns) == ["=1+2", "name", "size"]
    assert columns["name"].strings() == ["=1+1", "a\\x1bb"]
    assert columns["size"].strings() == ["inf", "1.5"]


def test_a_path_that_cannot_be_written_to(tmp_path):
    for name in ("a.parquet", "a.feather", "a.arrows", "a.xlsx"):
        with pytest.raises(modnet.DataError, match="cannot be written"):
            write_foreign(iter([Table({"a": [1]})]), tmp_path / "no" / name)
