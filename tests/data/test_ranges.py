"""The range of a column in training, and the rows that lie outside of it."""

import io

import numpy as np
import pytest

import modnet
from modnet.data.column import Column
from modnet.data.column_schema import ColumnSchema
from modnet.data.faults import Report
from modnet.data.files import read_table
from modnet.data.schema import DataSchema
from modnet.data.spec import ColumnSpec, DataSpec
from modnet.data.table import Table
from modnet.errors import SpecError

TRAINING = """\
size,since,colour,price,y
1.5,2024-01-03,red,"1.000,5",1
4.25,2024-06-30,blue,"900,0",2
,2024-03-01,red,"950,0",3
9.0,2025-01-01,green,"990,0",4
"""


def learn(rows=None, parts=("day", "day_of_week"), **columns):
    spec = DataSpec(
        train="t.csv",
        target="y",
        missing="mean",
        columns={
            "since": ColumnSpec(kind="date", parts=parts),
            "price": ColumnSpec(kind="number", decimal=",", thousands="."),
            **columns,
        },
    )
    table = read_table(io.BytesIO(TRAINING.encode()), "t.csv")
    return DataSchema.learn(table, spec, rows=rows)


def ranges(schema):
    return {c.name: (c.lowest, c.highest) for c in schema.inputs["input"] if c.lowest is not None}


def test_numbers_and_dates_that_grow_have_the_range_of_the_training_rows():
    assert ranges(learn()) == {
        "size": (1.5, 9.0),
        "since": ("2024-01-03T00:00:00", "2025-01-01T00:00:00"),
        "price": (900.0, 1000.5),
    }
    assert ranges(learn(rows=[0, 1, 2])) == {
        "size": (1.5, 4.25),
        "since": ("2024-01-03T00:00:00", "2024-06-30T00:00:00"),
        "price": (900.0, 1000.5),
    }
    assert "since" not in ranges(learn(parts=("day_of_week",)))  # which begins again every week


def test_the_target_and_categories_have_none():
    schema = learn(size=ColumnSpec(kind="category"))
    assert schema.targets["output"][0].lowest is None
    assert "size" not in ranges(schema)


def noted(schema, text):
    report = Report(noted=[], outside={})
    table = read_table(io.BytesIO(text.encode()), "new.csv", schema.reading())
    schema.encode(table, False, report, "none")
    return report


NEW = """\
size,since,colour,price
9.0,2025-01-01,red,"1.000,5"
-3,2024-02-01,red,"900,1"
20,2026-03-04,blue,"899,0"
,2023-12-31,red,"1.000,5"
large,2024-02-01,red,"950,0"
"""


def test_values_outside_are_noted_and_used():
    report = noted(learn(), NEW)
    outside = [fault for fault in report.noted if fault.kind == "outside"]
    assert [(fault.row, fault.column, fault.value) for fault in outside] == [
        (1, "size", "-3"),
        (2, "size", "20"),
        (2, "since", "2026-03-04"),
        (3, "since", "2023-12-31"),
        (2, "price", "899,0"),
    ]
    assert outside[0].message == "-3 is outside of what the model was trained on, 1.5 to 9"
    assert outside[2].message == "2026-03-04 is outside of what the model was trained on, 2024-01-03 to 2025-01-01"
    assert report.outside_rows == 3
    assert [(name, known.rows, known.farthest) for name, known in report.outside.items()] == [
        ("size", 2, "20"),
        ("since", 2, "2026-03-04"),
        ("price", 1, "899,0"),
    ]
    assert report.outside_texts() == [
        "3 rows with a value outside of what the model was trained on:",
        "  size was 1.5 to 9: 2 rows, the farthest 20",
        "  since was 2024-01-03 to 2025-01-01: 2 rows, the farthest 2026-03-04",
        "  price was 900 to 1000.5: 1 row, the farthest 899,0",
    ]


def test_blocks_are_counted_together():
    schema, report = learn(), Report(outside={})
    for size in ("20", "5", "-100"):
        text = f'size,since,colour,price\n{size},2024-02-01,red,"950,0"\n'
        schema.encode(read_table(io.BytesIO(text.encode()), "new.csv", schema.reading()), False, report)
    assert report.outside_rows == 2
    assert report.outside["size"].farthest == "-100"


def test_nobody_looks_where_nobody_asks():
    report = Report()
    schema = learn()
    schema.encode(read_table(io.BytesIO(NEW.encode()), "new.csv", schema.reading()), False, report, "none")
    assert (report.outside, report.outside_rows, report.outside_texts()) == (None, 0, [])


def test_numbers_that_float32_cannot_tell_from_the_limits_are_within():
    column = ColumnSchema("x", "number", lowest=0.1, highest=123456.7)
    schema = DataSchema({"input": (column,)}, {})
    report = Report(outside={})
    schema.encode(Table({"x": Column.of(np.array([0.1, 123456.7], np.float32))}), False, report)
    assert report.outside_rows == 0
    schema.encode(Table({"x": Column.of(np.array([0.05, 123457.7]))}), False, report)
    assert report.outside_rows == 2


def test_training_itself_is_within():
    rng = np.random.default_rng(0)
    rows = {"a": rng.normal(size=200) * 1e8, "b": rng.integers(0, 9, 200), "y": rng.normal(size=200)}
    spec = {
        "network": {"input": [2], "layers": ["standardize", {"type": "linear", "out_features": 1}]},
        "training": {"loss": "mse", "epochs": 1},
        "data": {"target": "y"},
    }
    network = modnet.train(spec, rows).network
    report = []
    network.predict({"a": rows["a"], "b": rows["b"]}, report=report)
    network.predict({"a": rows["a"].astype(np.float32), "b": rows["b"]}, report=report)
    assert report == []


def test_of_many_columns_the_first_are_told():
    columns = tuple(ColumnSchema(f"c{n}", "number", lowest=0.0, highest=1.0) for n in range(20))
    schema, report = DataSchema({"input": columns}, {}), Report(outside={})
    schema.encode(Table({f"c{n}": Column.of([n + 2.0]) for n in range(20)}), False, report)
    assert len(report.outside_texts()) == 10
    assert report.outside_texts()[-1] == "  and 12 more columns"


@pytest.mark.parametrize(
    "options",
    [
        {"lowest": 1.0},
        {"lowest": 2.0, "highest": 1.0},
        {"lowest": "a", "highest": "b"},
        {"kind": "category", "categories": ("a", "b"), "lowest": 1.0, "highest": 2.0},
        {"kind": "date", "parts": ("day",), "lowest": "2024-01-01", "highest": "soon"},
    ],
)
def test_what_is_no_range_is_refused(options):
    with pytest.raises(SpecError, match="lowest and highest: expected two numbers, or two dates"):
        ColumnSchema(**{"name": "x", "kind": "number", **options})


def test_a_model_file_holds_them_and_older_files_have_none():
    plain = learn().to_plain()
    assert DataSchema.from_plain(plain) == learn()
    assert plain["inputs"]["input"][0]["highest"] == 9.0
    for column in plain["inputs"]["input"]:
        column.pop("lowest", None), column.pop("highest", None)
    old = DataSchema.from_plain(plain)
    assert noted(old, NEW).outside_rows == 0
