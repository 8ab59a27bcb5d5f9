"""Dates and times as people, programs and spreadsheets write them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from modnet.arrays import Array
from modnet.configuration.fields import Configuration
from modnet.data.shapes import ONES, in_ascii, shapes_of
from modnet.records import Record
from modnet.words import did_you_mean, show

ISO = "iso"

LONGEST = 64
"""A longer text is no date."""

PIVOT = 69
"""A year of two digits from this one on is of the 20th century, an earlier one of the 21st (POSIX)."""

_MONTHS = (
    "january jan januar j\u00e4nner j\u00e4n janvier janv enero ene gennaio gen janeiro",
    "february feb februar f\u00e9vrier f\u00e9vr f\u00e9v fevrier febrero febbraio fevereiro fev",
    "march mar m\u00e4rz m\u00e4r mrz maerz mars marzo mar\u00e7o",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag maio",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug julho",
    "august aug ao\u00fbt aout agosto ago",
    "september sept sep septembre septiembre settembre set setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez d\u00e9cembre d\u00e9c decembre diciembre dic dicembre dezembro",
)

MONTHS = {name: month for month, names in enumerate(_MONTHS, 1) for name in names.split()}
"""Name of a month, whole or short, in English, German, French, Spanish, Italian or Portuguese -> its number."""

_DAYS = (
    "monday mon tuesday tues tue wednesday wed thursday thurs thur thu friday fri saturday sat sunday sun"
    " montag mo dienstag di mittwoch mi donnerstag do freitag fr samstag sonnabend sa sonntag so"
    " lundi lun mardi mar mercredi mer jeudi jeu vendredi ven samedi sam dimanche dim"
    " lunes martes mi\u00e9rcoles mi\u00e9 jueves jue viernes vie s\u00e1bado s\u00e1b domingo dom"
)

ZONES = {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "cet": 1, "cest": 2}
"""Name of a zone, in small letters, -> its hours before UTC: those of RFC 5322, and of central Europe."""


def _names(names: Iterable[str]) -> str:
    """A pattern of names, with or without a point."""
    return "(?:" + "|".join(sorted(names, key=len, reverse=True)) + r")\.?"


DIRECTIVES: Mapping[str, str] = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "m": "[0-9]{1,2}",
    "d": "[0-9]{1,2}",
    "b": _names(MONTHS),
    "B": _names(MONTHS),
    "a": _names(_DAYS.split()),
    "A": _names(_DAYS.split()),
    "G": "[0-9]{4}",
    "V": "[0-9]{2}",
    "j": "[0-9]{1,3}",
    "q": "[0-9]",
    "H": "[0-9]{1,2}",
    "I": "[0-9]{1,2}",
    "M": "[0-9]{2}",
    "S": "[0-9]{2}",
    "f": "[0-9]{1,9}",
    "p": r"[ap]\.?m\.?",
    "z": rf"(?:Z|UTC|GMT|(?:UTC|GMT)?[-+][0-9]{{2}}(?::?[0-9]{{2}})?|{'|'.join(ZONES)})",
}
"""Directive of a date format -> what it stands for.

