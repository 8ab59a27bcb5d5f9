"""Dates and times as people, programs and spreadsheets write them."""

import datetime
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modnet.data.dates import DATES, DIRECTIVES, DateFormat, dates_share, find_date_format, is_date_name
from modnet.errors import SpecError

FOUND = [
    (["2024-01-31", "2023-02-28"], "iso", ["2024-01-31", "2023-02-28"]),
    (["2024-01-31", "2024-01-31T14:05", "2024-01-31 14:05:30.25"], "iso", None),
    (["2024-01-31T14:05:00Z", "2024-01-31T14:05:00+02:00"], "iso", ["2024-01-31T14:05", "2024-01-31T12:05"]),
    (["2024-01-31 14:05:00 UTC", "2024-01-31 14:05:00-0130"], "iso", ["2024-01-31T14:05", "2024-01-31T15:35"]),
    (["2024-1-5", "2024-12-31"], "%Y-%m-%d", ["2024-01-05", "2024-12-31"]),
    (["2024/01/31"], "%Y/%m/%d", ["2024-01-31"]),
    (["31.12.2024", "1.2.2024"], "%d.%m.%Y", ["2024-12-31", "2024-02-01"]),
    (["31.12.24 14:05", "01.02.24 00:00"], "%d.%m.%y %H:%M", ["2024-12-31T14:05", "2024-02-01"]),
    (["31/12/2024", "01/02/2024"], "%d/%m/%Y", ["2024-12-31", "2024-02-01"]),
    (["12/31/2024", "01/02/2024"], "%m/%d/%Y", ["2024-12-31", "2024-01-02"]),
    (["31-12-2024"], "%d-%m-%Y", ["2024-12-31"]),
    (["1/31/24 14:05", "2/1/24 0:00"], "%m/%d/%y %H:%M", ["2024-01-31T14:05", "2024-02-01"]),
    (["1/31/1999", "2/1/2000"], "%m/%d/%Y", ["1999-01-31", "2000-02-01"]),
    (["12/31/68", "12/31/69"], "%m/%d/%y", ["2068-12-31", "1969-12-31"]),
    (["1/31/2024 2:05:30 PM", "1/31/2024 12:00:00 am"], "%m/%d/%Y %I:%M:%S %p", None),
    (["31 Jan 2024", "1 february 2023"], "%d %b %Y", ["2024-01-31", "2023-02-01"]),
    (["Jan 31, 2024", "Sept. 5, 2024"], "%b %d, %Y", ["2024-01-31", "2024-09-05"]),
    (["Tuesday, January 9, 2024"], "%a, %b %d, %Y", ["2024-01-09"]),
    (["31JAN2024"], "%d%b%Y", ["2024-01-31"]),
    (["January 2024", "Feb 2023"], "%b %Y", ["2024-01-01", "2023-02-01"]),
    (["Jan-24", "Feb-24"], "%b-%y", ["2024-01-01", "2024-02-01"]),
    (["2024-01", "2023-12"], "%Y-%m", ["2024-01-01", "2023-12-01"]),
    (["2024Q1", "2023q4"], "%YQ%q", ["2024-01-01", "2023-10-01"]),
    (["Q3 2024"], "Q%q %Y", ["2024-07-01"]),
    (["14:05", "2:30", "23:59"], "%H:%M", ["1970-01-01T14:05", "1970-01-01T02:30", "1970-01-01T23:59"]),
    (["2:05 PM", "12:00am"], "%I:%M %p", ["1970-01-01T14:05", "1970-01-01T00:00"]),
    (["12 pm", "12 a.m."], "%I %p", ["1970-01-01T12:00", "1970-01-01T00:00"]),
    (["Fri Jan  5 14:05:00 2024"], "%a %b %d %H:%M:%S %Y", ["2024-01-05T14:05"]),
    (["Fri, 05 Jan 2024 14:05:00 +0100"], "%a, %d %b %Y %H:%M:%S %z", ["2024-01-05T13:05"]),
    (["05/Jan/2024:14:05:00 +0000"], "%d/%b/%Y:%H:%M:%S %z", ["2024-01-05T14:05"]),
    (["20240131T140500Z"], "%Y%m%dT%H%M%S%z", ["2024-01-31T14:05"]),
    (["January 1st, 2024", "Feb 22nd, 2024"], "%b %d, %Y", ["2024-01-01", "2024-02-22"]),
    (["15. M\xe4rz 2024", "1. Mai 2024"], "%d. %b %Y", ["2024-03-15", "2024-05-01"]),
    (["1er ao\xfbt 2024", "3 D\xc9CEMBRE 2024"], "%d %b %Y", ["2024-08-01", "2024-12-03"]),
    (["Mo 15.01.2024", "Di. 16.01.2024"], "%a %d.%m.%Y", ["2024-01-15", "2024-01-16"]),
    (["15 de enero de 2024"], "%d de %b de %Y", ["2024-01-15"]),
    (["2024\u5e741\u670831\u65e5"], "%Y\u5e74%m\u6708%d\u65e5", ["2024-01-31"]),
    (["31JAN2024:14:05:00"], "%d%b%Y:%H:%M:%S", ["2024-01-31T14:05"]),
    (["2024-01-31 14:05:00 CET", "2024-07-31 14:05:00 CEST"], "iso", ["2024-01-31T13:05", "2024-07-31T12:05"]),
    (["2024-W05", "2020-W53"], "%G-W%V", ["2024-01-29", "2020-12-28"]),
    (["14h05", "9h30"], "%Hh%M", ["1970-01-01T14:05", "1970-01-01T09:30"]),
    (["31/12/2024", "30/12/2024 14:05"], "%d/%m/%Y %H:%M", ["2024-12-31", "2024-12-30T14:05"]),
    (["\u0662\u0660\u0662\u0664-\u0660\u0661-\u0663\u0661"], "iso", ["2024-01-31"]),
    (["9999-12-31", "0001-01-01"], "iso", ["9999-12-31", "0001-01-01"]),
]


