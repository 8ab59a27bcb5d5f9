"""Output of commands: all text that they print goes through this module.

Names and values in a stranger's file, and the names of files, can be anything. None of them moves a terminal.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TextIO

import click

from modnet.screen import folded, width_of
from modnet.words import harmless

PIECE = 1 << 16
"""How many characters of JSON are printed at a time."""

QUIET = "modnet.quiet"
"""The key of `--quiet` in what click keeps of a command line."""

_OTHER = re.compile(r"[^\x20-\x7e]+")


def echo(text: object = "", *, err: bool = False, nl: bool = True, styled: bool = False) -> None:
    """Prints a text, with control characters escaped.

    A reader who has left, as of `modnet train | head -1`, ends no work: what follows goes nowhere.

    Args:
        text: the text; its line breaks and tabs stay.
        err: to standard error, which nothing depends on: where it cannot be written to the text is lost.
        nl: whether a line break follows.
        styled: the text contains colours; texts from outside in it have been through `harmless`.

    Raises:
        OSError: standard output cannot be written to.
    """
    try:
        click.echo(str(text) if styled else harmless(str(text)), err=err, nl=nl)
    except BrokenPipeError:
        discard(sys.stderr if err else sys.stdout)
    except OSError as error:
        if not err:
            raise of_screen(error) from None


def of_screen(error: OSError) -> OSError:
    """The error of a write to standard output, which says so: the system names no file."""
    return OSError(error.errno, error.strerror or str(error), "standard output")


def tell(text: object, *, err: bool = False) -> None:
    """Prints a text for people: on a terminal no line is wider, but for commands, which are to be copied."""
    echo(folded(harmless(str(text)), room(err)), err=err)


def room(err: bool = False) -> int | None:
    """The width of the terminal that standard output, or standard error, goes to; None if it goes elsewhere."""
    return width_of(sys.stderr if err else sys.stdout)


class Found(Protocol):
    """What a command has found, which has a text for a screen of any width."""

    def text(self, width: int | None = None) -> str:
        """Its text in lines of at most this width."""


def tell_found(found: Found) -> None:
    """Prints what was found, for people."""
    echo(found.text(room()))


def say(texts: Iterable[object]) -> None:
    """Says on standard error what was assumed and done; nothing with `--quiet`."""
    if not quiet():
        for text in texts:
            tell(text, err=True)


def quiet() -> bool:
    """Whether the running command was called with `--quiet`: only results and errors are printed."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(QUIET))


def discard(stream: TextIO) -> None:
    """Discards all further output of a stream, including what is still in its buffer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def echo_json(value: Any) -> None:
    """Prints a value as JSON. nan and infinity, which JSON does not have, become null; an iterator becomes a list."""
    _JsonPrinter().print(value)


class _JsonPrinter:
    """Prints piece by piece, since the JSON of a file's header can be many times as long as the file."""

    def __init__(self) -> None:
        self.unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
        self.pieces: list[str] = []
        self.length = 0

    def print(self, value: Any) -> None:
        self._value(value, "\n")
        echo("".join(self.pieces))

    def _add(self, piece: str) -> None:
        self.pieces.append(piece)
        self.length += len(piece)
        if self.length > PIECE:
            echo("".join(self.pieces), nl=False)
            self.pieces.clear()
            self.length = 0

    def _value(self, value: Any, line: str) -> None:
        if isinstance(value, str):
            self._text(value)
        elif isinstance(value, dict) and value:
            self._table(value, line)
        elif isinstance(value, list | tuple | Iterator):
            self._list(value, line)
        elif hasattr(value, "tolist"):
            self._value(value.tolist(), line)
        else:
            self._add("null" if isinstance(value, float) and not math.isfinite(value) else json.dumps(value))

    def _table(self, table: dict[Any, Any], line: str) -> None:
        separator = f"{{{line}  "
        for key, item in table.items():
            self._add(separator)
            self._text(str(key))
            self._add(": ")
            self._value(item, f"{line}  ")
            separator = f",{line}  "
        self._add(f"{line}}}")

    def _list(self, items: Iterable[Any], line: str) -> None:
        separator = f"[{line}  "
        for item in items:
            self._add(separator)
            self._value(item, f"{line}  ")
            separator = f",{line}  "
        self._add(f"{line}]" if separator[0] == "," else "[]")  # whether an iterator has items is known only now

    def _text(self, text: str) -> None:
        self._add('"')
        for start in range(0, len(text), PIECE):
            part = text[start : start + PIECE]
            if self.unicode and part.isprintable():
                self._add(json.dumps(part, ensure_ascii=False)[1:-1])
            else:
                self._add(_OTHER.sub(self._escaped, json.dumps(part, ensure_ascii=False)[1:-1]))
        self._add('"')

    def _escaped(self, found: re.Match[str]) -> str:
        return "".join(c if self.unicode and c.isprintable() else json.dumps(c)[1:-1] for c in found[0])


def open_missing_streams() -> None:
    """Gives a process that was started without standard input, output or error, as daemons are, the null device.

    Otherwise the next file that is opened would get the number of the missing stream, and messages would go into it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        # Do not fail because of a character that the terminal's encoding does not have.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace", encoding=_encoding_of(stream))


def _encoding_of(stream: TextIO) -> str | None:
    """The encoding that a stream needs; None to keep the one that it has.

    On Windows a file or pipe would get the encoding of the system's language, and predictions would lose letters.
    """
    of_language = sys.platform == "win32" and not stream.isatty() and "PYTHONIOENCODING" not in os.environ
    return "utf-8" if of_language else None