They are those of `strptime`, and `%q` is the quarter, 1 to 4. A week of ISO 8601, `%G-W%V`, is its Monday.
"""

TWO_DIGITS = frozenset("mdHI")
"""Directives that have two digits where nothing stands between them and other digits, and otherwise one or two."""

DATES = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y %m %d"),
    *("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m.%d.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %m %Y"),
    *("%m/%d/%y", "%d/%m/%y", "%y/%m/%d", "%d.%m.%y", "%m.%d.%y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    *("%d %b %Y", "%d-%b-%Y", "%d/%b/%Y", "%d. %b %Y", "%d %b, %Y", "%d%b%Y", "%Y-%b-%d", "%Y %b %d"),
    *("%d de %b de %Y", "%Y\u5e74%m\u6708%d\u65e5", "%Y\ub144 %m\uc6d4 %d\uc77c"),
    *("%d %b %y", "%d-%b-%y", "%d/%b/%y", "%d%b%y"),
    *("%b %d, %Y", "%b %d %Y", "%b-%d-%Y", "%a %b %d %Y"),
    *("%a, %d %b %Y", "%a %d %b %Y", "%a, %b %d, %Y", "%a %d.%m.%Y", "%a, %d.%m.%Y"),
    *(
        "%Y-%m",
        "%Y/%m",
        "%m/%Y",
        "%m-%Y",
        "%m.%Y",
        "%b %Y",
        "%b-%Y",
        "%b, %Y",
        "%Y %b",
        "%Y-%b",
        "%b-%y",
        "%b%Y",
    ),
    *("%YQ%q", "%Y-Q%q", "%Y Q%q", "%Y/Q%q", "%Y:Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y", "Q%q, %Y"),
    *("%G-W%V", "%GW%V", "%G W%V"),
)
"""The dates that are found, in the order in which they are preferred where a text can be several of them."""

DIGITS = ("%Y%m%d", "%d%m%Y", "%m%d%Y", "%Y%m")
"""Those that are found only in a column that is called a date: they are numbers, too."""

WHOLE = (
    *("%a %b %d %H:%M:%S %Y", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%S%z", "%d/%b/%Y:%H:%M:%S %z"),
    *("%d%b%Y:%H:%M:%S", "%Hh%M"),
)
"""Dates and times that are not a date and then a time: of `ctime`, ISO without marks, logs of web servers, SAS."""

WHOLE_DIGITS = ("%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d %H%M%S")


class DateFormat(Configuration):
    """How the dates of a column are written.

    Attributes:
        date_format: "iso", for 2024-01-31 with or without a time of day (`T14:05`, ` 14:05:30.25`, `Z`, `+02:00`), or a
            format of `strptime`, with `%q` for the quarter: "%d.%m.%Y", "%m/%d/%y %H:%M", "%b %d, %Y", "%YQ%q". Names
            of months and days are whole or short, in English and five other languages, see `MONTHS`. Seconds may have a
            fraction. A date without the time of day that the format has is its midnight; a time without a date is one
            of 1970-01-01.
    """

    date_format: str = ISO

    def check(self) -> None:
        if self.date_format == ISO:
            return
        found = re.findall(r"%(.?)", self.date_format)
        for letter in found:
            if letter != "%" and letter not in DIRECTIVES:
                near = did_you_mean(f"%{letter}", [f"%{known}" for known in DIRECTIVES])
                raise ValueError(
                    f'date_format = {show(self.date_format)}: unknown "%{letter}"{near or "; expected %Y, %m, %d ..."}'
                )
        if not set(found).intersection("YyGHI"):
            raise ValueError(f'date_format = {show(self.date_format)}: expected "iso", or a year or an hour in it')
        if any(found.count(letter) > 1 for letter in DIRECTIVES):
            raise ValueError(f"date_format = {show(self.date_format)}: expected each part once")

    def parse(self, texts: Sequence[str]) -> Array:
        """The texts as times in UTC, datetime64[us] (texts,); NaT where a text is not a date of this format.

        A time without a zone is taken as it is. A day that does not exist (2023-02-30) is not a date.
        """
        tidy = in_ascii(texts)
        times = np.full(len(texts), np.datetime64("NaT", "us"), "M8[us]")
        for match, rows in self._matches(tidy):
            times[rows] = _times(match, [tidy[row] for row in rows])
        return times

    def _matches(self, texts: list[str]) -> Iterator[tuple[re.Match[str], Array]]:
        """The match of each shape of this format, and the positions of the texts that have it."""
        shapes = shapes_of(texts, ONES)
        matches: list[re.Match[str]] = []
        places: dict[str, int] = {}
        for shape in dict.fromkeys(shapes):
            match = self.match(shape)
            places[shape] = -1 if match is None else len(matches)
            matches += [] if match is None else [match]
        if len(places) == 1:
            for match in matches:
                yield match, np.arange(len(shapes))
            return
        place = np.fromiter(map(places.__getitem__, shapes), np.int64, len(shapes))
        rows = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[rows], np.arange(len(matches) + 1))
        for index, match in enumerate(matches):
            yield match, rows[starts[index] : starts[index + 1]]

    def match(self, shape: str) -> re.Match[str] | None:
        """The parts of a text, or of its shape; None if it is not of this format, whatever its digits."""
        if len(shape) > LONGEST:
            return None
        for pattern in _patterns(self.date_format):
            match = _compiled(pattern).fullmatch(shape)
            if match is not None:
                return match
        return None


class DateGuess(Record):
    """The format of a column of dates.

    Attributes:
        format: the format in which they are all dates.
        other: another one in which they are all dates, but other ones, if the texts do not decide: 01/02/2024.
        example: a text that the two read differently.
    """

    format: DateFormat
    other: DateFormat | None = None
    example: str = ""


class DatesShare(Record):
    """How many texts of a column are dates.

    Attributes:
        format: the format in which most are dates, or None if none is.
        share: the share of those that are, 0 to 1.
        faults: the positions of the texts that are not, int64, in order.
    """

    format: DateFormat | None
    share: float
    faults: Array


def find_date_format(
    texts: Sequence[str], *, named: bool = False, order: Array | None = None, day_first: bool | None = None
) -> DateGuess | None:
    """The format in which all of these different texts are dates, or None.

    Whether the day or the month is first is decided by a part above 12; otherwise by `day_first`, or by the order of
    the rows, if one reading of them goes steadily up or down and the other does not; otherwise the month is first
    between slashes and the day between points and hyphens, and the guess has another format.

    Args:
        texts: the different texts of a column, without those that mean that there is no value.
        named: whether the column is called a date (`is_date_name`): then 20240131 is one, and not a number.
        order: the position in `texts` of the value of each row, in the order of the rows, with -1 for none.
        day_first: whether the day is before the month in other columns of the file, where they show it.
    """
    if not texts:
        return None
    tidy = in_ascii(texts)
    if not _may_be_date(tidy[0]):
        return None
    shapes = dict.fromkeys(shapes_of(tidy, ONES))
    fitting = {}
    for one in _fitting(shapes, _candidates(max(shapes, key=len), named)):
        times = one.parse(tidy)
        if not np.isnat(times).any() and _is_plausible(one, times):
            fitting[one] = times
    return _chosen(tidy, fitting, order, day_first) if fitting else None


def _fitting(shapes: Iterable[str], formats: list[DateFormat]) -> list[DateFormat]:
    """The formats that all shapes have: ISO alone, if it is one of them."""
    for shape in shapes:
        formats = [one for one in formats if one.match(shape) is not None]
        if not formats:
            break
    return [one for one in formats if one.date_format == ISO] or formats


def dates_share(texts: Sequence[str], *, named: bool = False) -> DatesShare:
    """The format in which most of these texts are dates, and which are not.

    Args:
        texts: as for `find_date_format`.
        named: as there.
    """
    tidy = in_ascii(texts)
    counts = Counter(shape for shape in shapes_of(tidy, ONES) if _may_be_date(shape))
    commonest = max(counts, key=lambda shape: counts[shape], default="")
    faults = {one: np.isnat(one.parse(tidy)) for one in _candidates(commonest, named)}
    best = min(faults, key=lambda one: np.count_nonzero(faults[one]), default=None)
    found = np.flatnonzero(faults[best]) if best is not None else np.arange(len(texts))
    return DatesShare(best, 1 - len(found) / len(texts) if len(texts) else 0.0, found)


def is_date_name(name: str) -> bool:
    """Whether a column is called a date or a time: `date`, `order_date`, `Datum`, `createdAt`, `timestamp`."""
    words = re.findall("[A-Z]?[a-z]+|[A-Z]+", name)
    return not {word.casefold() for word in words}.isdisjoint(DATE_WORDS)


_DATE_WORDS = (
    "date dates day days month period time timestamp datetime dt ts dob birthday birth born at since until"
    " datum fecha jour giorno dag"
)

DATE_WORDS = frozenset(_DATE_WORDS.split())
"""The words by which `is_date_name` knows the name of a date."""


def _may_be_date(text: str) -> bool:
    return 0 < len(text) <= LONGEST and any(sign in "0123456789" for sign in text)


def _candidates(shape: str, named: bool) -> list[DateFormat]:
    """The formats that a text of this shape may have, in the order in which they are preferred."""
    if not _may_be_date(shape):
        return []
    date, time = _split(shape)
    patterns = [*DATES, *(DIGITS if named else ())] if date else [""]
    made = [ISO, *(pattern + time for pattern in patterns if pattern + time), *WHOLE, *(WHOLE_DIGITS if named else ())]
    return [DateFormat(pattern) for pattern in made if _compiled(pattern).fullmatch(shape)]


def _split(shape: str) -> tuple[str, str]:
    """A date, and the format of the time of day behind it, with what is between them."""
    match = _time_pattern().fullmatch(shape)
    if match is None:
        return shape, ""
    half = match["p"] or match["q"]
    time = ("%I" if half else "%H") + (":%M" if match["M"] else "") + (":%S" if match["S"] else "")
    time = (match["between"] or "") + time + (" %p" if half else "") + (" %z" if match["z"] else "")
    return match["date"] or "", time


@cache
def _time_pattern() -> re.Pattern[str]:
    seconds = r":(?P<S>[0-9]{2})(?:[.,][0-9]{1,9})?"
    half, zone = DIRECTIVES["p"], DIRECTIVES["z"]
    time = rf"(?:[0-9]{{1,2}}:(?P<M>[0-9]{{2}})(?:{seconds})?(?: *(?P<p>{half}))?|[0-9]{{1,2}} *(?P<q>{half}))"
    return re.compile(rf"(?:(?P<date>.*?[^ ,])(?P<between>,? |T))?{time}(?: *(?P<z>{zone}))?", re.IGNORECASE)


@cache
def _patterns(date_format: str) -> tuple[str, ...]:
    """A format, and that of a date alone if a time of day follows the date."""
    if date_format == ISO:
        return (ISO,)
    start = min((place for place in map(date_format.find, ("%H", "%I")) if place > 0), default=0)
    date = date_format[:start].rstrip("T ,")
    return (date_format, date) if "%Y" in date.upper() and "%Y" not in date_format[start:].upper() else (date_format,)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """The pattern of a format. Each of its groups is named by its directive."""
    if pattern == ISO:
        seconds = r":(?P<S>[0-9]{2})(?:[.,](?P<f>[0-9]{1,9}))?"
        time = rf"(?:T| )(?P<H>[0-9]{{2}}):(?P<M>[0-9]{{2}})(?:{seconds})?(?: ?(?P<z>{DIRECTIVES['z']}))?"
        return re.compile(rf"(?P<Y>[0-9]{{4}})-(?P<m>[0-9]{{2}})-(?P<d>[0-9]{{2}})(?:{time})?", re.IGNORECASE)
    parts = re.findall(r"%.|[^%]+|%$", pattern)
    made = [_compiled_part([*parts, ""], place) for place in range(len(parts))]
    return re.compile("".join(made), re.IGNORECASE)


def _compiled_part(parts: list[str], place: int) -> str:
    part, letter = parts[place], parts[place][1:]
    if not part.startswith("%"):
        return " *" if part == " " and parts[place + 1] in ("%p", "%z") else re.escape(part).replace(r"\ ", " +")
    if letter == "%":
        return "%"
    beside = {*parts[max(place - 1, 0) : place], parts[place + 1]}
    digits = "[0-9]{2}" if letter in TWO_DIGITS and beside & _NUMERIC else DIRECTIVES[letter]
    return f"(?P<{letter}>{digits}){_after(letter, parts)}"


def _after(letter: str, parts: list[str]) -> str:
    """What may follow a part: of a day beside the name of a month, `st`, and of seconds, a fraction."""
    if letter == "d" and "%b" in parts:
        return "(?:st|nd|rd|th|er)?"
    return "(?:[.,](?P<f>[0-9]{1,9}))?" if letter == "S" and "%f" not in parts else ""


_NUMERIC = {f"%{letter}" for letter in "YymdjqGVHIMSf"}


# Parts


class _Parts:
    """The parts of texts of one shape, which are at the same places in all of them."""

    def __init__(self, match: re.Match[str], texts: list[str]) -> None:
        width = match.end()
        self.spans = {name: match.span(name) for name, text in match.groupdict().items() if text is not None}
        self.signs = np.array(texts, f"U{width}").view(np.uint32).reshape(len(texts), width)
        self.shape = match.string

    def __contains__(self, name: str) -> bool:
        return name in self.spans

    def word(self, name: str) -> str:
        """A part that is the same in all texts, in small letters; "" without it."""
        first, last = self.spans.get(name, (0, 0))
        return self.shape[first:last].casefold()

    def number(self, name: str, default: int = 0) -> Array:
        """A part of digits, int64 (texts,)."""
        if name not in self.spans:
            return np.full(len(self.signs), default, np.int64)
        return self.digits(range(*self.spans[name]))

    def digits(self, places: Iterable[int]) -> Array:
        value: Array = np.zeros(len(self.signs), np.int64)
        for place in places:
            value = 10 * value + self.signs[:, place] - ord("0")
        return value


def _times(match: re.Match[str], texts: list[str]) -> Array:
    """The times of texts of one shape, whose parts are where this match has them; NaT for what does not exist."""
    parts = _Parts(match, texts)
    days, exists = _days(parts)
    times: Array = days.astype("M8[us]")
    if "H" in parts or "I" in parts:
        since_midnight, is_time = _time_of_day(parts)
        times, exists = times + since_midnight.astype("m8[us]"), exists & is_time
    if "z" in parts:
        offset, is_offset = _offset(parts)
        times, exists = times - offset.astype("m8[us]"), exists & is_offset
    times[~exists] = np.datetime64("NaT", "us")
    return times


def _days(parts: _Parts) -> tuple[Array, Array]:
    """The days, datetime64[D], and which of them exist."""
    if "G" in parts:
        return _weeks(parts)
    year = parts.number("Y", 1970)
    if "y" in parts:
        year = parts.number("y")
        year = year + np.where(year >= PIVOT, 1900, 2000)
    month = parts.number("m", 1)
    name = parts.word("b") or parts.word("B")
    if name:
        month[:] = MONTHS.get(name.rstrip("."), 0)  # 0: a dotless i counts for an i in patterns
    if "q" in parts:
        month = 3 * parts.number("q") - 2
    exists = (year >= 1) & (month >= 1) & (month <= 12)
    months = (12 * (year - 1970) + month - 1).astype("M8[M]")
    day, begin = parts.number("d", 1), months
    if "j" in parts:
        day, begin = parts.number("j"), months.astype("M8[Y]")
    days = begin.astype("M8[D]") + (day - 1)
    return days, exists & (days.astype(begin.dtype) == begin)


def _weeks(parts: _Parts) -> tuple[Array, Array]:
    """The Mondays of weeks of ISO 8601, and which of the weeks exist: the first has the 4th of January."""
    year, week = parts.number("G"), parts.number("V", 1)
    fourth = (year - 1970).astype("M8[Y]").astype("M8[D]").astype(np.int64) + 3
    monday = fourth - (fourth + 3) % 7 + 7 * (week - 1)
    in_year = (monday + 3).astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970 == year
    return monday.astype("M8[D]"), in_year & (year >= 1) & (week >= 1)


def _time_of_day(parts: _Parts) -> tuple[Array, Array]:
    """Microseconds since midnight, and which of these times exist."""
    hour, minute, second = parts.number("H"), parts.number("M"), parts.number("S")
    exists = (hour < 24) & (minute < 60) & (second < 60)
    if "I" in parts:
        hour = parts.number("I")
        exists &= (hour >= 1) & (hour <= 12)
        hour = hour % 12 + 12 * parts.word("p").startswith("p")
    first, last = parts.spans.get("f", (0, 0))
    places = min(last - first, 6)
    fraction = parts.digits(range(first, first + places)) * 10 ** (6 - places)
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction, exists


def _offset(parts: _Parts) -> tuple[Array, Array]:
    """How many microseconds the zone is ahead of UTC, and which of these zones exist."""
    first, _ = parts.spans.get("z", (0, 0))
    zone = parts.word("z")
    if zone in ZONES:
        hours = np.full(len(parts.signs), ZONES[zone], np.int64)
        return hours * 3_600_000_000, hours < 24
    places = [first + place for place, sign in enumerate(zone) if sign.isdigit()]
    hours, minutes = parts.digits(places[:2]), parts.digits(places[2:])
    ahead = (hours * 60 + minutes) * 60_000_000
    return -ahead if "-" in zone else ahead, (hours < 24) & (minutes < 60)


# Choice


def _is_plausible(written: DateFormat, times: Array) -> bool:
    """Whether numbers that might be dates are: those of two centuries."""
    if written.date_format not in (*DIGITS, *WHOLE_DIGITS):
        return True
    years = times.astype("M8[Y]").astype(np.int64) + 1970
    return bool(np.all((years >= 1900) & (years < 2100)))


def _chosen(
    texts: list[str], fitting: Mapping[DateFormat, Array], order: Array | None, day_first: bool | None
) -> DateGuess:
    """The best of the formats in which all texts are dates."""
    formats = list(fitting)
    best = formats[0]
    others = [one for one in formats if _order_of(one) != _order_of(best)]
    if not others:
        return DateGuess(best)
    decided = _decided(fitting, [best, *others], order, day_first)
    if decided is not None:
        return DateGuess(decided)
    best, other = sorted((best, others[0]), key=lambda one: _rank(one, fitting[one]))
    differing = np.flatnonzero(fitting[best] != fitting[other])
    return DateGuess(best, other, texts[differing[0] if len(differing) else 0])


def _decided(
    fitting: Mapping[DateFormat, Array], formats: list[DateFormat], order: Array | None, day_first: bool | None
) -> DateFormat | None:
    """The format for which something speaks, if there is one: other columns, the order of the rows, the span."""
    for one in formats:
        if day_first is not None and _is_day_first(one) is day_first:
            return one
    if order is not None:
        steady = [one for one in formats if _is_steady(fitting[one][order[order >= 0]])]
        if len(steady) == 1:
            return steady[0]
    least, next_to_it = sorted(formats, key=lambda one: _span(fitting[one]))[:2]
    clear = LITTLE * _span(fitting[least]) < _span(fitting[next_to_it])
    return least if clear and len(fitting[least]) >= FEW else None


FEW, LITTLE = 8, 3
"""From so many texts on, a reading with less than one part in `LITTLE` of the span of the other is right: what is read
as a year is then the day.
"""


def _rank(written: DateFormat, times: Array) -> tuple[int, bool]:
    """What is smaller for a better reading: its span in whole years, and the order that is usual with its marks."""
    between_slashes = "/" in written.date_format
    return int(_span(times) // np.timedelta64(400, "D")), _is_day_first(written) is between_slashes


def _span(times: Array) -> np.timedelta64:
    span: np.timedelta64 = times.max() - times.min()
    return span


def _order_of(written: DateFormat) -> str:
    """The parts of its dates in their order: `mdy`."""
    return (
        "ymd" if written.date_format == ISO else "".join(re.findall("%([YyGmdbqjV])", written.date_format)).casefold()
    )


def _is_day_first(written: DateFormat) -> bool | None:
    """Whether the day stands before the month; None without either as a number."""
    order = _order_of(written)
    return order.index("d") < order.index("m") if "d" in order and "m" in order else None


def _is_steady(times: Array) -> bool:
    """Whether times go up, or down, all the way, and not by chance."""
    steps = np.diff(times)
    zero = np.timedelta64(0, "us")
    return len(times) > 3 and bool((steps != zero).any()) and bool((steps >= zero).all() or (steps <= zero).all())
