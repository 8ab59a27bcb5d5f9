"""SQLite: the only table of a database, or what a query gives."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modnet.data.files import read, read_blocks
from modnet.data.options import ReadOptions
from modnet.errors import DataError


def database(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


PETS = (
    "create table pets (kind text, mass real, count integer)",
    "insert into pets values ('cat', 1.5, 1), (null, null, null), ('dog', 2, 7)",
)
STAFF = ("create table staff (name text)", "insert into staff values ('Ann')")


def fault_of(path):
    """What is said of a file that cannot be read; of another one its name."""
    try:
        read(path)
    except DataError as error:
        return str(error)
    return str(path)


@pytest.mark.parametrize("name", ["a.sqlite", "a.sqlite3", "a.db", "a.DB3"])
def test_the_only_table(tmp_path, name):
    table = read(database(tmp_path / name, *PETS, "create view heavy as select * from pets where mass > 1"))
    assert [(name, column.type) for name, column in table.columns.items()] == [
        ("kind", "text"),
        ("mass", "number"),
        ("count", "number"),
    ]
    assert table.columns["kind"].strings() == ["cat", "", "dog"]
    assert table.columns["mass"].gaps.tolist() == [False, True, False]
    assert table.columns["count"].values[[0, 2]].tolist() == [1, 7]


@pytest.mark.parametrize(
    ("query", "rows"),
    [("pets", 3), ("staff", 1), ("select * from pets where mass is not null", 2), ("select 1 as one", 1)],
)
def test_a_query_or_the_name_of_a_table(tmp_path, query, rows):
    path = database(tmp_path / "a.sqlite", *PETS, *STAFF)
    assert len(read(path, options=ReadOptions(query=query))) == rows


def test_an_empty_result_has_its_columns(tmp_path):
    path = database(tmp_path / "a.sqlite", *PETS)
    table = read(path, options=ReadOptions(query="select kind from pets where mass > 99"))
    assert (list(table.columns), len(table)) == (["kind"], 0)


def test_names_are_quoted_and_views_serve_where_there_is_no_table(tmp_path):
    assert len(read(database(tmp_path / "a.db", 'create table "a ""b"" c" (x)'))) == 0
    assert read(database(tmp_path / "b.db", "create view v as select 2 as x")).columns["x"].values.tolist() == [2]


def test_blocks(tmp_path):
    path = database(tmp_path / "a.db", "create table t (x)")
    connection = sqlite3.connect(path)
    connection.executemany("insert into t values (?)", [(number,) for number in range(25)])
    connection.commit()
    connection.close()
    assert [len(table) for table in read_blocks(path, rows=10)] == [10, 10, 5]


@pytest.mark.parametrize(
    ("statements", "query", "message"),
    [
        ((), None, "a database without tables"),
        ((*PETS, *STAFF), None, "holds several tables: pets, staff; name one of them, "),
        (PETS, "pest", 'no table "pest"; did you mean "pets"?'),
        (PETS, "zzz", 'no table "zzz"; it has pets'),
        (PETS, "select colour from pets", 'query "select colour from pets": no such column: colour'),
        (PETS, "select kind, kind from pets", 'two columns are both called "kind"; rename one in the query'),
        (PETS, "delete from pets where 1 = 1", "attempt to write a readonly database"),
        (
            ("create table t (x)", "insert into t values (1), (x'00ff')"),
            None,
            "row 2, column x: found 2 bytes (a blob)",
        ),
        (("create table t (x)", "insert into t values (cast(x'ff41' as text))"), None, "Could not decode to UTF-8"),
    ],
)
def test_what_is_refused(tmp_path, statements, query, message):
    path = database(tmp_path / "a.sqlite", "pragma user_version = 1", *statements)
    with pytest.raises(DataError) as caught:
        read(path, options=ReadOptions(query=query))
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "a.sqlite").write_text("x,y\n")
    with pytest.raises(DataError, match="not a SQLite database, or a truncated one"):
        read(tmp_path / "a.sqlite")
    whole = database(tmp_path / "b.db", *PETS).read_bytes()
    (tmp_path / "b.db").write_bytes(whole[:600])
    with pytest.raises(DataError, match=r"b\.db: "):
        read(tmp_path / "b.db")


@settings(max_examples=60)
@given(place=st.integers(16, 8191), byte=st.integers(0, 255), end=st.integers(16, 8192))
def test_damage_is_a_fault_of_data_or_gives_a_table(tmp_path_factory, place, byte, end):
    folder = tmp_path_factory.mktemp("sqlite")
    whole = bytearray(database(folder / "whole.db", *PETS).read_bytes())
    whole[place] = byte
    (folder / "a.db").write_bytes(whole[:end])
    assert str(folder / "a.db") in fault_of(folder / "a.db")


def test_a_reader_of_ones_own_comes_first(tmp_path):
    path = database(tmp_path / "a.sqlite", *PETS)
    assert read(path, [lambda place, options: "mine"]) == "mine"
