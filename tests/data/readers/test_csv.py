"""Reading csv: types, dialects, encodings, blocks."""

import csv
import gzip
import io
import math
import os
import random
import threading
import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modnet.data.files import read, read_blocks, read_table, read_table_blocks
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
        (["9.223372036854775807", "922337203685477580.6"], "float64"),
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


def test_each_different_text_is_kept_once(monkeypatch):
    monkeypatch.setattr(csv_blocks, "BLOCK", 4000)
    monkeypatch.setattr("modnet.data.readers.csv_encoding.PIECE", 1000)
    monkeypatch.setattr("modnet.data.readers.csv_texts.MANY", 1000)
    rows = 8000
    columns = {
        "all different": [f"A{row:06d}" for row in range(rows)],
        "the last one again": [f"é {row}" for row in range(rows - 1)] + ["é 5"],
        "some again": [f"{row - row % 7 % 2}é" for row in range(rows)],
        "from some row on": [f"x{min(row, 3000)}" for row in range(rows)],
        "many": [f"{row * row % 3001} of many" for row in range(rows)],
        "long": [f"{row % 50} " * 20 for row in range(rows)],
    }
    lines = [",".join(columns), *map(",".join, zip(*columns.values(), strict=True))]
    table = table_of("\n".join(lines))
    for name, texts in columns.items():
        column = table.columns[name]
        assert column.values.dtype == np.int32
        assert column.strings() == texts
        assert list(column.texts) == list(dict.fromkeys(texts)), "in the order in which they are found"


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


@pytest.mark.parametrize("long", [1, 100], ids=["few are long", "many are long"])
def test_numbers_with_a_point_at_any_place(long):
    texts = [f"{sign}{10**digits // 7}" for digits in range(1, 8) for sign in ("", "-")]
    texts += [f"{10**digits // 7}" for digits in range(8, 20)] * long
    pointed = [f"{text[:at]}.{text[at:]}" for text in texts for at in range(1 + text.startswith("-"), len(text) + 1)]
    short = ["1.5"] * len(pointed)
    values = table_of("x\n" + "\n".join([*pointed, *short])).columns["x"].values
    assert values.tolist() == [float(text) for text in [*pointed, *short]]
    for wrong in ("12.34x6", "1x.5", "x1.5", "1.5x", "é1.25", "1é.25", "1.é", "123456789x.5", "x.123456789", "1.2.3"):
        assert table_of("\n".join(["x", *["1.5"] * 9, wrong])).columns["x"].type == "text", wrong


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


cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x01"), max_size=8) | number
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
@example(numbers=[0.0] * 20, words=["A;;;x"], delimiter=",", encoding="utf-8", index=False, end="\n")
@example(numbers=[*map(float, range(20))], words=["A;b;c;x"], delimiter=",", encoding="utf-8", index=False, end="\n")
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


