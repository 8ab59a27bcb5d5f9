"""modnet intervals"""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import modnet

SPEC = """\
[network]
input = [1]
layers = ["standardize", { type = "linear", out_features = 1 }, "unstandardize"]

[training]
loss = "mse"
epochs = 3

[data]
train = "prices.csv"
target = "price"
validation = 0.5
"""


@pytest.fixture
def prices(run):
    rng = np.random.default_rng(0)
    rows = [f"{size:.3f},{100 * size + rng.normal() * 10:.2f}" for size in rng.uniform(1, 5, 200)]
    Path("prices.csv").write_text("\n".join(["size,price", *rows]) + "\n")
    Path("prices.toml").write_text(SPEC)
    run("train", "prices.toml")
    return "prices.modnet"


def test_the_validation_rows_of_the_spec(run, prices):
    lines = run("intervals", prices, "--spec", "prices.toml").stdout.splitlines()
    assert lines[0] == "the validation rows of prices.toml: 100 rows"
    assert lines[1].split() == ["coverage", "how"]
    assert lines[2].startswith("price  0.9 ± 0.03")
    assert lines[2].endswith("below and above the prediction")
    assert lines[3] == "written to prices.modnet"
    Path("new.csv").write_text("size\n2\n3\n")
    found = [*csv.DictReader(run("predict", prices, "new.csv").stdout.splitlines())]
    assert [*found[0]] == ["price", "lower", "upper"]
    assert all(float(row["lower"]) < float(row["price"]) < float(row["upper"]) for row in found)
    records = [json.loads(line) for line in run("predict", prices, "new.csv", "--json").stdout.splitlines()]
    assert records == [{name: float(value) for name, value in row.items()} for row in found]
    assert records == [pytest.approx(row, rel=1e-6) for row in modnet.load(prices).predict([{"size": 2}, {"size": 3}])]
    assert "0.9 of rows, learnt from 100" in run("inspect", prices).stdout


def test_evaluate_shows_what_is_covered(run, prices):
    run("intervals", prices, "--spec", "prices.toml", "--coverage", "0.5")
    last = run("evaluate", prices, "prices.csv").stdout.splitlines()[-2:]
    assert last[0].split() == ["coverage", "asked", "mean", "width", "or", "size"]
    assert last[1].startswith("intervals of price")
    known = json.loads(run("evaluate", prices, "prices.csv", "--json").stdout)["coverage"]["price"]
    assert known["asked"] == 0.5
    assert 0.35 < known["covered"] < 0.65


def test_sets_of_classes(run, model):
    found = json.loads(run("intervals", model, "--spec", "pets.toml", "-o", "sets.modnet", "--json").stdout)
    assert found["intervals"]["kind"].keys() == {"coverage", "rows", "margin", "threshold"}
    rows = [*csv.DictReader(run("predict", "sets.modnet", "pets.csv", "--keep", "kind").stdout.splitlines())]
    assert {row["set"] for row in rows} <= {"cat", "dog", "cat; dog"}
    assert all(row["kind"] in row["set"].split("; ") for row in rows)
    records = [json.loads(line) for line in run("predict", "sets.modnet", "pets.csv", "--json").stdout.splitlines()]
    assert [record["set"] for record in records] == [row["set"].split("; ") for row in rows]
    pets = [*csv.DictReader(Path("pets.csv").read_text().splitlines())]
    answers = modnet.load("sets.modnet").predict(pets)
    assert [record["set"] for record in records] == [answer["set"] for answer in answers]
    assert "set" not in run("predict", model, "pets.csv").stdout.splitlines()[0]


def test_a_row_without_a_prediction_has_no_interval(run, prices):
    run("intervals", prices, "--spec", "prices.toml")
    Path("new.csv").write_text("size\n2\nlarge\n")
    lines = run("predict", prices, "new.csv", "--faults", "blank").stdout.splitlines()
    assert lines[2] == ",,"


def test_too_few_rows(run, prices):
    Path("few.csv").write_text("size,price\n" + "2,200\n" * 8)
    told = run("intervals", prices, "few.csv", status=2).stderr
    assert "a coverage of 0.9 needs at least 9 rows that the model was not trained on, found 8" in told
    assert "lower" not in run("predict", prices, "few.csv").stdout


def test_arrays_have_no_columns(run):
    run("train", "points.toml")
    told = run("intervals", "points.modnet", "points.npz", status=2).stderr
    assert "this network was trained on arrays and knows no columns" in told


@pytest.mark.parametrize("coverage", ["0", "1", "90"])
def test_impossible_coverages(run, prices, coverage):
    assert "--coverage" in run("intervals", prices, "prices.csv", "--coverage", coverage, status=2).stderr


def test_arrays_of_another_file_leave_intervals_out(run, prices):
    run("intervals", prices, "--spec", "prices.toml", "-o", "certain.modnet")
    run("edit", "certain.modnet", "-o", "same.modnet", "--drop-history")
    assert "lower" in run("predict", "same.modnet", "prices.csv").stdout
    run("edit", "certain.modnet", "-o", "taken.modnet", "--take", f"linear_1={prices}")
    assert "lower" not in run("predict", "taken.modnet", "prices.csv").stdout
