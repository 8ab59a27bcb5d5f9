"""The TOML locator, held against tomllib: on documents in every form of the syntax, and on examples to read."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modnet.errors import Problem, SpecError
from modnet.specs.positions import Position
from modnet.specs.source import parse_source
from modnet.specs.toml_positions import outline_toml

Path = tuple[str | int, ...]


def paths(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if path:
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


def is_value(token: str) -> bool:
    try:
        return len(tomllib.loads(f"v = [{token}, 1]")["v"]) == 2  # one value, and no comment after it
    except tomllib.TOMLDecodeError:
        return False


# Documents in text form. Pieces of strings are chosen for what they would mean outside of one.

PIECES = ["a", "é", "🙂", " ", "[", "]", "[[x]]", "{", "}", "=", ",", ".", "#", "# c", "1979-05-27"]
ESCAPES = ["\\\\", '\\"', "\\n", "\\t", "\\u00e9", "\\U0001F600"]


def joined(*pieces: str, most: int = 4) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=most).map("".join)


basic = joined(*PIECES, *ESCAPES, "'", "'''").map('"{}"'.format)
literal = joined(*PIECES, "\\", '"', '"""').map("'{}'".format)
long_basic = joined(*PIECES, *ESCAPES, "'''", '"', '""', '\\"""', "\n", "\n[t]\n", "\nk = 1\n", "\\\n  ").map(
    '"""{}"""'.format
)
long_literal = joined(*PIECES, "\\", '"""', "'", "''", "\n", "\n[t]\n", "\nk = 1\n").map("'''{}'''".format)
numbers = st.sampled_from(
    [
        *("0", "-1", "+17", "1_000", "0xDEAD_beef", "0o17", "0b1_0"),
        *("1.0", "-0.01", "1e-3", "6.26E+2", "5_0.1_2e1", "inf", "-inf", "nan", "+nan", "true", "false"),
    ]
)
dates = st.sampled_from(
    [
        "1979-05-27T07:32:00Z",
        "1979-05-27 07:32:00.999-07:00",
        "1979-05-27 07:32:00",
        "1979-05-27t00:32:00.5",
        "1979-05-27",
        "07:32:00.25",
    ]
)
scalars = st.one_of(basic, literal, long_basic, long_literal, numbers, dates).filter(is_value)

space = st.sampled_from(["", " ", "\t ", "  "])
blank = st.sampled_from(["", " ", "\n", "\n\t# ], } ' \"\n ", " # comment\n", "\n\n  "])
line_end = st.sampled_from(["\n", " # [c] = \"'\n", "\t\n\n", "\n  # '''\n\n"])
key_tokens = st.sampled_from(
    [
        *("a", "b", "type", "x-1", "_", "1", "0x1", "true", "3e4", "1979-05-27"),
        *('""', '"a b"', '"\\u0062"', '"\\"]"', '"#"', '"[a]"', '"= 1"', '"."', '"\\\\"', '"é\\t🙂"', '"\'"'),
        *("' '", "'a.b'", "'[['", "'\\'", "'#\"'", '\'"""\'', "'}'"),
    ]
)


def key_name(token: str) -> str:
    return next(iter(tomllib.loads(f"{token} = 1")))


def key_lists(least: int = 0, most: int = 2) -> st.SearchStrategy[list[str]]:
    return st.lists(key_tokens, min_size=least, max_size=most, unique_by=key_name)


@st.composite
def pairs(draw: st.DrawFn, values: st.SearchStrategy[str], least: int = 0) -> list[str]:
    """Assignments of distinct keys, some of them dotted."""
    found = []
    for key in draw(key_lists(least)):
        equals = draw(space) + "=" + draw(space)
        if draw(st.integers(0, 3)):
            found.append(key + equals + draw(values))
        else:
            dot = draw(st.sampled_from([".", " . ", "\t."]))
            found += [f"{key}{dot}{part}{equals}{draw(values)}" for part in draw(key_lists(1, 2))]
    return found


