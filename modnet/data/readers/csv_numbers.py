"""Numbers from the cells of csv text, many at once, each rounded correctly as Python's float does it.

A cell of up to 19 digits is its digits as a whole number, divided by a power of ten. The digits are taken eight at a
time from words of 64 bits. Cells of any other form are left to Python.

Sources: the digits: D. Lemire, "Quickly parsing eight digits" (2018); the division: W. D. Clinger, "How to read
floating point numbers accurately" (1990), and beyond 53 bits with the exact remainder of T. J. Dekker, "A
floating-point technique for extending the available precision" (1971).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable

import numpy as np

from modnet.arrays import Array
from modnet.data.readers.csv_cells import BLANK, Cells, pick
from modnet.records import Record

U = np.uint64
ZEROS, CARRY, HIGH = U(0x3030303030303030), U(0x7676767676767676), U(0x8080808080808080)
"""Eight times: the digit 0; what added to a byte from 10 on sets its highest bit; that bit."""

STEPS = (
    (U(8), U(10), U(0x00FF00FF00FF00FF)),
    (U(16), U(100), U(0x0000FFFF0000FFFF)),
    (U(32), U(10_000), U(0x00000000FFFFFFFF)),
)
"""From digits to pairs of digits, from these to four, from these to eight: bits to shift by, a factor, what is kept."""

LAST_BYTES = np.array([0] + [2**64 - 2 ** (64 - 8 * count) for count in range(1, 9)], np.uint64)
"""The masks of the last 0 to 8 bytes of a word, in the order of the text."""

MOST_DIGITS = 19
POWERS = np.array([10**k for k in range(MOST_DIGITS + 1)], np.uint64)
FLOAT_POWERS = POWERS.astype(np.float64)
"""Powers of ten, which floats have exactly up to 10^22."""

SPLIT = 2.0**27 + 1
"""Dekker's constant, by which a float is split into two of half the digits."""

EXACT = U(2**53)
"""Whole numbers below this are floats exactly."""

SAME_SIGNS = {" ": "[ \u00a0\u2009\u202f]", "'": "['\u2019]"}
"""A sign between thousands -> what is taken for it; a blank may be one that does not break, or a narrow one."""

LARGEST, HIGHEST = 2.0**63, U(2**63 - 1024)
"""Whole numbers beyond the one do not fit in 64 bits; those up to the other do, also when rounded to floats."""

CELLS = 1 << 16
"""How many cells are read at once."""

MINUS, PLUS, ZERO = b"-+0"


class Spelling(Record, eq=False):
    """How numbers are written.

    Attributes:
        missing: the texts that stand for no number.
        decimal: the sign before the fraction.
        thousands: the sign between groups of three digits; " " is any blank, "'" any apostrophe, "" none.
    """

    missing: Collection[str]
    decimal: str = "."
    thousands: str = ""

    def __post_init__(self) -> None:
        point, group = re.escape(self.decimal), SAME_SIGNS.get(self.thousands, re.escape(self.thousands))
        plain = rf"[+-]?(?:(?:0|[1-9][0-9]*)(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
        grouped = rf"[+-]?[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+(?:{point}[0-9]*)?"
        found = {"_plain": plain, "_grouped": grouped, "_group": group}
        self.__dict__.update((name, re.compile(pattern)) for name, pattern in found.items())

    def parse(self, text: str) -> int | float | None:
        """The number that a text is, by `is_number`; None if it is none."""
        text = text.strip()
        if self.thousands and self._grouped.fullmatch(text):  # type: ignore[attr-defined]
            text = self._group.sub("", text)  # type: ignore[attr-defined]
        elif not self._plain.fullmatch(text):  # type: ignore[attr-defined]
            return None
        number = float(text.replace(self.decimal, "."))
        if abs(number) <= LARGEST and text.lstrip("+-").isdigit() and -(2**63) <= int(text) < 2**63:
            return int(text)
        return number if math.isfinite(number) else None


Found = dict[int, tuple[Array, Array | None] | None]
"""Column -> (rows,): its values, int64 if all are written without a fraction, else float64; and bool, where it has none
(None for nowhere). None for the whole if there is a text that is neither a number nor a missing value.
"""


def read_numbers(cells: Cells, columns: Array, spelling: Spelling) -> Found:
    """The columns of these positions, which are in order, as numbers."""
    fractions = pick(cells.points, columns).any(axis=0)
    found: Found = {}
    for chosen, read in ((columns[~fractions], _read_whole), (columns[fractions], _read_fractions)):
        if len(chosen):
            values, bad = _in_parts(read, cells, chosen)
            values = np.ascontiguousarray(values.reshape(len(cells), len(chosen)).T)
            found.update({column: (numbers, None) for column, numbers in zip(chosen.tolist(), values, strict=True)})
            if bad.any():
                found.update(_mend(cells, chosen, values, bad.reshape(len(cells), len(chosen)).T, spelling))
    return found


