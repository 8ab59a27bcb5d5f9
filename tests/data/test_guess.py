"""What a careful analyst takes a column for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modnet.data.guess import are_classes, guess_column, guess_columns
from modnet.data.table import Table

ROWS = 60


def guess(values, name="x", **others):
    return guess_columns(Table({name: values, **others}))[name]


def numbered(form):
    return [form(n) for n in range(ROWS)]


@pytest.mark.parametrize(
    ("values", "kind", "options"),
    [
        (numbered(lambda n: f"{n * 0.37:.2f}"), "number", {}),
        (numbered(lambda n: n * 0.37), "number", {}),
        (numbered(lambda n: f"${1000 + n:,}.50"), "number", {"unit": "$", "thousands": ","}),
        (numbered(lambda n: f"{n * 0.37:.1f}%"), "number", {"unit": "%"}),
        (numbered(lambda n: f"{n * 0.37:.2f} kg"), "number", {"unit": "kg"}),
        (numbered(lambda n: f"({n}.5)"), "number", {"negative": "parentheses"}),
        (numbered(lambda n: f"{n * 0.37:.2f}".replace(".", ",")), "number", {"decimal": ","}),
        (numbered(lambda n: f"2024-{1 + n % 12:02}-{1 + n % 28:02}"), "date", {}),
        (numbered(lambda n: f"{1 + n % 28:02}.{1 + n % 12:02}.2024"), "date", {"date_format": "%d.%m.%Y"}),
        (numbered(lambda n: np.datetime64("2024-01-01") + np.timedelta64(n, "D")), "date", {}),
        (numbered(lambda n: ("red", "green")[n % 2]), "category", {}),
        (numbered(lambda n: bool(n % 2)), "category", {}),
        (numbered(lambda n: ("00501", "01002", "10001")[n % 3]), "category", {}),
    ],
)
def test_kinds(values, kind, options):
    found = guess(values)
    assert (found.kind, found.left_out) == (kind, "")
    for name, value in options.items():
        assert getattr(found.column, name) == value


@pytest.mark.parametrize("gap", ["-", ".", "n/d", "unknown", "12O"])
def test_a_few_texts_among_numbers_stand_for_missing_values(gap):
    found = guess([gap, *numbered(lambda n: f"{n * 0.37:.2f}")])
    assert found.kind == "number"
    assert found.column.missing_values == (gap,)
    assert found.profile.missing == 1
    assert gap in found.notes[-1]


def test_such_texts_are_categories_among_texts():
    found = guess(["none", "wood", "wire"] * 20)
    assert (found.kind, found.column, found.profile.missing) == ("category", None, 0)


def test_a_dash_among_words_stands_for_a_missing_value():
    found = guess(["male", "-", "female", "unknown"] * 15)
    assert (found.kind, found.column.missing_values, found.profile.missing) == ("category", ("-",), 15)
    assert guess(["+", "-"] * 30).column is None


def test_days_without_signs_between_are_dates_where_the_name_says_so():
    days = numbered(lambda n: 20240101 + n % 28)
    for values in (days, [*map(str, days)]):
        assert guess(values, "order_date").column.date_format == "%Y%m%d"
        assert guess(values, "amount").kind == "number"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (numbered(lambda n: f"pet {n}"), "60 different texts"),
        (numbered(lambda n: f"pet {n // 1.5}"), "40 different texts"),
        (numbered(lambda n: n + 1), "a running number"),
        ([None] * ROWS, "every value is missing"),
        (["here"] * ROWS, "always the same"),
    ],
)
def test_what_tells_nothing_about_other_rows_is_left_out(values, why):
    assert guess(values).left_out == why


def test_numbers_that_name_the_rows():
    scrambled = numbered(lambda n: n * 7919 % 10007)
    assert guess(scrambled, "customer_id").left_out == "a number that names the rows"
    assert guess(scrambled, "income").left_out == ""


def test_other_columns_of_the_file_decide():
    ambiguous = numbered(lambda n: f"{n + 1},234")
    assert guess(ambiguous).column.thousands == ","
    assert guess(ambiguous, y=numbered(lambda n: f"{n},5")).column.decimal == ","
    days = ["01/02/2024", "03/04/2024"] * 30
    assert guess(days).column.date_format == "%m/%d/%Y"
    assert guess(days, y=["31/12/2023", "30/11/2023"] * 30).column.date_format == "%d/%m/%Y"


def test_what_is_ambiguous_is_said():
    assert any('"01/02/2024"' in note for note in guess(["01/02/2024", "03/04/2024"] * 30).notes)


# Targets


def task(values, name="y"):
    table = Table({name: values})
    found = guess_column(table, name)
    counts = np.unique(table.columns[name].values[~found.profile.gaps], return_counts=True)[1]
    return are_classes(name, found, counts)


@pytest.mark.parametrize("rows", [50, 150, 600, 5000])
@pytest.mark.parametrize(
    ("draw", "classes"),
    [
        (lambda rng, n: rng.poisson(1.7, n), False),
        (lambda rng, n: rng.poisson(0.4, n), False),
        (lambda rng, n: rng.integers(0, 10, n), True),
        (lambda rng, n: rng.integers(0, 2, n), True),
        (lambda rng, n: rng.integers(1, 4, n), True),
        (lambda rng, n: rng.normal(5.6, 0.8, n).round().clip(3, 8), False),
        (lambda rng, n: rng.integers(2005, 2010, n), False),
        (lambda rng, n: rng.choice([4.0, 6.0, 8.0], n), False),
        (lambda rng, n: rng.normal(size=n), False),
        (lambda rng, n: rng.choice(["a", "b", "c"], n), True),
    ],
)
def test_every_sample_of_a_table_has_its_task(rows, draw, classes):
    assert task(draw(np.random.default_rng(rows), rows)) is classes


def test_the_name_of_a_target_decides_too():
    values = np.random.default_rng(0).choice([0, 1, 2], 200, p=[0.9, 0.07, 0.03])
    assert task(values, "class")
    assert not task(values, "children")


@given(st.lists(st.one_of(st.none(), st.text(max_size=8), st.integers(), st.floats(), st.booleans()), min_size=1))
def test_whatever_a_column_holds_it_is_taken_for_something(values):
    found = guess(values)
    assert found.kind in ("number", "category", "date")
    assert len(found.profile.gaps) == len(values)


GENRES = ["Drama", "Comedy|War", "War", "Drama|War|Crime", "Crime", "Comedy|Crime|Drama"]


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (GENRES * 10, "|"),
        ([text.replace("|", "; ") for text in GENRES] * 10, ";"),
        ([text.replace("|", ", ") for text in GENRES] * 10, ","),
        (['["a", "b"]', "[]", '["b"]'] * 20, ""),
        ([["a", "b"], [], ["b"]] * 20, ""),
    ],
)
def test_several_labels_in_one_cell(values, separator):
    found = guess(values)
    assert (found.kind, found.left_out, found.column.separator) == ("labels", "", separator)


@pytest.mark.parametrize(
    "values",
    [
        ["Berlin, Germany", "Paris, France", "Bonn, Germany"] * 20,
        ["Smith, Ada", "Jones", "Smith, Bob, Jr."] * 20,
        numbered(lambda n: f"seen near colony {n}, tagged" if n % 2 else "tagged"),
        ["red", "green", "blue"] * 20,
    ],
)
def test_texts_with_commas_are_not_labels(values):
    assert guess(values).kind == "category"


def test_numbers_with_remarks_are_categories_which_is_said():
    found = guess(numbered(lambda n: f"~{n}" if n % 5 == 0 else str(n % 30)) * 4)
    assert found.kind == "category"
    assert "no numbers, such as" in found.notes[0]


@pytest.mark.parametrize("name", ["Unnamed: 0", "index", "rownames"])
def test_the_numbers_that_pandas_and_r_give_to_rows_are_left_out_of_samples_too(name):
    assert guess([7 * n % 101 for n in range(ROWS)], name).left_out == "a number that names the rows"
