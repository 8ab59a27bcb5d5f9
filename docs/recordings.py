"""Records commands in a terminal and draws them as SVG: `python docs/recordings.py`, with the extra `docs`.

Each recording is one picture in `docs/pictures`. The lines of several commands appear one after the other, as in the
terminal. A viewer without animations, or a reader who asked for less motion, sees the last screen. The whole transcript
is in the `<desc>` of the picture, for screen readers and for the test that runs the commands again.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from pathlib import Path

import pyte
from pyte.screens import Char

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"

COLUMNS = 80
LETTER, LINE, SIZE = 8.4, 19, 14
"""Width of a letter, height of a line and size of the font, in pixels."""
MARGIN, BAR = 16, 34
"""Around the text, and the bar of the window above it, in pixels."""

TYPING = 0.03
"""Seconds for each letter of a command."""
READING = 1.2
"""Seconds between the end of one command and the next."""
FRAME = 0.12
"""Seconds between two pictures of the screen while a command runs."""
PAUSE = 0.6
"""The longest time without a change, in seconds, however slow the machine is."""

BACKGROUND, TEXT, PROMPT = "#14181f", "#dfe5ee", "#56b4e9"
COLOURS = {
    "default": TEXT,
    "black": "#6b7686",
    "brightblack": "#6b7686",
    "red": "#ff8b6a",
    "brightred": "#ff8b6a",
    "green": "#3ecf9f",
    "brightgreen": "#3ecf9f",
    "brown": "#f0c75e",
    "brightbrown": "#f0c75e",
    "blue": "#7db7f5",
    "brightblue": "#7db7f5",
    "magenta": "#e4a0cc",
    "brightmagenta": "#e4a0cc",
    "cyan": "#7fd3ea",
    "brightcyan": "#7fd3ea",
}
"""pyte's names of the sixteen colours, as they can be read on the background."""

Row = tuple[Char, ...]


@dataclass
class Recording:
    """Commands that are run one after the other in a folder that holds what they need."""

    name: str
    title: str
    commands: Sequence[str]
    lines: int
    """Of the terminal: longer output scrolls."""
    prepare: Callable[[Path], None]


def penguins(folder: Path) -> None:
    for name in ("penguins.csv", "new.csv"):
        shutil.copy(ROOT / "examples" / "penguins" / name, folder)


def faulty(folder: Path) -> None:
    shutil.copy(PICTURES / "faulty.toml", folder)


RECORDINGS = (
    Recording(
        "start",
        "A model from a table",
        (
            "modnet new-spec penguins.csv --target species --effort quick -o birds.toml",
            "modnet train birds.toml",
            "modnet predict birds.modnet new.csv",
        ),
        26,
        penguins,
    ),
    Recording("faults", "A spec with faults", ("modnet check faulty.toml",), 24, faulty),
)


@dataclass
class Film:
    """What the screen showed, and when."""

    frames: list[tuple[float, list[Row]]] = field(default_factory=list)
    clock: float = 0.0

    def show(self, screen: pyte.Screen, seconds: float = 0.0) -> None:
        """Adds the screen as it is now, after so many more seconds."""
        self.clock += seconds
        rows = [tuple(screen.buffer[line][column] for column in range(COLUMNS)) for line in range(screen.lines)]
        if not self.frames or self.frames[-1][1] != rows:
            self.frames.append((self.clock, rows))


def record(recording: Recording) -> tuple[Film, str]:
    """Runs the commands: the film, and the transcript."""
    screen = pyte.HistoryScreen(COLUMNS, recording.lines, history=1000, ratio=1)
    stream = pyte.ByteStream(screen)
    film = Film()
    with tempfile.TemporaryDirectory() as folder:
        recording.prepare(Path(folder))
        for number, command in enumerate(recording.commands):
            for letter in ["\x1b[1;36m$\x1b[0m ", *command]:
                stream.feed(letter.encode())
                film.show(screen, TYPING)
            stream.feed(b"\r\n")
            for seconds, data in output_of(command, Path(folder), recording.lines):
                stream.feed(data)
                film.show(screen, min(seconds, PAUSE))
            if number + 1 < len(recording.commands):
                film.clock += READING
    return film, transcript(screen)