@pytest.mark.parametrize(("texts", "expected", "times"), FOUND, ids=[texts[-1] for texts, _, _ in FOUND])
def test_formats_are_found(texts, expected, times):
    guess = find_date_format(texts)
    assert guess.format == DateFormat(expected)
    assert guess.other is None
    found = guess.format.parse(texts)
    assert found.dtype == "M8[us]"
    assert not np.isnat(found).any()
    if times is not None:
        np.testing.assert_array_equal(found, np.array(times, "M8[us]"))


@pytest.mark.parametrize(
    ("texts", "expected", "other"),
    [
        (["01/02/2024", "05/05/2024"], "%m/%d/%Y", "%d/%m/%Y"),
        (["05/05/2024"], "%m/%d/%Y", "%d/%m/%Y"),
        (["01-02-2024"], "%d-%m-%Y", "%m-%d-%Y"),
        (["01.02.2024 14:05"], "%d.%m.%Y %H:%M", "%m.%d.%Y %H:%M"),
        (["24-01-31", "25-12-01"], "%y-%m-%d", "%d-%m-%y"),
    ],
)
def test_what_the_texts_do_not_decide(texts, expected, other):
    guess = find_date_format(texts)
    assert (guess.format.date_format, guess.other.date_format) == (expected, other)
    assert guess.example == texts[0]


def test_other_columns_decide_which_is_the_day():
    assert find_date_format(["01/02/2024"], day_first=True).format == DateFormat("%d/%m/%Y")
    assert find_date_format(["01/02/2024"], day_first=False).other is None
    assert find_date_format(["12/31/2024"], day_first=True).format == DateFormat("%m/%d/%Y")


def test_the_order_of_the_rows_decides_which_is_the_day():
    texts = ["01/02/2024", "02/02/2024", "03/02/2024", "01/03/2024", "02/03/2024"]
    guess = find_date_format(texts, order=np.array([0, 1, 1, -1, 2, 3, 4]))
    assert guess.format == DateFormat("%d/%m/%Y")
    assert guess.other is None
    assert find_date_format(texts, order=np.array([0, 4, 1, 3, 2])).other is not None


def test_a_part_with_many_values_is_the_day():
    days = [f"{day:02}-11-{year}" for year in (22, 23, 24) for day in range(1, 31)]
    guess = find_date_format(days)
    assert guess.format == DateFormat("%d-%m-%y")
    assert guess.other is None


