"""Rows of a table, in the forms in which programs have them."""

import dataclasses
import pickle
import sqlite3
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import modnet
from modnet.data.column_schema import ColumnSchema
from modnet.data.schema import DataSchema
from modnet.errors import DataError, ShapeError

COLUMNS = {"input": [3.0, 0.0, 0.0], "colour": ["red", "blue", "red"], "weight": [0.0, 2.0, None], "note": ["", "", ""]}
ROWS = [dict(zip(COLUMNS, values, strict=True)) for values in zip(*COLUMNS.values(), strict=True)]
KINDS = ["cat", "dog", "cat"]
NAMES = ["kind", "P(cat)", "P(dog)"]


@pytest.fixture
def network():
    """A cat is what weighs less than 1; one column is called as the network's input is."""
    columns = (
        ColumnSchema("input", "number"),
        ColumnSchema("colour", "category", ("blue", "red")),
        ColumnSchema("weight", "number", missing="mean", fill=0.5),
    )
    made = modnet.build({"network": {"input": [4], "layers": [{"type": "linear", "out_features": 2}, "softmax"]}})
    schema = DataSchema({"input": columns}, {"output": (ColumnSchema("kind", "category", ("cat", "dog")),)})
    made.card = made.card.replace(schema=schema)
    made.parameters["linear_1.weight"] = [[0, 0], [0, 0], [0, 0], [-1, 1]]
    made.parameters["linear_1.bias"] = [1, -1]
    return made


def test_column_to_values(network):
    found = network.predict(COLUMNS)
    assert list(found) == NAMES
    assert found["kind"] == KINDS
    encoded = [[3, 0, 1, 0], [0, 1, 0, 2], [0, 0, 1, 0.5]]
    np.testing.assert_allclose(found["P(dog)"], network.forward(encoded)[:, 1])
    assert network.predict(COLUMNS, batch_size=1) == found
    assert network.predict({name: np.array(values, object) for name, values in COLUMNS.items()}) == found
    empty = network.predict({name: [] for name in COLUMNS})
    assert empty == {name: [] for name in NAMES}


def test_a_record_and_a_list_of_records(network):
    found = network.predict(ROWS)
    assert [row["kind"] for row in found] == KINDS
    assert list(found[0]) == NAMES
    assert network.predict(tuple(ROWS)) == found
    for row, expected in zip(ROWS, found, strict=True):
        record = network.predict(row)
        assert record["kind"] == expected["kind"]
        assert isinstance(record["P(cat)"], float)
    assert network.predict([]) == []
    assert network.predict([{"input": 1, "colour": "red"}, ROWS[0]])[0]["kind"] == "cat", "a value left out is missing"
    with pytest.raises(DataError, match=r'no column "colour" .did you mean "color"'):
        network.predict([{"input": 1, "color": "red", "weight": 1}])


def test_a_record_without_some_columns_names_them_and_no_other_column_of_the_model(network):
    with pytest.raises(DataError) as told:
        network.predict({"colour": "red"})
    assert str(told.value) == 'table: no columns "input", "weight"; the columns are colour'


def test_an_array_in_the_order_of_the_columns(network):
    rows = [[row[name] for name in ("input", "colour", "weight")] for row in ROWS]
    assert network.predict(rows) == network.predict(np.array(rows, object)) == network.predict(COLUMNS)


def test_rows_that_are_encoded_already(network):
    x = network.encode(ROWS)
    np.testing.assert_array_equal(network.predict(x), network.forward(x))


