"""Parquet, Feather and Arrow IPC: what pandas, polars and pyarrow write, and what is refused."""

import datetime
import decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modnet
from modnet.data.files import read, read_blocks
from modnet.data.table import Table
from modnet.datasets.read import foreign_reader

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

DAY = datetime.datetime(2024, 2, 29, 13, 30)
COLUMNS = {
    "whole": [1, None, -3],
    "real": [1.5, None, 2.0],
    "text": ["a", None, ""],
    "truth": [True, None, False],
    "moment": [DAY, None, datetime.datetime(1999, 12, 31)],
    "code": ["007", "7", None],
}
TYPES = ["number", "number", "text", "boolean", "date", "text"]
ENDINGS = (".parquet", ".pq", ".feather", ".arrow", ".ipc", ".arrows")


def read_plugin(path, **options):
    return read(path, [foreign_reader()], **options)


def values(table):
    return {
        name: [None if gap else column.text(row) for row, gap in enumerate(column.gaps.tolist())]
        for name, column in table.columns.items()
    }


EXPECTED = values(Table(COLUMNS))


def written_by(library, path):
    """The table as a library writes it."""
    ending = path.suffix
    if library == "modnet":
        assert modnet.default_registry().hooks.hook.modnet_write_data(table=Table(COLUMNS), path=path)
    elif library == "pyarrow":
        table = pa.table(COLUMNS)
        table = table.set_column(2, "text", table["text"].dictionary_encode())
        pq.write_table(table, path) if ending in (".parquet", ".pq") else write_ipc(table, path)
    elif library == "pandas":
        frame = pytest.importorskip("pandas").DataFrame(COLUMNS).astype({"whole": "Int64", "truth": "boolean"})
        frame = frame.astype({"text": "category"})
        frame.to_parquet(path) if ending in (".parquet", ".pq") else write_ipc(pa.Table.from_pandas(frame), path)
    else:
        polars = pytest.importorskip("polars")
        frame = polars.DataFrame(COLUMNS).with_columns(polars.col("text").cast(polars.Categorical))
        if ending in (".parquet", ".pq"):
            frame.write_parquet(path)
        elif ending == ".arrows":
            frame.write_ipc_stream(path)
        else:
            frame.write_ipc(path)


def write_ipc(table, path):
    kind = pa.ipc.new_stream if path.suffix == ".arrows" else pa.ipc.new_file
    with kind(str(path), table.schema) as file:
        file.write_table(table)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("library", ["modnet", "pyarrow", "pandas", "polars"])
def test_every_library_writes_the_same_table(tmp_path, library, ending):
    path = tmp_path / f"a{ending}"
    written_by(library, path)
    table = read_plugin(path)
    assert [column.type for column in table.columns.values()] == TYPES
    assert values(table) == EXPECTED


