"""The positions of the parts of a spec in its file."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from modnet.configuration.reading import DEEPEST
from modnet.errors import Problem
from modnet.words import Path, path_text

Span = tuple[int, int]
"""The start of something in a text and the position after its end; in characters, from 0."""

TOO_DEEP = f"nested more than {DEEPEST} levels deep"
MOST_REPEATED = 100
"""How many faulty keys of a text are reported at most."""

_LONGEST_EXCERPT = 200


class Position(NamedTuple):
    """A place in a file: line and column from 1, length and column in characters, and the line as it is shown.

    A whole file is line 1, column 1 with length 0 and no excerpt; line 0 means no place in a text.
    """

    line: int
    column: int
    length: int
    excerpt: str


NOWHERE = Position(0, 0, 0, "")


def position_at(text: str, span: Span) -> Position:
    """The position of the part of a span of `text` that is on its first line.

    In the excerpt, tabs and control characters are replaced by spaces, so that the mark below it is in the right
    column. An excerpt is cut off at 200 characters, and left out if the span is beyond them.
    """
    start, end = span
    line_start = text.rfind("\n", 0, start) + 1
    line = text[line_start : _line_end(text, start)].rstrip()
    column = start - line_start + 1
    length = min(end, _line_end(text, start)) - start
    if len(line) > _LONGEST_EXCERPT:
        line = line[: _LONGEST_EXCERPT - 1] + "…" if column < _LONGEST_EXCERPT else ""
        length = min(length, max(1, len(line) - column + 1))
    excerpt = "".join(character if character.isprintable() else " " for character in line)
    return Position(text.count("\n", 0, start) + 1, column, length, excerpt)


def problem_at(text: str, file: str, span: Span, message: str, hint: str = "", path: Path = ()) -> Problem:
    """A problem with the position of a span of `text`."""
    line, column, length, excerpt = position_at(text, span)
    return Problem(readable(path), message, hint, file, line, column, length, excerpt, path, bool(path))


def readable(path: Path) -> str:
    """A path as text; a lone surrogate in a key, which no encoding can print, becomes "?"."""
    return path_text(path).encode(errors="replace").decode()


def repeated_key(text: str, file: str, path: Path, first: Span, second: Span) -> Problem:
    """The problem of a key that is given twice in its table."""
    line = text.count("\n", 0, first[0]) + 1
    message = f"is given twice; the first is on line {line}"
    return problem_at(text, file, second, message, path=path)


class Outline:
    """The positions of every table, list, value and key of a text.

    Attributes:
        text: the text.
        values: path -> span of the value; for a table with a header, of the header; for a table that exists only by
            dotted keys, of the first of them.
        keys: path -> span of the key, if there is one.
        repeated: path -> span of the second of two equal keys of a table; at most the first hundred.
        too_deep: the span of the first value that is nested too deeply; the outline ends there.
        stopped: where the outline ends because the text has a fault.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.values: dict[Path, Span] = {}
        self.keys: dict[Path, Span] = {}
        self.repeated: dict[Path, Span] = {}
        self.too_deep: Span | None = None
        self.stopped: int | None = None

    def position(self, path: Path, key: bool = False) -> Position:
        """The position of the value at `path`, or of its key; if there is none, that of the nearest table around it."""
        span = self.keys.get(path) if key else None
        while span is None and path:
            span = self.values.get(path)
            path = path[:-1]
        if span is None:
            return Position(1, 1, 0, "")
        return position_at(self.text, self._first_line(span))

    def repeated_keys(self, file: str) -> list[Problem]:
        """A problem for each key that is given twice in its table."""
        return [repeated_key(self.text, file, path, self.keys[path], span) for path, span in self.repeated.items()]

    def _first_line(self, span: Span) -> Span:
        """The part of `span` on its first line, without a comment at its end."""
        start, end = span
        line_end = _line_end(self.text, start)
        if end <= line_end:
            return span
        ends = [e for spans in (self.values, self.keys) for s, e in spans.values() if start <= s and e <= line_end]
        if ends:
            return start, max(ends)
        return start, start + 1 if self.text[start] in "[{" else line_end


