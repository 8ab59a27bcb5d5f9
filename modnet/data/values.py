"""What the texts in the cells of a table mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from modnet.arrays import Array


def is_number(text: str) -> bool:
    """Whether this is a finite decimal number. Python's `1_000` is not, nor is a code with leading zeros, `007`."""
    try:
        return math.isfinite(float(text)) and "_" not in text and not is_code(text)
    except ValueError:
        return False


def is_code(text: str) -> bool:
    """Whether digits begin with a zero that a number would not have, as in `00501`."""
    digits = text.strip().lstrip("+-")
    return digits[:1] == "0" and digits[1:2].isdecimal()


def has_decimal_comma(text: str) -> bool:
    """Whether this would be a number with a point instead of its comma."""
    return text.count(",") == 1 and is_number(text.replace(",", "."))


def parse_numbers(values: Sequence[str]) -> Array | None:
    """The values as numbers, float64, or None if one of them is not a number by `is_number`."""
    try:
        numbers = np.array([*map(float, values)])
    except ValueError:
        return None
    # The checks of `is_number`, for all values at once: a call for each would take several times as long.
    sound = np.isfinite(numbers).all() and "_" not in "".join(values) and not any(map(is_code, values))
    return numbers if sound else None


def category_key(text: str) -> str:
    """The key by which two spellings are the same category: `2.0` and `2`, `True` and `true`, `Yes ` and `yes`."""
    words = " ".join(text.split()).casefold()
    if (words[:1].isdigit() or words[:1] in ("-", "+", ".")) and is_number(words):
        number = float(words)
        return str(int(number)) if number.is_integer() and abs(number) < 1e18 else repr(number)
    return words
