"""Reading csv: types, dialects, encodings, blocks."""

import csv
import io
import math
import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modnet.data.files import read_table
from modnet.data.options import ReadOptions
from modnet.data.readers import csv_blocks
from modnet.data.readers.csv_numbers import Spelling
from modnet.data.values import MISSING_VALUES, is_number
from modnet.errors import DataError


def table_of(contents, **options):
    data = contents.encode() if isinstance(contents, str) else contents
    return read_table(io.BytesIO(data), "new.csv", ReadOptions(**options))


def contents_of(table):
    """Name -> values: numbers, None for a gap, texts."""
    found = {}
    for name, column in table.columns.items():
        values = column.strings() if column.type == "text" else map(float, column.values.tolist())
        found[name] = [None if gap else value for value, gap in zip(values, column.gaps.tolist(), strict=True)]
    return found


def expected(texts):
    """What the values of a column should be, by Python."""
    texts = list(texts)
    gaps = [text in MISSING_VALUES or text.strip() in MISSING_VALUES for text in texts]
    plain = [gap or (text.isascii() and is_number(text)) for text, gap in zip(texts, gaps, strict=True)]
    if not all(plain) or not texts:
        return texts
    return [None if gap else float(text) for text, gap in zip(texts, gaps, strict=True)]


# Values


@pytest.mark.parametrize(
    ("texts", "dtype"),
    [
        (["1", "-2", "+3", "0", "-0"], "int64"),
        (["9223372036854775807", "-9223372036854775807"], "int64"),
        (["9223372036854775808"], "float64"),
        (["1", "12345678901234567890123"], "float64"),
        (["1", "2.0"], "float64"),
        (["1", "2e3"], "float64"),
        ([".5", "5.", "-.5e-3", "1E5", "0.0", "-0.0", "0e5"], "float64"),
        ([" 1", "2 ", "  3  "], "int64"),
        (["1", "", "NA", " ", "NULL"], "int64"),
        (["0.1", "123456.7890123456789", "0.00000000000000000000012345678901234567890"], "float64"),
        (["1.7976931348623157e308", "4.9e-324", "2.2250738585072011e-308"], "float64"),
    ],
)
def test_columns_of_numbers(texts, dtype):
    column = table_of("x,y\n" + "".join(f"{text},a\n" for text in texts)).columns["x"]
    assert column.type == "number"
    assert column.values.dtype == dtype
    for value, gap, text in zip(column.values.tolist(), column.gaps.tolist(), texts, strict=True):
        assert gap == (text.strip() in MISSING_VALUES)
        assert gap or value == (int(text) if dtype == "int64" else float(text))


@pytest.mark.parametrize(
    "text",
    ["007", "00.5", "-01", "1_000", "１２", "٣", "inf", "-Infinity", "1e999", "1,5", "1.5.2", "+", "-", ".", "e5", "1e",
     "0x10", "1 2", "$5", "5%", "12:30", "1.2e3.4", "٣.5", "1\N{NO-BREAK SPACE}000"],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", "1\n2\n"])
def test_what_is_no_plain_number_makes_texts(text, before):
    column = table_of(f'x\n{before}"{text}"\n').columns["x"]
    assert column.type == "text"
    assert column.strings() == [*before.split(), text]


def test_texts_are_kept_as_they_are_where_one_is_no_number(monkeypatch):
    monkeypatch.setattr(csv_blocks, "BLOCK", 100)
    monkeypatch.setattr(csv_blocks, "BLOCK_LINES", 2)
    monkeypatch.setattr("modnet.data.readers.csv_encoding.PIECE", 100)
    texts = ["1.50", " 2", "", "NA", "+3"] * 100 + ["x"] + ["1.50"] * 50
    table = table_of("n,x,y\n" + "".join(f"{i},{text},{i}.5\n" for i, text in enumerate(texts)))
    assert table.columns["x"].strings() == texts
    assert table.columns["n"].values.tolist() == list(range(len(texts)))
    assert table.columns["y"].values.tolist() == [i + 0.5 for i in range(len(texts))]
    assert table.lines == range(2, len(texts) + 2)


number = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e6, 1e6).map(lambda value: f"{value:.3f}"),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r"[+-]?(0|[1-9][0-9]{0,22})?(\.[0-9]{0,24})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)


