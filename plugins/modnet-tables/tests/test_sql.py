"""Databases by their addresses."""

import sqlite3

import pytest

import modnet
from modnet.data.files import read, read_blocks
from modnet.data.options import ReadOptions
from modnet.datasets.read import foreign_reader

pytest.importorskip("sqlalchemy")
sql = pytest.importorskip("modnet_tables.sql")


@pytest.fixture
def url(tmp_path):
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("create table pets (kind text, mass real, born timestamp)")
    connection.executemany("insert into pets values (?, ?, null)", [("cat", 1.5), (None, None), ("dog", 2)])
    connection.execute("create table staff (name text, photo blob)")
    connection.execute("insert into staff values ('Ann', x'00')")
    connection.commit()
    connection.close()
    return f"sqlite:///{tmp_path / 'a.db'}"


def read_plugin(url, query=None):
    return read(url, [foreign_reader()], ReadOptions(query=query))


@pytest.mark.parametrize(
    ("query", "rows"),
    [("pets", 3), ("select kind from pets where mass > 1", 2), ("select kind from pets where 0", 0)],
)
def test_a_query_or_the_name_of_a_table(url, query, rows):
    table = read_plugin(url, query)
    assert len(table) == rows
    assert "kind" in table.columns


def test_a_table_by_its_address(url):
    assert len(read_plugin(f"{url}#pets")) == 3


def test_typed_columns(url):
    columns = read_plugin(url, "pets").columns
    assert columns["mass"].values[[0, 2]].tolist() == [1.5, 2.0]
    assert columns["kind"].gaps.tolist() == [False, True, False]


def test_rows_come_in_parts(url, monkeypatch):
    monkeypatch.setattr("modnet_tables.sql.BATCH", 2)
    options = ReadOptions(query="pets")
    assert [len(part) for part in sql.read(url, options)] == [2, 1]
    assert [len(part) for part in read_blocks(url, [foreign_reader()], options, rows=100)] == [3]
    assert [len(part) for part in read_blocks(url, [foreign_reader()], options, rows=1)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (None, "holds several tables: pets, staff; name one of them, sqlite:///"),
        ("pest", 'no table "pest"; did you mean "pets"?'),
        ("select colour from pets", 'query "select colour from pets": no such column: colour'),
        ("select kind, kind from pets", 'two columns are both called "kind"'),
        ("delete from pets where 0", "the query gives no rows; expected a SELECT"),
    ],
)
def test_what_is_refused(url, query, message):
    with pytest.raises(modnet.DataError) as caught:
        read_plugin(url, query)
    assert message in str(caught.value)


def test_a_blob_is_refused(url):
    with pytest.raises(modnet.DataError, match="column photo: found bytes; leave the column out by a query"):
        read_plugin(url, "staff")


def test_variables_of_the_environment(url, tmp_path, monkeypatch):
    monkeypatch.setenv("FOLDER_OF_PETS", str(tmp_path))
    assert len(read_plugin("sqlite:///$FOLDER_OF_PETS/a.db", "pets")) == 3


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nosuch://host/db", "nosuch"),
        ("sqlite:////no/such/folder/a.db", "unable to open database file"),
        ("nosuch://ann:secret@host/db", r"^nosuch://ann:\*\*\*@host/db: "),
        ("https://example.org/a.csv", "download the file, and give its path"),
    ],
)
def test_addresses_where_nothing_answers(address, message):
    with pytest.raises(modnet.DataError, match=message):
        read_plugin(address, "select 1 as a")