NO_DATES = [
    [],
    [""],
    ["5"],
    ["2024"],
    ["1.5", "2.5"],
    ["1.2", "3.4"],
    ["20240131"],
    ["2023-02-30"],
    ["2024-13-01"],
    ["0000-01-01"],
    ["29/02/2023"],
    ["2024Q5"],
    ["2023-W53"],
    ["2024-W00"],
    ["25:00"],
    ["12:60"],
    ["13:00 PM"],
    ["12/31/2024", "31/12/2024"],
    ["31/12/2024", "31.12.2024"],
    ["2024-01-31", "soon"],
    ["May"],
    ["Set 12", "Set 13"],
    ["may 5x"],
    ["5 Apr\u0131l 2024"],
    ["hello 5"],
    ["192.168.1.1"],
    ["2024-01-31T25:00"],
    ["2024-01-31 14:05:00+99:00"],
    ["2024-01-31\n"[:-1] + "\n2024-01-31"],
    ["5" * 65],
]


@pytest.mark.parametrize("texts", NO_DATES, ids=" ".join)
def test_what_is_no_column_of_dates(texts):
    assert find_date_format(texts) is None


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["20240131", "19991231"], "%Y%m%d"),
        (["31122024", "01012025"], "%d%m%Y"),
        (["202401", "202312"], "%Y%m"),
        (["20240131140500"], "%Y%m%d%H%M%S"),
        (["12345678"], None),
        (["20241301"], None),
        (["2024"], None),
    ],
)
def test_digits_are_dates_in_a_column_that_is_called_so(texts, expected):
    guess = find_date_format(texts, named=True)
    assert (guess and guess.format.date_format) == expected


def test_names_of_dates():
    assert all(map(is_date_name, ["date", "Order_Date", "createdAt", "TIMESTAMP", "birth day", "saleDate", "dt"]))
    assert not any(map(is_date_name, ["candidate", "lat", "update_count"[:6], "Datatype", "", "x1"]))


def test_how_many_are_dates():
    share = dates_share(["2024-01-31", "2023-02-30", "2024-02-01 14:05", "soon"])
    assert share.format == DateFormat()
    assert share.share == 0.5
    assert share.faults.tolist() == [1, 3]
    assert dates_share(["a"]).format is None
    assert dates_share([]).share == 0


@pytest.mark.parametrize(
    ("written", "text", "time"),
    [
        ("%Y", "2024", "2024-01-01"),
        ("%Y%m%d", "20240131", "2024-01-31"),
        ("%Y%m%d", "2024131", "NaT"),
        ("%Y-%j", "2024-366", "2024-12-31"),
        ("%Y-%j", "2023-366", "NaT"),
        ("%d.%m.%Y", "31.4.2024", "NaT"),
        ("%d.%m.%Y", "1.4.24", "NaT"),
        ("%H:%M:%S", "14:05:30.123456789", "1970-01-01T14:05:30.123456"),
        ("%d%%%m%%%Y", "31%12%2024", "2024-12-31"),
        ("%d (%m) %Y", "31  (12) 2024", "2024-12-31"),
        ("%Y-%m-%d %H:%M:%S.%f", "2024-01-31 14:05:30.5", "2024-01-31T14:05:30.5"),
        ("%Y-%m-%d %H:%M", " 2024-01-31 ", "2024-01-31"),
        ("iso", "2024-01-31 14", "NaT"),
        ("iso", "now", "NaT"),
        ("iso", "", "NaT"),
    ],
)
def test_texts_are_read_in_a_format(written, text, time):
    np.testing.assert_array_equal(DateFormat(written).parse([text]), np.array([time], "M8[us]"))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("%Q%Y", 'unknown "%Q"; did you mean "%q"?'),
        ("dd.mm.yyyy", 'expected "iso", or a year or an hour in it'),
        ("%Y-%Y", "expected each part once"),
        ("%Y-%", 'unknown "%"'),
    ],
)
def test_faults_of_a_format(written, message):
    with pytest.raises(SpecError) as raised:
        DateFormat(written)
    assert message in str(raised.value)


# Round trips

DAYS = st.lists(st.dates(datetime.date(1970, 1, 1), datetime.date(2060, 12, 31)), min_size=1, max_size=6, unique=True)
SECONDS = st.integers(0, 86_399)
TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S.%f", " %H:%M:%S %z")


