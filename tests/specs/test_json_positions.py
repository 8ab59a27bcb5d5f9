"""The JSON locator, held against json: on documents in every form of the syntax, and on examples to read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modnet.errors import SpecError
from modnet.specs.json_positions import outline_json
from modnet.specs.source import parse_source

Path = tuple[str | int, ...]


def paths(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


def same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


PIECES = [
    "a",
    "é",
    "🙂",
    " ",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "'",
    "//",
    "\\\\",
    '\\"',
    "\\n",
    "\\u00e9",
    "\\ud83d\\ude42",
]
strings = st.lists(st.sampled_from(PIECES), max_size=4).map(lambda pieces: '"' + "".join(pieces) + '"')
others = st.sampled_from(
    ["0", "-1", "170", "1.5", "-0.01", "1e-3", "6.26E+2", "true", "false", "null", "NaN", "Infinity", "-Infinity"]
)
blank = st.sampled_from(["", "", " ", "\n", "\r\n\t", " \n\n  "])


@st.composite
def lists(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = [draw(blank) + item + draw(blank) for item in draw(st.lists(values, max_size=4))]
    return "[" + (",".join(items) or draw(blank)) + "]"


@st.composite
def tables(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    keys = draw(st.lists(strings, max_size=4, unique_by=json.loads))
    items = [draw(blank) + key + draw(blank) + ":" + draw(blank) + draw(values) + draw(blank) for key in keys]
    return "{" + (",".join(items) or draw(blank)) + "}"


values = st.recursive(strings | others, lambda inner: lists(inner) | tables(inner), max_leaves=6)
documents = st.builds("".join, st.tuples(blank, tables(values), blank))


@settings(max_examples=60)
@given(documents)
def test_every_path_of_a_document_is_located_and_its_token_is_the_value(text: str) -> None:
    expected = dict(paths(json.loads(text)))
    outline = outline_json(text)
    assert outline.values.keys() == expected.keys()
    assert not outline.repeated
    for path, value in expected.items():
        start, end = outline.values[path]
        found = json.loads(text[start:end])
        assert same(found, value) or isinstance(value, dict | list)
        if path and isinstance(path[-1], str):
            start, end = outline.keys[path]
            assert json.loads(text[start:end]) == path[-1]
        else:
            assert path not in outline.keys


@settings(max_examples=60)
@given(documents, st.data())
def test_a_broken_text_gives_part_of_an_outline_and_a_spec_error(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 3)))
    pieces = ["", '"', "'", "[", "]", "{", "}", ":", ",", "\\", "\n", "a", "1", "\x00", '"a":1,']
    broken = text[:start] + data.draw(st.sampled_from(pieces)) + text[end:]
    outline_json(broken).position(("a", 0, "b"))
    try:
        parse_source(broken, ".json")
    except SpecError as error:
        problems = error.problems
    else:
        return
    assert problems
    assert all(problem.message and problem.line <= broken.count("\n") + 1 for problem in problems)


EXAMPLE = """\
{
  "network": {
    "input": [28, 28, 1],
    "layers": [
      {"type": "conv2d", "filters": 16},  "flatten",
      {
        "type" : "linear"
      }
    ]
  },
  "training": {"\\u006coss": "cross_entropy", "note": ""}
}
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("network",), (2, 14, 1), (2, 3, 9)),
        (("network", "input"), (3, 14, 11), (3, 5, 7)),
        (("network", "input", 2), (3, 23, 1), (3, 23, 1)),
        (("network", "layers"), (4, 15, 1), (4, 5, 8)),
        (("network", "layers", 0), (5, 7, 33), (5, 7, 33)),
        (("network", "layers", 0, "filters"), (5, 37, 2), (5, 26, 9)),
        (("network", "layers", 1), (5, 43, 9), (5, 43, 9)),
        (("network", "layers", 2), (6, 7, 1), (6, 7, 1)),
        (("network", "layers", 2, "type"), (7, 18, 8), (7, 9, 6)),
        (("training", "loss"), (11, 29, 15), (11, 16, 11)),
        (("training", "note"), (11, 54, 2), (11, 46, 6)),
        (("network", "layers", 2, "name"), (6, 7, 1), (6, 7, 1)),
        (("training", "epochs"), (11, 15, 42), (11, 15, 42)),
        (("data",), (1, 1, 0), (1, 1, 0)),
        ((), (1, 1, 0), (1, 1, 0)),
    ],
)
def test_the_place_of_a_value_and_of_its_key(
    path: Path, value: tuple[int, int, int], key: tuple[int, int, int]
) -> None:
    for text in (EXAMPLE, EXAMPLE.replace("\n", "\r\n"), "\ufeff" + EXAMPLE):
        source = parse_source(text, ".json")
        assert source.locate(path)[:3] == value
        assert source.locate(path, key=True)[:3] == key
