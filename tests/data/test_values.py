"""What single values mean: missing ones, plain numbers, and spellings of the same category."""

import datetime
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modnet.data.values import (
    MISSING_AMONG_NUMBERS,
    MISSING_VALUES,
    are_missing,
    category_key,
    is_code,
    is_missing,
    is_number,
    may_be_missing,
    number_text,
    parse_numbers,
    text_of,
)


@pytest.mark.parametrize(
    "text", ["", "  ", "NA", " N/A ", "nan", "NULL", "None", "<NA>", "#N/A", "#DIV/0!", "NaT", "\\N", "?", "n.a."]
)
def test_missing_in_any_column(text):
    assert are_missing([text, "none", "-"]).tolist() == [True, False, False]


def test_a_given_spelling_of_missing_may_have_blanks():
    assert are_missing([" x ", "x", "y"], [" x "]).tolist() == [True, False, False]


@pytest.mark.parametrize("text", ["-", "--", ".", "none", "None ", "UNKNOWN", "missing", "(blank)", " $ -   ", "€ -"])
def test_missing_among_numbers(text):
    assert may_be_missing([text, "5", "$", "$5", ""]).tolist() == [True, False, False, False, False]


def test_spellings_of_missing_values_are_listed_once():
    assert len(set(MISSING_VALUES)) == len(MISSING_VALUES)
    assert all(text == text.casefold() for text in MISSING_AMONG_NUMBERS)


def test_what_pandas_takes_for_missing_is_missing():
    parsers = pytest.importorskip("pandas._libs.parsers")
    assert set(parsers.STR_NA_VALUES) <= set(MISSING_VALUES)


@pytest.mark.parametrize(
    "value", [None, math.nan, np.nan, np.float32("nan"), np.datetime64("NaT", "us"), np.ma.masked, Decimal("sNaN")]
)
def test_missing_values_of_python(value):
    assert is_missing(value)


@pytest.mark.parametrize("value", [0, "", "nan", False, np.inf, [1], np.array([1, 2]), np.array([]), object()])
def test_values_of_python_that_are_not_missing(value):
    assert not is_missing(value)


def test_missing_values_of_pandas():
    pandas = pytest.importorskip("pandas")
    assert is_missing(pandas.NA)
    assert is_missing(pandas.NaT)
    assert not is_missing(pandas.Timestamp("2024-01-05"))


@pytest.mark.parametrize("text", ["1", "-1.5", "+2", "1e3", ".5", "5.", " 7 ", "0", "0.5", "-0.5", "1e05", "0e0"])
def test_numbers(text):
    assert is_number(text)
    np.testing.assert_array_equal(parse_numbers([text, "1"]), [float(text), 1.0])


NO_NUMBERS = ["", "abc", "1_000", "nan", "inf", "-Infinity", "1e999", "3,14", "0x10", "1 2", "00", "00501", "-07"]
NO_NUMBERS += ["\N{ARABIC-INDIC DIGIT THREE}", "\N{MINUS SIGN}5", "5\N{NO-BREAK SPACE}", " 007.5", "+01e5"]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_no_numbers(text):
    assert not is_number(text)
    assert parse_numbers(["1", text]) is None
    assert parse_numbers([text, "1"]) is None


@given(st.lists(st.text() | st.text("0123456789.eE+-_ \n") | st.floats().map(str), max_size=5))
def test_numbers_one_by_one_are_numbers_together(texts):
    together = parse_numbers(texts)
    assert (together is not None) == all(map(is_number, texts))
    if together is not None:
        assert together.tolist() == [float(text) for text in texts]


