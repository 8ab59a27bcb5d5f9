"""Numbers as people and spreadsheets write them."""

import math
import time

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from modnet.data.numbers import FORMATS, NumberFormat, find_number_format, multiplies, numbers_share, unit_key
from modnet.data.values import is_code, is_number
from modnet.errors import SpecError

MINUS, NO_BREAK, THIN, QUOTE = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}", "\u2019"

FOUND = [
    (["1", "-2.5", "1e3"], {}, [1, -2.5, 1000]),
    (["$1,200", "$3,750.00", "$5"], {"thousands": ",", "unit": "$"}, [1200, 3750, 5]),
    (["-$5", "$-6.5", "$ 7", "8"], {"unit": "$"}, [-5, -6.5, 7, 8]),
    (["39.1%", "4 %"], {"unit": "%"}, [39.1, 4]),
    (["%5", "%6"], {"unit": "%"}, [5, 6]),
    (["39%", "45", "0"], {"unit": "%"}, [39, 45, 0]),
    (["1 050", "12"], {"thousands": " "}, [1050, 12]),
    ([f"1{NO_BREAK}050,5", f"2{THIN}000"], {"decimal": ",", "thousands": " "}, [1050.5, 2000]),
    (["1'234.50", f"2{QUOTE}000"], {"thousands": "'"}, [1234.5, 2000]),
    (["1.234.567,89", "5"], {"decimal": ",", "thousands": "."}, [1234567.89, 5]),
    (["1,234.5", "1,234"], {"thousands": ","}, [1234.5, 1234]),
    (["12,34,567", "1,000"], {"thousands": ","}, [1234567, 1000]),
    (["1,5", "2", ",5"], {"decimal": ","}, [1.5, 2, 0.5]),
    (["1,234", "0,123"], {"decimal": ","}, [1.234, 0.123]),
    (["1,234", "1,23"], {"decimal": ","}, [1.234, 1.23]),
    (["1,5e3", "2"], {"decimal": ","}, [1500, 2]),
    (["(3,750.00)", "12"], {"thousands": ",", "negative": "parentheses"}, [-3750, 12]),
    (["($5)", "$(6)", "$7", "-8"], {"unit": "$", "negative": "parentheses"}, [-5, -6, 7, -8]),
    (["(5 %)", "(6)%"], {"unit": "%", "negative": "parentheses"}, [-5, -6]),
    (["12-", "5"], {"negative": "trailing"}, [-12, 5]),
    (["1.234,50-", "2 -"], {"decimal": ",", "thousands": ".", "negative": "trailing"}, [-1234.5, -2]),
    ([f"{MINUS}5", "+4", f"{NO_BREAK}3 "], {}, [-5, 4, 3]),
    (["\u0663", "\u0664\u066b\u0665", "\uff11\uff12"], {}, [3, 4.5, 12]),
    (["5 kg", "6kg", "7 Kg", "8"], {"unit": "kg"}, [5, 6, 7, 8]),
    (["1 year", "2 years", "3 yrs"][:2], {"unit": "year"}, [1, 2]),
    (["1st", "2nd", "3rd", "4th"], {"unit": "th"}, [1, 2, 3, 4]),
    (["5 m2", "6 m2"], {"unit": "m2"}, [5, 6]),
    (["20 \N{DEGREE SIGN}C", "-3\N{DEGREE SIGN}C"], {"unit": "\N{DEGREE SIGN}C"}, [20, -3]),
    (["7.5 l/100 km", "8 l/100 km"], {"unit": "l/100 km"}, [7.5, 8]),
    (["$5/month", "$6/month"], {"unit": "$/month"}, [5, 6]),
    (["EUR 5", "6 EUR"], {"unit": "EUR"}, [5, 6]),
    (["12,50 \N{EURO SIGN}", "3 \N{EURO SIGN}"], {"decimal": ",", "unit": "\N{EURO SIGN}"}, [12.5, 3]),
    (["$1.2M", "$3M", "0"], {"unit": "$M"}, [1.2, 3, 0]),
    (["6'", "5.5'"], {"unit": "'"}, [6, 5.5]),
]


@pytest.mark.parametrize(("texts", "expected", "numbers"), FOUND, ids=[" ".join(texts) for texts, _, _ in FOUND])
def test_formats_are_found(texts, expected, numbers):
    guess = find_number_format(texts)
    assert guess.format == NumberFormat(**expected)
    assert guess.other is None
    np.testing.assert_array_equal(guess.format.parse(texts), np.array(numbers, float))
    assert NumberFormat(**expected).options() == {"kind": "number", **expected}