def _in_parts(read: Callable[[Cells, Array], tuple[Array, Array]], cells: Cells, columns: Array) -> tuple[Array, Array]:
    """What `read` gives, for as many rows at once as stay in the processor's cache."""
    rows = max(1, CELLS // len(columns))
    if rows >= len(cells):
        return read(cells, columns)
    parts = [read(cells.part(first, first + rows), columns) for first in range(0, len(cells), rows)]
    return np.concatenate([values for values, _ in parts]), np.concatenate([bad for _, bad in parts])


def _read_whole(cells: Cells, columns: Array) -> tuple[Array, Array]:
    """(rows * columns,) each: the numbers without a fraction, int64, and whether they are left to Python."""
    starts, ends, signs, first = _signed_spans(cells, columns)
    lengths = ends - starts
    bad = (lengths > MOST_DIGITS) | (lengths < 1) | ((first == ZERO) & (lengths > 1))
    lengths[np.flatnonzero(bad)] = 0
    found, wrong = _digits(cells.words, ends, lengths)
    bad |= wrong
    bad |= found > HIGHEST
    values = found.view(np.int64)
    if signs is not None:
        values *= signs
    return values, bad


def _read_fractions(cells: Cells, columns: Array) -> tuple[Array, Array]:
    """(rows * columns,) each: the numbers, float64, and whether they are left to Python."""
    starts, ends, signs, first = _signed_spans(cells, columns)
    count = pick(cells.points, columns).ravel()
    several = count > 1
    count &= 1
    points = cells.marks[pick(cells.at, columns).ravel() - count]
    points += (1 - count) * (ends - points)  # without a point: the end, which is not the mark where a quote is
    after = ends - points
    after -= count
    digits = ends - starts
    digits -= count
    zero = first == ZERO  # the one in 0.5, if there is no other, which makes it a code
    bad = several | (digits < 1) | (digits - zero > MOST_DIGITS) | (zero & (digits - after > 1))
    odd = np.flatnonzero(bad)
    digits[odd] = after[odd] = 0
    found, wrong = _joined_digits(cells.words, points, ends, digits, after)
    bad |= wrong
    bad |= found > HIGHEST
    found[np.flatnonzero(bad)] = 0
    values, doubtful = _divide(found, after)
    if signs is not None:
        values *= signs
    bad[doubtful] = True
    return values, bad


def _signed_spans(cells: Cells, columns: Array) -> tuple[Array, Array, Array | None, Array]:
    """(rows * columns,) each: where the digits of each cell begin and end, 1 or -1, and the first digits as bytes.

    None instead of the signs if there are none.
    """
    starts, ends = pick(cells.starts, columns).ravel(), pick(cells.ends, columns).ravel()
    if cells.has_blanks:
        starts, ends = _without_blanks(cells.bytes, starts, ends)
    first = cells.bytes[starts]
    negative = first == MINUS
    signed = negative | (first == PLUS)
    if not signed.any():
        return starts, ends, None, first
    starts += signed
    return starts, ends, 1 - 2 * negative.view(np.int8), cells.bytes[starts]


def _without_blanks(signs: Array, starts: Array, ends: Array) -> tuple[Array, Array]:
    while (blank := (signs[starts] == BLANK) & (starts < ends)).any():
        starts += blank
    while (blank := (signs[ends - 1] == BLANK) & (starts < ends)).any():
        ends -= blank
    return starts, ends


def _joined_digits(words: Array, points: Array, ends: Array, digits: Array, after: Array) -> tuple[Array, Array]:
    """The digits before and after the decimal points as whole numbers, uint64; whether there is anything but digits.

    Args:
        words: the text.
        points, ends: where the digits before the decimal point end, and those after it.
        digits, after: how many there are in all, at most 20, and after the point.
    """
    longer = np.flatnonzero(digits > 8)
    if 4 * len(longer) > len(digits):
        return _both_digits(words, points, ends, digits, after)
    found = _words_before(words, points)
    fraction = _words_before(words, ends)
    last = np.minimum(after, 8)
    fraction &= LAST_BYTES[last]
    half = (last << 2).view(np.uint64)
    found >>= half  # twice, as a shift by 64 has no meaning
    found >>= half
    found |= fraction  # the last eight digits, without the point
    found, wrong = _eight_digits(found, np.minimum(digits, 8))
    others = (array[longer] for array in (points, ends, digits, after))
    found[longer], wrong[longer] = _both_digits(words, *others)
    return found, wrong != 0


def _both_digits(words: Array, points: Array, ends: Array, digits: Array, after: Array) -> tuple[Array, Array]:
    """As `_joined_digits`, with two conversions for each cell instead of one."""
    found, wrong = _digits(words, points, digits - after)
    fraction, wrong_fraction = _digits(words, ends, after)
    found *= POWERS[after]
    found += fraction
    return found, wrong | wrong_fraction


def _digits(words: Array, ends: Array, lengths: Array) -> tuple[Array, Array]:
    """The whole numbers of up to 20 digits that end at `ends`, uint64, and whether there is anything but digits."""
    found, wrong = _eight_digits(_words_before(words, ends), np.minimum(lengths, 8))
    for have in (8, 16):
        longer = np.flatnonzero(lengths > have)
        if not len(longer):
            break
        more, wrong_here = _eight_digits(
            _words_before(words, ends[longer] - have), np.minimum(lengths[longer] - have, 8)
        )
        more *= POWERS[have]
        found[longer] += more
        wrong[longer] |= wrong_here
    return found, wrong != 0


def _words_before(words: Array, ends: Array) -> Array:
    """The 8 bytes that end at `ends`, as words."""
    place = ends >> 3
    shift = ((ends & 7) << 3).view(np.uint64)
    found: Array = words[place - 1]
    found >>= shift
    other = words[place]
    other <<= U(1)
    shift ^= U(63)
    other <<= shift  # 64 - shift in all, which as a single shift would have no meaning for shift = 0
    found |= other
    return found


def _eight_digits(found: Array, lengths: Array) -> tuple[Array, Array]:
    """The whole numbers that the last 0 to 8 bytes of words are, and 0 or anything else: there is anything but digits.

    In a word, each byte is a digit; then each pair of bytes two digits, and so on: three multiplications. `found` is
    overwritten.
    """
    found ^= ZEROS
    found &= LAST_BYTES[lengths]
    wrong = found + CARRY
    wrong |= found
    wrong &= HIGH
    other = np.empty_like(found)
    for bits, factor, mask in STEPS:
        np.right_shift(found, bits, out=other)
        found *= factor
        found += other
        found &= mask
    return found, wrong


def _divide(digits: Array, places: Array) -> tuple[Array, Array]:
    """digits / 10^places, correctly rounded; and the positions for which that is not certain."""
    powers = FLOAT_POWERS[places]
    quotients = digits.astype(np.float64)
    large = np.flatnonzero(digits >= EXACT)
    rounded = quotients[large]
    quotients /= powers
    if not len(large):
        return quotients, large
    rest = (digits[large].view(np.int64) - rounded.astype(np.int64)).astype(np.float64)
    first, power = quotients[large], powers[large]
    correction = (_remainder(rounded, first, power) + rest) / power
    margin = np.abs(correction) * 2.0**-50
    found = first + (correction - margin)
    quotients[large] = found
    return quotients, large[found != first + (correction + margin)]


def _remainder(dividend: Array, quotient: Array, divisor: Array) -> Array:
    """dividend - quotient * divisor, exactly."""
    product = quotient * divisor
    q_high, q_low = _halves(quotient)
    d_high, d_low = _halves(divisor)
    error = ((q_high * d_high - product) + q_high * d_low + q_low * d_high) + q_low * d_low
    remainder: Array = (dividend - product) - error
    return remainder


def _halves(values: Array) -> tuple[Array, Array]:
    scaled = values * SPLIT
    high = scaled - (scaled - values)
    return high, values - high


def _mend(cells: Cells, columns: Array, values: Array, bad: Array, spelling: Spelling) -> Found:
    """The columns of which some cells are left to Python."""
    starts, ends = pick(cells.starts, columns).T, pick(cells.ends, columns).T
    gaps = np.zeros(values.shape, bool)
    if "" in spelling.missing:
        gaps = bad & (starts == ends)
        bad = bad & ~gaps
        values[gaps] = 0
    found: Found = {int(columns[i]): (values[i], gaps[i]) for i in np.flatnonzero(gaps.any(axis=1)).tolist()}
    for i in np.flatnonzero(bad.any(axis=1)).tolist():
        rows = np.flatnonzero(bad[i])
        spans = zip(starts[i, rows].tolist(), ends[i, rows].tolist(), strict=True)
        texts = (cells.data[start:end].decode() for start, end in spans)
        found[int(columns[i])] = _mend_column(values[i], gaps[i], rows.tolist(), texts, spelling)
    return found


def _mend_column(
    values: Array, gaps: Array, rows: Iterable[int], texts: Iterable[str], spelling: Spelling
) -> tuple[Array, Array | None] | None:
    """The column with the numbers that these texts in these rows are; None if one is not a number."""
    for row, text in zip(rows, texts, strict=False):
        if text in spelling.missing or text.strip() in spelling.missing:
            values[row], gaps[row] = 0, True
            continue
        number = spelling.parse(text)
        if number is None:
            return None
        if isinstance(number, float) and values.dtype.kind == "i":
            values = values.astype(np.float64)
        values[row] = number
    return values, gaps if gaps.any() else None
