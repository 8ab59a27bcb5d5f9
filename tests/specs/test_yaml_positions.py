"""The YAML reader, held against ruamel.yaml: on documents in many forms of the syntax, and on examples to read."""

from __future__ import annotations

import datetime
import io
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from modnet.errors import SpecError
from modnet.specs.source import parse_source
from modnet.specs.yaml_positions import read_yaml

Path = tuple[str | int, ...]


def loaded(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


def paths(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict | list):
        ours, theirs = dict(paths(a)), dict(paths(b))
        return ours.keys() == theirs.keys() and all(
            same(item, theirs[path]) for path, item in ours.items() if not isinstance(item, dict | list)
        )
    return type(a) is type(b) and (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


plain = st.sampled_from(
    [
        *("a", "on", "no", "relu", "a b", "a#b", "a:b", "é🙂", "-x", "1.2.3", "1e", "x,y".replace(",", ";"), "~a"),
        *("0", "-1", "1e-3", "0o17", "0xff", "1.", "-.5", ".inf", "-.inf", ".nan", "true", "False", "null", "~"),
        *("2001-12-14", "2001-12-14T21:59:43Z", "!!str 5", "! x", "!!float 3"),
    ]
)
double = st.lists(
    st.sampled_from(
        ["a", "é", "🙂", " b", "[", "]", "{", "}", ": ", "# ", "'", "\\n", '\\"', "\\\\", "\\u00e9", "- ", "&a"]
    ),
    max_size=4,
).map(lambda pieces: '"' + "".join(pieces) + '"')
single = st.lists(
    st.sampled_from(["a", "é", " b", "[", "]", "{", "}", ": ", " #", '"', "\\", "''", "- ", "*a"]),
    max_size=4,
).map(lambda pieces: "'" + "".join(pieces) + "'")
scalars = st.one_of(plain, plain, double, single)
NAMES = {
    **{name: name for name in ("a", "b", "type", "x-1", "on", "é🙂", "a b")},
    '"a: b"': "a: b",
    "'# c'": "# c",
    '"\\u0064"': "d",
    "'1'": "1",
    '"<<"': "<<",
    "'it''s'": "it's",
}
space = st.sampled_from(["", "  "])
line_end = st.sampled_from(["\n", "\n", " # [c]: \"'\n", "\n\n", "\n    # deeper: 1\n# not: deep\n"])


def key_lists(least: int = 0) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(sorted(NAMES)), min_size=least, max_size=3, unique=True)


@st.composite
def flow(draw: st.DrawFn, depth: int = 0) -> str:
    """A value on one line."""
    if depth == 2 or draw(st.integers(0, 2)):
        return draw(scalars)
    separator = draw(st.sampled_from([", ", " , "]))
    if draw(st.booleans()):
        return "[" + draw(space) + separator.join(draw(st.lists(flow(depth + 1), max_size=3))) + draw(space) + "]"
    items = [f"{key}: {draw(flow(depth + 1))}" for key in draw(key_lists())]
    return "{" + draw(space) + separator.join(items) + draw(space) + "}"


@st.composite
def after(draw: st.DrawFn, indent: int, depth: int, before: str) -> str:
    """What follows a key's colon or an item's dash: a value in one line or a block."""
    kind = draw(st.integers(0, 5 if depth < 3 else 2))
    if kind < 2:
        return f"{before} {draw(flow())}{draw(line_end)}"
    deeper = indent + draw(st.integers(1, 3))
    margin = " " * deeper
    if kind == 2:
        style = draw(st.sampled_from(["|", ">", "|-", ">-", "|+"]))
        return f"{before} {style}\n{margin}one: [\n{margin}  # two\n\n{margin}three\n"
    inner = draw(block(deeper, depth + 1))
    if kind == 3 and before.endswith("-"):  # - key: value
        inner = draw(block(indent + 2, depth + 1))
        return f"{before} {inner.lstrip(' ')}"
    return f"{before}{draw(line_end)}{inner}"


@st.composite
def block(draw: st.DrawFn, indent: int = 0, depth: int = 0) -> str:
    margin = " " * indent
    if depth and draw(st.booleans()):
        return "".join(draw(after(indent, depth, margin + "-")) for _ in range(draw(st.integers(1, 3))))
    return "".join(draw(after(indent, depth, f"{margin}{key}:")) for key in draw(key_lists(least=1)))


documents = st.builds("".join, st.tuples(st.sampled_from(["", "---\n", "# c\n\n", "%YAML 1.2\n---\n"]), block()))


@settings(max_examples=40)
@given(documents)
def test_every_path_of_a_document_is_located_and_its_token_is_the_value(text: str) -> None:
    expected = loaded(text)
    node = read_yaml(text, "")
    assert same(node.plain(), expected)
    outline = node.outline(text)
    values = dict(paths(expected))
    assert outline.values.keys() == values.keys()
    for path, value in values.items():
        start, end = outline.values[path]
        if not isinstance(value, dict | list):
            assert same(loaded("v: " + text[start:end])["v"], value)
        if path and isinstance(path[-1], str):
            start, end = outline.keys[path]
            assert NAMES[text[start:end]] == path[-1]
        else:
            assert path not in outline.keys


@settings(max_examples=40)
@given(documents, st.data())
def test_a_broken_text_gives_values_or_a_spec_error(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 3)))
    pieces = [
        "",
        '"',
        "'",
        "[",
        "]",
        "{",
        "}",
        ": ",
        ",",
        "\\",
        "\n",
        " ",
        "\t",
        "- ",
        "&a ",
        "*a",
        "!",
        "? ",
        "\x00",
        "|",
    ]
    broken = text[:start] + data.draw(st.sampled_from(pieces)) + text[end:]
    try:
        source = parse_source(broken, ".yaml")
    except SpecError as error:
        problems = error.problems
    else:
        for path, _ in paths(source.values):
            source.locate(path)
        return
    assert problems
    assert all(problem.message and problem.line <= broken.count("\n") + 1 for problem in problems)


