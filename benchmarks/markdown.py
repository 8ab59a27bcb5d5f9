"""Tables of Markdown."""

from __future__ import annotations


def markdown(rows: list[list[str]]) -> list[str]:
    """The lines of a table; the first row is its head, the second the lines below it."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return [f"| {' | '.join(row)} |" for row in padded]
