"""What single values mean: which are missing, which texts are plain numbers, and which spellings are the same value."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Collection, Sequence
from functools import cache
from numbers import Integral, Rational, Real
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.words import show

MISSING_VALUES = (
    *("", "NA", "N/A", "n/a", "na", "n.a.", "N.A.", "<NA>", "#N/A", "#N/A N/A", "#NA"),
    *("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "NaT"),
    *("NULL", "null", "(null)", "None", "\\N", "?"),
    *("#VALUE!", "#DIV/0!", "#REF!", "#NULL!", "#NUM!", "#NAME?"),
)
"""The texts that mean that there is no value, in any column.

These are all that `pandas.read_csv` takes for missing, so that a file means the same whoever reads it, and what R, SQL,
Excel's faults and the UCI collection ("?") write. `none` and `-` are not among them: see `MISSING_AMONG_NUMBERS`.
"""

MISSING_AMONG_NUMBERS = frozenset(
    (
        *("-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", ".", "..", "...", "\N{HORIZONTAL ELLIPSIS}", "*", "#", "/"),
        *("none", "nil", "n/d", "nd", "n.d.", "na.", "n.a", "n\\a", "n a", "nan%", "undefined", "undef", "void"),
        *("unknown", "unk", "missing", "not available", "not applicable", "not known", "no data", "no value"),
        *("empty", "blank", "(blank)", "(empty)", "(none)", "(missing)", "(unknown)", "[na]", "tbd", "tba", "tbc"),
    )
)
"""The texts, in small letters, that mean that there is no value where the other values of a column are all numbers or
dates. In a column of texts they may be values: a house with a fence `None` has none.
"""


def no_value(text: str) -> str:
    """What a message says about a missing value: its spelling, if the reader of the table has kept it."""
    return f"missing value (found {show(text)})" if text else "missing value"


def are_missing(texts: Sequence[str], missing_values: Collection[str] = MISSING_VALUES) -> Array:
    """Which texts mean that there is no value, bool (texts,). Blanks at their ends are ignored."""
    missing = frozenset(missing_values)
    return np.fromiter((text in missing or text.strip() in missing for text in texts), np.bool_, len(texts))


def may_be_missing(texts: Sequence[str]) -> Array:
    """Which texts mean that there is no value if all others are numbers or dates, bool (texts,)."""
    # Excel's formats of sums of money write a dash after the sign for what is not there.
    found = (text.strip(" \t\r\n\N{NO-BREAK SPACE}$€£¥").casefold() in MISSING_AMONG_NUMBERS for text in texts)
    return np.fromiter(found, np.bool_, len(texts))


def is_missing(value: Any) -> bool:
    """Whether a Python value stands for a missing one: None, nan, NaT, `pandas.NA`, and what numpy masks."""
    if value is None or value is np.ma.masked:
        return True
    if isinstance(value, np.ndarray) and value.ndim:
        return False
    try:
        return bool(value != value)  # only nan and NaT differ from themselves
    except (TypeError, ValueError, ArithmeticError):
        # pandas.NA has no truth value, and a signalling nan cannot be compared; an array is a value, but not one.
        return type(value).__name__ == "NAType" or (_is_decimal(value) and value.is_nan())


def _is_decimal(value: Any) -> bool:
    return type(value).__name__ == "Decimal"  # without an import of `decimal` by a process that has none


# Numbers


def is_number(text: str) -> bool:
    """Whether this is a plain number: a finite decimal number in ASCII, as programs write it.

    `00501` is a code (`is_code`), and `1_000`, `0x10`, `1,5`, `$5`, digits of other scripts and the sign U+2212 are no
    plain numbers. Blanks at the ends are ignored.
    """
    try:
        return math.isfinite(float(text)) and "_" not in text and text.isascii() and not is_code(text)
    except ValueError:
        return False


def is_code(text: str) -> bool:
    """Whether this begins with a zero before another digit, as `00501`: a code, whose zeros count."""
    start = text.strip().lstrip("+-")[:2]
    return len(start) == 2 and start[0] == "0" and start[1] in "0123456789"


def has_decimal_comma(text: str) -> bool:
    """Whether this would be a number with a point instead of its comma."""
    return text.count(",") == 1 and is_number(text.replace(",", "."))


def parse_numbers(texts: Sequence[str]) -> Array | None:
    """The texts as numbers, float64 (texts,), or None if one of them is not a plain number by `is_number`."""
    try:
        numbers = np.array([*map(float, texts)], np.float64)
    except ValueError:
        return None
    # The checks of `is_number`, for all texts at once: a call for each would take several times as long.
    joined = "\n".join(texts)
    plain = joined.isascii() and "_" not in joined and not _code_pattern().search(joined)
    return numbers if plain and np.isfinite(numbers).all() else None


@cache
def _code_pattern() -> re.Pattern[str]:
    # Only for texts that are all numbers: so a sign or a blank is at an end, or the sign of an exponent.
    return re.compile(r"(?:^|[\s])[+-]?0[0-9]")


# Spellings


def text_of(value: Any) -> str:
    """A value as the text by which it is known as a category.

    A text is itself, True and False are `true` and `false`, a whole number has no point (2.0 is `2`), any other float
    has the fewest digits that give it back in its own precision (float32 0.1 is `0.1`). A date is `2024-01-05`, a date
    with a time `2024-01-05 14:05:00`, or the date alone if it is midnight. Bytes are UTF-8.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float | np.floating):
        return _float_text(value)
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, np.datetime64 | datetime.datetime):
        return _date_text(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Real) or _is_decimal(value):
        return _real_text(value)
    return str(value)