@st.composite
def lists(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = [draw(blank) + item + draw(blank) for item in draw(st.lists(values, max_size=3))]
    comma = "," if items and draw(st.booleans()) else ""
    return "[" + ",".join(items) + comma + draw(blank) + "]"


@st.composite
def inline_tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = [draw(space) + pair + draw(space) for pair in draw(pairs(values))]
    return "{" + ",".join(items) + draw(space) + "}"


values = st.recursive(scalars, lambda inner: lists(inner) | inline_tables(inner), max_leaves=3)


@st.composite
def sections(draw: st.DrawFn, name: tuple[str, ...] = (), is_element: bool = False) -> str:
    """A table with its header, if it is not the whole document, and the tables in it."""
    own = [draw(space) + pair + draw(line_end) for pair in draw(pairs(values))]
    taken = tomllib.loads("".join(own)).keys()
    inner = []
    for key in draw(key_lists(most=2 - len(name) // 2)):
        if key_name(key) in taken:
            continue
        if draw(st.booleans()):
            inner.append(draw(sections((*name, key))))
        else:
            inner += [draw(sections((*name, key), is_element=True)) for _ in range(draw(st.integers(1, 2)))]
    if name:
        dot = draw(st.sampled_from([".", " . "]))
        header = draw(space) + dot.join(name) + draw(space)
        opening = draw(space) + (f"[[{header}]]" if is_element else f"[{header}]") + draw(line_end)
        if own or is_element or not inner or draw(st.booleans()):
            own.insert(0, opening)
    if name and not is_element and draw(st.booleans()):
        return "".join([*inner, *own])
    return "".join([*own, *inner])


documents = st.builds("".join, st.tuples(blank, sections()))


@settings(max_examples=60)
@given(documents, st.booleans())
def test_every_path_of_a_document_is_located_and_its_token_is_the_value(text: str, has_crlf: bool) -> None:
    expected = dict(paths(tomllib.loads(text)))
    outline = outline_toml(text.replace("\n", "\r\n") if has_crlf else text)
    assert outline.values.keys() == expected.keys()
    assert not outline.repeated
    for path, value in expected.items():
        start, end = outline.values[path]
        token = outline.text[start:end]
        if not isinstance(value, dict | list):
            assert same(tomllib.loads(f"v = {token}")["v"], value)
        if isinstance(path[-1], str):
            start, end = outline.keys[path]
            assert key_name(outline.text[start:end]) == path[-1]
        else:
            assert path not in outline.keys
    lines = outline.text.split("\n")
    for path in expected:
        for place in (outline.position(path), outline.position(path, key=True), outline.position((*path, "missing"))):
            assert 1 <= place.column <= place.column - 1 + place.length <= len(lines[place.line - 1])
            assert len(place.excerpt) <= 200


@settings(max_examples=40)
@given(documents, st.data())
def test_a_broken_text_gives_part_of_an_outline_and_a_spec_error(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 3)))
    pieces = ["", '"', "'", '"""', "'''", "[", "]", "{", "}", "=", ".", ",", "\\", "\n", "a", "1", "\x00", "\r"]
    broken = text[:start] + data.draw(st.sampled_from(pieces)) + text[end:]
    outline_toml(broken).position(("a", 0, "b"))
    problems = faults(broken)
    assert problems is None or problems
    assert all(problem.message and problem.line <= broken.count("\n") + 1 for problem in problems or ())


def faults(text: str) -> tuple[Problem, ...] | None:
    try:
        parse_source(text, ".toml")
    except SpecError as error:
        return error.problems
    return None


def position(text: str, *path: str | int, key: bool = False) -> tuple[int, int, int]:
    line, column, length, _ = parse_source(text, ".toml").locate(path, key=key)
    return line, column, length


EXAMPLE = """\
# A classifier of digits.
[network]
input = [28, 28, 1]
layers = [   # from the image on
  { type = "conv2d", filters = 16, kernel_size = 3 },
  "flatten",
\t{ type = 'linear', out_features = "ten" },  # [[not a table]]
]

[training]
optimizer.type = "adam"
optimizer . "learning_rate" = 1e-3
notes = \"""
first \\"quoted\\" line
[network]
input = 3\"""
epochs = 10

[[training.callbacks]]
type = "early_stopping"

[[training.callbacks]]
type = "checkpoint"
[training.callbacks.when]
every = 5
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("network",), (2, 1, 9), (2, 2, 7)),
        (("network", "input"), (3, 9, 11), (3, 1, 5)),
        (("network", "input", 1), (3, 14, 2), (3, 14, 2)),
        (("network", "layers"), (4, 10, 1), (4, 1, 6)),
        (("network", "layers", 0), (5, 3, 50), (5, 3, 50)),
        (("network", "layers", 0, "type"), (5, 12, 8), (5, 5, 4)),
        (("network", "layers", 1), (6, 3, 9), (6, 3, 9)),
        (("network", "layers", 2, "out_features"), (7, 36, 5), (7, 21, 12)),
        (("training", "optimizer"), (11, 1, 9), (11, 1, 9)),
        (("training", "optimizer", "type"), (11, 18, 6), (11, 11, 4)),
        (("training", "optimizer", "learning_rate"), (12, 31, 4), (12, 13, 15)),
        (("training", "notes"), (13, 9, 3), (13, 1, 5)),
        (("training", "epochs"), (17, 10, 2), (17, 1, 6)),
        (("training", "callbacks"), (19, 1, 22), (19, 12, 9)),
        (("training", "callbacks", 0), (19, 1, 22), (19, 1, 22)),
        (("training", "callbacks", 1, "type"), (23, 8, 12), (23, 1, 4)),
        (("training", "callbacks", 1, "when"), (24, 1, 25), (24, 21, 4)),
        (("training", "callbacks", 1, "when", "every"), (25, 9, 1), (25, 1, 5)),
    ],
)
def test_the_place_of_a_value_and_of_its_key(
    path: Path, value: tuple[int, int, int], key: tuple[int, int, int]
) -> None:
    assert position(EXAMPLE, *path) == value
    assert position(EXAMPLE, *path, key=True) == key
    assert position(EXAMPLE.replace("\n", "\r\n"), *path) == value
    assert position("\ufeff" + EXAMPLE, *path, key=True) == key


def test_the_excerpt_is_the_line_with_a_blank_for_a_tab() -> None:
    found = parse_source(EXAMPLE, ".toml").locate(("network", "layers", 2))
    assert found == Position(7, 2, 41, " { type = 'linear', out_features = \"ten\" },  # [[not a table]]")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("network", "dtype"), (2, 1, 9)),
        (("network", "layers", 0, "name"), (5, 3, 50)),
        (("network", "layers", 7, "name"), (4, 10, 1)),
        (("training", "optimizer", "beta"), (11, 1, 9)),
        (("training", "callbacks", 1, "every", "x"), (22, 1, 22)),
        (("data", "train"), (1, 1, 0)),
        ((), (1, 1, 0)),
    ],
)
def test_what_is_not_there_is_placed_at_the_table_around_it(path: Path, expected: tuple[int, int, int]) -> None:
    assert position(EXAMPLE, *path) == expected
    assert position(EXAMPLE, *path, key=True) == expected


def test_a_table_that_only_others_imply_stands_at_its_name_until_it_has_a_header() -> None:
    assert position("[a.b]\nc = 1", "a") == (1, 2, 1)
    assert position("[a.b]\nc = 1", "a", "b") == (1, 1, 5)
    assert position("[a.b]\nc = 1\n[a]\nd = 2", "a") == (3, 1, 3)
    assert position("[[a.b]]\n[[a.b.c]]\nd = 1\n[[a.b.c]]\n[[a.b]]", "a", "b", 0, "c", 1) == (4, 1, 9)


def test_a_list_over_several_lines_is_marked_as_far_as_its_first_line_goes() -> None:
    assert position("a = [ 1, [2, # c\n 3]]", "a") == (1, 5, 7)
    assert position("a = [ 1, [2, # c\n 3]]", "a", 1) == (1, 10, 2)
    assert position("a = [ # c\n 3]", "a") == (1, 5, 1)
    assert position("a = '''x # y\nz'''  ", "a") == (1, 5, 8)


def test_a_long_line_is_cut_off_and_left_out_where_the_place_is_beyond_it() -> None:
    text = "a = [" + "1, " * 100 + "2]"
    source = parse_source(text, ".toml")
    assert source.locate(("a",)).excerpt == text[:199] + "…"
    assert source.locate(("a",)).length == 196
    assert source.locate(("a", 99)) == Position(1, 303, 1, "")