@settings(max_examples=300)
@given(
    cells=st.lists(
        st.lists(
            st.sampled_from(["a", "2.5", "-3", "NA", "", "x y", '"q"', '"n\nl"', "#", "ä", "007"]),
            min_size=3,
            max_size=3,
        ),
        min_size=2,
    ),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    piece=st.sampled_from([1, 3, 50]),
    rows=st.integers(1, 4),
)
def test_a_stream_in_pieces_of_any_size_has_the_same_rows(cells, end, piece, rows):
    contents = end.join(",".join(row) for row in [["c0", "c1", "c2"], *cells]).encode()
    whole = contents_of(table_of(contents, header=1, comment="%"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modnet.data.readers.csv_encoding.PIECE", piece)
        patch.setattr(csv_blocks, "BLOCK", 1)
        patch.setattr(csv_blocks, "BLOCK_LINES", 1)
        assert contents_of(table_of(contents, header=1, comment="%")) == whole
        options = ReadOptions(header=1, comment="%", delimiter=",", texts=frozenset(["c0", "c1", "c2"]))
        parts = list(read_table_blocks(io.BytesIO(contents), options=options, rows=rows))
    assert [len(part) for part in parts[:-1]] == [rows] * (len(parts) - 1)
    assert sum(map(len, parts)) == len(whole["c0"])


# Dialects


AB = {"a": [1.0, 2.0], "b": ["x", "y"]}
ABC = {"a": [1.0, 2.0], "b": ["x", "y"], "c": [2.0, 3.0]}
INDEX = 'column 1 has no name; it is called "index"'
LEFT_OUT = "1 column without a name and without values left out"


def titled(text, where="line 1"):
    return f'{where}: no row of the table, left out: "{text}"'


@pytest.mark.parametrize(
    ("contents", "found", "notes"),
    [
        ("sep=;\na;b\n1;x\n2;y\n", AB, []),
        ('"sep=|"\r\na|b\r\n1|x\r\n2|y\r\n', AB, []),
        ("a|b\n1|x\n2|y\n", AB, []),
        ("a\tb\n1\tx\n2\ty\n", AB, []),
        ("\ufeffa;b\n1;x\n2;y\n", AB, []),
        ("a;b\n1,5;x\n2,5;y\n", {"a": ["1,5", "2,5"], "b": ["x", "y"]}, []),
        ("t;v\n2020-01-01 10:00;1,5\n2020-01-01 11:00;2,5\n",
         {"t": ["2020-01-01 10:00", "2020-01-01 11:00"], "v": ["1,5", "2,5"]}, []),
        ("a,b\n1,x;z\n2,y;w\n", {"a": [1, 2], "b": ["x;z", "y;w"]}, []),
        ('a\tb\n1\t"x, y"\n2\t"z, w"\n', {"a": [1, 2], "b": ["x, y", "z, w"]}, []),
        ("a\n1\n\n2\n", {"a": [1, 2]}, []),
        ("a\n1,5\n2,5\n", {"a": ["1,5", "2,5"]}, []),
        ("text\nhello, world\nfoo\nbar, baz, q\n", {"text": ["hello, world", "foo", "bar, baz, q"]}, []),
        # titles, comments, remarks at the end
        ("My title\na,b\n1,x\n2,y\n", AB, [titled("My title")]),
        ("Title, 2024\n\na,b,c\n1,x,2\n2,y,3\n", ABC, [titled("Title, 2024")]),
        ("Report\nBy me\n\na,b,c\n1,x,2\n2,y,3\n", ABC, [titled("Report", "lines 1 to 2")]),
        ("Report,,\n\na,b,c\n1,x,2\n2,y,3\n", ABC, [titled("Report,,")]),
        ("Sales, all\na,b\n1,x\n2,y\n", AB, [titled("Sales, all")]),
        ("Title\r\ra\tb\r1\tx\r2\ty\r", AB, [titled("Title")]),
        ("# c\n# d, e\na,b\n1,x\n2,y\n", AB, ["2 comment lines left out"]),
        ("a,b\n1,x\n# note\n2,y\n", AB, ["1 comment line left out"]),
        ("# c\na,b\n1,x\n#2,y\n2,y\n", AB, ["2 comment lines left out"]),
        ("#a,b\n1,x\n2,y\n", AB, ["line 1: the comment has the names of the columns"]),
        ("# made by hand\n# a,b\n1,x\n2,y\n", AB,
         ["line 2: the comment has the names of the columns", "1 comment line left out"]),
        ("#a,b\nu,x\nv,y\n", {"u": ["v"], "x": ["y"]}, ["1 comment line left out"]),
        ("a,b\n1,x\n2,y\n\nTotal: 2\n", AB, ["line 5, after the last row and an empty line, left out"]),
        ("a,b,c\n1,x,2\n2,y,3\n\nSource,web\nend\n", ABC,
         ["lines 5 to 6, after the last row and an empty line, left out"]),
        # blanks, empty lines
        ("a, b, c\n1, x, 2\n2, y, 3\n", ABC, ["blanks after each delimiter are left out"]),
        ('a, b\n1, "x, z"\n2, "y"\n', {"a": [1, 2], "b": ["x, z", "y"]}, ["blanks after each delimiter are left out"]),
        ("a,b\n1, x\n2,y\n", {"a": [1, 2], "b": [" x", "y"]}, []),
        ("\n\na,b\n\n1,x\n\n\n   \n2,y\n\n", AB, []),
        # columns without a name, or with that of another one
        ("a,b,\n1,x,\n2,y,\n", AB, [LEFT_OUT]),
        ("a,b\n1,x,\n2,y,\n", AB, [LEFT_OUT]),
        ("a,b,\n1,x\n2,y\n", AB, []),
        ("a,b\n1,x\n2,y,\n", AB, []),
        ("a,b,,\n1,x,,\n2,y,,\n", AB, ["2 columns without a name and without values left out"]),
        ("a,b,\n1,x,\n2,y,z\n", {**AB, "column_3": ["", "z"]}, ['column 3 has no name; it is called "column_3"']),
        (",a,b\n0,1,x\n1,2,y\n", {"index": [0, 1], **AB}, [INDEX]),
        (",a,index\n0,1,x\n1,2,y\n", {"index_2": [0, 1], "a": [1, 2], "index": ["x", "y"]},
         ['column 1 has no name; it is called "index_2"']),
        ('"a","b"\n"r1",1,"x"\n"r2",2,"y"\n', {"index": ["r1", "r2"], **AB}, [INDEX]),
        ("a\tb\nr1\t1\tx\nr2\t2\ty\n", {"index": ["r1", "r2"], **AB}, [INDEX]),
        ("a,a,a_2,a\n1,2,3,4\n", {"a": [1], "a_3": [2], "a_2": [3], "a_4": [4]},
         ['columns 1 and 2 are both called "a"; this is "a_3"', 'columns 1 and 4 are both called "a"; this is "a_4"']),
        ("a,,c\n1,2,3\n", {"a": [1], "column_2": [2], "c": [3]}, ['column 2 has no name; it is called "column_2"']),
        ('"a\nlong\r\n name",b \n1,x\n', {"a long name": [1], "b": ["x"]}, []),
        # no names
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", {"column_1": [5.1, 4.9], "column_2": [3.5, 3], "column_3": ["setosa"] * 2},
         ['the columns are called "column_1" to "column_3", as the first line has values and no names']),
        ("7\n7\n", {"column_1": [7, 7]},
         ['the columns are called "column_1", as the first line has values and no names']),
        ("0,1,2\n5.1,3.5,3\n", {"0": [5.1], "1": [3.5], "2": [3]}, []),
        ("country,2010,2015,2020\nDE,1,2,3\n", {"country": ["DE"], "2010": [1], "2015": [2], "2020": [3]}, []),
        # quotes
        ('"a","b"\r\n"1","x ""q"""\r\n"2","y"\r\n', {"a": [1, 2], "b": ['x "q"', "y"]}, []),
        ('"a","b"\r\n"1","x\r\nz"\r\n"2","y"\r\n', {"a": [1, 2], "b": ["x\r\nz", "y"]}, []),
        ("'a','b'\n'1','x, y'\n'2','z'\n", {"a": [1, 2], "b": ["x, y", "z"]},
         ["values in ' are read without these quotes"]),
        ("a,b\n1,don't\n2,it's\n", {"a": [1, 2], "b": ["don't", "it's"]}, []),
        ('a,b\n1,6" pipe\n2,5"\n', {"a": [1, 2], "b": ['6" pipe', '5"']}, []),
        # encodings
        ("a,b\n1,ä\n".encode("utf-16"), {"a": [1], "b": ["ä"]}, []),
        ("a,b\n1,ä\n".encode("utf-32"), {"a": [1], "b": ["ä"]}, []),
        ("a,b\n1,ä\n".encode("utf-16-le"), {"a": [1], "b": ["ä"]},
         ['read as UTF-16, as its zero bytes suggest; encoding = "utf-16-le"']),
        ("a,b\n1,ä\n".encode("utf-16-be"), {"a": [1], "b": ["ä"]},
         ['read as UTF-16, as its zero bytes suggest; encoding = "utf-16-be"']),
        ("a,b\n1,x\n2,Köln €\n".encode("cp1252"), {"a": [1, 2], "b": ["x", "Köln €"]},
         ['line 3: not UTF-8 (found byte f6); read as Windows text, encoding = "cp1252"']),
    ],
)  # fmt: skip
def test_tables_as_people_write_them(contents, found, notes):
    table = table_of(contents)
    assert contents_of(table) == found
    assert list(table.columns) == list(found)
    assert list(table.notes) == notes


@pytest.mark.parametrize(
    ("contents", "options", "found"),
    [
        ("a;b\n1.234,5;x\n-2;y\n", {"decimal": ",", "thousands": "."}, {"a": [1234.5, -2], "b": ["x", "y"]}),
        ("a;b\n1,5;1.5\n2e1;x\n", {"decimal": ","}, {"a": [1.5, 20], "b": ["1.5", "x"]}),
        ('a,b\n"1,234,567",x\n"12",y\n', {"thousands": ","}, {"a": [1234567, 12], "b": ["x", "y"]}),
        ('a,b\n"1,23",x\n', {"thousands": ","}, {"a": ["1,23"], "b": ["x"]}),
        ("a;b\n1 234;1\N{NARROW NO-BREAK SPACE}234,5\n", {"thousands": " ", "decimal": ","},
         {"a": [1234], "b": [1234.5]}),
        ("a;b\n1'234;1\N{RIGHT SINGLE QUOTATION MARK}234\n", {"thousands": "'"}, {"a": [1234], "b": [1234]}),
        ('a,b\n"1,5",x\n', {"decimal": ","}, {"a": [1.5], "b": ["x"]}),
        ("a,b\n1,x\n-,y\n", {"missing_values": ("-", "")}, {"a": [1, None], "b": ["x", "y"]}),
        ("a,b\n1,x\n,y\n", {"missing_values": ("-",)}, {"a": ["1", ""], "b": ["x", "y"]}),
        ("a,b\n1,2\n", {"texts": frozenset(["b"])}, {"a": [1], "b": ["2"]}),
        ("a,b\n1,2\n", {"header": 0}, {"column_1": ["a", "1"], "column_2": ["b", "2"]}),
        ("x,y\na,b\n1,2\n", {"header": 2}, {"a": [1], "b": [2]}),
        ("a,b\n1,2\n%3,4\n", {"comment": "%"}, {"a": [1], "b": [2]}),
        ("a b\n1 2\n", {"delimiter": " "}, {"a": [1], "b": [2]}),
        ("a;b,c\n1;2,3\n", {"delimiter": ";"}, {"a": [1], "b,c": ["2,3"]}),
        ("a,b\n1,к\n".encode("koi8-r"), {"encoding": "koi8-r"}, {"a": [1], "b": ["к"]}),
        ("a,b\n1,ソ\n".encode("shift_jis"), {"encoding": "Shift_JIS"}, {"a": [1], "b": ["ソ"]}),
        ("a,b\n1,ä\n".encode("utf-16"), {"encoding": "utf-16"}, {"a": [1], "b": ["ä"]}),
        ("\ufeffa,b\n1,ä\n".encode(), {"encoding": "utf-8"}, {"a": [1], "b": ["ä"]}),
    ],
)  # fmt: skip
def test_options_decide(contents, options, found):
    assert contents_of(table_of(contents, **options)) == found


@pytest.mark.parametrize(
    ("contents", "options", "message"),
    [
        ("a,b,c\n1,2\n3,4,5\n", {}, "row 1 (line 2): found 2 values, expected 3: a, b, c"),
        ("a,b\n1,2,3,4\n5,6,7,8\n", {},
         "row 1 (line 2): found 4 values, expected 2: a, b; 2 rows of another length in all"),
        ("a,b\n1,2\n\n3\n4,5\n", {}, "row 2 (line 4): found 1 value, expected 2: a, b"),
        ("# one\n# two\n", {}, "only comments; expected a line with the names of the columns, then rows"),
        ('"a,b\n1,2\n', {},
         "the first line has broken quotes; expected a line with the names of the columns, then rows"),
        (b"a,b\n1,\x81\n", {}, 'line 2: not "cp1252" (character maps to <undefined>); give its encoding'),
        (b"a,b\n1,\xe4", {"encoding": "utf-8"}, "line 2: not UTF-8 (unexpected end of data)"),
        (b"a,b\n1,2\n", {"encoding": "utf9"}, 'unknown encoding "utf9"; did you mean "utf'),
        (b"a,b\n1,2\n", {"encoding": "hex"}, 'unknown encoding "hex"'),
        ("a,b\n1,2\n", {"delimiter": "::"}, 'delimiter = "::"; expected one sign of ASCII that is no letter, digit or'),
        ("a,b\n1,2\n", {"decimal": "x"}, 'decimal = "x"; expected "." or ","'),
        ("a,b\n1,2\n", {"decimal": ",", "thousands": ","}, 'decimal and thousands are both ","; expected different'),
        ("a,b\n1,2\n", {"header": 7}, "header = 7, but that line is empty, a comment or does not exist"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(contents, options, message):
    with pytest.raises(DataError) as raised:
        table_of(contents, **options)
    assert message in str(raised.value)


def test_a_column_may_turn_out_not_to_be_empty():
    """The rows from which the dialect is found are only the first ones."""
    rows = "1,x,\n" * 1000
    assert list(table_of("a,b,\n" + rows).columns) == ["a", "b"]
    table = table_of("a,b,\n" + rows + "2,y,z\n")
    assert table.columns["column_3"].strings() == [""] * 1000 + ["z"]


def test_a_file_that_changes_its_form_on_the_way(monkeypatch):
    """Quotes, lines in quotes, comments and empty lines from some block on."""
    monkeypatch.setattr(csv_blocks, "BLOCK", 64)
    monkeypatch.setattr(csv_blocks, "BLOCK_LINES", 1)
    monkeypatch.setattr("modnet.data.readers.csv_encoding.PIECE", 64)
    rows = [(str(i), f"t{i}" if i % 7 else 'a "b",\nc', "1.5") for i in range(200)]
    written = io.StringIO(newline="")
    csv.writer(written).writerows([("a", "b", "c"), *rows])
    text = written.getvalue().replace("\r\n150,", "\r\n\r\n# note\r\n150,")
    table = table_of(text)
    assert contents_of(table) == {
        "a": list(range(200)),
        "b": [row[1] for row in rows],
        "c": [1.5] * 200,
    }
    lines = text.splitlines()
    assert all(lines[line - 1].startswith(f"{row},") for row, line in enumerate(table.lines))


# Blocks


def test_blocks_have_so_many_rows_and_lines_that_count_on(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i},{'x' if i < 20 else i}\n" for i in range(25)))
    tables = list(read_blocks(tmp_path / "t.csv", rows=10))
    assert [len(table) for table in tables] == [10, 10, 5]
    assert [list(table.lines) for table in tables] == [list(range(2 + s, 2 + min(s + 10, 25))) for s in (0, 10, 20)]
    assert [table.columns["b"].type for table in tables] == ["text", "text", "number"]
    (table,) = read_blocks(tmp_path / "t.csv", rows=1000, options=ReadOptions(texts=frozenset("b")))
    assert table.columns["b"].strings() == ["x"] * 20 + [str(i) for i in range(20, 25)]
    (empty,) = read_table_blocks(io.BytesIO(b"a,b\n"))
    assert list(empty.columns) == ["a", "b"]
    assert len(empty) == 0


@given(rows=tables, size=st.integers(1, 4))
def test_blocks_have_the_rows_of_the_table(rows, size):
    written = io.StringIO(newline="")
    csv.writer(written).writerows([[f"c{i}" for i in range(len(rows[0]))], *rows])
    options = ReadOptions(delimiter=",", header=1, comment="\x01")
    whole = read_table(io.BytesIO(written.getvalue().encode()), options=options)
    names = frozenset(name for name, column in whole.columns.items() if column.type == "text")
    parts = list(
        read_table_blocks(io.BytesIO(written.getvalue().encode()), options=options.replace(texts=names), rows=size)
    )
    for name, values in contents_of(whole).items():
        assert [value for part in parts for value in contents_of(part)[name]] == values
    assert [line for part in parts for line in part.lines] == list(whole.lines)


def test_rows_of_a_pipe_are_given_as_they_come():
    reading, writing = os.pipe()
    with open(reading, "rb") as source, open(writing, "wb", buffering=0) as sink:
        tables = read_table_blocks(source, rows=2)
        sink.write(b"a,b\n1,x\n2,y\n3,")
        assert contents_of(next(tables)) == AB
        sink.write(b"z\n4,w\n")
        assert contents_of(next(tables)) == {"a": [3, 4], "b": ["z", "w"]}
        sink.write(b"5,v\n")
        sink.close()
        assert contents_of(next(tables)) == {"a": [5], "b": ["v"]}
        assert next(tables, None) is None


def test_a_pipe_is_read_twice_where_a_column_turns_out_to_be_text(monkeypatch):
    monkeypatch.setattr("modnet.data.readers.csv_reader.IN_MEMORY", 1000)
    contents = b"a,b\n" + b"1,2\n" * 200_000 + b"1,x\n"
    reading, writing = os.pipe()

    def write():
        with open(writing, "wb") as sink:
            sink.write(contents)

    thread = threading.Thread(target=write)
    thread.start()
    with open(reading, "rb") as source:
        table = read_table(source)
    thread.join()
    assert table.columns["b"].texts == ["2", "x"]
    assert table.columns["a"].values.sum() == 200_001


# Large and wide tables


@pytest.mark.parametrize("kind", ["number", "text"])
def test_the_time_for_a_cell_does_not_grow_with_the_columns(kind):
    def seconds(columns):
        cell = "1.25" if kind == "number" else "abc"
        data = (",".join(f"c{i}" for i in range(columns)) + "\n" + (",".join([cell] * columns) + "\n") * 8).encode()
        best = math.inf
        for _ in range(3):
            start = time.process_time()
            table = read_table(io.BytesIO(data))
            best = min(best, time.process_time() - start)
        assert len(table.columns) == columns
        return best

    assert seconds(16_000) < 8 * seconds(4000)


def test_equal_names_take_no_quadratic_time():
    start = time.process_time()
    table = table_of(",".join(["x"] * 20_000) + "\n" + ",".join(["1"] * 20_000) + "\n")
    assert len(table.columns) == 20_000
    assert len(table.notes) == 6
    assert time.process_time() - start < 5


def test_cells_may_be_long():
    text = "x" * 1_000_000
    assert table_of(f'a,b\n1,"{text}"\n2,{text}\n').columns["b"].strings() == [text, text]
    assert csv.field_size_limit() == 131_072


def test_a_compressed_file_is_read_twice_too(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 100_000 + b"1,x\n"))
    assert read(tmp_path / "t.csv.gz").columns["b"].texts == ["2", "x"]
