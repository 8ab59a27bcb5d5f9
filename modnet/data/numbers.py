"""Numbers as people and spreadsheets write them: `$1,234.50`, `1.234,50 EUR`, `39 %`, `(12)`."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import Configuration
from modnet.data.shapes import ZEROS_AND_ONES, in_ascii, shapes_of
from modnet.data.values import is_code, parse_numbers
from modnet.records import Record
from modnet.words import show

Decimal = Literal[".", ","]
Thousands = Literal["", ",", ".", " ", "'"]
Negative = Literal["minus", "parentheses", "trailing"]

LONGEST = 64
"""A longer text is no number."""


class NumberFormat(Configuration):
    """How the numbers of a column are written.

    Attributes:
        decimal: the decimal mark.
        thousands: what stands between thousands, where anything does; " " is any blank, also one that does not break,
            and "'" any apostrophe.
        unit: what stands before or after the numbers: "$", "kg", "%". It may be missing from a number, except one that
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

        A zero in front counts for nothing: `007` is 7. A decimal point is never read where the decimal mark is a comma.
        """
        if self == NumberFormat():
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
    """A text, or all texts of a shape, taken to pieces: digits and marks, unit (and its pieces), sign, formats."""

    core: str
    unit: str
    affixes: tuple[str, ...]
    negative: Negative
    formats: frozenset[tuple[str, str]]


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
    tidy = in_ascii(texts)
    seen = _seen(tidy, strict=True, whole=False)
    found = [one for one in seen.found.values() if one is not None]
    if not found or len(found) < len(seen.found):
        return None
    unit, negative = _one_unit({one.unit for one in found}), _one_negative({one.negative for one in found})
    fitting = frozenset.intersection(*(one.formats for one in found))
    if unit is None or negative is None or not fitting:
        return None
    best, other = _best(fitting, decimal, unit)
    chosen = NumberFormat(*best, unit, negative)
    if not _units_agree(seen, chosen):
        return None
    different = NumberFormat(*other, unit, negative) if other else None
    return NumberGuess(chosen, different, _differing(seen, best, other) if other else "")


def numbers_share(texts: Sequence[str], decimal: Decimal | None = None) -> NumbersShare:
    """The format in which most of these texts are numbers, and which are not.

    Args:
        texts: as for `find_number_format`.
        decimal: as there.
    """
    seen = _seen(in_ascii(texts), strict=True)
    counts = Counter(seen.shapes)
    found = {shape: one for shape, one in seen.found.items() if one is not None}
    units, negatives, formats = Counter[str](), Counter[Negative](), Counter[tuple[str, str]]()
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


def _best(
    fitting: Iterable[tuple[Any, Any]], decimal: Decimal | None, unit: str
) -> tuple[tuple[Any, Any], tuple[Any, Any] | None]:
    """The format among those that fit, and another one in which some text is another number, if nothing decides."""
    fits = [pair for pair in FORMATS if pair in set(fitting)]
    marks = [pair[0] for pair in fits if not pair[1]]
    if len(marks) == 2:  # no text has a mark
        return (decimal or ".", ""), None
    pairs = [pair for pair in fits if not pair[1] or pair[1] in marks]
    if len(marks) == 1 and len(pairs) == 2:
        # Each mark stands before three digits. The comma and, in sums of money, the point too rather part thousands.
        thousands, point = sorted(pairs, key=lambda pair: not pair[1])
        if decimal:
            return (thousands if thousands[0] == decimal else point), None
        return (thousands, point) if marks == [","] or _is_money(unit) else (point, thousands)
    return next((pair for pair in fits if pair[0] == decimal), fits[0]), None


# Units

_CURRENCIES = (
    "usd eur gbp chf jpy cny rmb inr brl aud cad nzd sek nok dkk isk pln czk huf ron bgn rub uah try zar mxn ars clp"
    " cop pen krw twd hkd sgd myr thb idr php vnd ils aed sar egp ngn kes us us$ r$ a$ c$ au$ ca$ nz$ hk$ s$ nt$ mx$"
    " kr rs rs. re fr fr. sfr sfr. kc k\u010d z\u0142 ft lei lv s/ rp rm tl din"
)

CURRENCIES = frozenset(_CURRENCIES.split())
"""What may stand before a number, in small letters, beside the signs of currencies. Other letters make a code of it."""

_MULTIPLIERS = (
    "k m b t bn mn mm mio mrd tn tsd mil mill thousand thousands million millions billion billions trillion trillions"
    " lakh lakhs crore crores cr"
)

MULTIPLIERS = frozenset(_MULTIPLIERS.split())
"""Units, in small letters, of which a number without one is certainly of another size."""

ORDINALS = frozenset(("st", "nd", "rd", "th"))


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


def _one_negative(found: set[Negative]) -> Negative | None:
    special = sorted(found - {"minus"})
    return None if len(special) > 1 else special[0] if special else "minus"


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


def _differing(seen: _Seen, best: tuple[str, str], other: tuple[str, str]) -> str:
    """A text that two formats read differently."""
    marks = {best[1], other[1]} - {""}
    return next((text for text in seen.texts if any(mark in text for mark in marks)), "")


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
    for shape in dict.fromkeys(shapes):
        found[shape] = one = _taken_to_pieces(shape, unit, strict)
        if one is None and not whole:
            return _Seen(texts, shapes, found)
        if one is not None and "1" in one.unit:
            # The shape does not tell m2 from m3.
            return _Seen(texts, texts, {text: _taken_to_pieces(text, unit, strict) for text in texts})
    return _Seen(texts, shapes, found)


@cache
def _number_pattern() -> re.Pattern[str]:
    # Its parts begin with different signs, so that it takes a time that is linear in the text.
    return re.compile(
        r"(\(?) *([-+]?) *"
        r"([^0-9()+\-.,' ][^0-9()+\-,' ]{0,4})? *"
        r"(\(?) *([-+]?) *"
        r"([0-9][0-9.,' ]*(?<![, '])|[.,][0-9]+)((?:[eE][-+]?[0-9]{1,3}(?![0-9]))?)"
        r" *(-?) *(\)?) *"
        r"([^0-9()+\-., ][^()]{0,23}?)? *(\)?)"
    )


def _taken_to_pieces(text: str, unit: str, strict: bool) -> _Number | None:
    match = _number_pattern().fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        return None
    opened, sign, before, opened_within, sign_within, core, exponent, trailing, *closed, after, closed_after = (
        part or "" for part in match.groups()
    )
    signs, brackets = sign + sign_within + trailing, opened + opened_within
    if len(brackets) != len("".join(closed) + closed_after) or len(brackets) + len(signs) > 1:
        return None
    if before + after not in ("", unit) and not (_may_stand_before(before) and _may_stand_after(after)):
        return None
    formats = frozenset(pair for pair in FORMATS if _core_pattern(*pair, strict).fullmatch(core + exponent))
    if not formats:
        return None
    negative: Negative = "parentheses" if brackets else "trailing" if trailing else "minus"
    return _Number(core + exponent, before + after, (before, after), negative, formats)


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
    return re.compile(rf"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][-+]?[0-9]{{1,3}})?")


def _may_stand_before(text: str) -> bool:
    return text in ("", "%") or _is_money(text)


def _is_money(unit: str) -> bool:
    return bool(unit) and (unit.casefold() in CURRENCIES or all(unicodedata.category(sign) == "Sc" for sign in unit))


@cache
def _unit_pattern() -> re.Pattern[str]:
    first = r"(?:[^\W\d_]|[%\u2030\u00b0\"'\u2032\u2033])"
    squared, each = r"(?<=[^\W\d_])[123](?!\d)", r"(?<=/)10*(?= ?[^\W\d_])"
    return re.compile(rf"{first}(?:[^\d\n]|{squared}|{each})*")


NO_UNITS = frozenset(("am", "pm", "a.m.", "p.m.", "a.m", "p.m", "e", "h", "q1"))
"""What stands after times and parts of dates, and `e`, which begins an exponent."""


def _may_stand_after(text: str) -> bool:
    if unicodedata.category(text[:1] or "$") == "Sc":
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