@pytest.mark.parametrize(
    ("texts", "decimal", "expected", "other"),
    [
        (["1,234", "5"], None, NumberFormat(thousands=","), NumberFormat(decimal=",")),
        (["1,234", "5"], ".", NumberFormat(thousands=","), None),
        (["1,234", "5"], ",", NumberFormat(decimal=","), None),
        (["1.234", "5"], ",", NumberFormat(decimal=",", thousands="."), None),
        (["1.5", "5"], ",", NumberFormat(), None),
        (["5", "6"], ",", NumberFormat(decimal=","), None),
        (["1.234", "5"], None, NumberFormat(), None),
        (["1.234 kg"], None, NumberFormat(unit="kg"), NumberFormat(decimal=",", thousands=".", unit="kg")),
        (["$3.459"], None, NumberFormat(unit="$"), NumberFormat(",", ".", "$")),
        (["3,459 %"], None, NumberFormat(",", unit="%"), NumberFormat(thousands=",", unit="%")),
        (["1.234 EUR"], None, NumberFormat(",", ".", "EUR"), NumberFormat(unit="EUR")),
        (["1 234", "5"], ",", NumberFormat(decimal=",", thousands=" "), None),
    ],
)
def test_what_the_texts_do_not_decide(texts, decimal, expected, other):
    guess = find_number_format(texts, decimal)
    assert guess.format == expected
    assert guess.other == other
    assert guess.example == (texts[0] if other else "")


NOT_FOUND = [
    [],
    [""],
    ["a"],
    ["5", ""],
    ["5 kg", "6 lb"],
    ["5 mW", "6 MW"],
    ["5 m2", "6 m3"],
    ["$5", "6 EUR"],
    ["39%", "0.45"],
    ["1k", "500"],
    ["1.5M", "20k"],
    ["(5)", "6-"],
    ["-(5)", "6"],
    ["(5", "6"],
    ["--5"],
    ["00501", "12345"],
    ["007 kg"],
    ["A12", "A13"],
    ["Q1", "Q2"],
    ["v1.2"],
    ["#5"],
    ["12:30"],
    ["2 pm", "3 pm"],
    ["2024-01-31"],
    ["31.12.2024"],
    ["31/12/2024"],
    ["192.168.1.1"],
    ["555-1234"],
    ["5-10"],
    ["<0.5"],
    ["~5"],
    ["5 \N{PLUS-MINUS SIGN} 1"],
    ["1,2,3"],
    ["1,23,4"],
    ["1.5,5"],
    ["1,234.567,8"],
    ["1,5", "1.5"],
    ["12 Main St", "14 Oak St"],
    ["5 ft 3 in"],
    ["1_000"],
    ["0x10"],
    ["inf"],
    ["1e999"],
    ["5e"],
    ["5\nkg"],
    ["$" + "1" * 65],
]


@pytest.mark.parametrize("texts", NOT_FOUND, ids=" ".join)
def test_what_is_no_column_of_numbers(texts):
    assert find_number_format(texts) is None


@pytest.mark.parametrize(
    ("written", "text", "number"),
    [
        (NumberFormat(), "007", 7),
        (NumberFormat(), "1,5", None),
        (NumberFormat(), "(5)", None),
        (NumberFormat(), "$5", None),
        (NumberFormat(decimal=","), "1.5", None),
        (NumberFormat(decimal=",", thousands="."), "1.5", None),
        (NumberFormat(decimal=",", thousands="."), "1.500", 1500),
        (NumberFormat(decimal=","), "1e-05", 1e-5),
        (NumberFormat(unit="kg"), "5 lb", None),
        (NumberFormat(unit="KG"), "5 kg", 5),
        (NumberFormat(unit="%"), "0.5", 0.5),
        (NumberFormat(unit="k"), "500", None),
        (NumberFormat(unit="k"), "0.0", 0),
        (NumberFormat(unit="~"), "~5", 5),
        (NumberFormat(unit="Q"), "Q5", 5),
        (NumberFormat(unit="m2"), "5 m3", None),
        (NumberFormat(thousands=","), "12,34", None),
        (NumberFormat(thousands=","), "1234,567", None),
        (NumberFormat(), "1e999", None),
        (NumberFormat(), "nan", None),
    ],
)
def test_texts_are_read_in_a_format(written, text, number):
    (found,) = written.parse([text])
    assert math.isnan(found) if number is None else found == number


def test_faults_of_a_format():
    with pytest.raises(SpecError, match='decimal and thousands are both ","; expected different marks'):
        NumberFormat(decimal=",", thousands=",")
    with pytest.raises(SpecError, match='unit = "5 kg" begins with a digit'):
        NumberFormat(unit="5 kg")


