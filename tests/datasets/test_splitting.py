"""How the rows of a table are set aside."""

import numpy as np
import pytest

from modnet.data.spec import ColumnSpec, DataSpec, SplitSpec
from modnet.datasets.load import Loader
from modnet.errors import DataError, SpecError

ONE = {"input_names": ["input"], "output_names": ["output"]}


def rows_of(text, tmp_path, *, labels=False, **options):
    """The loaded data of a table whose column `x` numbers its rows."""
    (tmp_path / "t.csv").write_text(text)
    loader = Loader(tmp_path, **ONE, label_outputs=["output"] if labels else [])
    return loader.load(DataSpec(train="t.csv", target="y", **options))


def numbers(part):
    return part.inputs["input"][:, 0].astype(int).tolist()


def table(column, values, extra="y"):
    return f"x,{column},y\n" + "".join(f"{row},{value},{row % 3}.5\n" for row, value in enumerate(values))


@pytest.mark.parametrize("seed", range(3))
def test_a_group_is_on_one_side(tmp_path, seed):
    patients = [f"P{row % 20:02}" if row % 7 else f" p{row % 20:02} " for row in range(200)]
    split = {"by": "group", "column": "patient"}
    data = rows_of(
        table("patient", patients), tmp_path, validation=0.2, test=0.1, split_seed=seed, split=SplitSpec(**split)
    )
    assert [len(part) for part in (data.train, data.validation, data.test)] == [140, 40, 20]
    groups = [{row % 20 for row in numbers(part)} for part in (data.train, data.validation, data.test)]
    assert sum(map(len, groups)) == 20
    assert data.notes[0] == (
        "200 rows: 140 to train, 40 to validate, 20 to test (by group patient: 14, 4 and 2 of 20 groups); 1 column -> y"
    )
    assert data.schema.columns() == ("x",)


@pytest.mark.parametrize(
    ("dates", "start"),
    [
        ([f"2024-{1 + row % 12:02}-15" for row in range(24)], "2024-11-15"),
        ([f"15.{1 + row % 12:02}.2024" for row in range(24)], "15.11.2024"),
        ([f"{100 + row % 12}" for row in range(24)], "110"),
        ([f"{1 + row % 12}/15/2024 08:30" for row in range(24)], "11/15/2024 08:30"),
    ],
)
def test_the_last_rows_by_time_are_validated(tmp_path, dates, start):
    data = rows_of(table("day", dates), tmp_path, validation=0.2, split=SplitSpec(by="time", column="day"))
    assert numbers(data.validation) == [10, 11, 22, 23]
    assert f"20 to train, 4 to validate (by time day: validation from {start})" in data.notes[0]


def test_a_format_of_dates_that_the_spec_declares(tmp_path):
    days = [f"{1 + row:02}/{12 - row:02}/2024" for row in range(10)]  # the day first: from December down to March
    declared = {"columns": {"day": ColumnSpec(kind="date", date_format="%d/%m/%Y")}}
    split = SplitSpec(by="time", column="day")
    data = rows_of(table("day", days), tmp_path, validation=0.2, split=split, **declared)
    assert numbers(data.validation) == [0, 1]
    data = rows_of(table("day", days), tmp_path, validation=0.2, split=split)
    assert numbers(data.validation) == [8, 9]
    assert "read as %m/%d/%Y" in data.notes[0]
    with pytest.raises(DataError, match='column day: expected dates of the format "%d/%m/%Y", found "13/13/2024"'):
        rows_of(table("day", ["13/13/2024", *days]), tmp_path, validation=0.2, split=split, **declared)


def test_the_order_of_the_file(tmp_path):
    data = rows_of(table("z", range(20)), tmp_path, validation=0.25, test=0.1, split=SplitSpec(by="time"))
    assert numbers(data.validation) == [13, 14, 15, 16, 17]
    assert numbers(data.test) == [18, 19]
    assert "(by time, in the order of the file)" in data.notes[0]


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (["train", "Validation", "test"], {}),
        (["training", "dev", "TEST "], {}),
        (["0", "1", "2"], {"train": "0", "validation": "1.0", "test": "2"}),
        (["a", "b", "c"], {"train": ("a",), "validation": ("b", "z"), "test": "c"}),
    ],
)
def test_a_column_says_where_a_row_belongs(tmp_path, values, options):
    part = [values[0] if row < 12 else values[1] if row < 16 else values[2] for row in range(20)]
    data = rows_of(table("part", part), tmp_path, split=SplitSpec(by="column", column="part", **options))
    assert numbers(data.train) == [*range(12)]
    assert numbers(data.validation) == [12, 13, 14, 15]
    assert numbers(data.test) == [16, 17, 18, 19]
    assert "12 to train, 4 to validate, 4 to test (by column part)" in data.notes[0]


def test_a_share_of_the_rows_to_train_on_may_be_validated(tmp_path):
    part = ["test" if row % 4 == 0 else "train" for row in range(40)]
    data = rows_of(table("part", part), tmp_path, validation=0.2, split=SplitSpec(by="column", column="part"))
    assert [len(data.train), len(data.validation), len(data.test)] == [24, 6, 10]
    assert numbers(data.test) == [*range(0, 40, 4)]


