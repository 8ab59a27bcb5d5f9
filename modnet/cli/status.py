"""The line on a terminal that says how far a command is, and how long it still takes."""

from __future__ import annotations

import time

from modnet.cli.output import echo, quiet, room, say
from modnet.words import time_left

CLEARED = "\r\x1b[K"
"""Moves a terminal to the beginning of its line, and clears that."""

INTERVAL = 0.2
"""Seconds between two texts."""

SILENT = 1.0
"""Seconds for which nothing is shown: most commands are done by then."""


class Status:
    """A line on standard error, where that is a terminal, until other lines take its place; none with `--quiet`.

    It is a listener of `modnet.waiting`.
    """

    def __init__(self) -> None:
        self._began = self._shown_at = time.perf_counter()
        self._what = ""
        self._shown = False

    def show(self, text: str) -> None:
        """Shows a text in place of the last one, unless that has only just come."""
        now = time.perf_counter()
        width = room(err=True)
        if width is None or quiet() or now - self._shown_at < (INTERVAL if self._shown else SILENT):
            return
        self._shown_at, self._shown = now, True
        echo(f"{CLEARED}{text[: width - 1]}", err=True, nl=False, styled=True)

    def close(self) -> None:
        """Empties the line, for what the command prints."""
        if self._shown:
            echo(CLEARED, err=True, nl=False, styled=True)
            self._shown = False

    def announced(self, text: str) -> None:
        """Says that something takes a while."""
        self.close()
        say([text])

    def advanced(self, what: str, done: int, whole: int) -> None:
        """Shows how much of a loop is done, and how long the rest takes."""
        if what != self._what or done == 1:
            self._what, self._began = what, time.perf_counter()
        if done == whole:
            self.close()
        else:
            left = time_left(done - 1, whole - 1, time.perf_counter() - self._began)
            self.show(f"{done:,} of {whole:,} {what}{left}")