def test_how_many_are_numbers():
    share = numbers_share(["$1,200", "$3", "x", "007", "$5", "4 EUR"])
    assert share.format == NumberFormat(thousands=",", unit="$")
    assert share.faults.tolist() == [2, 3, 5]
    assert share.share == 0.5
    assert numbers_share(["a"]).share == numbers_share([]).share == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("kg", "KG", True), ("year", "Years", True), ("MW", "mW", False), ("lb", "lbs.", True), ("m", "s", False)],
)
def test_units(one, other, same):
    assert (unit_key(one) == unit_key(other)) == same


def test_units_that_multiply():
    assert multiplies("$M")
    assert multiplies(" million")
    assert not multiplies("kg")


# Round trips

UNITS = ("", "$", "%", "kg", "EUR", "m2", "\N{EURO SIGN}/kg", "th", "'")
FORMAT = st.builds(
    lambda marks, unit, negative: NumberFormat(*marks, unit, negative),
    st.sampled_from(FORMATS),
    st.sampled_from(UNITS),
    st.sampled_from(("minus", "parentheses", "trailing")),
)


def written(number, form, places, grouped, before):
    text = f"{abs(number):{',' if grouped and form.thousands else ''}.{places}f}"
    text = text.translate({ord(","): form.thousands, ord("."): form.decimal})
    if form.unit:
        text = f"{form.unit} {text}" if before and form.unit in ("$", "EUR", "%") else f"{text} {form.unit}"
    if number >= 0:
        return text
    if form.negative == "trailing" and not form.unit:
        return f"{text}-"
    return f"({text})" if form.negative == "parentheses" else f"-{text}"


NUMBERS = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=6, unique=True)


@given(FORMAT, NUMBERS, st.integers(0, 4), st.booleans(), st.booleans())
def test_numbers_come_back_from_their_format(form, numbers, places, grouped, before):
    numbers = [number / 10**places for number in numbers]
    texts = [written(number, form, places, grouped, before) for number in numbers]
    np.testing.assert_allclose(form.parse(texts), numbers, rtol=1e-14)


@given(FORMAT, NUMBERS, st.integers(0, 4), st.booleans())
def test_the_format_that_is_found_gives_the_numbers(form, numbers, places, before):
    numbers = [number / 10**places for number in numbers]
    texts = [written(number, form, places, True, before) for number in numbers]
    guess = find_number_format(texts)
    assert guess is not None
    if guess.other is not None:
        found = [guess.format.parse(texts), guess.other.parse(texts)]
        assert any(np.allclose(one, numbers, rtol=1e-14) for one in found)
    elif form.decimal == "," and (places == 3 or not places) and all(map(is_number, texts)):
        pass  # 1.234 is read as programs write it
    else:
        np.testing.assert_allclose(guess.format.parse(texts), numbers, rtol=1e-14)


@given(st.lists(st.text() | st.text("0123456789.,-+()$%kge '"), max_size=4), st.sampled_from((None, ".", ",")))
def test_any_texts(texts, decimal):
    guess = find_number_format(texts, decimal)
    share = numbers_share(texts, decimal)
    assert 0 <= share.share <= 1
    assert len(share.faults) == round((1 - share.share) * len(texts))
    if guess is not None:
        assert np.isfinite(guess.format.parse(texts)).all()
        assert share.share == 1 or any(map(is_code, texts))
    for decimal_mark, thousands in FORMATS:
        assert NumberFormat(decimal_mark, thousands, "kg").parse(texts).shape == (len(texts),)


@given(st.text("0123456789.,-+e", max_size=8))
def test_as_pandas_reads_them(text):
    pandas = pytest.importorskip("pandas")
    assume(text)
    expected = pandas.to_numeric(pandas.Series([text.replace(",", "")]), errors="coerce").iloc[0]
    (found,) = NumberFormat(thousands=",").parse([text])
    if not math.isnan(found):
        np.testing.assert_allclose(found, expected, rtol=1e-14)  # pandas is not exact: 10e31 is 9.999999999999999e31


@pytest.mark.parametrize(
    "text", ["1 " * 200_000, "(" * 400_000, "1," * 200_000, "a" * 400_000 + "1", " " * 400_000 + "x", "1" * 400_000]
)
def test_a_hostile_text_takes_no_long_time(text):
    begin = time.perf_counter()
    assert find_number_format(["$1", text]) is None
    numbers_share(["$1", text])
    assert time.perf_counter() - begin < 1