def _date_text(value: np.datetime64 | datetime.datetime) -> str:
    if isinstance(value, datetime.datetime):
        return str(value.date() if value.timetz() == datetime.time.min else value)
    day = value.astype("M8[D]")
    if np.isnat(value) or day == value:
        return str(day)
    moment = value.astype("M8[us]").item()
    return str(value if isinstance(moment, int) else moment)  # a year that `datetime` does not have


LARGE = 2.0**53
"""Below it, all digits of a whole float count."""


def _float_text(value: float | np.floating[Any]) -> str:
    number = float(value)
    if number.is_integer() and abs(number) < LARGE:
        return str(int(number))
    text = str(value)  # of numpy's floats, too, the shortest in their precision
    return _digits_text(text) if number.is_integer() else text


def _real_text(value: Any) -> str:
    if isinstance(value, Integral):
        return _whole_text(int(value))
    if isinstance(value, Rational):
        return _whole_text(int(value.numerator)) if value.denominator == 1 else str(value)
    return _digits_text(str(value))


def _digits_text(text: str) -> str:
    """The digits of a whole number without a point; other numbers as they are."""
    if "n" in text.casefold():  # nan and infinity
        return text
    canonical = number_text(text)
    return text if "e" in canonical or "." in canonical else canonical


def _whole_text(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes no more than 4,300 digits
        return hex(value)


MOST_DIGITS = 21
"""A number with more digits before or after its point has an exponent in `number_text`."""


def number_text(text: str) -> str:
    """One spelling for all spellings of a plain number: `2` for `2.0`, `+2`, `2e0`; exact, however many digits.

    Args:
        text: a plain number, by `is_number`, or what Python writes for a finite number.
    """
    mantissa, _, exponent = text.strip().lower().partition("e")
    whole, _, part = mantissa.lstrip("+-").partition(".")
    digits = (whole + part).lstrip("0")
    power = (int(exponent) if exponent else 0) - len(part)
    kept = digits.rstrip("0")
    power += len(digits) - len(kept)
    sign = "-" if mantissa.startswith("-") and kept else ""
    return sign + (_written(kept, power) if kept else "0")


def _written(digits: str, power: int) -> str:
    """Digits times a power of ten."""
    if 0 <= power <= MOST_DIGITS - len(digits) or power == 0:
        return digits + "0" * power
    if -MOST_DIGITS <= power < 0:
        padded = digits.rjust(1 - power, "0")
        return f"{padded[:power]}.{padded[power:]}"
    return f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{power + len(digits) - 1}"


def category_key(text: str) -> str:
    """The key by which two spellings are the same category.

    Numbers are the same if their values are (`2.0` and `2`; not `02`, a code). Otherwise blanks at the ends, the length
    of blanks within, and capital letters are ignored. Which of these apply to a column is decided there: an exact
    spelling goes before, and keys that two declared categories share do not count.
    """
    return number_text(text) if is_number(text) else " ".join(text.split()).casefold()