def strftime(moment, pattern):
    moment = moment.replace(tzinfo=datetime.UTC)
    return moment.strftime(pattern.replace("%q", str((moment.month + 2) // 3)))


@given(st.sampled_from(DATES), st.sampled_from(TIMES), DAYS, SECONDS)
def test_dates_come_back_from_their_format(date, time_of_day, days, second):
    written = DateFormat(date + time_of_day)
    moments = [datetime.datetime.combine(day, datetime.time()) + datetime.timedelta(seconds=second) for day in days]
    texts = [strftime(moment, written.date_format) for moment in moments]
    found = written.parse(texts)
    assert not np.isnat(found).any()
    assert [strftime(moment, written.date_format) for moment in found.tolist()] == texts


@given(st.sampled_from(DATES), st.sampled_from(TIMES), DAYS, SECONDS)
def test_the_format_that_is_found_gives_the_dates(date, time_of_day, days, second):
    time_of_day = time_of_day.replace(".%f", "")
    pattern = date + time_of_day
    moments = [datetime.datetime.combine(day, datetime.time()) + datetime.timedelta(seconds=second) for day in days]
    texts = [strftime(moment, pattern) for moment in moments]
    guess = find_date_format(texts)
    assert guess is not None
    expected = DateFormat(pattern).parse(texts)
    found = [one.parse(texts).tolist() for one in (guess.format, guess.other) if one is not None]
    assert expected.tolist() in found or "%y" in date


@given(DAYS)
def test_weeks_are_those_of_the_calendar(days):
    mondays = [day - datetime.timedelta(day.weekday()) for day in days]
    texts = [f"{day.isocalendar().year}-W{day.isocalendar().week:02}" for day in days]
    assert DateFormat("%G-W%V").parse(texts).astype("M8[D]").tolist() == mondays


@given(st.lists(st.text() | st.text("0123456789-/.: TZJanPM+Q"), max_size=4), st.booleans())
def test_any_texts(texts, named):
    guess = find_date_format(texts, named=named)
    share = dates_share(texts, named=named)
    assert 0 <= share.share <= 1
    if guess is not None:
        assert not np.isnat(guess.format.parse(texts)).any()
    for pattern in ("iso", "%d.%m.%Y %H:%M", "%b %d, %Y", "%Y%m%d"):
        assert DateFormat(pattern).parse(texts).shape == (len(texts),)


PIECES = st.sampled_from([f"%{letter}" for letter in (*DIRECTIVES, "%", "x")]) | st.text(max_size=2)


@given(st.lists(PIECES, max_size=5).map("".join))
def test_any_format(pattern):
    try:
        written = DateFormat(pattern)
    except SpecError:
        return
    assert written.parse(["2024", pattern]).shape == (2,)


@given(st.lists(st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2250, 1, 1)), min_size=1, max_size=5))
def test_as_pandas_reads_them(moments):
    pandas = pytest.importorskip("pandas")
    texts = [str(moment) for moment in moments]
    expected = pandas.to_datetime(pandas.Series(texts), format="ISO8601")
    np.testing.assert_array_equal(DateFormat().parse(texts), expected.to_numpy("M8[us]"))


@given(st.text("0123-T: ", min_size=1, max_size=12), st.sampled_from(("%Y-%m-%d", "%d/%m/%y", "%H:%M")))
def test_what_strptime_reads_is_read_alike(text, pattern):
    try:
        expected = datetime.datetime.strptime(text, pattern)
    except ValueError:
        expected = None
    (found,) = DateFormat(pattern).parse([text]).tolist()
    if found is not None and expected is not None:
        assert found.time() == expected.time()
        assert pattern == "%H:%M" or found == expected


@pytest.mark.parametrize("text", ["1" * 400_000, "1 " * 200_000, " " * 400_000 + "1", "Jan " * 100_000, "1:" * 200_000])
def test_a_hostile_text_takes_no_long_time(text):
    begin = time.perf_counter()
    assert find_date_format([text, "2024-01-31"]) is None
    assert find_date_format(["2024-01-31", text]) is None
    dates_share(["2024-01-31", text])
    assert time.perf_counter() - begin < 1
