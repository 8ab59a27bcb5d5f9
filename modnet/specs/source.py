"""From a spec file to plain values and their positions.

The values are those of the file, unchecked. The faults that are found here are those of the file itself: it does not
exist, is not text, or breaks the rules of its format.
"""

from __future__ import annotations

import difflib
import functools
import json
import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, NoReturn, Protocol

from modnet.configuration.reading import DEEPEST
from modnet.errors import Problem, SpecError
from modnet.specs.json_positions import outline_json
from modnet.specs.positions import NOWHERE, TOO_DEEP, Outline, Position, problem_at, readable
from modnet.specs.toml_positions import outline_toml
from modnet.words import Path, show

LARGEST = 16 << 20
"""The greatest size of a spec file, in bytes."""

_SUFFIXES = (".toml", ".json", ".yaml", ".yml")
_TABLES = (".csv", ".tsv", ".csv.gz", ".jsonl", ".parquet", ".xlsx")

_EXPECTED_SUFFIX = "expected .toml, .json, .yaml or .yml"
_EMPTY = "the file is empty; expected a [network] table"
_MANY_DOTS = re.compile(rf"^(?:[^.\n]*+\.){{{DEEPEST}}}", re.MULTILINE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MODEL_FILE = b"\xa6modnet"
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive (as .npz files are)"),
    (b"\x93NUMPY", "an array in numpy's .npy format"),
    (b"\x1f\x8b", "a file compressed with gzip"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)

LazyOutline = Callable[[], Outline]
Reader = Callable[[FilePath], dict[str, Any] | None]


class Locate(Protocol):
    """Finds the position of the value at a path, or with `key`, of the key itself; never fails.

    For a path that is not in the file, it is the position of the nearest table or list around it. The whole file is
    line 1, column 1.
    """

    def __call__(self, path: Path, key: bool = False) -> Position: ...


@dataclass(frozen=True)
class Source:
    """The content of a spec file, with positions.

    Attributes:
        values: the top-level table, as plain Python values.
        file: the path as it was given, or "".
        text: the text, with line ends as "\\n"; "" for a file that a plugin reads.
        locate: the position of the value, or of the key, at a path. The first call computes all of them.
    """

    values: dict[str, Any]
    file: str
    text: str
    locate: Locate


def read_source(path: str | os.PathLike[str], readers: Iterable[Reader] = ()) -> Source:
    """Reads a .toml, .json, .yaml or .yml file.

    Args:
        path: the file.
        readers: for a file with another suffix; tried one after the other until one does not return None.

    Raises:
        SpecError: the file does not exist or is not a spec; with the position of the fault.
        MissingExtra: the file is YAML and ruamel.yaml is not installed.
    """
    file = os.fspath(path)
    found = FilePath(path).expanduser()
    _check_is_file(found, file)
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
        _refuse(file, _cannot_read(error))
    if not known:
        kind = _kind(data)
        hint = f"for a first spec: modnet new-spec {file} --target COLUMN" if _is_table(found) else _hint(file, kind)
        _refuse(file, f"this is {kind}, not a spec" if kind else _unknown_suffix(found.suffix), hint)
    if len(data) > LARGEST:
        _refuse(file, "larger than 16 MiB; a spec is a short text, put data into separate files")
    return parse_source(_decoded(data, file), found.suffix, file)


def _check_is_file(path: FilePath, file: str) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the name
        _refuse(file, _no_such_file(path))
    except OSError as error:
        _refuse(file, _cannot_read(error))
    if not stat.S_ISREG(mode):
        kind = "folder" if stat.S_ISDIR(mode) else "pipe or device"
        _refuse(file, f"this is a {kind}; expected a .toml, .json, .yaml or .yml file")


def parse_source(text: str, suffix: str, file: str = "") -> Source:
    """Reads a text as a file with that suffix would be read.

    Args:
        text: the text; it may have a byte order mark and Windows line ends.
        suffix: .toml, .json, .yaml or .yml.
        file: the name of the text in messages.

    Raises:
        SpecError: the text breaks the rules of its format, has equal keys in one table, is nested more than 64 levels
            deep, or is not a table.
        MissingExtra: the text is YAML and ruamel.yaml is not installed.
    """
    parsers = {".toml": _parse_toml, ".json": _parse_json, ".yaml": _parse_yaml, ".yml": _parse_yaml}
    parse = parsers.get(suffix.lower())
    if parse is None:
        _refuse(file, _unknown_suffix(suffix))
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if not text.strip():
        _refuse(file, _EMPTY)
    values, outline = parse(text, file)
    if not isinstance(values, dict):
        start = len(text) - len(text.lstrip())
        message = f"expected a table at the top level, found {_found(values)}"
        raise SpecError([problem_at(text, file, (start, len(text)), message)])
    _check(values, file, outline)

    def locate(path: Path, key: bool = False) -> Position:
        return outline().position(path, key)

    return Source(values, file, text, locate)


def _parse_toml(text: str, file: str) -> tuple[Any, LazyOutline]:
    outline = functools.cache(lambda: outline_toml(text))
    # tomllib's time grows with the square of the length of a dotted key: 10 seconds for 20 kB.
    if _MANY_DOTS.search(text) and outline().too_deep:
        raise _too_deep(outline(), file)
    try:
        return tomllib.loads(text), outline
    except RecursionError:
        if not outline().too_deep:
            raise
        raise _too_deep(outline(), file) from None
    except ValueError as error:
        from modnet.specs.syntax import toml_problems  # takes 3 ms to import (patterns), and few files have faults

        raise SpecError(toml_problems(error, outline(), file)) from error


def _parse_json(text: str, file: str) -> tuple[Any, LazyOutline]:
    outline = functools.cache(lambda: outline_json(text))
    repeated = False

    def table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        # json keeps the last of two equal keys without a word; only then are their positions looked for.
        nonlocal repeated
        values = dict(pairs)
        repeated = repeated or len(values) < len(pairs)
        return values

    try:
        values = json.loads(text, object_pairs_hook=table)
    except RecursionError:
        if not outline().too_deep:
            raise
        raise _too_deep(outline(), file) from None
    except ValueError as error:
        from modnet.specs.syntax import json_problem  # as above

        raise SpecError([json_problem(error, outline(), file)]) from error
    if repeated:
        raise _too_deep(outline(), file) if outline().too_deep else SpecError(outline().repeated_keys(file))
    return values, outline


def _parse_yaml(text: str, file: str) -> tuple[Any, LazyOutline]:
    from modnet.specs.yaml_positions import read_yaml  # few specs are YAML, and it imports `syntax` too

    node = read_yaml(text, file)
    if node.content is None:
        _refuse(file, _EMPTY)
    return node.plain(), functools.cache(lambda: node.outline(text))


def _foreign(values: Any, file: str) -> Source:
    if not isinstance(values, dict):
        _refuse(file, f"expected a table from the plugin that reads this kind of file, found {_found(values)}")
    _check(values, file, None)
    return Source(values, file, "", lambda path, key=False: NOWHERE)


def _check(values: dict[str, Any], file: str, outline: LazyOutline | None) -> None:
    """Refuses what the code above cannot handle: deep nesting, and strings that cannot be encoded."""
    waiting: list[tuple[Path, Any]] = [((), values)]
    while waiting:
        path, value = waiting.pop()
        if len(path) > DEEPEST:
            if outline:
                raise _too_deep(outline(), file)
            _refuse(file, TOO_DEEP)
        if isinstance(value, dict):
            waiting.extend(((*path, key), item) for key, item in value.items())
        elif isinstance(value, list):
            waiting.extend(((*path, index), item) for index, item in enumerate(value))
        _check_string(value, path, False, file, outline)
        _check_string(path[-1] if path else "", path, True, file, outline)


def _check_string(string: Any, path: Path, is_key: bool, file: str, outline: LazyOutline | None) -> None:
    if isinstance(string, str) and not string.isascii() and _SURROGATE.search(string):
        message = "half of a surrogate pair (\\ud800 to \\udfff) is not a character"
        problem = Problem(readable(path), message, "", file, keys=path, at_key=is_key)
        raise SpecError([problem.replace(**outline().position(path, is_key)._asdict()) if outline else problem])


def _found(value: Any) -> str:
    return "a list" if isinstance(value, list) else "a string" if isinstance(value, str) else show(value)


def _too_deep(outline: Outline, file: str) -> SpecError:
    return SpecError([problem_at(outline.text, file, outline.too_deep or (0, 0), TOO_DEEP)])


def _decoded(data: bytes, file: str) -> str:
    """The bytes as text in UTF-8.

    Raises:
        SpecError: they are not UTF-8, or contain NUL bytes.
    """
    offset = data.find(0)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        offset = error.start if offset < 0 else min(offset, error.start)
    else:
        if offset < 0:
            return text
    message = f"not a text file in UTF-8: byte 0x{data[offset]:02x} at offset {offset}"
    if kind := _kind(data):
        _refuse(file, f"{message}; this is {kind}", _hint(file, kind))
    before = data[:offset].decode()
    start = len(before.removeprefix("\ufeff"))
    text = data.decode(errors="replace").removeprefix("\ufeff")
    raise SpecError([problem_at(text, file, (start, start + 1), message, "save the file as UTF-8")])


def _kind(data: bytes) -> str:
    """The kind of a file that begins with `data`, if it is one that is often mistaken for a spec; or ""."""
    if data[1:].startswith(_MODEL_FILE):  # the first byte is the number of keys in the header (MessagePack)
        return "a modnet model file"
    return next((kind for signature, kind in _SIGNATURES if data.startswith(signature)), "")


def _hint(file: str, kind: str) -> str:
    if file.lower().endswith(_TABLES):
        return f"for a first spec of a table: modnet new-spec {file}"
    if "modnet" in kind:
        return f"to show its content: modnet inspect {file}"
    return "save the file as UTF-8" if "UTF-16" in kind else ""


def _is_table(path: FilePath) -> bool:
    return path.name.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".parquet", ".xlsx"))


def _unknown_suffix(suffix: str) -> str:
    return f"unknown kind of file {show(suffix)}; {_EXPECTED_SUFFIX}" if suffix else f"no suffix; {_EXPECTED_SUFFIX}"


def _cannot_read(error: OSError) -> str:
    return f"cannot be read: {(error.strerror or str(error)).lower()}"


def _no_such_file(path: FilePath) -> str:
    try:
        names = sorted(
            entry.name for entry in path.parent.iterdir() if entry.suffix.lower() in (*_SUFFIXES, path.suffix)
        )
    except OSError:
        return f"no such file; the folder {show(str(path.parent))} does not exist or cannot be read"
    near = " or ".join(map(show, difflib.get_close_matches(path.name, names)))
    return f"no such file; did you mean {near}?" if near else "no such file"


def _refuse(file: str, message: str, hint: str = "") -> NoReturn:
    raise SpecError([Problem("", message, hint, file)])
