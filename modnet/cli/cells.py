"""Columns of a table as the texts of a file: delimited text, or JSON.

A number is written with as few digits as tell it from every other number of its type, at most 9 for float32 and 17 for
float64, so that it comes back as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from modnet.arrays import Array
from modnet.cli.failures import warn
from modnet.data.column import Column
from modnet.data.table import shorten
from modnet.data.values import is_number
from modnet.words import printable

FORMULA = re.compile(r"[=+\-@\t\r＝＋－＠].", re.DOTALL)
"""The first characters of texts that spreadsheets take for formulas. Source: OWASP, "CSV Injection"."""

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

WHOLE = 2.0**53
"""Floats from here on are not written as whole numbers."""

Spell = Callable[[str], str]
"""Writes a text as a cell, or as a value of JSON."""


def safe_name(name: str) -> str:
    """A model's name as a cell: without control characters, and no formula for a spreadsheet."""
    formula = FORMULA.match(name) and not is_number(name)
    return ("'" if formula else "") + without_control(name)


def without_control(text: str) -> str:
    """A text that moves no terminal."""
    return CONTROL.sub(lambda found: printable(found[0]), text)


def warn_of_formulas(names: Iterable[str]) -> None:
    """Says which names `safe_name` changes because a spreadsheet would take them for formulas."""
    changed = sorted({name for name in names if safe_name(name).startswith("'") and not name.startswith("'")})
    if changed:
        warn(
            f"spreadsheets would take these names for formulas, so an apostrophe is put before them: {shorten(changed)}"
        )


def quoted(text: str, delimiter: str) -> str:
    """A text as a cell of delimited text: in quotes if it has to be."""
    if delimiter in text or '"' in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


class Joined(str):
    """Several texts, as the classes of a set, in one: `cat; dog`. In JSON they are a list.

    Attributes:
        parts: the texts.
    """

    parts: Sequence[str]

    @classmethod
    def of(cls, parts: Sequence[str]) -> Joined:
        made = cls("; ".join(parts))
        made.parts = parts
        return made


def json_text(text: str) -> str:
    """A text as JSON; only what a terminal shows as it is stays as it is."""
    if isinstance(text, Joined):
        return f"[{', '.join(map(json_text, text.parts))}]"
    return json.dumps(text, ensure_ascii=not text.isprintable())


def cells(column: Column, spell: Spell, none: str) -> list[str]:
    """The text of each value of a column.

    Args:
        spell: writes a text.
        none: is written if there is no value.
    """
    if column.type == "number":
        return _where_missing(_numbers(column.values), column.missing, none)
    texts = column.as_texts()
    words = np.array([*map(spell, texts.texts or ()), none], object)
    places = texts.values if texts.missing is None else np.where(texts.missing, len(words) - 1, texts.values)
    found: list[str] = words[places].tolist()
    return found


def json_cells(column: Column) -> list[str]:
    """The JSON of each value of a column: numbers and truth values as such, null for a missing value."""
    if column.type == "boolean":
        return cells(column, str, "null")
    if column.type != "number" or column.values.dtype.kind != "f":
        return cells(column, json_text, "null")
    gaps = column.gaps | ~np.isfinite(column.values)  # JSON has no infinity
    return _where_missing(_numbers(column.values), gaps if gaps.any() else None, "null")


def _numbers(values: Array) -> list[str]:
    """The shortest text of each number that gives the number again."""
    if values.dtype.kind != "f":
        return list(map(str, values.tolist()))
    if values.dtype.itemsize == 8:
        return list(map(repr, values.tolist()))
    return list(map(str, values))  # of numpy's own scalars: as Python's floats they would have 17 digits


def _where_missing(texts: list[str], gaps: Array | None, none: str) -> list[str]:
    for row in () if gaps is None else np.flatnonzero(gaps).tolist():
        texts[row] = none
    return texts


def whole_if_possible(column: Column) -> Column:
    """Floats that are all whole numbers as such: the 17 of a column with gaps, which was read as 17.0."""
    values = column.values
    if column.type != "number" or values.dtype.kind != "f":
        return column
    known = values if column.missing is None else np.where(column.missing, 0, values)
    with np.errstate(invalid="ignore"):
        if not (np.isfinite(known) & (np.abs(known) < WHOLE) & (known == np.rint(known))).all():
            return column
    return Column(known.astype(np.int64), column.missing)


def lines(columns: Sequence[list[str]], template: str) -> list[str]:
    """A line of text for each row: the template with a value of each column in the place of its %s."""
    return [template % row for row in zip(*columns, strict=True)]