EXAMPLE = """\
# A classifier of digits.
network:
  input: [28, 28, 1]
  layers:   # from the image on
    - {type: conv2d, filters: 16}   # [
    - type: linear   # the last
      out_features: "ten"
    - flatten
training: &training
  notes: |
    input: 3
  epochs:
  loss: cross_entropy
again: *training
more:
  <<: *training
  epochs: 3
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("network",), (2, 1, 7), (2, 1, 7)),
        (("network", "input"), (3, 10, 11), (3, 3, 5)),
        (("network", "input", 1), (3, 15, 2), (3, 15, 2)),
        (("network", "layers"), (4, 3, 6), (4, 3, 6)),
        (("network", "layers", 0), (5, 7, 27), (5, 7, 27)),
        (("network", "layers", 0, "type"), (5, 14, 6), (5, 8, 4)),
        (("network", "layers", 1), (6, 7, 12), (6, 7, 12)),
        (("network", "layers", 1, "out_features"), (7, 21, 5), (7, 7, 12)),
        (("network", "layers", 2), (8, 7, 7), (8, 7, 7)),
        (("training",), (9, 1, 8), (9, 1, 8)),
        (("training", "notes"), (10, 10, 1), (10, 3, 5)),
        (("training", "epochs"), (12, 3, 6), (12, 3, 6)),
        (("again",), (14, 8, 9), (14, 1, 5)),
        (("again", "loss"), (13, 9, 13), (13, 3, 4)),
        (("more", "epochs"), (17, 11, 1), (17, 3, 6)),
        (("more", "loss"), (13, 9, 13), (13, 3, 4)),
        (("network", "layers", 1, "name"), (6, 7, 12), (6, 7, 12)),
        (("network", "dtype"), (2, 1, 7), (2, 1, 7)),
        (("data",), (1, 1, 0), (1, 1, 0)),
        ((), (1, 1, 0), (1, 1, 0)),
    ],
)
def test_the_place_of_a_value_and_of_its_key(
    path: Path, value: tuple[int, int, int], key: tuple[int, int, int]
) -> None:
    for text in (EXAMPLE, EXAMPLE.replace("\n", "\r\n"), "\ufeff" + EXAMPLE):
        source = parse_source(text, ".yml")
        assert source.locate(path)[:3] == value
        assert source.locate(path, key=True)[:3] == key


def test_values_are_those_of_yaml_1_2() -> None:
    text = "a: 1e-3\nb: on\nc: 2001-12-14\nd: 010\ne: .inf\nf: no\ng: ~\nh: '1'"
    assert parse_source(text, ".yaml").values == {
        "a": 0.001,
        "b": "on",
        "c": datetime.date(2001, 12, 14),
        "d": 10,
        "e": math.inf,
        "f": "no",
        "g": None,
        "h": "1",
    }


def test_an_alias_is_a_copy_and_a_merged_table_gives_way_to_what_is_written() -> None:
    values = parse_source(EXAMPLE, ".yaml").values
    assert values["again"] == {"notes": "input: 3\n", "epochs": None, "loss": "cross_entropy"}
    assert values["again"] is not values["training"]
    assert values["more"] == {"notes": "input: 3\n", "epochs": 3, "loss": "cross_entropy"}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a: &x {p: 1, q: 1}\nb: &y {q: 2, r: 2}\nc: {<<: [*x, *y], r: 3}", {"q": 1, "p": 1, "r": 3}),
        ("a: &x 1\nb: &x 2\nc: *x", 2),
        ("c: {'<<': 1}", {"<<": 1}),
        ("c: =\n", "="),
        ("c: [<<]\n", ["<<"]),
        ("k: &k name\nc: {*k : 1}", {"name": 1}),
    ],
)
def test_anchors_aliases_and_merges(text: str, values: Any) -> None:
    assert parse_source(text, ".yaml").values["c"] == values
