"""Texts by chance mean the same numbers, dates and categories to the JavaScript reader as to modnet."""

import random

import numpy as np
import pytest

from modnet.data.dates import DATES, DIGITS, WHOLE, DateFormat
from modnet.data.numbers import NumberFormat
from modnet.data.values import category_key, text_of

SIGNS = [
    *"0123456789" * 3,
    *".,' -+()eE$€%kKmM",
    "kg",
    "EUR",
    "million",
    "\N{NO-BREAK SPACE}",
    "\N{MINUS SIGN}",
    "٣",
    "st",
    "m2",
]
NUMBERS = [
    "1234",
    "1,234",
    "1.234,5",
    "1'234",
    "12,34,567",
    "0",
    "007",
    "1 234,5",
    "3.",
    "1e3",
    ".5",
    "-.5",
    "1e400",
    "1,5",
]
BEFORE = ["", "", "-", "+", "(", "$ ", "€", "USD ", "%", " "]
BEHIND = ["", "", " kg", "kg", "%", " %", ")", "-", " EUR", "k", " million", " m2", " m3", " °C", "st", "e"]

FORMATS = [
    *({}, {"decimal": ","}, {"decimal": ",", "thousands": "."}, {"thousands": ","}, {"thousands": "'"}),
    *({"decimal": ",", "thousands": " "}, {"unit": "kg"}, {"unit": "%"}, {"unit": "k"}, {"unit": "m2"}, {"unit": "°C"}),
    *({"unit": "EUR", "negative": "parentheses"}, {"negative": "trailing"}, {"unit": "million"}),
]

PARTS = {
    "%Y": ["0001", "1969", "1999", "2000", "2024", "9999"],
    "%y": [f"{year:02d}" for year in range(100)],
    "%m": ["1", "02", "6", "12", "13", "0"],
    "%d": ["1", "05", "28", "29", "30", "31", "32"],
    "%b": ["Jan", "february", "März", "sept", "Okt.", "dez", "juillet", "avr.", "May"],
    "%a": ["Mon", "Dienstag", "sam", "Sun."],
    "%G": ["2020", "2021"],
    "%V": ["01", "20", "53", "54"],
    "%j": ["1", "60", "365", "366", "0"],
    "%q": ["1", "4", "5"],
    "%H": ["00", "12", "23", "24"],
    "%I": ["1", "12", "13"],
    "%M": ["00", "59", "60"],
    "%S": ["00", "59", "30.5", "30,123456789", "60"],
    "%p": ["am", "PM", "p.m."],
    "%z": ["Z", "+02:00", "-0530", "EST", "utc", "+25:00"],
}
WITH_TIMES = ("%d.%m.%Y %H:%M", "%m/%d/%y %I:%M %p", "%Y-%m-%d %H:%M:%S %z", "%H:%M", "%j %Y", "%d %b %Y %H:%M:%S")


def number_texts(count):
    rng = random.Random(1)
    made = ["".join(rng.choices(SIGNS, k=rng.randint(1, 9))) for _ in range(count)]
    return made + [rng.choice(BEFORE) + rng.choice(NUMBERS) + rng.choice(BEHIND) for _ in range(count)]


@pytest.mark.parametrize("options", FORMATS, ids=str)
def test_numbers(reader, options):
    texts = number_texts(300)
    written = NumberFormat(**options)
    found = reader.ask("numbers", texts=texts, format=written.plain())
    np.testing.assert_array_equal(np.array(found, float), written.parse(texts))


def date_texts(written, count):
    rng = random.Random(written)
    for _ in range(count):
        text = rng.choice([written, written, "%Y-%m-%d", "%Y-%m-%d %H:%M"])
        for part, values in PARTS.items():
            text = text.replace(part, rng.choice(values))
        yield rng.choice(["", "", " "]) + text + rng.choice(["", "", "", " ", "x", " 10:00", "T10:00:00Z"])


def test_dates(reader):
    for written in (*DATES, *DIGITS, *WHOLE, *WITH_TIMES):
        texts = list(date_texts(written, 60))
        times = DateFormat(written).parse(texts)
        of_iso = DateFormat().parse(texts)
        times[np.isnat(times)] = of_iso[np.isnat(times)]
        expected = [None if np.isnat(time) else str(time.astype(np.int64)) for time in times]
        assert reader.ask("dates", texts=texts, format=written) == expected, written


def test_categories(reader):
    # Scripts that have had their letters for long: node and Python do not know the same version of Unicode.
    letters = [chr(code) for codes in (range(0x0600), range(0x13A0, 0x1400), range(0x1E00, 0x2000)) for code in codes]
    texts = [*number_texts(500), *letters, "Straße", "\u0130stanbul", "ΣΑΣ"]
    assert reader.ask("keys", texts=texts) == [category_key(text) for text in texts]


def test_numbers_as_texts(reader):
    rng = np.random.default_rng(0)
    values = (rng.standard_normal(500) * 10.0 ** rng.integers(-25, 25, 500)).tolist()
    values += [1e16, 1e15, 123456789012345680000.0, 1e22, 2.0**53, -0.0, 1e-5, 0.0001, 1.5e300, True, 3]
    assert reader.ask("texts", values=values) == [text_of(value) for value in values]