def test_types_that_have_no_column_of_their_own(tmp_path):
    table = pa.table(
        {
            "money": pa.array([decimal.Decimal("1.25"), None], pa.decimal128(10, 2)),
            "day": pa.array([datetime.date(2024, 1, 2), None]),
            "zoned": pa.array([DAY, None], pa.timestamp("ns", "Europe/Zurich")),
            "time": pa.array([datetime.time(7, 30), None]),
            "span": pa.array([datetime.timedelta(minutes=2), None]),
            "nothing": pa.nulls(2),
            "unsigned": pa.array([2**64 - 1, None], pa.uint64()),
            "half": pa.array([np.float16(0.5), None], pa.float16()),
            "large": pa.array(["x", None], pa.large_string()),
            "grades": pa.array([2, None], pa.int8()).dictionary_encode(),
            "nan": pa.array([float("nan"), 1.0]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert values(read_plugin(tmp_path / "a.parquet")) == {
        "money": ["1.25", None],
        "day": ["2024-01-02", None],
        "zoned": ["2024-02-29 13:30:00", None],
        "time": ["07:30:00", None],
        "span": ["120", None],
        "nothing": [None, None],
        "unsigned": ["18446744073709552000", None],
        "half": ["0.5", None],
        "large": ["x", None],
        "grades": ["2", None],
        "nan": [None, "1"],
    }


def test_what_a_column_cannot_hold_is_left_out_and_said(tmp_path):
    table = pa.table({"a": [1], "b": [[1.5]], "c": [{"x": 1}], "d": [b"\0"]})
    pq.write_table(table, tmp_path / "a.parquet")
    found = read_plugin(tmp_path / "a.parquet")
    assert list(found.columns) == ["a"]
    (note,) = found.notes
    assert note.startswith("left out: b (list<element: double>: a column has one number")
    pq.write_table(table.select(["b"]), tmp_path / "b.parquet")
    with pytest.raises(modnet.DataError, match="no column that a table can hold; left out: b"):
        read_plugin(tmp_path / "b.parquet")


def test_the_index_of_pandas(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2]}, index=["x", "y"])
    frame.to_parquet(tmp_path / "a.parquet")
    found = read_plugin(tmp_path / "a.parquet")
    assert (list(found.columns), found.notes) == (
        ["a"],
        ("left out: __index_level_0__ (the index of a pandas frame)",),
    )
    frame.rename_axis("name").to_parquet(tmp_path / "b.parquet")
    assert list(read_plugin(tmp_path / "b.parquet").columns) == ["a", "name"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_large_table_comes_in_parts(tmp_path, monkeypatch, ending):
    monkeypatch.setattr("modnet_tables.arrow.BATCH", 40)
    table = pa.table({"a": range(100), "b": [f"text {number % 7}" for number in range(100)]})
    path = tmp_path / f"a{ending}"
    pq.write_table(table, path, row_group_size=30) if ending in (".parquet", ".pq") else write_ipc(table, path)
    parts = list(read_blocks(path, [foreign_reader()], rows=25))
    assert max(map(len, parts)) <= 25
    assert [number for part in parts for number in part.columns["a"].values.tolist()] == list(range(100))
    assert values(Table.joined(parts)) == values(read_plugin(path))


def test_folders_of_a_folder_are_columns(tmp_path):
    for year in (2023, 2024):
        (tmp_path / f"year={year}" / "place=a%2Fb").mkdir(parents=True)
        pq.write_table(pa.table({"a": [1, 2]}), tmp_path / f"year={year}" / "place=a%2Fb" / "part.parquet")
    found = values(read_plugin(tmp_path))
    assert found == {"a": ["1", "2"] * 2, "year": ["2023"] * 2 + ["2024"] * 2, "place": ["a/b"] * 4}


def test_what_is_written_does_not_depend_on_how_rows_are_parted(tmp_path, monkeypatch):
    monkeypatch.setattr("modnet_tables.arrow.ROW_GROUP", 100)
    columns = {"a": np.arange(1050) / 7, "b": [str(row % 13) for row in range(1050)]}
    hook = modnet.default_registry().hooks.hook.modnet_write_blocks
    for size in (1, 100, 333, 1050):
        parts = (
            Table({name: list(all_[i : i + size]) for name, all_ in columns.items()}) for i in range(0, 1050, size)
        )
        assert hook(tables=parts, path=tmp_path / f"{size}.parquet")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    metadata = pq.read_metadata(tmp_path / "1.parquet")
    assert [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)] == [100] * 10 + [50]
    with pytest.raises(modnet.DataError, match="a column has another type than before"):
        hook(tables=iter([Table({"a": [1.0]}), Table({"a": ["x"]})]), path=tmp_path / "a.parquet")


def test_a_folder_of_parts(tmp_path):
    folder = tmp_path / "a.parquet"
    folder.mkdir()
    for number in (0, 1):
        pq.write_table(pa.table({"a": [number]}), folder / f"part-{number}.parquet")
    (folder / "_SUCCESS").write_text("")
    assert read_plugin(folder).columns["a"].values.tolist() == [0, 1]


def test_a_table_without_rows_has_its_columns(tmp_path):
    pq.write_table(pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())}), tmp_path / "a.parquet")
    found = read_plugin(tmp_path / "a.parquet")
    assert (list(found.columns), len(found)) == (["a", "b"], 0)


def test_twice_the_same_name(tmp_path):
    pq.write_table(pa.table([[1], [2]], ["a", "a"]), tmp_path / "a.parquet")
    with pytest.raises(modnet.DataError, match='two columns are both called "a"; rename one'):
        read_plugin(tmp_path / "a.parquet")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data(), ending=st.sampled_from(ENDINGS))
def test_damage_is_a_fault_of_data_or_gives_a_table(tmp_path_factory, data, ending):
    folder = tmp_path_factory.mktemp("arrow")
    path = folder / f"a{ending}"
    written_by("pyarrow", path)
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    assert str(path) in fault_of(path)


def fault_of(path):
    """What is said of a file that cannot be read; of another one its name."""
    try:
        read_plugin(path)
    except modnet.DataError as error:
        return str(error)
    return str(path)