def test_rows_are_dropped_before_and_a_listed_column_is_an_input(tmp_path):
    text = "x,day,y\n" + "".join(f"{row},{row},{'' if row > 15 else row}\n" for row in range(20))
    data = rows_of(
        text, tmp_path, validation=0.25, missing="drop", split=SplitSpec(by="time", column="day"), inputs=("x", "day")
    )
    assert numbers(data.validation) == [12, 13, 14, 15]
    assert data.schema.columns() == ("x", "day")


@pytest.mark.parametrize(
    ("values", "split", "expected"),
    [
        (["a"] * 6, {"by": "group"}, r"column z: found 1 group; expected at least 2"),
        (["1"] * 6, {"by": "time"}, r"column z: found 1 time in 6 rows; expected at least 2 different ones"),
        (["a", "", "b", "NA", "c", "d"], {"by": "group"}, r"row 2 \(line 3\), column z: missing value .*1 more fault"),
        (["one", "two", "3", "4", "5", "6"], {"by": "time"}, r'needs numbers or dates, all in one format; found "one"'),
        (
            ["train", "tset", "test", "tset", "test", "train"],
            {"by": "column"},
            r'"tset" in row 2 .*\(2 rows\) is no part; ',
        ),
        (["fit"] * 6, {"by": "column"}, r'"fit" in row 1 .* is no part'),
        (["train"] * 6, {"by": "column"}, r'no row is for validation: none is "validation" or "val"'),
        (["test"] * 6, {"by": "column"}, r'no row is for train: none is "train"'),
    ],
)
def test_rows_that_cannot_be_parted(tmp_path, values, split, expected):
    share = {} if split["by"] == "column" else {"validation": 0.2}
    with pytest.raises(DataError, match=expected):
        rows_of(table("z", values), tmp_path, split=SplitSpec(**split, column="z"), **share)


def test_an_unknown_column_to_split_by_is_named(tmp_path):
    with pytest.raises(DataError, match=r'no column "paitent" \(did you mean "patient"\?\)'):
        rows_of(table("patient", "abcdef"), tmp_path, validation=0.2, split=SplitSpec(by="group", column="paitent"))


@pytest.mark.parametrize(
    ("options", "split", "expected"),
    [
        ({}, {"by": "group", "column": "g"}, "needs a share of the rows, such as validation = 0.2"),
        ({"validation": 0.6, "test": 0.4}, None, "nothing is left to train on"),
        ({"validation": "20%"}, None, 'validation = "20%" is the name of a file; for a share write validation = 0.2'),
        ({"test": "0,15"}, None, "for a share write test = 0.15"),
        ({"validation": 0.2}, {"by": "group"}, 'by = "group" needs column'),
        ({"validation": 0.2}, {"by": "random", "column": "g"}, "needs no column"),
        ({"validation": 0.2}, {"by": "time", "test": "x"}, 'for by = "column"'),
    ],
)
def test_options_that_contradict_each_other(options, split, expected):
    with pytest.raises(SpecError, match=expected):
        DataSpec(train="t.csv", **options, **({"split": SplitSpec(**split)} if split else {}))


def test_arrays_are_drawn_by_chance(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(40.0)[:, None], y=np.arange(40) % 2)
    loader = Loader(tmp_path, **ONE, label_outputs=["output"])
    data = loader.load(DataSpec(train="a.npz", validation=0.2, test=0.1))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [28, 8, 4]
    assert data.notes[0].startswith("40 rows: 28 to train, 8 to validate, 4 to test (stratified); ")
    with pytest.raises(DataError, match="split is only for columns of a table"):
        loader.load(DataSpec(train="a.npz", validation=0.2, split=SplitSpec(by="time")))


def test_files_for_validation_and_test(tmp_path):
    for name in ("v", "w"):
        (tmp_path / f"{name}.csv").write_text(table("z", range(6)))
    data = rows_of(table("z", range(20)), tmp_path, validation="v.csv", test="w.csv")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [20, 6, 6]
    assert [note.split(": ")[-1] for note in data.notes[1:]] == ["6 rows to validate", "6 rows to test"]


# Weights


def test_a_column_of_weights(tmp_path):
    text = "x,w,y\n" + "".join(f"{row},{row / 2},{row}\n" for row in range(10))
    data = rows_of(text, tmp_path, validation=0.2, test=0.1, weights="w")
    for part in (data.train, data.validation, data.test):
        assert part.inputs["input"].shape[1] == 1
        np.testing.assert_array_equal(part.weights, part.inputs["input"][:, 0] / 2)
    assert data.schema.columns() == ("x",)


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ("-1", r"row 3 \(line 4\), column w: expected a weight >= 0, found -1"),
        ("", r"row 3 \(line 4\), column w: missing weight"),
        ("heavy", r"row 3 \(line 4\), column w: expected a number, found \"heavy\""),
    ],
)
def test_weights_that_are_none(tmp_path, weight, expected):
    text = "x,w,y\n" + "".join(f"{row},{weight if row == 2 else 1},{row}\n" for row in range(10))
    with pytest.raises(DataError, match=expected):
        rows_of(text, tmp_path, weights="w")
