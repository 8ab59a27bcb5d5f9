"""JSON lines and JSON: what is a table, what its values are, and what is refused."""

import gzip
import json
import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modnet.data.files import read, read_blocks
from modnet.errors import DataError

RECORDS = [
    {"name": "a", "mass": 1, "size": 1.5, "wild": True, "code": "007"},
    {"name": None, "mass": None, "size": None, "wild": None, "code": ""},
    {"name": "c", "mass": 3, "size": 2, "wild": False, "code": "NA", "note": "new"},
]
SPLIT = {"columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2, "y"]]}


def written(path, contents, encoding="utf-8"):
    path.write_bytes((contents if isinstance(contents, str) else json.dumps(contents)).encode(encoding))
    return path


def lines_of(records):
    return "".join(json.dumps(record) + "\n" for record in records)


def values(table):
    return {
        name: [None if gap else column.text(row) for row, gap in enumerate(column.gaps.tolist())]
        for name, column in table.columns.items()
    }


EXPECTED = {
    "name": ["a", None, "c"],
    "mass": ["1", None, "3"],
    "size": ["1.5", None, "2"],
    "wild": ["true", None, "false"],
    "code": ["007", "", "NA"],
    "note": [None, None, "new"],
}


def fault_of(path):
    """What is said of a file that cannot be read; of another one its name."""
    try:
        read(path)
    except DataError as error:
        return str(error)
    return str(path)


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("a.jsonl", lines_of(RECORDS)),
        ("a.ndjson", "\ufeff\n" + lines_of(RECORDS).replace("\n", "\r\n\r\n")),
        ("a.json", lines_of(RECORDS)),
        ("a.json", RECORDS),
        ("a.json", {"count": 3, "results": RECORDS}),
        ("a.json", {name: [record.get(name) for record in RECORDS] for name in EXPECTED}),
        ("a.json", {name: {str(row): r.get(name) for row, r in enumerate(RECORDS)} for name in EXPECTED}),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_records_in_every_form(tmp_path, name, contents, encoding):
    table = read(written(tmp_path / name, contents, encoding))
    assert values(table) == EXPECTED
    assert [column.type for column in table.columns.values()] == ["text", "number", "number", "boolean", "text", "text"]


def test_the_forms_of_pandas(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.5, 2.0], "b": ["x", None]})
    for orient in ("records", "columns", "split", "table"):
        frame.to_json(tmp_path / "a.json", orient=orient)
        found = values(read(tmp_path / "a.json"))
        assert (found["a"], found["b"]) == (["1.5", "2"], ["x", None])
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    assert values(read(tmp_path / "a.jsonl")) == {"a": ["1.5", "2"], "b": ["x", None]}


def test_what_was_assumed_is_said(tmp_path):
    assert read(written(tmp_path / "a.json", {"results": RECORDS})).notes == ('the records are those of "results"',)
    assert read(written(tmp_path / "a.json", RECORDS)).notes == ()


def test_rows_know_their_lines(tmp_path):
    table = read(written(tmp_path / "a.jsonl", '{"a": 1}\n\n{"a": "x"}\n'))
    assert table.place(1, "a") == f"{tmp_path / 'a.jsonl'}: row 2 (line 3), column a"


def test_blocks_have_all_columns_that_were_met(tmp_path):
    path = written(tmp_path / "a.jsonl", lines_of(RECORDS))
    tables = list(read_blocks(path, rows=2))
    assert [len(table) for table in tables] == [2, 1]
    assert [list(table.columns)[-1] for table in tables] == ["code", "note"]
    assert values(tables[1])["note"] == ["new"]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text()
)


@given(rows=st.lists(st.dictionaries(st.text(max_size=3), SCALARS, min_size=1, max_size=4), min_size=1, max_size=6))
def test_lines_and_a_list_give_the_same_table(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("json")
    first = read(written(folder / "a.jsonl", lines_of(rows)))
    second = read(written(folder / "a.json", rows))
    assert values(first) == values(second)
    for name, column in first.columns.items():
        assert column.gaps.tolist() == [row.get(name) is None for row in rows]


@pytest.mark.parametrize(
    ("name", "contents", "message"),
    [
        ("a.jsonl", "", "empty; expected a record on each line"),
        ("a.jsonl", '{"a": 1}\n{"a": 2\n', "line 2: column 8: not valid JSON: Expecting ',' delimiter"),
        ("a.jsonl", '{"a": 1}\n[1, 2]\n', 'line 2: expected a record, {"column": value, ...}, found [1, 2]'),
        ("a.jsonl", '{"a": {"b": 1}}\n', "row 1 (line 1), column a: found a record within the record; write its parts"),
        ("a.jsonl", '{"a": 1}\n\n{"a": [1, 2]}\n', "row 2 (line 3), column a: found a list of 2 within the record"),
        ("a.jsonl", '{"a": ' + "[" * 100_000 + "\n", "line 1: nested too deeply; expected flat records"),
        ("a.jsonl", '{"a": ' + "9" * 5_000 + "}\n", "line 1: a whole number with too many digits"),
        ("a.json", "", "line 1, column 1: not valid JSON: Expecting value"),
        ("a.json", "[]", "an empty list; expected records"),
        ("a.json", "{}", "an empty object; expected records"),
        ("a.json", "3", "expected a list of records, [{"),
        ("a.json", "[1, 2]", "item 1: expected a record"),
        ("a.json", '{"a": 1, "b": 2}', 'found an object whose "a" is 1'),
        ("a.json", '{"a": [1], "b": [1, 2]}', "the columns differ in length"),
        ("a.json", '{"a": {"0": 1}, "b": {"1": 1}}', "found an object of objects with different keys"),
        ("a.json", "[" * 100_000, "nested too deeply; expected flat records"),
    ],
)
def test_what_is_no_table(tmp_path, name, contents, message):
    path = written(tmp_path / name, contents)
    with pytest.raises(DataError) as caught:
        read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_text_in_another_encoding(tmp_path):
    path = written(tmp_path / "a.jsonl", '{"a": "Zürich"}\n', "cp1252")
    with pytest.raises(DataError, match=r"not UTF-8 \(invalid .*\); save the file as UTF-8, or set data.encoding"):
        read(path)


def test_infinity_and_nan_are_numbers_of_python(tmp_path):
    column = read(written(tmp_path / "a.jsonl", '{"a": NaN}\n{"a": Infinity}\n{"a": 1e999}\n')).columns["a"]
    assert column.gaps.tolist() == [True, False, False]
    assert math.isinf(column.values[1])


@given(damage=st.binary(max_size=60))
def test_hostile_bytes_are_faults_of_data(tmp_path_factory, damage):
    folder = tmp_path_factory.mktemp("json")
    for name in ("a.json", "a.jsonl", "b.json.gz"):
        (folder / name).write_bytes(gzip.compress(damage) if name.endswith("gz") else damage)
        assert str(folder / name) in fault_of(folder / name)


def test_days_are_texts_which_the_schema_understands(tmp_path):
    column = read(written(tmp_path / "a.json", [{"day": str(date(2024, 1, 2))}])).columns["day"]
    assert (column.type, column.text(0)) == ("text", "2024-01-02")
