"""From a spec file to plain values, and to the places where they stand in it.

Values are what the file says, unchecked. What is found here are the faults of the file itself: one that is not there,
is no text, or breaks the rules of its format.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, NoReturn, Protocol

from modnet.configuration import DEEPEST, Path, path_text, show
from modnet.errors import Problem, SpecError
from modnet.spec.positions import TOO_DEEP, Outline, Position, problem_at

LARGEST = 16 << 20
"""How many bytes a spec file may have."""

_SUFFIXES = (".toml", ".json", ".yaml", ".yml")
_EXPECTED_SUFFIX = "expected .toml, .json, .yaml or .yml"
_EMPTY = "the file is empty; expected a [network] table"
_MANY_DOTS = re.compile(r"^(?:[^.\n]*+\.){%d}" % DEEPEST, re.MULTILINE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SIGNATURES = (
    (b"\xa6modnet", "a modnet model file"),
    (b"PK\x03\x04", "a zip archive (.npz files are such)"),
    (b"\x93NUMPY", "an array in numpy's .npy format"),
    (b"\x1f\x8b", "a file compressed with gzip"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)

Reader = Callable[[FilePath], dict[str, Any] | None]


class Locate(Protocol):
    """Says where the value at a path stands, or with `key` the key itself; never fails.

    A path that is not in the file gives the nearest table or list around it. The whole file is line 1, column 1.
    """

    def __call__(self, path: Path, key: bool = False) -> Position: ...


@dataclass(frozen=True)
class Source:
    """What a spec file says, and where.

    Attributes:
        values: the top table, in plain Python values.
        file: the path as it was given, or "".
        text: the text, with line ends as "\\n"; "" for a file of a further kind.
        locate: the position of the value, or of the key, at a path. The first call computes them.
    """

    values: dict[str, Any]
    file: str
    text: str
    locate: Locate


def read_source(path: str | os.PathLike[str], readers: Iterable[Reader] = ()) -> Source:
    """Reads a .toml, .json, .yaml or .yml file.

    Args:
        path: the file.
        readers: asked one after the other for a file with another suffix; the first that does not give None has read it.

    Raises:
        SpecError: there is no such file, or it is none of a spec; with the place of the fault in it.
        MissingExtra: a YAML file, and ruamel.yaml is not installed.
    """
    file = os.fspath(path)
    found = FilePath(path)
    if found.is_dir():
        _refuse(file, "this is a folder; expected a .toml, .json, .yaml or .yml file")
    if not found.exists():
        _refuse(file, _no_such_file(found))
    known = found.suffix.lower() in _SUFFIXES
    if not known:
        for reader in readers:
            values = reader(found)
            if values is not None:
                return _foreign(values, file)
    try:
        with found.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        _refuse(file, f"cannot be read: {(error.strerror or str(error)).lower()}")
    if not known:
        kind = _kind(data)
        _refuse(file, f"this is {kind}, not a spec" if kind else _unknown_suffix(found.suffix), _hint(file, kind))
    if len(data) > LARGEST:
        _refuse(file, "larger than 16 MiB; a spec is a short text, and data stand in files of their own")
    return parse_source(_decoded(data, file), found.suffix, file)


def parse_source(text: str, suffix: str, file: str = "") -> Source:
    """Reads a text as a file with that suffix would be read.

    Args:
        text: the text; a byte order mark and Windows line ends are welcome.
        suffix: .toml, .json, .yaml or .yml.
        file: what messages call the text.

    Raises:
        SpecError: the text breaks the rules of its format, has equal keys in one table, is nested more than 64 levels
            deep, or is not a table.
        MissingExtra: YAML, and ruamel.yaml is not installed.
    """
    parsers = {".toml": _parse_toml, ".json": _parse_json, ".yaml": _parse_yaml, ".yml": _parse_yaml}
    parse = parsers.get(suffix.lower())
    if parse is None:
        _refuse(file, _unknown_suffix(suffix))
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if not text.strip():
        _refuse(file, _EMPTY)
    values, outline = parse(text, file)
    outline = functools.cache(outline)
    if not isinstance(values, dict):
        start = len(text) - len(text.lstrip())
        message = f"expected a table at the top level, found {show(values)}"
        raise SpecError([problem_at(text, file, (start, len(text)), message)])
    if path := _too_deep(values):
        _raise_too_deep(outline(), file, path)
    if path := _lone_surrogate(values):
        span = outline().values.get(path, (0, 0))
        message = "half of a surrogate pair (\\ud800 to \\udfff) is no character"
        raise SpecError([problem_at(text, file, span, message, path=path)])

    def locate(path: Path, key: bool = False) -> Position:
        return outline().position(path, key)

    return Source(values, file, text, locate)


def _parse_toml(text: str, file: str) -> tuple[Any, Callable[[], Outline]]:
    def outline() -> Outline:
        from modnet.spec.toml_positions import outline_toml

        return outline_toml(text)

    # tomllib takes time with the square of a dotted key's length: 10 seconds for 20 kB of them.
    if _MANY_DOTS.search(text) and outline().too_deep:
        _raise_too_deep(outline(), file)
    try:
        return tomllib.loads(text), outline
    except RecursionError:
        _raise_too_deep(outline(), file)
    except ValueError as error:
        from modnet.spec.syntax import toml_problems

        raise SpecError(toml_problems(error, outline(), file)) from error


def _parse_json(text: str, file: str) -> tuple[Any, Callable[[], Outline]]:
    def outline() -> Outline:
        from modnet.spec.json_positions import outline_json

        return outline_json(text)

    repeated = False

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        values = dict(pairs)
        repeated = repeated or len(values) < len(pairs)
        return values

    try:
        values = json.loads(text, object_pairs_hook=table)
    except RecursionError:
        _raise_too_deep(outline(), file)
    except ValueError as error:
        from modnet.spec.syntax import json_problem

        raise SpecError([json_problem(error, outline(), file)]) from error
    if repeated:
        raise SpecError(outline().repeated_keys(file))
    return values, outline


def _parse_yaml(text: str, file: str) -> tuple[Any, Callable[[], Outline]]:
    from modnet.spec.yaml_positions import read_yaml

    node = read_yaml(text, file)
    if node.content is None:
        _refuse(file, _EMPTY)
    return node.plain(), lambda: node.outline(text)
