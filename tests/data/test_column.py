"""Columns of values as programs have them: lists, arrays, and the columns of data frames."""

import datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modnet.data.column import Column
from modnet.errors import DataError

DAY, MOMENT = datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 13, 30, 0, 250)
VALUES = {
    "number": [[1, 2, 3], [1, None, 3], [1.5, None, -2.0], [0.1, 0.2, 1e300]],
    "boolean": [[True, False, True], [True, None, False]],
    "date": [[DAY, None, DAY], [MOMENT, MOMENT, None]],
    "text": [["a", "b", "a"], ["a", None, ""], ["NA", "ä b", None]],
}
CASES = [(kind, values) for kind, several in VALUES.items() for values in several]


def values_of(column):
    """The values in a form that can be compared; None for a missing one."""
    found = column.values.tolist() if column.texts is None else [column.texts[code] for code in column.values]
    return [None if gap else value for gap, value in zip(column.gaps, found, strict=True)]


def expected(values):
    """Dates are moments."""
    if any(type(value) is datetime.date for value in values):
        return [value and datetime.datetime(value.year, value.month, value.day) for value in values]
    return values


def check(found, kind, values):
    column = Column.of(found)
    assert (column.type, values_of(column)) == (kind, expected(values))
    assert column.missing is None or column.missing.any()
    empty = Column.of(found[:0])
    assert (len(empty), empty.missing) == (0, None)


@pytest.mark.parametrize(("kind", "values"), CASES)
def test_lists_and_arrays(kind, values):
    check(values, kind, values)
    check(np.array(values, object), kind, values)
    check(tuple(values), kind, values)
    assert values_of(Column.of(iter(values))) == expected(values)
    if None not in values:
        check(np.array(values), kind, values)
    else:
        check([float("nan") if value is None else value for value in values], kind, values)


@pytest.mark.parametrize(("kind", "values"), CASES)
def test_pandas(kind, values):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    column = pandas.Series(values, index=[5, 5, 7])
    for found in (column, column.convert_dtypes(), column.astype(object), column.astype("category")):
        check(found, kind, values)
    check(pandas.Series([pandas.NA if value is None else value for value in values]), kind, values)
    if kind == "date":
        check(column.astype("datetime64[ns]").dt.tz_localize("UTC"), kind, values)
        check(pandas.to_datetime(column).dt.as_unit("s") if values[0] is DAY else column, kind, values)
    check(pandas.Index(column), kind, values)


@pytest.mark.parametrize(("kind", "values"), CASES)
def test_pyarrow(kind, values):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    array = pyarrow.array(values)
    chunked = pyarrow.chunked_array([array[:1], array[1:]])
    for found in (array, chunked, array.dictionary_encode(), chunked.dictionary_encode()):
        check(found, kind, values)
    if kind == "text":
        check(array.cast(pyarrow.large_string()), kind, values)
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    check(pandas.Series(values, dtype=pandas.ArrowDtype(array.type)), kind, values)


@pytest.mark.parametrize(("kind", "values"), CASES)
def test_polars(kind, values):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    column = polars.Series(values)
    check(column, kind, values)
    if kind == "text":
        check(column.cast(polars.Categorical), kind, values)
        check(column.cast(polars.Enum([*{value: 0 for value in values if value is not None}])), kind, values)
    if kind == "number":
        check(polars.Series(values, dtype=polars.Object), kind, values)


def test_types_of_numbers_and_numbers_of_types():
    assert values_of(Column.of([Decimal("1.5"), 2, np.float32(0.5), np.int8(3)])) == [1.5, 2.0, 0.5, 3.0]
    assert Column.of(np.array([1, 2], np.uint8)).values.dtype == np.int64
    assert values_of(Column.of(np.array([2**64 - 1], np.uint64))) == [float(2**64)]
    assert values_of(Column.of([10**400, -(10**400), 1])) == [np.inf, -np.inf, 1]
    assert values_of(Column.of(np.ma.array([1, 2, 3], mask=[0, 1, 0]))) == [1, None, 3]
    assert values_of(Column.of(np.ma.array(["a", "b"], mask=[0, 1]))) == ["a", None]
    assert values_of(Column.of([np.ma.masked, 1.5])) == [None, 1.5]
    assert values_of(Column.of([np.datetime64("2024-02-29"), np.datetime64("NaT", "us"), DAY])) == expected(
        [DAY, None, DAY]
    )
    assert values_of(Column.of([None, None])) == [None, None]


def test_arrays_of_other_libraries():
    class Other:
        def __array__(self, dtype=None, copy=None):
            return np.array([1.5, np.nan])

        def __iter__(self):
            raise AssertionError

    assert values_of(Column.of(Other())) == [1.5, None]


def test_values_of_several_types_are_texts():
    values = [1, "a", 2.0, True, None, b"b", DAY]
    assert values_of(Column.of(values)) == ["1", "a", "2", "true", None, "b", "2024-02-29"]


def test_moments_of_a_zone_are_those_of_greenwich():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    zone = datetime.timezone(datetime.timedelta(hours=2))
    noon = datetime.datetime(2024, 2, 29, 12, tzinfo=zone)
    greenwich = [datetime.datetime(2024, 2, 29, 10)]
    assert values_of(Column.of([noon])) == values_of(Column.of(pandas.Series([noon]))) == greenwich


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, [2]], r"^column x, row 2: expected a number, a text, a boolean or a date, found \[2\]"),
        (["a", {}], "row 2: .* found a table"),
        (np.zeros((2, 2)), r"^column x: expected one value for each row, found an array of shape \(2, 2\)"),
        ("text", '^column x: expected a list with a value for each row, found "text"'),
        (3, "found 3"),
    ],
)
def test_what_is_no_column(values, message):
    with pytest.raises(DataError, match=message):
        Column.of(values, "x")


ANY = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.dates(), st.binary(max_size=3)
)


@given(st.lists(ANY, max_size=8))
def test_anything_that_is_one_value_makes_a_column_of_one_type(values):
    column = Column.of(values)
    assert len(column) == len(values)
    assert column.strings() == column.as_texts().strings()
    gaps = [value is None or value != value for value in values]
    assert column.gaps.tolist() == gaps
    again = Column.of(np.array([*values, None], object)[:-1])
    assert (again.type, values_of(again)) == (column.type, values_of(column))
