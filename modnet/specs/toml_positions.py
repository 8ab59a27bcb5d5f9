"""The positions of the parts of a TOML text, which `tomllib` does not give."""

from __future__ import annotations

import re
import tomllib

from modnet.specs.positions import Lost, Outline, Scanner, Span
from modnet.words import Path

_STRING = r'"(?!"")(?:[^"\\\n]++|\\.)*+"' + "|" + r"'(?!'')[^'\n]*+'"
_LONG_STRING = r'"""(?:[^"\\]++|\\[\s\S]|"(?!""))*+""""{0,2}' + "|" + r"'''(?:[^']++|'(?!''))*+''''{0,2}"
_DATE_AND_TIME = r"\d{4}-\d\d-\d\d \d\d:[^\s#,\]}]++"
_BARE = r"""[^\s#,=\[\]{}"']++"""


def outline_toml(text: str) -> Outline:
    """Outlines a text that `tomllib` accepts, or the part of another text before its fault. Never raises."""
    return _TomlScanner(text).scan()


class _TomlScanner(Scanner):
    """Adds statements, headers and dotted keys to the common part."""

    BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
    SCALAR = re.compile("|".join((_LONG_STRING, _STRING, _DATE_AND_TIME, _BARE)))
    EQUALS = "="

    _KEY = re.compile(_STRING + "|[A-Za-z0-9_-]++")
    _SPACES = re.compile(r"[ \t]*+")

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lengths: dict[Path, int] = {}  # of each array of tables so far
        self.implied: set[Path] = (
            set()
        )  # tables that exist by the header of another ([a.b] implies a), without their own

    def document(self) -> None:
        table: Path = ()
        self.skip_blank()
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.value(self.pair(table))
            self.skip_blank()

    def header(self) -> Path:
        """Takes the header of a table, and returns the path of that table."""
        start = self.at
        is_array = self.text.startswith("[[", start)
        self.expect("[[" if is_array else "[")
        *parents, (name, name_span) = self.key()
        self.expect("]]" if is_array else "]")
        span = (start, self.at)

        table: Path = ()
        for parent, parent_span in parents:
            if (*table, parent) not in self.outline.values:
                self.implied.add((*table, parent))
            table = self.enter(table, parent, parent_span)
        path = (*table, name)
        if is_array:
            index = self.lengths.get(path, 0)
            self.lengths[path] = index + 1
            if not index:
                self.note(path, span)
                self.outline.keys[path] = name_span
            path = (*path, index)
        elif path in self.outline.values and path not in self.implied:
            self.repeat(path, name_span)
            return path
        else:
            self.implied.discard(path)
            self.outline.keys[path] = name_span
        self.note(path, span)
        return path

    def enter(self, table: Path, name: str, span: Span) -> Path:
        path = super().enter(table, name, span)
        length = self.lengths.get(path)
        return path if length is None else (*path, length - 1)

    def key(self) -> list[tuple[str, Span]]:
        parts = []
        while True:
            self.skip(self._SPACES)
            start = self.at
            token = self.take(self._KEY)
            parts.append((_name(token), (start, self.at)))
            self.skip(self._SPACES)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1


def _name(token: str) -> str:
    if token[0] not in "\"'":
        return token
    if "\\" not in token or token[0] == "'":
        return token[1:-1]
    try:
        return str(tomllib.loads(f"name = {token}")["name"])
    except tomllib.TOMLDecodeError:
        raise Lost from None
