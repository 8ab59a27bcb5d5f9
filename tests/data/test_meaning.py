"""What a column of texts is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modnet.data.dates import DateFormat
from modnet.data.meaning import Hints, meaning_of
from modnet.data.numbers import NumberFormat

KINDS = [
    (["", "NA", " "], "nothing"),
    (["1", "2.5", "NA"], "number"),
    (["$1", "$2", "-", "none"], "number"),
    (["2024-01-31", "-"], "date"),
    (["12:30", "NA"], "date"),
    (["yes", "No", ""], "boolean"),
    (["TRUE", "false"], "boolean"),
    (["00501", "12345"], "code"),
    (["none", "wood", "-"], "text"),
    (["none", "-", "."], "text"),
    (["yes", "perhaps"], "text"),
    (["y", "z"], "text"),
    (["A1", "B2"], "text"),
    (["5 kg", "6 lb"], "text"),
]


@pytest.mark.parametrize(("texts", "kind"), KINDS, ids=[" ".join(texts) for texts, _ in KINDS])
def test_kinds(texts, kind):
    assert meaning_of(texts).kind == kind


def test_numbers_say_whether_they_are_plain():
    assert meaning_of(["1", "2"]).plain
    found = meaning_of(["1,5", "NA", "-", "2"])
    assert not found.plain
    assert found.number.format == NumberFormat(decimal=",")
    assert found.missing.tolist() == [False, True, True, False]


def test_texts_that_may_be_values_are_values_among_texts():
    assert meaning_of(["none", "wood", ""]).missing.tolist() == [False, False, True]


def test_the_missing_values_may_be_given():
    assert meaning_of(["1", "x"], ["x"]).missing.tolist() == [False, True]
    assert meaning_of(["1", "NA"], []).kind == "text"


def test_digits_are_dates_in_a_column_that_is_called_so():
    texts = ["20240131", "20240201", ""]
    assert meaning_of(texts).kind == "number"
    assert meaning_of(texts, hints=Hints("order_date")).date.format == DateFormat("%Y%m%d")
    assert meaning_of(["3", "4"], hints=Hints("day")).kind == "number"


def test_hints_decide():
    assert meaning_of(["1,234", "NA"], hints=Hints(decimal=",")).number.format == NumberFormat(decimal=",")
    assert meaning_of(["01/02/2024"], hints=Hints(day_first=True)).date.format == DateFormat("%d/%m/%Y")
    texts = ["NA", "01/02/2024", "02/02/2024", "03/02/2024", "01/03/2024"]
    assert meaning_of(texts).date.other is not None
    found = meaning_of(texts, hints=Hints(order=np.array([1, 0, 2, 3, -1, 4])))
    assert found.date.format == DateFormat("%d/%m/%Y")
    assert found.date.other is None


def test_faults_of_nearly_all_numbers():
    texts = ["NA", *(f"${number}" for number in range(20)), "x"]
    found = meaning_of(texts)
    assert found.kind == "text"
    assert found.faulty_numbers.format == NumberFormat(unit="$")
    assert found.faulty_numbers.faults.tolist() == [21]
    dates = meaning_of([*(f"2024-01-{day:02}" for day in range(1, 31)), "2024-02-30"])
    assert dates.faulty_dates.faults.tolist() == [30]


@given(st.lists(st.sampled_from(["", "NA", "-", "none", "1", "$1", "2024-01-31", "x", "00"]) | st.text(), unique=True))
def test_any_texts(texts):
    found = meaning_of(texts, hints=Hints("date", np.arange(-1, len(texts))))
    assert found.missing.shape == (len(texts),)
    assert (found.kind == "number") == (found.number is not None)
    assert (found.kind == "date") == (found.date is not None)
