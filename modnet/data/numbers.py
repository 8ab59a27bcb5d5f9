"""Numbers as people and spreadsheets write them: `$1,234.50`, `1.234,50 EUR`, `39 %`, `(12)`."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import Configuration
from modnet.data.options import Decimal, Negative, Thousands
from modnet.data.shapes import ZEROS_AND_ONES, in_ascii, shapes_of
from modnet.data.values import is_code, parse_numbers
from modnet.records import Record
from modnet.words import show

Marks = tuple[Decimal, Thousands]

LONGEST = 64
"""A longer text is no number."""


class NumberFormat(Configuration):
    """How the numbers of a column are written.

    Attributes:
        decimal: the decimal mark.
        thousands: what stands between thousands, where anything does; " " is any blank, also one that does not break,
            and "'" any apostrophe.
        unit: the text before or after the numbers: "$", "kg", "%". It may be missing from a number, except one that
            multiplies ("k", "million"), and is taken off: 39.1 % is 39.1.
        negative: how negative numbers are written where they do not begin with a minus sign: "(12)" in "parentheses",
            or "12-", a "trailing" minus.
    """

    decimal: Decimal = "."
    thousands: Thousands = ""
    unit: str = ""
    negative: Negative = "minus"

    def check(self) -> None:
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {show(self.decimal)}; expected different marks")
        if re.search(r"[0-9]", self.unit[:1]):
            raise ValueError(f"unit = {show(self.unit)} begins with a digit; expected a text beside a number")

    def parse(self, texts: Sequence[str]) -> Array:
        """The texts as numbers, float64 (texts,); nan where a text is not a number of this format.

        Leading zeros are ignored: `007` is 7. A decimal point is never read where the decimal mark is a comma.
        """
        if self == PLAIN:
            numbers = parse_numbers(texts)
            if numbers is not None:
                return numbers
        seen = _seen(in_ascii(texts), self.unit)
        accepted = {shape: one for shape, one in seen.found.items() if one is not None and self._accepts(one)}
        fit = np.fromiter((shape in accepted for shape in seen.shapes), np.bool_, len(texts))
        rows = np.flatnonzero(fit)
        chosen = [seen.texts[row] for row in rows]
        numbers = np.full(len(texts), np.nan)
        numbers[rows] = _values(chosen, self, accepted.values())
        numbers[np.isinf(numbers)] = np.nan
        return numbers

    def _accepts(self, found: _Number) -> bool:
        return (
            found.negative in ("minus", self.negative)
            and (unit_key(found.unit) == unit_key(self.unit) or (not found.unit and self._may_be_bare(found)))
            and _core_pattern(self.decimal, self.thousands).fullmatch(found.core) is not None
        )

    def _may_be_bare(self, found: _Number) -> bool:
        return not multiplies(self.unit) or not found.core.strip("0.,' ")

    def options(self) -> dict[str, Any]:
        """The options of a column in a spec that say so."""
        changed = {name: value for name, value in self.plain().items() if value != getattr(NumberFormat, name)}
        return {"kind": "number", **changed}


PLAIN = NumberFormat()
"""Numbers as programs write them."""


class NumberGuess(Record):
    """The format of a column of numbers.

    Attributes:
        format: the format in which they are all numbers.
        other: another format in which they are all numbers, but other ones, if the texts do not decide: `1,234`.
        example: a text that the two read differently.
    """

    format: NumberFormat
    other: NumberFormat | None = None
    example: str = ""


class NumbersShare(Record):
    """How many texts of a column are numbers.

    Attributes:
        format: the format in which most are numbers.
        share: the share of those that are, 0 to 1.
        faults: the positions of the texts that are not, int64, in order.
    """

    format: NumberFormat
    share: float
    faults: Array


class _Number(Record):
    """A text, or all texts of a shape, taken to pieces.

    Attributes:
        core: digits and marks.
        unit: what is before them and after them.
        affixes: the same, apart.
        tail: where what is after them begins.
        negative: how it is negative, if it is.
        formats: in which it is a number.
    """

    core: str
    unit: str
    affixes: tuple[str, ...]
    tail: int
    negative: Negative
    formats: frozenset[Marks]


class _Seen(Record):
    """Texts, the shape of each, and what each shape is."""

    texts: list[str]
    shapes: list[str]
    found: Mapping[str, _Number | None]


_MARKS: tuple[Decimal, ...] = (".", ",")
_PARTS: tuple[Thousands, ...] = ("", ",", ".", " ", "'")

FORMATS = tuple((decimal, thousands) for decimal in _MARKS for thousands in _PARTS if decimal != thousands)
"""(decimal, thousands): those that exist, in the order in which they are preferred."""


def find_number_format(texts: Sequence[str], decimal: Decimal | None = None) -> NumberGuess | None:
    """The format in which all of these different texts are numbers, or None.

    A comma before exactly three digits in every text that has one is taken for a mark between thousands, and so is a
    point where `decimal` is a comma. Different units (kg and lb), and codes with zeros in front, are no numbers.

    Args:
        texts: the different texts of a column, without those that mean that there is no value.
        decimal: the decimal mark of other columns of the file, where they show it.
    """
    if decimal != "," and texts and parse_numbers(texts) is not None:
        return NumberGuess(NumberFormat())
    seen = _seen(in_ascii(texts), strict=True, whole=False)
    common = _in_common(seen.found.values())
    if common is None:
        return None
    best, other = _best(common.formats, decimal, common.unit)
    chosen = NumberFormat(*best, common.unit, common.negative)
    if not _units_agree(seen, chosen):
        return None
    if other is None:
        return NumberGuess(chosen)
    example = next(text for text in seen.texts if (best[1] or other[1]) in text)
    return NumberGuess(chosen, NumberFormat(*other, common.unit, common.negative), example)


def _in_common(seen: Collection[_Number | None]) -> _Number | None:
    """The unit, the sign and the formats of them all; None if they do not agree, or some are no numbers."""
    found = list(filter(None, seen))
    if not found or len(found) < len(seen):
        return None
    unit = _one_unit({one.unit for one in found})
    special = {one.negative for one in found}.difference(("minus",))
    formats = frozenset.intersection(*(one.formats for one in found))
    if unit is None or len(special) > 1 or not formats:
        return None
    return _Number("", unit, (), 0, min(special, default="minus"), formats)


def numbers_share(texts: Sequence[str], decimal: Decimal | None = None) -> NumbersShare:
    """The format in which most of these texts are numbers, and which are not.

    Args:
        texts: as for `find_number_format`.
        decimal: as there.
    """
    seen = _seen(in_ascii(texts), strict=True)
    counts = Counter(seen.shapes)
    found = {shape: one for shape, one in seen.found.items() if one is not None}
    units, negatives, formats = Counter[str](), Counter[Negative](), Counter[Marks]()
    for shape, one in found.items():
        units[one.unit] += counts[shape] * bool(one.unit)
        negatives[one.negative] += counts[shape] * (one.negative != "minus")
        formats.update(dict.fromkeys(one.formats, counts[shape]))
    most = max(formats.values(), default=0)
    unit, negative = _commonest(units, ""), _commonest(negatives, "minus")
    best, _ = _best({pair for pair, count in formats.items() if count == most} or {FORMATS[0]}, decimal, unit)
    chosen = NumberFormat(*best, unit, negative)
    codes = np.fromiter(map(is_code, seen.texts), np.bool_, len(texts))
    faults = np.flatnonzero(np.isnan(chosen.parse(texts)) | codes)
    return NumbersShare(chosen, 1 - len(faults) / len(texts) if len(texts) else 0.0, faults)


def _commonest(counts: Counter[Any], otherwise: Any) -> Any:
    value, count = max(counts.items(), key=lambda item: item[1], default=(otherwise, 0))
    return value if count else otherwise


def _best(fitting: Iterable[Marks], decimal: Decimal | None, unit: str) -> tuple[Marks, Marks | None]:
    """The format among those that fit, and another one in which some text is another number, if nothing decides."""
    fits = sorted(fitting, key=FORMATS.index)
    marks = [mark for mark, thousands in fits if not thousands]
    if len(marks) == 2:  # no text has a mark
        return (decimal or ".", ""), None
    grouped = [pair for pair in fits if pair[1] in marks]
    if grouped:
        return _parting(grouped[0], (marks[0], ""), decimal, unit)
    return next((pair for pair in fits if pair[0] == decimal), fits[0]), None


def _parting(thousands: Marks, point: Marks, decimal: Decimal | None, unit: str) -> tuple[Marks, Marks | None]:
    """As `_best`, for texts in which each mark stands before three digits."""
    if decimal:
        return (thousands if thousands[0] == decimal else point), None
    # A comma rather parts thousands, but not of a percentage; a point only does in most currencies of Europe.
    is_thousands = unit != "%" if point[0] == "," else _is_money(unit) and unit.casefold() not in WITH_POINT
    return (thousands, point) if is_thousands else (point, thousands)


# Units

_CURRENCIES = (
    "usd eur gbp chf jpy cny rmb inr brl aud cad nzd sek nok dkk isk pln czk huf ron bgn rub uah zar mxn krw twd hkd"
    " sgd thb idr vnd ils aed sar us$ r$ a$ c$ au$ ca$ nz$ hk$ s$ nt$ mx$ kr kr. rs rs. fr. sfr sfr. k\u010d z\u0142 s/"
)

CURRENCIES = frozenset(_CURRENCIES.split())
"""What may stand before a number, in small letters, beside the signs of currencies. Other letters make a code of it."""

_WITH_POINT = (
    "$ \u00a3 \u00a5 \u20b9 usd gbp jpy cny inr cad aud nzd hkd sgd us$ c$ ca$ a$ au$ nz$ hk$ s$ nt$ mx$ rs rs."
)

WITH_POINT = frozenset(_WITH_POINT.split())
"""Currencies, in small letters, whose countries have a decimal point: $3.459 is the price of a gallon."""

_MULTIPLIERS = (
    "k m b t bn mn mm mio mrd tn tsd mil mill thousand thousands million millions billion billions trillion trillions"
    " lakh lakhs crore crores cr"
)

MULTIPLIERS = frozenset(_MULTIPLIERS.split())
"""Units, in small letters, of which a number without one is certainly of another size."""

ORDINALS = frozenset(("st", "nd", "rd", "th"))


@lru_cache(256)
def unit_key(unit: str) -> str:
    """The key by which two units are the same.

    Capital letters do not count, except for one at the front that may be a prefix of SI: MW and mW. Neither do an s at
    the end, a point, and blanks: `year`, `Years`, `yrs.`
    """
    key = "".join(unit.split()).rstrip(".")
    if key[:1] not in "mM" or len(key) > 3:
        key = key.casefold()
    if key in ORDINALS:
        return "th"
    return key[:-1] if len(key) > 2 and key[-1] in "sS" else key


def multiplies(unit: str) -> bool:
    """Whether a unit stands for a power of ten: `k`, `$M`, `million`."""
    letters = "".join(sign for sign in unit if sign.isalpha()).casefold()
    return letters in MULTIPLIERS


def _one_unit(units: set[str]) -> str | None:
    """The unit of them all, or None if there are several."""
    if units and {unit_key(unit) for unit in units if unit} == {"th"}:
        return "th"
    named = sorted(filter(None, units), key=lambda unit: (len(unit), unit.swapcase()))
    if len({unit_key(unit) for unit in named}) > 1:
        return None
    return named[0] if named else ""


def _units_agree(seen: _Seen, chosen: NumberFormat) -> bool:
    """Whether numbers without the unit can be of the same size as those with it."""
    percent = chosen.unit in ("%", "\N{PER MILLE SIGN}")
    if not percent and not multiplies(chosen.unit):
        return True
    bare = {shape for shape, found in seen.found.items() if found is not None and not found.unit}
    if not bare:
        return True
    numbers = np.abs(chosen.parse([text for text, shape in zip(seen.texts, seen.shapes, strict=True) if shape in bare]))
    # .39 beside 39 % is a share, of another size; 45 beside 39 % is not.
    return bool(np.all((numbers == 0) | (numbers > 1))) if percent else bool(np.all(numbers == 0))


# Texts taken to pieces


def _seen(texts: list[str], unit: str = "", strict: bool = False, whole: bool = True) -> _Seen:
    """What the texts are, by their shapes.

    Args:
        texts: as `in_ascii` gives them.
        unit: one that is known, and may look like no unit.
        strict: whether codes are no numbers.
        whole: False to stop at the first text that is no number.
    """
    shapes = shapes_of(texts, ZEROS_AND_ONES)
    found: dict[str, _Number | None] = {}
    tails: dict[str, int] = {}
    for shape in dict.fromkeys(shapes):
        found[shape] = one = _taken_to_pieces(shape, unit, strict)
        if one is not None and "1" in one.unit:
            tails[shape] = one.tail
        if one is None and not whole:
            break
    if tails:
        # A shape does not tell m2 from m3: give back the digits of units.
        pairs = ((shape, text, tails.get(shape, len(text))) for shape, text in zip(shapes, texts, strict=True))
        shapes = [shape[:tail] + text[tail:] for shape, text, tail in pairs]
        found = {shape: _taken_to_pieces(shape, unit, strict) for shape in dict.fromkeys(shapes)}
    return _Seen(texts, shapes, found)


@cache
def _number_pattern() -> re.Pattern[str]:
    # Neighbouring parts begin with different signs, so that the time is linear in the length of the text.
    return re.compile(
        r"(?P<open>\(?) *(?P<sign>[-+]?) *"
        r"(?P<before>[^0-9()+\-.,' ][^0-9()+\-,' ]{0,4})? *"
        r"(?P<open_within>\(?) *(?P<sign_within>[-+]?) *"
        r"(?P<core>(?:[0-9][0-9.,' ]*(?<![, '])|[.,][0-9]+)(?:[eE][-+]?[0-9]{1,3}(?![0-9]))?) *"
        r"(?P<trailing>-?) *(?P<close_within>\)?) *"
        r"(?P<after>[^0-9()+\-., ][^()]{0,23}?)? *(?P<close>\)?)"
    )


@lru_cache(1024)
def _taken_to_pieces(text: str, unit: str, strict: bool) -> _Number | None:
    match = _number_pattern().fullmatch(text) if len(text) <= LONGEST else None
    if match is None or not _is_signed_once(match):
        return None
    affixes = (match["before"] or "", match["after"] or "")
    if "".join(affixes) not in ("", unit) and not _are_units(*affixes):
        return None
    formats = _formats_of(match["core"], strict)
    if not formats:
        return None
    return _Number(match["core"], "".join(affixes), affixes, match.start("after"), _negative_of(match), formats)


def _negative_of(match: re.Match[str]) -> Negative:
    if match["open"] or match["open_within"]:
        return "parentheses"
    return "trailing" if match["trailing"] else "minus"


def _formats_of(core: str, strict: bool) -> frozenset[Marks]:
    return frozenset(pair for pair in FORMATS if _core_pattern(*pair, strict).fullmatch(core))


def _is_signed_once(match: re.Match[str]) -> bool:
    """Whether brackets come in pairs, and there is at most one sign, or one pair."""
    opened, closed = match["open"] + match["open_within"], (match["close_within"] or "") + (match["close"] or "")
    signs = match["sign"] + match["sign_within"] + match["trailing"]
    return len(opened) == len(closed) and len(opened) + len(signs) <= 1


@cache
def _core_pattern(decimal: str, thousands: str, strict: bool = False) -> re.Pattern[str]:
    """Digits with marks. Groups of two digits are those of India: 12,34,567."""
    whole = "(?:0|[1-9][0-9]*)" if strict else "[0-9]+"
    if thousands:
        mark = re.escape(thousands)
        grouped = rf"[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+"
        indian = r"|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if thousands == "," else ""
        whole = f"(?:{grouped}{indian}|{whole})"
    point = re.escape(decimal)
    most = 2 if strict else 3  # a shape does not tell 1e308 from 1e309, which is no number
    return re.compile(rf"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][-+]?[0-9]{{1,{most}}})?")


def _are_units(before: str, after: str) -> bool:
    return (before in ("", "%") or _is_money(before)) and (not after or _may_stand_after(after))


def _is_money(unit: str) -> bool:
    return bool(unit) and (unit.casefold() in CURRENCIES or all(unicodedata.category(sign) == "Sc" for sign in unit))


@cache
def _unit_pattern() -> re.Pattern[str]:
    first = r"(?:[^\W\d_]|[%\u2030\u00b0\"'\u2032\u2033]|/(?=[^\W\d_]))"
    squared, each = r"(?<=[^\W\d_])[123](?!\d)", r"(?<=/)10*(?= ?[^\W\d_])"
    return re.compile(rf"{first}(?:[^\d\n]|{squared}|{each})*")


NO_UNITS = frozenset(("am", "pm", "a.m.", "p.m.", "a.m", "p.m", "e", "q1"))
"""What stands after times and parts of dates, and `e`, which begins an exponent."""


def _may_stand_after(text: str) -> bool:
    if unicodedata.category(text[0]) == "Sc":
        return not any(sign.isdigit() for sign in text)
    return text.casefold() not in NO_UNITS and _unit_pattern().fullmatch(text) is not None


def _values(texts: list[str], written: NumberFormat, found: Iterable[_Number]) -> Array:
    """The numbers of texts that are all of this format."""
    if not texts:
        return np.empty(0)
    joined = "\n".join(texts)
    affixes = {affix for one in found for affix in one.affixes if affix}
    for affix in sorted(affixes, key=len, reverse=True):
        joined = joined.replace(affix, "")
    table: dict[int, str] = str.maketrans({" ": "", "(": "-", ")": ""})
    if written.thousands:
        table[ord(written.thousands)] = ""
    table[ord(written.decimal)] = "."
    lines = joined.translate(table).split("\n")
    if written.negative == "trailing":
        lines = ["-" + line[:-1] if line.endswith("-") else line for line in lines]
    return np.array([*map(float, lines)])