def output_of(command: str, folder: Path, lines: int) -> Iterator[tuple[float, bytes]]:
    """(seconds since the last part, bytes) of what a command writes to a terminal."""
    program, *arguments = shlex.split(command)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, COLUMNS, 0, 0))
    started = [sys.executable, "-m", program, *arguments]
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        environment.pop(name, None)
    with subprocess.Popen(started, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        before = time.monotonic()
        while data := read_for(ours, FRAME):
            now = time.monotonic()
            yield now - before, data
            before = now
        running.wait()
    os.close(ours)


def read_for(terminal: int, seconds: float) -> bytes:
    """What is written to the terminal within so many seconds after its first byte; nothing once it is closed."""
    data = b""
    end: float | None = None
    while end is None or (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select([terminal], [], [], None if end is None else left)
        if not ready:
            break
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so where the program has ended
            break
        if not part:
            break
        data += part
        end = end or time.monotonic() + seconds
    return data


def transcript(screen: pyte.HistoryScreen) -> str:
    gone = ["".join(line[column].data for column in range(COLUMNS)).rstrip() for line in screen.history.top]
    return "\n".join([*gone, *(line.rstrip() for line in screen.display)]).rstrip() + "\n"


# The picture


@dataclass(frozen=True)
class Shown:
    """A row of the screen from one moment to another; the last screen has no end."""

    line: int
    row: Row
    start: float
    end: float | None


def shown(film: Film) -> list[Shown]:
    """Each row that was not blank, for as long as it did not change."""
    parts = []
    for line in range(len(film.frames[0][1])):
        since, row = film.frames[0][0], film.frames[0][1][line]
        for moment, rows in [*film.frames[1:], (None, None)]:
            if rows is not None and rows[line] == row:
                continue
            if not blank(row):
                parts.append(Shown(line, row, since, moment))
            if rows is not None and moment is not None:
                since, row = moment, rows[line]
    return parts


def blank(row: Row) -> bool:
    return all(char.data == " " for char in row)


def svg(recording: Recording, film: Film, text: str) -> str:
    parts = shown(film)
    if len(recording.commands) == 1:  # short enough to be read at once
        parts = [Shown(part.line, part.row, 0.0, None) for part in parts if part.end is None]
    width = round(COLUMNS * LETTER + 2 * MARGIN)
    height = (max(part.line for part in parts) + 1) * LINE + BAR + MARGIN
    title = escape(recording.title)
    lights = "".join(
        f'<circle cx="{MARGIN + 6 + 18 * n}" cy="17" r="5.5" fill="{colour}"/>'
        for n, colour in enumerate(("#e69f00", "#56b4e9", "#009e73"))
    )
    drawn = "\n".join(picture_of(part) for part in parts)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
<title>{title}</title>
<desc>
{escape(text, quote=False)}</desc>
<style>{STYLE}</style>
<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>
{lights}
<text x="{width / 2:g}" y="22" text-anchor="middle" class="title">{title}</text>
<g transform="translate({MARGIN} {BAR + SIZE})">
{drawn}
</g>
</svg>
"""


STYLE = f"""
text {{
  font: {SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  fill: {TEXT}; white-space: pre
}}
.title {{ fill: #8b96a5 }}
.past {{ visibility: hidden }}
@media (prefers-reduced-motion: no-preference) {{
.past {{ animation: shown steps(1, end) }}
.last {{ animation: hidden steps(1, end) backwards }}
}}
@keyframes shown {{ from {{ visibility: visible }} to {{ visibility: visible }} }}
@keyframes hidden {{ from {{ visibility: hidden }} to {{ visibility: hidden }} }}
"""
"""A row that is replaced later is visible for its time alone; a row of the last screen is hidden until its time."""


def picture_of(part: Shown) -> str:
    if part.end is None:
        timing = f'class="last" style="animation-duration:{part.start:.2f}s"'
    else:
        timing = (
            f'class="past" style="animation-delay:{part.start:.2f}s;animation-duration:{part.end - part.start:.2f}s"'
        )
    return f"<g {timing}>{''.join(runs(part.row, part.line * LINE))}</g>"


def runs(row: Row, y: int) -> Iterator[str]:
    """The letters of a row: one element for each stretch of one colour and weight."""
    column = 0
    for (colour, bold), letters in groupby(row, key=lambda char: (char.fg, char.bold)):
        text = "".join(char.data for char in letters)
        start, column = column, column + len(text)
        stripped = text.lstrip()
        if not stripped:
            continue
        start, text = start + len(text) - len(stripped), stripped.rstrip()
        fill = "" if colour == "default" else f"fill:{COLOURS.get(colour, '#' + colour)};"
        looks = fill + ("font-weight:bold" if bold else "")
        style = f' style="{looks}"' if looks else ""
        # The width is given, so that every font keeps the columns.
        place = f'x="{start * LETTER:g}" y="{y}" textLength="{len(text) * LETTER:g}"'
        yield f"<text {place}{style}>{escape(text, quote=False)}</text>"


def main() -> None:
    for recording in RECORDINGS:
        film, text = record(recording)
        (PICTURES / f"{recording.name}.svg").write_text(svg(recording, film, text), encoding="utf-8")
        print(f"docs/pictures/{recording.name}.svg  {film.clock:.0f} s")


if __name__ == "__main__":
    main()