def test_an_array_of_numbers_is_answered_with_one():
    spec = {"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}, "training": {"loss": "mse"}}
    rows = {"a": [1.0, 2, 4], "b": [0.0, 1, 5], "y": [1.0, 2, 3]}
    made = modnet.train({**spec, "data": {"target": "y"}}, rows, epochs=1).network
    array = np.array([[1.0, 0], [np.inf, 1], [4, 5]])
    found = made.predict(array, faults="none")
    np.testing.assert_array_equal(found[::2, 0], np.array(made.predict({"a": [1, 4], "b": [0, 5]})["y"], np.float32))
    assert np.isnan(found[1, 0])


def test_a_data_frame_of_pandas(network):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({**COLUMNS, "colour": pandas.Categorical(COLUMNS["colour"])}, index=[7, 8, 9])
    found = network.predict(frame)
    assert type(found) is pandas.DataFrame
    assert list(found.columns) == NAMES
    assert list(found.index) == [7, 8, 9]
    assert list(found["kind"]) == KINDS
    assert list(network.predict(frame.convert_dtypes())["kind"]) == KINDS, "pandas.NA is a missing value"
    assert list(network.predict(frame[:0])["kind"]) == []
    with pytest.raises(DataError, match='no column "weight"'):
        network.predict(frame.drop(columns="weight"))


def test_a_data_frame_of_polars(network):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    found = network.predict(polars.DataFrame(COLUMNS))
    assert type(found) is polars.DataFrame
    assert found.columns == NAMES
    assert found["kind"].to_list() == KINDS


def test_data_frames_of_pandas_keep_any_index(network):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(COLUMNS)
    several = pandas.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", 2)], names=["x", "y"])
    for index in (several, pandas.Index(["a", "a", "b"]), pandas.date_range("2024-01-01", periods=3)):
        found = network.predict(frame.set_axis(index, axis=0))
        assert found.index.equals(index)
        assert list(found["kind"]) == KINDS
    with pytest.raises(
        DataError, match=r'no column "weight"; .* "weight" is the frame\'s index: pass frame.reset_index'
    ):
        network.predict(frame.set_index("weight"))
    twice = pandas.concat([frame, frame[["weight"]]], axis=1)
    with pytest.raises(DataError, match='several columns are called "weight"'):
        network.predict(twice)
    twice = pandas.concat([frame, frame[["note"]]], axis=1)
    assert list(network.predict(twice)["kind"]) == KINDS, "a column that is not needed may be there twice"


def test_a_row_of_a_data_frame_of_pandas(network):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(COLUMNS, index=["x", "y", "z"])
    found = network.predict(frame.iloc[1])
    assert type(found) is pandas.Series
    assert (found.name, found["kind"], list(found.index)) == ("y", "dog", NAMES)
    assert [row["kind"] for row in network.predict([row for _, row in frame.iterrows()])] == KINDS


def test_columns_with_numbers_for_names():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    made = modnet.build({"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}})
    columns = (ColumnSchema("0", "number"), ColumnSchema("1", "number"))
    made.card = made.card.replace(schema=DataSchema({"input": columns}, {}))
    frame = pandas.DataFrame([[1.0, 2.0], [3.0, 4.0]])
    expected = made.forward(frame.to_numpy())[:, 0]
    np.testing.assert_array_equal(made.predict(frame)["output"], expected)
    np.testing.assert_array_equal(made.predict(frame[[1, 0]])["output"], expected)
    np.testing.assert_array_equal(made.predict({1: [2.0, 4.0], 0: [1.0, 3.0]})["output"], expected)


def test_data_frames_of_polars_and_pyarrow_and_others(network):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    frame = polars.DataFrame(COLUMNS)
    assert network.predict(frame.lazy()).collect()["kind"].to_list() == KINDS
    table = frame.to_arrow()
    for rows in (table, table.to_batches()[0]):
        found = network.predict(rows)
        assert type(found) is type(rows)
        assert found.column("kind").to_pylist() == KINDS

    class Other:
        def __arrow_c_stream__(self, requested_schema=None):
            return frame.__arrow_c_stream__(requested_schema)

    assert type(network.predict(Other())) is pyarrow.Table
    empty = network.predict(frame[:0])
    assert (empty.columns, len(empty), empty["kind"].dtype) == (NAMES, 0, polars.String)


def test_data_frames_of_narwhals(network):
    narwhals = pytest.importorskip("narwhals", reason="narwhals is not installed")
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    found = network.predict(narwhals.from_native(pandas.DataFrame(COLUMNS, index=[7, 8, 9])))
    assert type(found) is narwhals.DataFrame
    assert list(found.to_native().index) == [7, 8, 9]


def test_records_of_other_kinds(network):
    Named = namedtuple("Named", COLUMNS)
    Data = dataclasses.make_dataclass("Data", [*COLUMNS])
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    fields = ", ".join(COLUMNS)
    query = " union all ".join(f"select {', '.join(f':{name}_{i} as {name}' for name in COLUMNS)}" for i in range(3))
    values = {f"{name}_{i}": row[name] for i, row in enumerate(ROWS) for name in COLUMNS}
    selected = connection.execute(f"select {fields} from ({query})", values).fetchall()
    connection.close()
    expected = network.predict(ROWS)
    for rows in (selected, [Named(**row) for row in ROWS], [Data(**row) for row in ROWS]):
        assert network.predict(rows) == expected
        assert network.predict(iter(rows)) == expected
        assert [network.predict(row)["kind"] for row in rows] == KINDS


def test_structured_arrays(network):
    dtype = [("colour", "U4"), ("weight", "f8"), ("note", "U1"), ("input", "f4")]
    rows = np.array([(row["colour"], row["weight"] or np.nan, "", row["input"]) for row in ROWS], dtype)
    rows["weight"][0] = 0.0
    found = network.predict(rows)
    assert found.dtype.names == tuple(NAMES)
    assert found["kind"].tolist() == KINDS
    assert network.predict(rows.view(np.recarray)).kind.tolist() == KINDS
    assert network.predict(rows[1])["kind"] == "dog"
    assert len(network.predict(rows[:0])) == 0


def test_a_table_of_modnet(network):
    found = network.predict(modnet.Table(COLUMNS, "pets.csv", lines=[2, 3, 5]))
    assert type(found) is modnet.Table
    assert found.columns["kind"].strings() == KINDS
    with pytest.raises(DataError, match=r"^pets.csv: row 3 \(line 5\), column input: expected a number, found \"x\""):
        network.predict(modnet.Table({**COLUMNS, "input": [1, 2, "x"]}, "pets.csv", lines=[2, 3, 5]))


# What was replaced, and what cannot be used


def test_a_report_tells_what_was_replaced_and_ignored(network):
    report = []
    network.predict({**COLUMNS, "kind": ["", "", ""]}, report=report)
    assert [(fault.row, fault.column, fault.value) for fault in report] == [(None, "note", None), (2, "weight", None)]
    assert report[1].message == "missing value; given 0.5, learnt in training"
    assert isinstance(report[0], modnet.Fault)
    network.predict(ROWS[2], report=report)
    assert [(fault.row, fault.column) for fault in report[2:]] == [(None, "note"), (0, "weight")]


def test_unknown_categories_are_in_the_report():
    made = modnet.build({"network": {"input": [2], "layers": [{"type": "linear", "out_features": 1}]}})
    column = ColumnSchema("colour", "category", ("blue", "red"), missing="code", unknown="code")
    made.card = made.card.replace(schema=DataSchema({"input": (column,)}, {}))
    report = []
    found = made.predict({"colour": ["blue", "bleu", None]}, report=report)["output"]
    assert found[1] == found[2] == made.parameters["linear_1.bias"][0]
    assert [fault.message for fault in report] == [
        'unknown category "bleu"; did you mean "blue"?; given the code of unknown ones',
        "missing value; given its own code",
    ]


FAULTY = {**COLUMNS, "colour": ["red", "green", "red"], "weight": [0.0, 2.0, "heavy"]}


def test_all_faults_are_in_the_error(network):
    with pytest.raises(
        DataError, match=r"row 2, column colour: .*; 1 more fault, the next in row 3, column weight"
    ) as e:
        network.predict(FAULTY)
    assert [(fault.row, fault.column, fault.value) for fault in e.value.problems] == [
        (1, "colour", "green"),
        (2, "weight", "heavy"),
    ]
    with pytest.raises(DataError) as e:
        network.predict({"input": [1]})
    assert [(fault.row, fault.column) for fault in e.value.problems] == [(None, "colour"), (None, "weight")]


def test_rows_with_faults_have_no_prediction(network):
    report = []
    found = network.predict(FAULTY, faults="none", report=report)
    assert found["kind"] == ["cat", None, None]
    assert found["P(cat)"][0] == network.predict(COLUMNS)["P(cat)"][0]
    assert found["P(cat)"][1:] == [None, None]
    assert [(fault.row, fault.column) for fault in report] == [(None, "note"), (1, "colour"), (2, "weight")]
    records = [dict(zip(FAULTY, row, strict=True)) for row in zip(*FAULTY.values(), strict=True)]
    first, *others = network.predict(records, faults="none")
    assert (first["kind"], others) == ("cat", [None, None])
    assert network.predict(records[1], faults="none") is None
    assert network.predict(COLUMNS, faults="none") == network.predict(COLUMNS)
    with pytest.raises(ValueError, match='faults: expected "raise" or "none", found "skip"'):
        network.predict(COLUMNS, faults="skip")


def test_rows_of_frames_with_faults_have_no_prediction(network):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = pandas.DataFrame(FAULTY).astype({"weight": str})
    found = network.predict(frame, faults="none")
    assert found.isna().all(axis=1).tolist() == [False, True, True]
    found = network.predict(polars.from_pandas(frame), faults="none")
    assert found.select(polars.all().is_null()).rows() == [(False,) * 3, (True,) * 3, (True,) * 3]


def test_a_prediction_that_is_nan_is_a_fault(network):
    network.parameters["linear_1.bias"] = np.nan, 0
    with np.errstate(all="ignore"):
        with pytest.raises(
            DataError, match=r"^table: row 1, column output: the prediction is nan.*; 2 more faults"
        ) as e:
            network.predict(COLUMNS)
        assert e.value.problems[0][:3] == (0, "output", None)
        with pytest.raises(DataError, match="table: row 1, column output: the prediction is nan"):
            network.predict(ROWS[0])
        assert network.predict(COLUMNS, faults="none")["kind"] == [None, None, None]


def test_a_number_that_the_network_cannot_hold_is_a_fault(network):
    rows = {**COLUMNS, "input": [0.0, 1e39, 0.0]}
    message = r"^table: row 2, column input: 1e\+39 is beyond what float32 can hold; rescale it, or train with dtype"
    with pytest.raises(DataError, match=message):
        network.predict(rows)
    with pytest.raises(DataError, match=message.replace("row 2", "row 1")):
        network.predict({**ROWS[0], "input": 1e39})
    assert network.predict(rows, faults="none")["kind"] == ["cat", None, "cat"]


def test_many_faults_take_little_time(network):
    rows = 20_000
    columns = {
        "input": ["x"] * rows,
        "colour": [f"colour {row}" for row in range(rows)],
        "weight": [None] * rows,
    }
    report = []
    start = time.perf_counter()
    assert network.predict(columns, faults="none", report=report)["kind"] == [None] * rows
    with pytest.raises(DataError) as e:
        network.predict(columns)
    assert time.perf_counter() - start < 5
    assert (len(e.value.problems), len(report)) == (2 * rows, 3 * rows)
    assert len(str(e.value)) < 300


# One record


SCHEMA = DataSchema(
    {
        "input": (
            ColumnSchema("number", "number", missing="mean", fill=0.25),
            ColumnSchema("size", "category", ("1", "2", "true"), missing="code", unknown="code"),
            ColumnSchema("code", "category", ("007", "12", "0"), missing="most_frequent", fill="12"),
            ColumnSchema("yes", "boolean", ("no", "yes"), missing="code", unknown="code"),
            ColumnSchema("grade", "category", ("low", "high"), encoding="ordinal"),
        )
    },
    {},
    ("", "NA", "-1"),
)


@pytest.fixture(scope="module")
def wide():
    made = modnet.build({"network": {"input": [9], "layers": [{"type": "linear", "out_features": 1}]}}, seed=0)
    made.card = made.card.replace(schema=SCHEMA)
    return made


VALUES = st.one_of(
    st.sampled_from([None, True, False, "1", "2.0", "true", "True", "NA", "", " low", "HIGH", "low", "yes", "no", "x"]),
    st.sampled_from([-1, 0, 1, 2, 7, 12, 7.0, 12.0, -1.0, 0.5, 10**400, np.int64(7), np.float32(0.5), np.bool_(True)]),
    st.floats(),
    st.integers(),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["-1.0", "007", "00.5", ".5", "5.", "-", "", "0", "-0", "1" * 400, "1_0", "٣", "²", " 1"]),
    st.text(max_size=3),
)


@example({"number": "-1.0", "size": None, "code": None, "yes": None, "grade": "low"})
@given(st.fixed_dictionaries(dict.fromkeys(SCHEMA.columns(), VALUES)))
def test_records_predict_as_columns_do(wide, record):
    def predicted(rows):
        try:
            with np.errstate(all="ignore"):
                return wide.predict(rows)
        except DataError as error:
            return str(error)

    columns = predicted({name: [value] for name, value in record.items()})
    expected = columns if isinstance(columns, str) else {name: values[0] for name, values in columns.items()}
    assert predicted(record) == expected
    assert predicted([record]) == (expected if isinstance(expected, str) else [expected])


# Encoding and decoding


def test_rows_are_encoded_once_and_predictions_named(network):
    x = network.encode(COLUMNS)
    np.testing.assert_array_equal(x, [[3, 0, 1, 0], [0, 1, 0, 2], [0, 0, 1, 0.5]])
    np.testing.assert_array_equal(network.encode(ROWS), x)
    found = network.decode(network.forward(x))
    assert {name: values.tolist() for name, values in found.items()} == network.predict(COLUMNS)
    assert list(network.decode({"output": network.forward(x)})) == NAMES
    with pytest.raises(DataError, match='no output of the network is called "outptu"; did you mean "output"'):
        network.decode({"outptu": network.forward(x)})
    network.card = network.card.replace(schema=None)
    with pytest.raises(DataError, match="trained on arrays and knows no columns"):
        network.encode(COLUMNS)
    assert list(network.decode(network.forward(x))) == ["output_0", "output_1"]
    with pytest.raises(DataError, match="report and faults are for rows of a table"):
        network.predict(x, report=[])


def test_another_schema_is_heeded_at_once(network):
    assert network.predict(ROWS[0])["kind"] == "cat"
    schema = network.card.schema
    renamed = DataSchema(schema.inputs, {"output": (ColumnSchema("pet", "category", ("tom", "rex")),)})
    network.card = network.card.replace(schema=renamed)
    assert network.predict(ROWS[0])["pet"] == "tom"
    assert pickle.loads(pickle.dumps(network)).predict(ROWS[0])["pet"] == "tom"


def test_threads_predict_at_once(network):
    expected = network.predict(COLUMNS)
    records = network.predict(ROWS)
    fresh = pickle.loads(pickle.dumps(network))
    with ThreadPoolExecutor(8) as pool:
        for one in pool.map(
            lambda index: fresh.predict(ROWS[index % 3]) if index % 4 else fresh.predict(COLUMNS), range(400)
        ):
            assert one in records or one == expected


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            {**COLUMNS, "colour": "red"},
            r"^column colour: expected a list with a value for each row, found \"red\"; ",
        ),
        ({**COLUMNS, "weight": 3.5}, r"^column weight: expected a list with a value for each row, found 3.5"),
        ({**ROWS[0], "colour": ["red"]}, r"^column input: expected a list with a value for each row, found 3.0"),
        ({**ROWS[0], "colour": "green"}, r"row 1, column colour: unknown category \"green\""),
        ([[1, "red"]], r"expected \(rows, 3\) for the columns input, colour, weight, found an array of shape \(1, 2\)"),
        ([[1, "red", 1], [1]], r"rows of different lengths; expected \(rows, 3\) for the columns input, colour"),
        (np.zeros((2, 5)), r"found an array of shape \(2, 5\); for arrays of .*encoded rows\), use network.forward"),
        ([1, "red", 2], r"found an array of shape \(3,\); for a single row, pass row\[None\]"),
        ("a.csv", r"found \"a.csv\"; read the file \(pandas, csv.DictReader\), or call: modnet predict MODEL FILE"),
        (Path("a.csv"), r"found \"a.csv\"; read the file"),
        (3, r"expected \(rows, 3\) for the columns input, colour, weight, found 3; for arrays"),
    ],
)
def test_what_is_no_row_of_the_table(network, rows, message):
    with pytest.raises(DataError, match=message):
        network.predict(rows)


