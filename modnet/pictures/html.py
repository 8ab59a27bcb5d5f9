"""Pieces of HTML by which objects show themselves in a notebook.

Every text is escaped, and there is no script, so that a name from a stranger's file is a name and nothing else. Colours
are those of the notebook, light or dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modnet.pictures.svg import escaped

_CELL = "padding: 0.2em 0.8em; text-align: {side}; vertical-align: top; font-variant-numeric: tabular-nums"


def block(title: str, *parts: str) -> str:
    """A title with pieces of HTML below it; empty ones are left out."""
    return f'<div><p style="margin: 0 0 0.5em"><strong>{escaped(title)}</strong></p>{"".join(parts)}</div>'


def table(head: Sequence[object], rows: Iterable[Sequence[object]], left: int = 1) -> str:
    """A table.

    Args:
        left: how many columns are texts, which begin at the left; those behind are numbers.
    """
    sides = ["left" if place < left else "right" for place in range(len(head))]
    heading = "".join(_cell("th", cell, side) for cell, side in zip(head, sides, strict=True))
    lines = ("".join(_cell("td", cell, side) for cell, side in zip(row, sides, strict=True)) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table style="margin: 0.3em 0"><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table>'


def _cell(tag: str, text: object, side: str) -> str:
    return f'<{tag} style="{_CELL.format(side=side)}">{escaped(text)}</{tag}>'


def folded(title: str, content: str) -> str:
    """A piece that is shown when its title is clicked."""
    return f'<details><summary style="cursor: pointer">{escaped(title)}</summary>{content}</details>'


def code(text: str) -> str:
    """Lines of a program or a spec."""
    lines = "\n".join(map(escaped, text.split("\n")))
    return f'<pre style="margin: 0.3em 0; overflow-x: auto">{lines}</pre>'


def scrolled(content: str, height: int) -> str:
    """A piece that is no higher than so many pixels; it scrolls."""
    return f'<div style="max-height: {height}px; overflow: auto; margin: 0.3em 0">{content}</div>'


def line(text: str) -> str:
    """A line of text."""
    return f'<p style="margin: 0.3em 0">{escaped(text)}</p>'
