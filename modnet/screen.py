"""How wide a terminal is, and how lines and tables are fitted to it.

A width of None is that of a file or a pipe, where nothing is cut, broken or moved.
"""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from modnet.words import in_columns

NARROWEST = 24
"""A terminal is taken to have at least so many columns."""

SHORTEST_BAR = 5
"""Bars for which there is less room are left out."""

GAP = 2

_COMMAND = re.compile(r"\s*((next|go on): |modnet |pip install )")
"""Lines with a command stay whole, so that it can be copied."""


def width_of(stream: Any) -> int | None:
    """The columns of the terminal that a stream writes to, or those that `COLUMNS` gives it; None if it is none."""
    try:
        if not stream.isatty():
            return None
    except (AttributeError, OSError, ValueError):  # there is no stream, or it is closed
        return None
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given):
        return max(int(given), NARROWEST)
    try:
        return max(os.get_terminal_size(stream.fileno()).columns or 80, NARROWEST)
    except (AttributeError, OSError, ValueError):  # a replacement of a stream that says it is a terminal
        return max(shutil.get_terminal_size().columns, NARROWEST)


def folded(text: str, width: int | None) -> str:
    """The text with lines broken between words where they are wider than the screen; what follows is indented.

    A line with a command, and a word that is wider than the screen, stay whole.
    """
    if width is None or all(len(line) <= width for line in text.split("\n")):
        return text
    return "\n".join(_folded_line(line, width) for line in text.split("\n"))


def _folded_line(line: str, width: int) -> str:
    if len(line) <= width or _COMMAND.match(line):
        return line
    own = line[: len(line) - len(line.lstrip())]
    return "\n".join(
        textwrap.wrap(
            line,
            width,
            subsequent_indent=f"{own}  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    )


def labelled(label: str, text: str, indent: int, width: int | None) -> str:
    """A text after its label, broken between words at the width, each line under the first."""
    if width is None or indent + len(text) <= width:
        return f"{label:<{indent}}{text}".rstrip()
    if width - indent < NARROWEST:  # the text would be a column of single words: it goes below its label
        return f"{label.rstrip()}\n{textwrap.indent(folded(text, width - GAP), ' ' * GAP)}".lstrip("\n")
    lines = textwrap.wrap(text, width - indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"{'' if number else label:<{indent}}{line}" for number, line in enumerate(lines))


def fitted(
    rows: Sequence[Sequence[str]], left: int, width: int | None, remarks: Sequence[str] = (), keep: int = 1
) -> list[str]:
    """The lines of a table, as `in_columns` makes them, that is not wider than the screen.

    Where it would be, remarks go below their rows, headings are broken, and then columns go into further tables below
    the first, each with the first columns again. So nothing is left out.

    Args:
        rows: the first is the heading.
        left: how many columns are aligned on the left.
        remarks: what stands behind each row.
        keep: how many columns each of several tables has.
    """
    whole = _beside(in_columns(rows, left), remarks)
    if width is None or max(map(len, whole), default=0) <= width:
        return whole
    head, *body = rows
    narrow: list[Sequence[str]] = [*_heading(head, body), *body]
    gap = _gap(_widths(narrow), width)
    narrow = _cut_first(narrow, keep, width, gap)
    lines: list[str] = []
    for columns, is_last in _parts(narrow, keep, width, gap):
        part = _aligned(_without_empty([[row[number] for number in columns] for row in narrow]), columns, left, gap)
        lines += [*([""] if lines else []), *_with_remarks(part, remarks[1:] if is_last else [], width)]
    return lines


def _gap(widths: Sequence[int], width: int) -> int:
    """The gap between columns: less where they fit side by side then."""
    spare, gaps = width - sum(widths), len(widths) - 1
    return 1 if gaps <= spare < GAP * gaps else GAP


def _without_empty(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """The rows without the first ones that are empty: the heading of some columns has fewer lines."""
    start = next((number for number, row in enumerate(rows) if any(row)), 0)
    return rows[start:]


def _beside(lines: list[str], remarks: Sequence[str]) -> list[str]:
    """The lines with a remark behind each, if there are any."""
    if not remarks:
        return lines
    longest = max(map(len, lines))
    return [f"{line:<{longest}}   {told}" if told else line for line, told in zip(lines, remarks, strict=True)]


def _heading(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[list[str]]:
    """The heading in as many lines as make no column wider than its values and its longest word."""
    cells = []
    for number, title in enumerate(head):
        widest = max((len(row[number]) for row in body), default=0)
        cells.append(textwrap.wrap(title, max(widest, 1), break_long_words=False) or [""])
    height = max(map(len, cells))
    return [list(line) for line in zip(*([""] * (height - len(lines)) + lines for lines in cells), strict=True)]


def _cut_first(rows: Sequence[Sequence[str]], keep: int, width: int, gap: int) -> list[Sequence[str]]:
    """The rows with the names of the first column cut where no further column would fit beside them."""
    widths = _widths(rows)
    others = sum(widths[1:keep]) + gap * keep + max(widths[keep:], default=0)
    room = max(width - others, NARROWEST // 3)
    return [[short(row[0], room), *row[1:]] for row in rows]


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def short(text: str, width: int) -> str:
    """The text, cut in its middle if it is longer."""
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"


def _parts(rows: Sequence[Sequence[str]], keep: int, width: int, gap: int) -> Iterator[tuple[list[int], bool]]:
    """The columns of each of the tables, and whether it is the last."""
    widths = _widths(rows)
    first = list(range(min(keep, len(widths))))
    used = start = sum(widths[number] + gap for number in first) - gap
    columns = list(first)
    for number in range(len(first), len(widths)):
        if len(columns) > len(first) and used + gap + widths[number] > width:
            yield columns, False
            columns, used = list(first), start
        columns.append(number)
        used += gap + widths[number]
    yield columns, True


def _aligned(rows: Sequence[Sequence[str]], columns: Sequence[int], left: int, gap: int) -> list[str]:
    """The lines of some columns; the first `left` of all columns are aligned on the left."""
    widths = _widths(rows)
    lines = []
    for row in rows:
        cells = zip(columns, row, widths, strict=True)
        texts = [cell.ljust(width) if number < left else cell.rjust(width) for number, cell, width in cells]
        lines.append((" " * gap).join(texts).rstrip())
    return lines


def _with_remarks(lines: Sequence[str], remarks: Sequence[str], width: int) -> Iterator[str]:
    """The lines with the remarks of the last of them below each."""
    missing = [""] * (len(lines) - len(remarks))
    for line, remark in zip(lines, [*missing, *remarks], strict=True):
        yield line
        if remark:
            yield from folded(f"    {remark}", width).split("\n")


def with_bars(lines: Sequence[str], bars: Sequence[str], width: int | None) -> list[str]:
    """The lines with their bars behind them, which are shortened alike to the room that there is."""
    longest = max(map(len, bars), default=0)
    room = longest if width is None else width - max(map(len, lines), default=0) - GAP
    if room < min(SHORTEST_BAR, longest):
        return list(lines)
    share = min(1.0, room / longest) if longest else 1.0
    return [f"{line}  {bar[: round(len(bar) * share)]}".rstrip() for line, bar in zip(lines, bars, strict=True)]
