"""Rows of a table, in the forms in which programs have them."""

import numpy as np
import pytest

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


def test_an_array_in_the_order_of_the_columns(network):
    rows = [[row[name] for name in ("input", "colour", "weight")] for row in ROWS]
    assert network.predict(rows) == network.predict(np.array(rows, object)) == network.predict(COLUMNS)


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
        (np.zeros((2, 4)), r"found an array of shape \(2, 4\); for arrays of .*encoded rows\), use network.forward"),
        ([1, "red", 2], r"found an array of shape \(3,\); for a single row, pass row\[None\]"),
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