@pytest.mark.parametrize(("text", "code"), [("007", True), ("-00", True), ("0.7", False), ("70", False), ("0", False)])
def test_codes(text, code):
    assert is_code(text) == code


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a b"),
        (np.str_("a"), "a"),
        (True, "true"),
        (np.False_, "false"),
        (2, "2"),
        (np.int8(-2), "-2"),
        (2.0, "2"),
        (-0.0, "0"),
        (2.5, "2.5"),
        (np.float32(0.1), "0.1"),
        (np.float16(0.1), "0.1"),
        (1e20, "100000000000000000000"),
        (1e-7, "1e-07"),
        (math.inf, "inf"),
        (10**25, "1" + "0" * 25),
        (Decimal("2.0"), "2"),
        (Decimal("1e30"), "1E+30"),
        (Decimal("1e9999999"), "1E+9999999"),
        (Decimal("NaN12"), "NaN12"),
        (Fraction(4, 2), "2"),
        (Fraction(1, 3), "1/3"),
        (b"caf\xc3\xa9", "caf\xe9"),
        (b"\xff", "\\xff"),
        (datetime.date(2024, 1, 5), "2024-01-05"),
        (datetime.datetime(2024, 1, 5), "2024-01-05"),
        (datetime.datetime(2024, 1, 5, 14, 5), "2024-01-05 14:05:00"),
        (np.datetime64("2024-01-05"), "2024-01-05"),
        (np.datetime64("2024-01-05T14:05:00", "ns"), "2024-01-05 14:05:00"),
        (np.datetime64("2024-01-05T14:05:00.25", "ms"), "2024-01-05 14:05:00.250000"),
        (np.datetime64("NaT", "us"), "NaT"),
        (datetime.time(14, 5), "14:05:00"),
    ],
)
def test_values_as_texts(value, text):
    found = text_of(value)
    assert found == text
    assert type(found) is str


def test_a_whole_number_of_any_length_has_a_text():
    assert text_of(10**5000).startswith("0x")


def test_a_time_of_pandas_is_written_as_that_of_numpy():
    pandas = pytest.importorskip("pandas")
    assert text_of(pandas.Timestamp("2024-01-05")) == "2024-01-05"
    assert text_of(pandas.Timestamp("2024-01-05 14:05")) == "2024-01-05 14:05:00"


@pytest.mark.parametrize(
    "spellings",
    [
        ["2", "2.0", "+2", "2e0", " 2 ", "20e-1", "0.2e1"],
        ["0", "-0", "0.0", "0e5", ".0"],
        ["True", "true", "TRUE "],
        ["New  York", " new york", "NEW YORK"],
        ["0.1", ".1", "1e-1", "0.10"],
        ["1e22", "1E+22", "10" + "0" * 21],
        ["Stra\xdfe", "STRASSE"],
    ],
)
def test_spellings_of_one_category(spellings):
    assert len(set(map(category_key, spellings))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("2", "02"), ("12345678901234567890", "12345678901234567891"), ("1", "true"), ("a b", "ab"), ("1_0", "10")],
)
def test_different_categories(one, other):
    assert category_key(one) != category_key(other)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.floats(width=32, allow_nan=False))
def test_a_number_has_the_key_of_its_text(value):
    if math.isfinite(value):
        assert category_key(text_of(value)) == category_key(str(value)) == number_text(repr(value))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_gives_it_back(value):
    assert float(text_of(value)) == float(number_text(str(value))) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_one_spelling_of_a_number_is_exact(value):
    text = f"{value:f}" if abs(value.adjusted()) < 1000 else str(value)
    assert Decimal(number_text(text)) == value
    assert number_text(number_text(text)) == number_text(text)


@given(st.text())
def test_a_key_is_its_own_key(text):
    key = category_key(text)
    assert category_key(key) == key
    assert text_of(text) == text


ANYTHING = st.none() | st.booleans() | st.complex_numbers() | st.decimals() | st.fractions() | st.binary()
ANYTHING |= st.datetimes() | st.datetimes(timezones=st.timezones()) | st.dates() | st.times() | st.timedeltas()
ANYTHING |= st.uuids() | st.lists(st.integers()) | st.sets(st.text()) | st.dictionaries(st.text(), st.none())


@given(ANYTHING)
def test_any_value_has_a_text_and_may_be_missing(value):
    assert isinstance(text_of(value), str)
    assert is_missing(value) in (True, False)
