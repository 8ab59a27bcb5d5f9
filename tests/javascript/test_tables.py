"""Rows of tables become the same numbers, the same answers and the same messages as in Python."""

import datetime

import numpy as np
import pytest

import modnet

from .conftest import Refused, assert_same

ROWS = 60


def table():
    """A table with every kind of column, some of it written as people write."""
    rng = np.random.default_rng(5)
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=int(day)) for day in rng.integers(0, 1500, ROWS)]
    numbers = rng.uniform(0, 5000, ROWS)
    found = {
        "size": [None if row % 7 == 3 else round(float(number), 3) for row, number in enumerate(numbers)],
        "price": [f"{number:,.2f} EUR".replace(",", "_").replace(".", ",").replace("_", ".") for number in numbers],
        "change": [f"({number:.1f})" if number > 2000 else f"{number:.1f}" for number in numbers],
        "sex": [["male", "female", "?"][row % 3] for row in range(ROWS)],
        "zip": [f"{code:05d}" for code in rng.integers(0, 6, ROWS) * 11],
        "grade": [["low", "mid", "high"][row % 3] for row in range(ROWS)],
        "town": [["Ulm", "Köln", "STRASSE", "Bad  Ems"][row % 4] for row in range(ROWS)],
        "old": [["yes", "no"][row % 2] for row in range(ROWS)],
        "sold": [f"{day:%d.%m.%Y} {row % 24:02d}:30" for row, day in enumerate(days)],
        "built": [f"{day:%b %d, %Y}" for day in days],
        "note": [f"the {word} house, no. {row % 5}" for row, word in enumerate(["red", "Blue", "grün"] * (ROWS // 3))],
        "tags": [["a; b", "b", "", "c; a"][row % 4] for row in range(ROWS)],
        "code": [[1, 2.5, 1e-5, 12345678901234567890][row % 4] for row in range(ROWS)],
    }
    found["value"] = [float(number) / 100 for number in numbers]
    found["kind"] = [["cheap", "dear", "mad"][int(number // 1700)] for number in numbers]
    return found


DATA = {
    "target": "kind",
    "columns": {
        "size": {"missing": "mean"},
        "price": {"kind": "number", "decimal": ",", "thousands": ".", "unit": "EUR"},
        "change": {"kind": "number", "negative": "parentheses"},
        "value": {"kind": "identifier"},
        "sex": {"kind": "category", "missing": "most_frequent", "unknown": "error"},
        "zip": {"kind": "category", "unknown": "code"},
        "grade": {"kind": "category", "categories": ["low", "mid", "high"], "encoding": "ordinal"},
        "town": {"kind": "category", "unknown": "code", "missing": "code"},
        "old": {"kind": "boolean"},
        "sold": {"kind": "date", "date_format": "%d.%m.%Y %H:%M"},
        "built": {"kind": "date", "date_format": "%b %d, %Y", "missing": "most_frequent"},
        "note": {"kind": "text", "buckets": 32, "ngrams": [2, 5]},
        "tags": {"kind": "labels", "separator": ";", "unknown": "code"},
        "code": {"kind": "category", "unknown": "code"},
    },
}


@pytest.fixture(scope="module")
def columns():
    return table()


def spec(data, last):
    return {
        "network": {"input": ["auto"], "layers": ["standardize", {"type": "linear", "out_features": 8}, "tanh", *last]},
        "training": {"loss": "cross_entropy", "epochs": 2},
        "data": data,
    }


@pytest.fixture(scope="module")
def network(columns):
    """A classifier of all kinds of columns."""
    width = 1  # the width of the input is told by the error of a wrong one
    last = [{"type": "linear", "out_features": 3}, "softmax"]
    for _ in range(2):
        made = spec(DATA, last)
        made["network"]["input"] = [width]
        try:
            return modnet.train(made, columns).network
        except modnet.ShapeError as error:
            width = int(error.hint.split("[")[1].split("]")[0])
    raise AssertionError


@pytest.fixture(scope="module")
def model(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "table.modnet"
    modnet.save(network, path)
    return path


def plain(value):
    """An answer of Python as lists."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def rows_of(columns, **changes):
    """The first rows as records, with other values in some columns."""
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for name, values in changes.items():
        for row, value in zip(rows, values, strict=False):
            row[name] = value
    return rows[: max(map(len, changes.values()), default=len(rows))]


def faults_of(refused):
    return [tuple(fault.values()) for fault in refused.problems]


def check_same(reader, network, model, rows):
    """The answers, and what is reported of the rows, are those of Python; where Python refuses, so is the reader."""
    report = []
    expected = network.predict(rows, report=report, faults="none")
    answer = reader.ask("predict", path=model, rows=rows, options={"report": [], "faults": "none"})
    assert [tuple(fault.values()) for fault in answer["report"]] == [tuple(fault) for fault in report]
    assert_same(answer["found"], plain(expected))
    problems = [tuple(fault) for fault in report if fault.kind == "fault"]
    if not problems:
        assert_same(reader.ask("predict", path=model, rows=rows), plain(network.predict(rows)))
        return
    with pytest.raises(Refused) as refused:
        reader.ask("predict", path=model, rows=rows)
    assert faults_of(refused.value) == problems


def test_rows_of_the_training(reader, network, model, columns):
    check_same(reader, network, model, rows_of(columns))


def test_columns_and_a_record(reader, network, model, columns):
    assert_same(reader.ask("predict", path=model, rows=columns), plain(network.predict(columns)))
    record = rows_of(columns)[0]
    assert_same(reader.ask("predict", path=model, rows=record), plain(network.predict(record)))
    in_order = [[row[name] for name in network.schema.columns()] for row in rows_of(columns)]
    assert_same(reader.ask("predict", path=model, rows=in_order), plain(network.predict(in_order)))


CHANGES = {
    "size": [
        1,
        2.5,
        "3",
        " 4e2 ",
        "007",
        None,
        "",
        "NA",
        float("nan"),
        True,
        "5,5",
        "five",
        "−6",
        "1_000",
        "99999",
        "٣",
    ],
    "price": [
        7,
        "7",
        "7,5 EUR",
        "1.234,5",
        "1.234.567 eur",
        "12 €",
        "-3,0",
        "3.5",
        "12,5 EUR EUR",
        "$5",
        "1.23,5",
        "EUR 8",
    ],
    "change": ["(1)", "(1,0)", "-2", "(-2)", "2-", "( 3.5 )", "(4", "1e3", "1e400"],
    "sex": ["male", " MALE ", "Female", "f", "mail", "mael", "", None, "n/a", 3],
    "zip": ["00011", 11, "11", 11.0, "0", 0, "00000", "00099", True],
    "grade": ["low", "HIGH", "hi", "mid "],
    "town": ["ulm", "köln", "KÖLN", "Straße", "strasse", "bad ems", "Bad\tEms", "Bonn", None, "?", "Ulm!"],
    "old": ["yes", "TRUE", "0", 1, False, "maybe", "on", "F", 1.0],
    "sold": [
        "31.12.2022 23:59",
        "31.12.2022",
        "2022-12-31",
        "2022-12-31T10:00:00+02:00",
        "30.02.2022 10:00",
        "1.2.2023 1:05",
        "soon",
    ],
    "built": [
        "Mar 5, 2021",
        "märz 5, 2021",
        "Mar. 5th, 2021",
        "2021-03-05",
        None,
        "5.3.2021",
        "Dec 31, 1999",
        "February 29, 2024",
        "Feb 29, 2023",
    ],
    "note": ["the Red house", "DAS GRÜNE HAUS", "", None, "a", "ﬁne  straße", "𝒳 the house" * 200],
    "tags": ["a", "a;b ; c", "", "d", '["a", "c"]', "['b']", None, "A; B"],
    "code": [1, "1", 1.0, "1.0", 2.5, "2.50", 1e-5, "0.00001", "1e-05", 12345678901234567890, 7],
}


@pytest.mark.parametrize("name", CHANGES)
def test_values_as_people_write_them(reader, network, model, columns, name):
    for value in CHANGES[name]:
        check_same(reader, network, model, rows_of(columns, **{name: [value]}))
    texts = [value for value in CHANGES[name] if isinstance(value, str)]
    check_same(reader, network, model, rows_of(columns, **{name: texts}))


def test_dates_as_dates(reader, network, model, columns):
    moments = [
        datetime.datetime(2022, 5, 3, 14, 5),
        datetime.datetime(1960, 2, 29),
        datetime.datetime(2030, 12, 31, 23, 59, 59, 500000),
    ]
    check_same(reader, network, model, rows_of(columns, sold=moments))
    check_same(reader, network, model, rows_of(columns, built=moments))
    check_same(reader, network, model, rows_of(columns, town=moments))


@pytest.mark.parametrize("renamed", [{"size": "siez"}, {"built": "", "old": "solid"}])
def test_missing_and_unknown_columns(reader, network, model, columns, renamed):
    """A column that is there and wanted, such as sold, is not suggested for one that is missing."""
    rows = [
        {renamed.get(key, key): value for key, value in row.items() if key != "zip" and renamed.get(key) != ""}
        for row in rows_of(columns)
    ]
    with pytest.raises(modnet.DataError) as error:
        network.predict(rows)
    with pytest.raises(Refused) as refused:
        reader.ask("predict", path=model, rows=rows)
    assert str(error.value).endswith(str(refused.value))
    assert faults_of(refused.value) == [tuple(fault) for fault in error.value.problems]


def test_numbers_that_the_network_cannot_hold(reader, network, model, columns):
    rows = rows_of(columns, size=[1e300, 1])
    with pytest.raises(Refused) as refused:
        reader.ask("predict", path=model, rows=rows)
    assert [(fault["row"], fault["column"]) for fault in refused.value.problems] == [(0, "size")]
    assert "beyond what float32 can hold" in str(refused.value)


@pytest.mark.parametrize("target", ["value", "kind", "old", "tags"])
def test_targets(reader, columns, target, tmp_path):
    """Numbers with and without quantiles, classes, two classes by one probability, labels; with intervals."""
    names = ["size", "sex"]
    inputs = {name: columns[name] for name in names}
    ends = {
        "value": [
            ("mse", [{"type": "linear", "out_features": 1}, "unstandardize"]),
            (
                {"type": "quantile", "quantiles": [0.05, 0.5, 0.95]},
                [{"type": "linear", "out_features": 3}, "unstandardize"],
            ),
        ],
        "kind": [("cross_entropy", [{"type": "linear", "out_features": 3}, "softmax"])],
        "old": [("binary_cross_entropy", [{"type": "linear", "out_features": 1}, "sigmoid"])],
        "tags": [("binary_cross_entropy", [{"type": "linear", "out_features": 3}, "sigmoid"])],
    }
    kinds = {"old": {"kind": "boolean"}, "tags": {"kind": "labels"}}
    for number, (loss, last) in enumerate(ends[target]):
        made = spec(
            {
                "target": target,
                "columns": {
                    "size": {"missing": "mean"},
                    "sex": {"missing": "most_frequent"},
                    target: kinds.get(target, {}),
                },
            },
            last,
        )
        made["network"]["input"] = [3]
        made["training"]["loss"] = loss
        network = modnet.train(made, {**inputs, target: columns[target]}).network
        if target in ("value", "kind"):
            network = modnet.intervals(network, {**inputs, target: columns[target]}).network
        path = tmp_path / f"{number}.modnet"
        modnet.save(network, path)
        check_same(reader, network, path, rows_of(inputs))


def test_embeddings_of_categories_beside_numbers(reader, columns, tmp_path):
    layers = [
        {"type": "embedding", "vocabulary_size": 8, "embedding_size": 3, "inputs": ["ids"]},
        {"type": "flatten", "name": "vectors"},
        {"type": "standardize", "inputs": ["numbers"], "name": "scaled"},
        {"type": "concatenate", "inputs": ["vectors", "scaled"]},
        {"type": "linear", "out_features": 3},
        "softmax",
    ]
    coded = {"encoding": "embedding", "unknown": "code", "missing": "code"}
    data = {
        "target": "kind",
        "inputs": {"ids": ["town", "zip"], "numbers": ["size"]},
        "columns": {"town": coded, "zip": {"kind": "category", **coded}, "size": {"missing": "median"}},
    }
    made = {"network": {"input": {"ids": [2], "numbers": [1]}, "layers": layers}, "data": data}
    made["training"] = {"loss": "cross_entropy", "epochs": 2}
    names = ("town", "zip", "size", "kind")
    network = modnet.train(made, {name: columns[name] for name in names}).network
    path = tmp_path / "model.modnet"
    modnet.save(network, path)
    inputs = {name: columns[name] for name in names[:3]}
    rows = rows_of(inputs, town=["Ulm", "Rome", None, "köln"], zip=["00011", "99", "00000", ""])
    check_same(reader, network, path, rows)