@settings(max_examples=300)
@given(st.lists(st.one_of(number, st.sampled_from(MISSING_VALUES)), min_size=1, max_size=40))
@example(["9007199254740993.0", "0.30000000000000004", "8.41470984807896506652"])
def test_numbers_are_rounded_as_python_does(texts):
    found = contents_of(table_of("a,x,b\n" + "".join(f"1,{text},z\n" for text in texts)))["x"]
    assert found == expected(texts)


def halfway_texts(count, seed=0):
    """Decimal texts that lie in the middle between two floats, or next to it, as far as 19 digits allow."""
    draw = random.Random(seed)
    texts = []
    for _ in range(count):
        places = draw.randrange(1, 19)
        value = draw.uniform(1, 10) * 10.0 ** draw.randrange(-2, 19 - places)
        middle = (Fraction(value) + Fraction(math.nextafter(value, math.inf))) / 2
        digits = round(middle * 10**places) + draw.choice([0, 0, 0, 1, -1])
        texts.append(f"{Decimal(digits).scaleb(-places):f}")
    return texts


def test_numbers_between_two_floats_are_rounded_as_python_does():
    texts = halfway_texts(20_000)
    found = table_of("x,y\n" + "".join(f"{text},{text[::-1]}a\n" for text in texts)).columns["x"]
    assert found.values.tolist() == [float(text) for text in texts]


@given(st.from_regex(r"[-+ .0-9eE_]{0,8}", fullmatch=True) | st.text(st.characters(codec="ascii"), max_size=6) | number)
def test_a_plain_number_is_that_of_is_number(text):
    parsed = Spelling(()).parse(text)
    assert (parsed is not None) == is_number(text)
    assert parsed is None or float(parsed) == float(text)


# Tables as the csv module and pandas write them


cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8) | number
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=8)
)


@settings(max_examples=300)
@given(
    rows=tables,
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    block=st.sampled_from([1, 20, 1000]),
)
def test_what_the_csv_module_writes_is_read_back(rows, delimiter, quoting, end, block):
    header = [f"column {number}" for number in range(len(rows[0]))]
    if end == "\n":  # then the csv module puts no quotes around a carriage return
        rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows([header, *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modnet.data.readers.csv_encoding.PIECE", block)
        patch.setattr(csv_blocks, "BLOCK", block)
        patch.setattr(csv_blocks, "BLOCK_LINES", 1)
        table = table_of(written.getvalue(), delimiter=delimiter, header=1, comment="\x01")
    assert contents_of(table) == {
        name: expected(texts) for name, texts in zip(header, zip(*rows, strict=True), strict=True)
    }


word = st.from_regex(r"[A-Za-zäöü][A-Za-zäöü ,;|]{2,20}[x-z]", fullmatch=True)


@settings(max_examples=150)
@given(
    numbers=st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=30),
    words=st.lists(word, min_size=1, max_size=30),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]),
    index=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_pandas_writes_is_read_back_without_any_option(numbers, words, delimiter, encoding, index, end):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": numbers, "kind": (words * len(numbers))[: len(numbers)]})
    frame["count"] = range(len(frame))
    written = frame.to_csv(sep=delimiter, index=index, lineterminator=end)
    table = table_of(written.encode(encoding))
    assert table.columns["size"].values.tolist() == frame["size"].tolist()
    assert table.columns["kind"].strings() == frame["kind"].tolist()
    assert table.columns["count"].values.dtype == np.int64
    assert ("index" in table.columns) == index


# Anything at all


@settings(max_examples=500)
@given(st.binary(max_size=200) | st.text("ab1,;\"'\n\r \t#.-", max_size=60).map(str.encode))
@example(b"\xff\xfe")
@example(b"\xff\xfea")
@example(b"sep=;")
@example(b"a,b\n1,2\n,\n")
def test_any_bytes_are_a_table_or_faulty_data(contents):
    try:
        table = read_table(io.BytesIO(contents))
    except DataError:
        return
    assert len(table.lines) == len(table) or not len(table)
