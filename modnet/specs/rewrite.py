"""Writing a spec again with some of its values changed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from modnet.specs.paths import with_value
from modnet.specs.positions import Outline, Span
from modnet.specs.toml_positions import outline_toml
from modnet.words import Path

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
LINE = 120
"""A list that is longer is written on several lines."""

_ESCAPED = re.compile("[\x7f\ud800-\udfff]")


def rewritten(text: str, values: Mapping[str, Any], changes: Mapping[Path, Any], remark: str) -> str:
    """The text of a TOML spec with some values changed, and its `[search]` table as a comment.

    Comments and the order of the file stay. Where that cannot be done (a table that stands in several places is to be
    another one, for example), the whole spec is written again, without its comments.

    Args:
        text: of the spec.
        values: what it says.
        changes: path -> new value, as `paths.resolved` gives the paths; an outer one before those within it.
        remark: is written above the `[search]` table.
    """
    wanted: Any = values
    for path, value in changes.items():
        wanted = with_value(wanted, path, value)
    wanted = {key: part for key, part in wanted.items() if key != "search"}
    try:
        edited = _with_search_as_comment(_edited(text, wanted, changes), remark)
        if tomllib.loads(edited) == wanted:
            return edited
    except (tomllib.TOMLDecodeError, _CannotBeEdited):
        pass
    return f"# {remark}\n\n{toml_text(wanted)}"


def toml_text(values: Mapping[str, Any]) -> str:
    """A spec in TOML, a table for each of its parts."""
    parts = []
    for name, part in values.items():
        if isinstance(part, Mapping):
            lines = [f"{_key(key)} = {_broken(value)}" for key, value in part.items() if value is not None]
            parts.append("\n".join([f"[{_key(name)}]", *lines]) + "\n")
        else:
            parts.insert(0, f"{_key(name)} = {toml_value(part)}\n")
    return "\n".join(parts)


def toml_value(value: Any) -> str:
    """A value in TOML, on one line. What is None is left out of tables, and a variable axis in a list."""
    if isinstance(value, Mapping):
        items = [f"{_key(key)} = {toml_value(item)}" for key, item in value.items() if item is not None]
        return f"{{ {', '.join(items)} }}" if items else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return '"variable"' if value is None else _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    return repr(value) if isinstance(value, float) else str(value)  # TOML's inf and nan are Python's


def _broken(value: Any) -> str:
    """A value in TOML; a long list with a line for each of its items."""
    line = toml_value(value)
    if len(line) < LINE or not isinstance(value, list | tuple):
        return line
    return "[\n" + "".join(f"  {toml_value(item)},\n" for item in value) + "]"


def _text(text: str) -> str:
    # A lone surrogate is no character of TOML; it becomes the sign for what cannot be shown.
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: "\\u007f" if found[0] == "\x7f" else "\ufffd", quoted)


def _key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else _text(name)


class _CannotBeEdited(Exception):
    """The text has a table in several places that is to be another one."""


def _edited(text: str, wanted: Mapping[str, Any], changes: Mapping[Path, Any]) -> str:
    """The text with each change in its place."""
    for path in changes:
        # One after the other, because each moves the text after it.
        outline = outline_toml(text)
        around = max((path[:n] for n in range(len(path) + 1) if path[:n] in outline.values), key=len, default=())
        value = _at(wanted, around)
        if around and not _is_header(outline, around):
            text = _replaced(text, outline, around, path, value, _at(wanted, path))
        elif around == path:
            raise _CannotBeEdited
        else:
            line = f"{'.'.join(_key(str(key)) for key in path[len(around) :])} = {toml_value(_at(wanted, path))}"
            text = _with_line(text, outline, around, line)
    return text


def _replaced(text: str, outline: Outline, around: Path, path: Path, value: Any, inner: Any) -> str:
    """The text with the value at `around`, which stands in brackets or has none, changed to have `inner` at `path`."""
    start, end = outline.values[around]
    if around == path or text[start] != "{" or len(path) > len(around) + 1:
        return text[:start] + toml_value(value) + text[end:]
    before = text[start : end - 1].rstrip()
    comma = " " if before == "{" else ", "
    return f"{text[:start]}{before}{comma}{_key(str(path[-1]))} = {toml_value(inner)} }}{text[end:]}"


def _with_line(text: str, outline: Outline, table: Path, line: str) -> str:
    """The text with a line behind the last one of a table with a header."""
    if not table:
        raise _CannotBeEdited
    own = [
        span
        for path, span in outline.values.items()
        if path[: len(table)] == table and len(path) == len(table) + 1 and not _is_header(outline, path)
    ]
    end = max((end for _, end in own), default=outline.values[table][1])
    place = text.find("\n", end)
    place = len(text) if place < 0 else place
    return f"{text[:place]}\n{line}{text[place:]}"


def _is_header(outline: Outline, path: Path) -> bool:
    """Whether a table has a header, or exists only by dotted keys, instead of being in brackets."""
    start, end = outline.values[path]
    inside = (span for inner, span in outline.values.items() if inner[: len(path)] == path and len(inner) > len(path))
    return any(not (start <= first and last <= end) for first, last in inside) or _has_header_brackets(outline, path)


def _has_header_brackets(outline: Outline, path: Path) -> bool:
    """Whether `[path]` with nothing in it stands there: a header begins a line, a list does not."""
    start, _ = outline.values[path]
    line = outline.text.rfind("\n", 0, start) + 1
    return outline.text[start : start + 1] == "[" and not outline.text[line:start].strip() and path in outline.keys


def _at(values: Any, path: Path) -> Any:
    for key in path:
        values = values[key]
    return values


def _with_search_as_comment(text: str, remark: str) -> str:
    """The text with its `[search]` table, whose values may stand below several headers, as comments."""
    outline = outline_toml(text)
    spans = [span for path, span in outline.values.items() if path[:1] == ("search",)]
    if not spans:
        return f"# {remark}\n\n{text}"
    start = text.rfind("\n", 0, min(spans)[0]) + 1
    end = _line_end(text, max(end for _, end in spans))
    _check_alone(outline, (start, end))
    commented = "\n".join(f"# {line}".rstrip() for line in text[start:end].split("\n"))
    return f"{text[:start]}# {remark}\n{commented}{text[end:]}"


def _check_alone(outline: Outline, span: Span) -> None:
    start, end = span
    if any(path[:1] != ("search",) and start <= first < end for path, (first, _) in outline.values.items()):
        raise _CannotBeEdited


def _line_end(text: str, place: int) -> int:
    end = text.find("\n", place)
    return len(text) if end < 0 else end
