"""The shapes of texts: what many texts have in common, so that one look at a shape stands for a look at each text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

ZEROS_AND_ONES = str.maketrans("23456789", "11111111")
"""Makes `1,010.00` of `7,040.00`: zeros are kept, since a zero in front tells a code from a number."""

ONES = str.maketrans("023456789", "111111111")
"""Makes `11/11/1111` of `31/12/2024`."""

SIGNS = {
    "\N{MINUS SIGN}": "-",
    "\N{HYPHEN}": "-",
    "\N{NON-BREAKING HYPHEN}": "-",
    "\N{FIGURE DASH}": "-",
    "\N{EN DASH}": "-",
    "\N{SMALL HYPHEN-MINUS}": "-",
    "\N{FULLWIDTH HYPHEN-MINUS}": "-",
    "\N{FULLWIDTH PLUS SIGN}": "+",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{ARABIC DECIMAL SEPARATOR}": ".",
    "\N{ARABIC THOUSANDS SEPARATOR}": ",",
    "\N{FULLWIDTH FULL STOP}": ".",
    "\N{FULLWIDTH COMMA}": ",",
    "\N{FULLWIDTH PERCENT SIGN}": "%",
    "\N{ARABIC PERCENT SIGN}": "%",
    "\N{ZERO WIDTH SPACE}": "",
    "\N{ZERO WIDTH NO-BREAK SPACE}": "",
    "\N{LEFT-TO-RIGHT MARK}": "",
    "\N{RIGHT-TO-LEFT MARK}": "",
}
"""Character -> what it stands for in a number or a date."""


def shapes_of(texts: Sequence[str], table: dict[int, int]) -> list[str]:
    """The shape of each text, by `ZEROS_AND_ONES` or `ONES`. A shape has the length of its text."""
    shapes = "\n".join(texts).translate(table).split("\n")
    if len(shapes) == len(texts):
        return shapes
    return [text.translate(table) for text in texts]  # a text has several lines, or there are no texts


def in_ascii(texts: Sequence[str]) -> list[str]:
    """The texts without blanks at their ends, with the digits, blanks, minus signs and marks of ASCII.

    Digits of all scripts become those of ASCII, and all blanks (the no-break and the thin ones that stand between
    thousands) become the ordinary one. Letters and signs of currencies stay as they are.
    """
    joined = "\n".join(texts)
    for sign in set(joined) if not joined.isascii() else ():
        meant = _ascii(sign)
        if meant != sign:
            joined = joined.replace(sign, meant)
    lines = joined.split("\n")
    if len(lines) != len(texts):  # a text has several lines, or there are no texts
        lines = [text.translate({ord(sign): _ascii(sign) for sign in text if not sign.isascii()}) for text in texts]
    return [line.strip() for line in lines]


def _ascii(sign: str) -> str:
    if sign in SIGNS:
        return SIGNS[sign]
    digit = unicodedata.decimal(sign, None)
    if digit is not None:
        return str(digit)
    return " " if sign.isspace() else sign