class Lost(Exception):
    """A scanner found a fault in the text, or a value that is nested too deeply."""


class Scanner(ABC):
    """Outlines texts in a format of `{key: value}` and `[value]` that its parser has accepted.

    It does not check again what the parser has checked: commas, for example, are skipped anywhere. It does not recurse,
    so that deep nesting cannot exhaust the stack. If it meets a fault, it outlines what comes before.

    Attributes:
        text: the text.
        at: the position of the scanner.
        outline: what it has found so far.
    """

    BLANK: ClassVar[re.Pattern[str]]
    """What may be between two tokens; also matches the empty text."""
    SCALAR: ClassVar[re.Pattern[str]]
    """Any value except a list or table."""
    EQUALS: ClassVar[str]
    """The sign between a key and its value."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.outline = Outline(text)

    def scan(self) -> Outline:
        """Outlines the text."""
        try:
            self.document()
        except Lost:
            self.outline.stopped = self.at
        return self.outline

    @abstractmethod
    def document(self) -> None:
        """Notes everything in the text."""

    @abstractmethod
    def key(self) -> list[tuple[str, Span]]:
        """Takes a key, and returns its parts."""

    def enter(self, table: Path, name: str, span: Span) -> Path:
        """The path of the table that a part of a dotted key names."""
        path = (*table, name)
        if path not in self.outline.values:
            self.note(path, span)
            self.outline.keys[path] = span
        return path

    def pair(self, table: Path) -> Path:
        """Takes a key of `table` and the sign after it; returns the path of the value."""
        *parents, (name, span) = self.key()
        for parent, parent_span in parents:
            table = self.enter(table, parent, parent_span)
        path = (*table, name)
        if path in self.outline.values:
            self.repeat(path, span)
        else:
            self.outline.keys[path] = span
        self.skip_blank()
        self.expect(self.EQUALS)
        self.skip_blank()
        return path

    def value(self, path: Path) -> None:
        """Takes a value, and notes it and everything inside it."""
        open_: list[_Open] = []
        while True:
            start = self.at
            opening = self.text[start : start + 1]
            if opening in ("[", "{"):
                self.at += 1
                open_.append(_Open(path, start, "]" if opening == "[" else "}"))
            else:
                self.take(self.SCALAR)
            self.note(path, (start, self.at))
            while True:
                if not open_:
                    return
                inner = open_[-1]
                self.skip_blank()
                if self.text.startswith(inner.closing, self.at):
                    self.at += 1
                    self.outline.values[inner.path] = (inner.start, self.at)
                    open_.pop()
                elif self.text.startswith(",", self.at):
                    self.at += 1
                else:
                    break
            if inner.closing == "}":
                path = self.pair(inner.path)
            else:
                path = (*inner.path, inner.count)
                inner.count += 1

    def note(self, path: Path, span: Span) -> None:
        """Notes the position of a value."""
        if len(path) > DEEPEST:
            self.outline.too_deep = span
            raise Lost
        self.outline.values[path] = span

    def repeat(self, path: Path, span: Span) -> None:
        """Notes a repeated key, unless it is inside a table that is itself repeated."""
        repeated = self.outline.repeated
        if len(repeated) < MOST_REPEATED and not any(path[:i] in repeated for i in range(1, len(path) + 1)):
            repeated[path] = span

    def skip_blank(self) -> None:
        self.skip(self.BLANK)

    def skip(self, pattern: re.Pattern[str]) -> None:
        if found := pattern.match(self.text, self.at):
            self.at = found.end()

    def take(self, pattern: re.Pattern[str]) -> str:
        """Takes a token; `pattern` must not match the empty text."""
        found = pattern.match(self.text, self.at)
        if found is None:
            raise Lost
        self.at = found.end()
        return found.group()

    def expect(self, token: str) -> None:
        if not self.text.startswith(token, self.at):
            raise Lost
        self.at += len(token)


class _Open:
    """A list or table that has begun: its path, its start, its closing bracket, and the number of its items so far."""

    __slots__ = ("closing", "count", "path", "start")

    def __init__(self, path: Path, start: int, closing: str) -> None:
        self.path = path
        self.start = start
        self.closing = closing
        self.count = 0


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