def test_forward_takes_arrays_and_gives_arrays(network):
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    y = network.forward(x)
    assert y.shape == (5, 2)
    np.testing.assert_array_equal(network.forward({"input": x}), y)
    np.testing.assert_array_equal(network.forward(x, batch_size=2), y)
    out = np.empty_like(y)
    assert network.forward(x, out=out) is out
    with pytest.raises(DataError, match=r"out is not possible for rows of a table; use network.forward"):
        network.predict(COLUMNS, out=out)
    with pytest.raises(DataError, match='no input of the network is called "colour"'):
        network.forward(COLUMNS)
    with pytest.raises(ShapeError, match="expected an array of shape"):
        network.forward(x[:, :3])


def test_a_network_that_was_trained_on_arrays_predicts_arrays(network):
    x = np.ones((3, 4))
    expected = network.forward(x)
    targets_alone = DataSchema({}, network.card.schema.targets)
    network.card = network.card.replace(schema=targets_alone)  # it has only names for its classes
    np.testing.assert_array_equal(network.predict(x), expected)
    network.card = network.card.replace(schema=None)
    np.testing.assert_array_equal(network.predict({"input": x}), expected)


def test_values_outside_of_the_training_are_in_the_report(network):
    inputs = network.schema.inputs["input"]
    ranged = (inputs[0].replace(lowest=0.0, highest=5.0), *inputs[1:])
    network.card = network.card.replace(schema=network.schema.replace(inputs={"input": ranged}))
    row = {"input": 7, "colour": "red", "weight": None}
    for rows in (row, [row], {name: [value] for name, value in row.items()}):
        report = []
        assert network.predict(rows, report=report) == network.predict(rows)
        assert [(fault.kind, fault.column, fault.value) for fault in report] == [
            ("outside", "input", "7"),
            ("replaced", "weight", None),
        ]
    report = []
    network.predict({**row, "note": 1, "colour": "green"}, report=report, faults="none")
    assert [fault.kind for fault in report] == ["ignored", "outside", "replaced", "fault"]
