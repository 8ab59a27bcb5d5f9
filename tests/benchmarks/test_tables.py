"""The benchmark of tables measures what it says, on a table made up here; how good anything is, is not tested."""

import argparse
import json
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("pandas", reason="pandas (extra `bench-tables`) is not installed")
pytest.importorskip("sklearn", reason="scikit-learn (extra `bench-tables`) is not installed")

import pandas as pd
from sklearn.metrics import log_loss, r2_score

from benchmarks.tables import files
from benchmarks.tables.__main__ import measure
from benchmarks.tables.catalog import SOURCES, Source, kept_back
from benchmarks.tables.contestants import PEERS, Answer, modnet
from benchmarks.tables.files import Split
from benchmarks.tables.prepare import Prepared
from benchmarks.tables.report import report
from benchmarks.tables.results import figures, read


def made_up(rows=200):
    """A table with a date, a gap, categories, a name for each row, and a column that is called self."""
    draw = np.random.default_rng(0)
    size = draw.normal(size=rows)
    frame = pd.DataFrame(
        {
            "day": np.datetime64("2020-01-01") + draw.integers(0, 700, rows).astype("m8[D]"),
            "size": np.where(np.arange(rows) % 20 == 0, np.nan, size),
            "self": draw.choice(["yes", "no"], rows),
            "name": [f"row {row}" for row in range(rows)],
            "price": 3 * size + draw.normal(size=rows) / 10,
            "kind": np.where(size > 0, "large", "small"),
        }
    )
    return frame.assign(day=frame["day"].astype(str))


def split_of(task, number=0):
    target, other = ("kind", "price") if task == "classes" else ("price", "kind")
    return Split(made_up().drop(columns=other), target, task, number)


@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_a_split_is_the_same_for_everyone_and_another_for_each_number(task):
    one, again, other = split_of(task), split_of(task), split_of(task, 1)
    pd.testing.assert_frame_equal(one.test, again.test)
    assert set(one.test["name"]) != set(other.test["name"])
    assert (len(one.train), len(one.test)) == (150, 50)
    assert not set(one.train["name"]) & set(one.test["name"])


def test_no_more_rows_are_trained_with_than_the_most(monkeypatch):
    monkeypatch.setattr(files, "MOST_TRAINING_ROWS", 40)
    split = split_of("classes")
    assert (len(split.train), len(split.test)) == (40, 50)


def test_peers_get_parts_of_dates_and_no_names_of_rows():
    prepared = Prepared(split_of("numbers"))
    assert prepared.categories == ["self"]
    parts = ("year", "month", "day", "weekday", "dayofyear", "days")
    assert prepared.numbers == ["size", *(f"day {part}" for part in parts)]
    first = prepared.train.iloc[0]
    date = pd.Timestamp(split_of("numbers").train["day"][0])
    assert [first[f"day {part}"] for part in parts[:4]] == [date.year, date.month, date.day, date.day_of_week]
    train = prepared.transformer(scaled=True).fit_transform(prepared.train)
    assert train.shape == (150, 7 + 2)
    assert not np.isnan(train).any()
    np.testing.assert_allclose(train[:, :7].mean(axis=0), 0, atol=1e-9)


def test_figures_are_those_of_scikit_learn():
    split, draw = split_of("classes"), np.random.default_rng(0)
    likely = draw.dirichlet([1, 1], len(split.test))
    found = figures(split, Answer(likely, ["large", "small"], 0, 0, 0, {}))
    assert found["log_loss"] == pytest.approx(log_loss(split.test["kind"], likely, labels=["large", "small"]))
    swapped = figures(split, Answer(likely[:, ::-1], ["small", "large"], 0, 0, 0, {}))
    assert swapped == found
    split = split_of("numbers")
    predicted = draw.normal(size=len(split.test))
    found = figures(split, Answer(predicted, [], 0, 0, 0, {}))
    assert found["r2"] == pytest.approx(r2_score(split.test["price"], predicted))


def test_rows_without_an_answer_get_what_is_usual():
    split = split_of("numbers")
    nothing = np.full(len(split.test), np.nan)
    found = figures(split, Answer(nothing, [], 0, 0, 0, {}))
    mean = np.full(len(split.test), split.train["price"].mean())
    assert found["r2"] == pytest.approx(r2_score(split.test["price"], mean))


def broken(split, folder):
    raise ValueError("no such thing")


@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_a_run_goes_on_where_it_was_stopped_and_reports(task, tmp_path, monkeypatch):
    target, other = ("kind", "price") if task == "classes" else ("price", "kind")
    source = Source("made-up", "nowhere/table", task, target)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(files, "table", lambda source: made_up().drop(columns=other))
    arguments = argparse.Namespace(results=tmp_path, file="", splits=[0, 1])
    contestants = {name: PEERS[name] for name in ("linear", "forest")}
    contestants |= {"modnet-quick": partial(modnet, "quick"), "broken": broken}
    measure((source,), contestants, arguments)
    lines = read(sorted(tmp_path.glob("*.jsonl")))
    assert len(lines) == 8
    assert lines["made-up", 1, "broken"]["failed"] == "ValueError: no such thing"
    figure = "accuracy" if task == "classes" else "r2"
    assert all(lines["made-up", 0, name][figure] > 0.8 for name in ("linear", "forest", "modnet-quick"))

    (tmp_path / "linear.jsonl").write_text(json.dumps(lines["made-up", 0, "linear"]) + '\n{"table": "made')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "table", lambda source: pytest.fail("is read again"))
        measure((source,), {"forest": contestants["forest"]}, arguments)
    measure((source,), contestants, arguments)
    assert len(read([tmp_path / "linear.jsonl"])) == 2
    assert len((tmp_path / "modnet-quick.jsonl").read_text().splitlines()) == 2
    assert len((tmp_path / "broken.jsonl").read_text().splitlines()) == 4

    printed = "\n".join(report(read(sorted(tmp_path.glob("*.jsonl"))), ["made-up"], ["modnet-quick", "forest"]))
    assert "| modnet-quick | 1 | 2 |  |" in printed
    assert "| modnet-quick and forest | 1 | " in printed
    assert f"## {'accuracy' if task == 'classes' else 'R2'}, table by table" in printed


def test_the_catalog():
    names = [source.name for source in SOURCES]
    assert len(set(names)) == len(names)
    shown = [source for source in SOURCES if source.name not in kept_back()]
    assert min(sum(source.task == task for source in shown) for task in ("classes", "numbers")) >= 20
    assert len(kept_back()) == len(names) // 4


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=[source.name for source in SOURCES])
def test_a_table_is_what_the_catalog_says(source):
    package = source.place.partition("/")[0]
    if find_spec(package) is None:
        pytest.skip(f"{package} (extra `bench-tables`) is not installed")
    frame = files.table(source)
    assert frame.shape[1] >= 4
    assert frame[source.target].notna().all()
    if source.task == "numbers":
        assert pd.api.types.is_numeric_dtype(frame[source.target])
    else:
        assert frame[source.target].value_counts().min() >= files.FEWEST_OF_A_CLASS
